"""When a source's turn is: the slots of its schedule, and the trigger that fires a little after them."""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import NamedTuple, Self
from zlib import crc32
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from msgspec.structs import replace

from monitor.clock import Clock
from monitor.wiring import Feed
from rules.calendar import Workdays
from rules.target import Schedule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY, _MOMENT = timedelta(days=1), timedelta(microseconds=1)
_SPREAD = timedelta(seconds=30)
"""Over how long the sources of one slot are spread."""
_SPREAD_FROM = timedelta(minutes=5)
"""Sources that are asked more often than that are asked on the second."""


class Turns(NamedTuple):
    """The moments for which a schedule asks, where the book is."""

    schedule: Schedule
    zone: ZoneInfo
    workdays: Workdays

    @classmethod
    def of(cls, feed: Feed, least: timedelta = timedelta()) -> Self:
        """A source's turns. One that is asked again and again is not asked more often than every ``least``."""
        schedule = feed.source.schedule
        if schedule.interval is not None and schedule.interval < least:
            schedule = replace(schedule, interval=least)
        return cls(schedule, ZoneInfo(feed.book.timezone), feed.book.workdays)

    def latest(self, now: datetime) -> datetime:
        """The latest moment at or before ``now`` for which the schedule asks."""
        if self.schedule.interval is not None:
            return now - (now - _EPOCH) % self.schedule.interval
        return next(turn for turn in self._days(now, -_DAY) if turn <= now)

    def following(self, now: datetime) -> datetime:
        """The first moment after ``now`` for which the schedule asks."""
        if self.schedule.interval is not None:
            return self.latest(now) + self.schedule.interval
        return next(turn for turn in self._days(now, _DAY) if turn > now)

    def patience(self, now: datetime) -> datetime:
        """A source that last answered before this moment has missed its last turns."""
        if self.schedule.interval is not None:
            return now - 2 * self.schedule.interval
        return self.latest(self.latest(now) - _MOMENT)

    def _days(self, now: datetime, step: timedelta) -> "map[datetime]":
        """The moments on the day of ``now`` and on all days from there on that the schedule includes."""
        today = now.astimezone(self.zone).date()
        days = (today + n * step for n in count())
        return map(self._on, (day for day in days if self.schedule.includes(day, self.workdays)))

    def _on(self, day: date) -> datetime:
        assert self.schedule.at is not None
        return datetime.combine(day, self.schedule.at, self.zone).astimezone(UTC)


def jitter(feed: Feed) -> timedelta:
    """How long after its slot a source is asked, always the same for it: not all of one slot at one moment."""
    often = feed.source.schedule.interval
    if often is not None and often < _SPREAD_FROM:
        return timedelta()
    return crc32(feed.source.key.encode()) / 2**32 * _SPREAD


class Trigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Fires ``late`` after each turn that ``clock`` shows; missed ones are not made up for."""

    def __init__(self, turns: Turns, late: timedelta, clock: Clock) -> None:
        self._turns, self._late, self._clock = turns, late, clock

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """The first moment after ``now``, both in real time."""
        return self._clock.when(self._turns.following(self._clock.shown(now) - self._late) + self._late)
