import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.worker import Loop, slot
from rules import phrase

SHANGHAI = ZoneInfo("Asia/Shanghai")
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
schedules = st.sampled_from(
    ["every 1 second", "every 10 minutes", "every 7 minutes", "every 2 hours", "daily at 09:30"]
)


@given(schedules, moments)
def test_a_slot_is_never_in_the_future_and_less_than_one_turn_old(text, now):
    found = slot(phrase.schedule(text), now, SHANGHAI)
    turn = phrase.schedule(text).interval or timedelta(days=1)
    assert now - turn < found <= now


@given(schedules, moments, st.timedeltas(timedelta(), timedelta(days=3)))
def test_slots_never_run_backwards(text, now, later):
    schedule = phrase.schedule(text)
    assert slot(schedule, now, SHANGHAI) <= slot(schedule, now + later, SHANGHAI)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2025-10-27T09:29:59+08:00", "2025-10-26T09:30:00+08:00"),
        ("2025-10-27T09:30:00+08:00", "2025-10-27T09:30:00+08:00"),
    ],
)
def test_a_daily_slot_is_the_time_on_the_wall_where_the_book_is(now, expected):
    found = slot(phrase.schedule("daily at 09:30"), datetime.fromisoformat(now), SHANGHAI)
    assert found == datetime.fromisoformat(expected)


def test_a_loop_goes_on_after_an_error_and_wakes_at_once():
    done = threading.Semaphore(0)
    calls = []

    def work():
        calls.append(len(calls))
        done.release()
        if len(calls) == 1:
            raise RuntimeError("first time")

    loop = Loop("test", work, every=60)
    loop.start()
    assert done.acquire(timeout=5)
    loop.wake()
    assert done.acquire(timeout=5)
    loop.stop()
    assert not loop.is_alive()
    assert len(calls) >= 2
