"""When a source's turn is: exact moments over the holidays, and laws that hold at any moment."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clock import Clock
from monitor.turns import Trigger, Turns, jitter
from monitor.wiring import Feed
from rules import phrase
from rules.calendar import PUBLISHED
from tests.rules.builders import a_book

SHANGHAI = ZoneInfo("Asia/Shanghai")
TEXTS = (
    "every 1 second",
    "every 10 minutes",
    "every 7 minutes",
    "every 2 hours",
    "daily at 09:30",
    "weekdays at 09:30",
    "monday, thursday at 08:00",
    "day 31 at 10:00",
)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
schedules = st.sampled_from(TEXTS)


def turns(text, workdays=PUBLISHED):
    return Turns(phrase.schedule(text), SHANGHAI, workdays)


def feed(text, name="s"):
    book = a_book(sources={name: {"connector": "table_file", "schedule": text}})
    return Feed(book, book.sources[name], None)


def fired(text, since, times, workdays=PUBLISHED):
    """The next so many moments at which the trigger fires, as the clock on the wall shows them."""
    trigger, now, found = Trigger(turns(text, workdays), timedelta(), Clock()), at(since), []
    for _ in range(times):
        now = trigger.get_next_fire_time(now, now)
        found.append(now.astimezone(SHANGHAI).strftime("%m-%d %H:%M"))
    return found


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@settings(deadline=None)  # the first to ask reads the calendar
@given(schedules, moments)
def test_the_latest_turn_is_not_in_the_future_and_the_following_one_is(text, now):
    mine = turns(text)
    assert mine.latest(now) <= now < mine.following(now)


@settings(deadline=None)  # the first to ask reads the calendar
@given(schedules, moments)
def test_no_turn_lies_between_the_latest_and_the_following_one(text, now):
    mine = turns(text)
    latest, following = mine.latest(now), mine.following(now)
    assert mine.following(latest) == following
    assert mine.latest(following) == following
    assert mine.latest(following - timedelta(microseconds=1)) == latest


@settings(deadline=None)  # the first to ask reads the calendar
@given(schedules, moments, st.timedeltas(timedelta(), timedelta(days=3)))
def test_turns_never_run_backwards(text, now, later):
    assert turns(text).latest(now) <= turns(text).latest(now + later)


@settings(deadline=None)  # the first to ask reads the calendar
@given(schedules, moments, st.sampled_from([1, 7, 21_600, 43_200]))
def test_at_the_very_moment_of_a_turn_the_next_one_is_later_however_fast_the_clock(text, start, speed):
    trigger = Trigger(turns(text), jitter(feed(text)), Clock(start, start, speed))
    turn = trigger.get_next_fire_time(None, start)
    assert start < turn < trigger.get_next_fire_time(turn, turn)


@settings(deadline=None)  # the first to ask reads the calendar
@given(schedules, moments, st.sampled_from(["甲", "乙", "丙"]))
def test_whenever_it_fires_it_is_the_turn_that_it_fires_for(text, now, name):
    source = feed(text, name)
    mine, late = Turns.of(source), jitter(source)
    fires = Trigger(mine, late, Clock()).get_next_fire_time(None, now)
    assert now < fires
    assert mine.latest(fires) == fires - late


@settings(deadline=None)  # the first to ask reads the calendar
@given(schedules, moments, st.sampled_from([1, 60, 86_400]))
def test_a_clock_that_hurries_is_asked_by_and_nothing_more_often_than_each_second(text, now, speed):
    clock = Clock(at("2025-09-01"), now - timedelta(hours=1), speed)
    mine = Turns.of(feed(text), clock.second)
    fires = Trigger(mine, timedelta(), clock).get_next_fire_time(None, now)
    following = mine.following(clock.shown(now))
    assert abs(fires - clock.when(following)) < timedelta(milliseconds=1)
    if mine.schedule.at is None:
        assert clock.when(mine.following(following)) - fires >= timedelta(seconds=0.999)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2025-10-27T09:29:59", "2025-10-26T09:30"),
        ("2025-10-27T09:30:00", "2025-10-27T09:30"),
    ],
)
def test_a_daily_turn_is_the_time_on_the_wall_where_the_book_is(now, expected):
    assert turns("daily at 09:30").latest(at(now)) == at(expected)


@pytest.mark.parametrize(
    ("text", "since", "expected"),
    [
        # 国庆、中秋 2025: 1 to 8 October off, Sunday 28 September and Saturday 11 October worked
        (
            "weekdays at 09:30",
            "2025-09-26T09:30",
            "09-28 09:30,09-29 09:30,09-30 09:30,10-09 09:30,10-10 09:30,10-11 09:30,10-13 09:30",
        ),
        ("monday, thursday at 08:00", "2025-09-29T08:00", "10-02 08:00,10-06 08:00,10-09 08:00"),
        ("day 1 at 10:00", "2025-09-26T00:00", "10-01 10:00,11-01 10:00,12-01 10:00,01-01 10:00"),
        # 元旦 2026: 1 to 3 January off, Sunday 4 January worked
        ("weekdays at 09:30", "2025-12-30T12:00", "12-31 09:30,01-04 09:30,01-05 09:30"),
        ("wednesday at 08:00", "2025-12-25T00:00", "12-31 08:00,01-07 08:00"),
        ("day 31 at 23:59", "2025-11-01T00:00", "11-30 23:59,12-31 23:59,01-31 23:59,02-28 23:59,03-31 23:59"),
        ("every 2 hours", "2025-12-31T21:00", "12-31 22:00,01-01 00:00"),
    ],
)
def test_the_next_turns_are_these(text, since, expected):
    assert fired(text, since, expected.count(",") + 1) == expected.split(",")


def test_a_day_off_of_the_book_is_no_working_day():
    book = a_book(holidays=["2025-09-29"], workdays=["2025-10-08"])
    assert fired("weekdays at 09:30", "2025-09-28T12:00", 2, book.workdays) == ["09-30 09:30", "10-08 09:30"]


def test_sources_of_one_slot_are_spread_over_half_a_minute_and_each_keeps_its_place():
    late = sorted(jitter(feed("weekdays at 09:30", f"s{n}")) for n in range(40))
    assert timedelta() <= late[0] < timedelta(seconds=5) < timedelta(seconds=25) < late[-1] < timedelta(seconds=30)
    assert len({int(one.total_seconds() * 2) for one in late}) > 20
    assert all(earlier < later for earlier, later in pairwise(late))
    assert jitter(feed("every 5 minutes")) == jitter(feed("daily at 09:30")) > timedelta()
    assert jitter(feed("every 4 minutes")) == timedelta()


@pytest.mark.parametrize(
    ("text", "now", "expected"),
    [
        # Over the holidays a source that was last asked on 30 September has missed nothing until the 10th.
        ("weekdays at 09:30", "2025-10-09T09:29", "2025-09-29T09:30"),
        ("weekdays at 09:30", "2025-10-09T09:30", "2025-09-30T09:30"),
        ("day 15 at 10:00", "2025-10-20T00:00", "2025-09-15T10:00"),
        ("every 10 minutes", "2025-10-20T00:00", "2025-10-19T23:40"),
    ],
)
def test_a_source_is_silent_once_two_turns_have_passed(text, now, expected):
    assert turns(text).patience(at(now)) == at(expected)
