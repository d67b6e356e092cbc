from datetime import UTC, datetime, timedelta

import pytest

from monitor.clock import Clock, parse_moment


def test_a_bare_day_means_its_end_where_the_book_is():
    assert parse_moment("2025-10-25", "Asia/Shanghai") == datetime(2025, 10, 25, 15, 59, 59, 999999, UTC)


def test_a_minute_is_that_minute_where_the_book_is():
    assert parse_moment("2025-10-25T09:00", "Asia/Shanghai") == datetime(2025, 10, 25, 1, 0, tzinfo=UTC)


def test_an_offset_that_is_written_counts():
    assert parse_moment("2025-10-25T09:00+00:00", "Asia/Shanghai") == datetime(2025, 10, 25, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "昨天", "2025-13-01", "2025/10/25"])
def test_what_is_no_moment_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="2025-10-25T09:00"):
        parse_moment(text, "Asia/Shanghai")


def test_a_set_clock_goes_on_from_its_anchor():
    anchor = datetime.now(UTC) - timedelta(hours=2)
    clock = Clock(datetime(2025, 10, 27, 1, 0, tzinfo=UTC), anchor)
    assert clock.rehearsing
    assert abs(clock.now() - datetime(2025, 10, 27, 3, 0, tzinfo=UTC)) < timedelta(seconds=5)


def test_the_real_clock_shows_the_real_time():
    clock = Clock()
    assert not clock.rehearsing
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_clock_that_hurries_shows_a_day_for_each_second_and_knows_when():
    anchor = datetime.now(UTC) - timedelta(seconds=30)
    clock = Clock(datetime(2025, 9, 1, tzinfo=UTC), anchor, speed=86_400)
    assert clock.second == timedelta(days=1)
    assert timedelta(days=30) <= clock.now() - datetime(2025, 9, 1, tzinfo=UTC) < timedelta(days=90)
    moment = datetime(2025, 9, 20, 9, 30, tzinfo=UTC)
    assert abs(clock.shown(clock.when(moment)) - moment) < timedelta(seconds=1)
    assert clock.when(datetime(2025, 9, 11, tzinfo=UTC)) == anchor + timedelta(seconds=10)


def test_the_real_clock_cannot_be_hurried():
    assert Clock(speed=60).second == timedelta(seconds=1)
    now = Clock.real()
    assert Clock(speed=60).shown(now) == Clock(speed=60).when(now) == now
