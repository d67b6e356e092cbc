"""When a message waits: it is silenced, held by another alert, told together with others, or people are off duty. Pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from alerts.alert import State
from alerts.digest import AT_ONCE, OVERFLOW, Digest, Rhythm, week
from alerts.notice import Notice
from rules.calendar import PUBLISHED, Workdays
from rules.target import Level


class Reason(StrEnum):
    """Why a message waits. The same word is stored, logged and counted."""

    SILENCED = "silenced"
    INHIBITED = "inhibited"
    DIGEST = "digest"
    BUDGET = "budget"
    QUIET = "quiet"
    CROWD = "crowd"

    @property
    def merged(self) -> bool:
        """Whether the message ends up in a digest."""
        return self in (Reason.DIGEST, Reason.BUDGET)

    @property
    def text(self) -> str:
        return {
            Reason.SILENCED: "静默",
            Reason.INHIBITED: "上级预警未解除，暂缓",
            Reason.DIGEST: "并入定期汇总",
            Reason.BUDGET: "超出每周条数，并入汇总",
            Reason.QUIET: "静默时段",
            Reason.CROWD: "同时条数过多，并入汇总",
        }[self]


NO_CROWDS: Mapping[str, int] = {}
"""Every channel tells each message by itself."""
WHILE_IT_FIRES = datetime(9999, 1, 1, tzinfo=UTC)
"""Until when an inhibited message waits: the end of another alert has no date."""


class Silence(Struct, frozen=True):
    """Messages up to ``level`` about one book wait ``until`` then.

    All of them, or those that are of ``target``, of the place ``subject``, of the plan's ``section``, of what ``unit``
    must act on, and that have ``label``; "" where it is not asked for.
    """

    id: int
    book: str
    level: Level
    until: datetime
    who: str
    reason: str
    target: str = ""
    subject: str = ""
    section: str = ""
    unit: str = ""
    label: str = ""

    def covers(self, notice: Notice) -> bool:
        return (
            self.book == notice.book
            and self.target in ("", notice.target)
            and self.subject in ("", notice.subject)
            and self.section in ("", notice.section)
            and self.unit in ("", *notice.asked)
            and self.label in ("", *notice.labels)
            and max(notice.level, notice.previous_level) <= self.level
        )


class Quiet(Struct, frozen=True):
    """Hours of the night, from ``begins`` to ``ends``, and days off, in which nothing is told but red, or nothing (``red_too``)."""

    begins: time | None = None
    ends: time | None = None
    days_off: bool = False
    red_too: bool = False

    def until(self, local: datetime, workdays: Workdays = PUBLISHED) -> datetime | None:
        """When the quiet that ``local`` lies in is over; None where it lies in none."""
        moment = local
        while (later := self._later(moment, workdays)) is not None:
            moment = later
        return None if moment == local else moment

    def _later(self, moment: datetime, workdays: Workdays) -> datetime | None:
        midnight = datetime.combine(moment.date(), time.min, moment.tzinfo)
        if self.days_off and not workdays.include(moment.date()):
            return midnight + timedelta(days=1)
        if self.begins is None or self.ends is None:
            return None
        begins, ends, now = self.begins, self.ends, moment.time()
        morning = datetime.combine(moment.date(), ends, moment.tzinfo)
        if begins < ends:
            return morning if begins <= now < ends else None
        if now < ends:
            return morning
        return morning + timedelta(days=1) if now >= begins else None


class Held(NamedTuple):
    """A message waits; ``silence`` is the id of the silence, ``inhibitor`` the change of the alert that holds it, or 0."""

    reason: Reason
    until: datetime
    silence: int = 0
    inhibitor: int = 0


def quiet(text: str) -> Quiet:
    """``nights 20:00-08:00, days off``, or either of them, with ``, red too`` where red waits as well. Raises ValueError."""
    clock = r"((?:[01]\d|2[0-3]):[0-5]\d)"
    found = re.fullmatch(rf"(?:nights {clock}-{clock})?(, )?(days off)?", text.removesuffix(", red too"))
    if (
        not found
        or not found[0]
        or bool(found[3]) != bool(found[1] and found[4])
        or (found[1] and found[1] == found[2])
    ):
        raise ValueError(
            f"看不懂的静默时段 '{text}' (bad quiet); 应如 nights 20:00-08:00、days off 或 nights 20:00-08:00, days off；"
            "红色也须等待的，末尾加写 , red too"
        )
    times = [time.fromisoformat(part) if part else None for part in (found[1], found[2])]
    return Quiet(times[0], times[1], days_off=bool(found[4]), red_too=text.endswith(", red too"))


def decide(
    notice: Notice,
    local: datetime,
    silences: Iterable[Silence],
    hours: Quiet | None,
    workdays: Workdays = PUBLISHED,
    *,
    inhibitor: int = 0,
    rhythm: Rhythm = AT_ONCE,
    spent: int = 0,
) -> Held | None:
    """Whether the message waits at ``local``, and until when; the silence that lasts longest counts.

    ``inhibitor`` is the change of the alert that holds it, 0 for none. ``rhythm`` is how often its receiver wants to
    be told, who has been told ``spent`` times this week. What ends an alert is no news to hold back: only its beginning
    is inhibited. A digest's hour is chosen by people, so that quiet hours do not move it.
    """
    covering = [one for one in silences if one.until > local and one.covers(notice)]
    if covering:
        longest = max(covering, key=lambda one: one.until)
        return Held(Reason.SILENCED, longest.until, longest.id)
    if inhibitor and notice.state == State.FIRING:
        return Held(Reason.INHIBITED, WHILE_IT_FIRES, inhibitor=inhibitor)
    # Who heard of red at once hears of its end at once.
    worst = Level(max(notice.level, notice.previous_level, notice.judged))
    return paced(Level(notice.level), worst, local, hours, workdays, rhythm, spent)


def paced(
    level: Level, worst: Level, local: datetime, hours: Quiet | None, workdays: Workdays, rhythm: Rhythm, spent: int = 0
) -> Held | None:
    """Whether a message waits for the sake of its receiver; ``level`` is the alert's now, ``worst`` that it was told at."""
    digest, budget = rhythm
    red = worst == Level.RED
    if digest is not None and not (red and digest.red_at_once):
        return Held(Reason.DIGEST, digest.following(local, workdays))
    if budget is not None and spent >= budget.most and not (red and budget.red_at_once):
        return Held(Reason.BUDGET, _room(local, digest, workdays))
    over = None if hours is None or (level == Level.RED and not hours.red_too) else hours.until(local, workdays)
    return None if over is None else Held(Reason.QUIET, over)


def _room(local: datetime, digest: Digest | None, workdays: Workdays) -> datetime:
    """When what is too much for this week is told: by the receiver's own digest, else when the next week opens."""
    if digest is not None:
        return digest.following(local, workdays)
    sunday = week(local) + timedelta(days=7) - timedelta(microseconds=1)
    return OVERFLOW.following(sunday, workdays)
