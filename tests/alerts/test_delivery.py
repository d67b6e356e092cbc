"""What becomes of a delivery after an attempt, and how long it waits for the next."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.delivery import MAX_ATTEMPTS, Attempt, Delivery, Result, Status, after, backoff, key
from tests.alerts.builders import pace_notice

NOW = datetime(2025, 10, 22, 9, tzinfo=UTC)
FAILURES = [result for result in Result if result is not Result.SENT]
_KEYS = st.binary(min_size=16, max_size=16).map(bytes.hex)


def a_delivery(attempts: int = 0) -> Delivery:
    return Delivery(1, "0" * 32, "财政局", "email", "a@example.org", "牵头单位", attempts, pace_notice())


@pytest.mark.parametrize("attempts", [0, 5, MAX_ATTEMPTS - 1])
def test_a_delivery_that_arrived_is_sent(attempts: int) -> None:
    assert after(a_delivery(attempts), Attempt(Result.SENT, "ok"), NOW) == (Status.SENT, NOW)


@pytest.mark.parametrize("result", FAILURES)
def test_a_failure_is_tried_again_later(result: Result) -> None:
    status, due = after(a_delivery(), Attempt(result, "no"), NOW)
    assert status is Status.QUEUED
    assert due == NOW + timedelta(seconds=5)


@pytest.mark.parametrize("result", FAILURES)
def test_a_permanent_failure_is_a_dead_letter_at_once(result: Result) -> None:
    assert after(a_delivery(), Attempt(result, "no", permanent=True), NOW) == (Status.DEAD, NOW)


def test_the_last_attempt_that_fails_makes_a_dead_letter() -> None:
    failed = Attempt(Result.TIMEOUT, "")
    assert after(a_delivery(MAX_ATTEMPTS - 2), failed, NOW)[0] is Status.QUEUED
    assert after(a_delivery(MAX_ATTEMPTS - 1), failed, NOW)[0] is Status.DEAD


@pytest.mark.parametrize(("wish", "pause"), [(600, 600), (1, 5)])
def test_the_receiver_may_ask_for_a_longer_pause_but_not_for_a_shorter_one(wish: int, pause: int) -> None:
    attempt = Attempt(Result.THROTTLED, "too many requests", retry_after=timedelta(seconds=wish))
    assert after(a_delivery(), attempt, NOW)[1] == NOW + timedelta(seconds=pause)


@given(_KEYS, st.integers(0, 1000))
def test_the_pause_doubles_from_five_seconds_to_two_hours_and_spreads_by_a_quarter(key: str, attempts: int) -> None:
    least = min(timedelta(seconds=5 * 2 ** min(attempts, 30)), timedelta(hours=2))
    assert least <= backoff(key, attempts) <= least * 1.25
    assert attempts > 10 or backoff(key, attempts) <= backoff(key, attempts + 1)


@given(_KEYS)
def test_a_delivery_is_tried_for_a_little_more_than_a_day(key: str) -> None:
    tried = sum((backoff(key, attempts) for attempts in range(MAX_ATTEMPTS - 1)), timedelta())
    assert timedelta(days=1) < tried < timedelta(days=1.5)


def test_a_crowd_does_not_come_back_at_the_same_moment() -> None:
    pauses = {backoff(key(change, "财政局", "email", ""), 3) for change in range(100)}
    assert len(pauses) > 90


def test_who_came_together_once_does_not_come_together_every_time() -> None:
    one, other = "1234" * 8, "1234" + "9abc" * 7
    assert backoff(one, 0) == backoff(other, 0)
    assert sum(backoff(one, attempts) == backoff(other, attempts) for attempts in range(MAX_ATTEMPTS)) < 3


def test_the_key_is_the_same_for_every_attempt_and_another_for_every_other_delivery() -> None:
    one = (7, "财政局", "email", "a@example.org")
    others = [(8, *one[1:]), (7, "商务局", *one[2:]), (7, "财政局", "folder", one[3]), (*one[:3], "b@example.org")]
    assert key(*one) == key(*one)
    assert len({key(*one), *(key(*other) for other in others)}) == 5
    assert len(key(*one)) == 32
