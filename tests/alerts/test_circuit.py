from datetime import UTC, datetime, timedelta

import pytest

from alerts.circuit import FAILURES, Circuit
from alerts.delivery import Attempt, Result

NOW = datetime(2025, 10, 27, 1, tzinfo=UTC)
GONE, ARRIVED = Attempt(Result.UNREACHABLE, "no"), Attempt(Result.SENT, "ok")


def failed(times, attempt=GONE):
    circuit = Circuit()
    for _ in range(times):
        circuit.heard(attempt, NOW)
    return circuit


@pytest.mark.parametrize("result", [Result.UNREACHABLE, Result.TIMEOUT, Result.THROTTLED, Result.MISCONFIGURED])
def test_repeated_failures_send_a_channel_to_rest_and_say_why(result):
    assert not failed(FAILURES - 1, Attempt(result, "no")).resting(NOW)
    circuit = failed(FAILURES, Attempt(result, "no"))
    assert circuit.resting(NOW)
    assert circuit.reason == result
    assert not circuit.resting(NOW + timedelta(seconds=10))


def test_one_failure_after_a_rest_is_enough_for_a_longer_one_up_to_five_minutes():
    circuit, now, rests = failed(FAILURES), NOW, []
    for _ in range(10):
        rests.append(circuit.rests_until - now)
        now = circuit.rests_until
        circuit.heard(GONE, now)
    assert [rest.total_seconds() for rest in rests[:5]] == [10, 20, 40, 80, 160]
    assert rests[-1] == timedelta(minutes=5)


def test_a_letter_that_arrives_ends_it_all():
    circuit = failed(20)
    circuit.heard(ARRIVED, NOW)
    assert not circuit.resting(NOW)
    assert circuit.failures == 0


def test_a_receiver_that_names_its_time_is_left_alone_for_that_time_at_once():
    circuit = failed(1, Attempt(Result.THROTTLED, "blocked", retry_after=timedelta(minutes=10)))
    assert circuit.resting(NOW + timedelta(minutes=9, seconds=59))
    assert not circuit.resting(NOW + timedelta(minutes=10))


def test_what_is_one_letters_own_fault_is_no_failure_of_the_channel():
    refused = Attempt(Result.MISCONFIGURED, "no such address", permanent=True)
    assert not failed(50, refused).resting(NOW)
    assert not failed(50, Attempt(Result.REJECTED, "no")).resting(NOW)
