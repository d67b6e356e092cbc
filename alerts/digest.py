"""Messages that go together: when a digest is due, how many messages a receiver wants in a week, what a digest says. Pure."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple, TypeVar

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from alerts.alert import Event, Kind, State
from alerts.bulletin import Bulletin, bulletin
from alerts.notice import Notice
from rules.calendar import Workdays
from rules.target import Level

MOST = 50
"""Alerts in one letter: what a robot's group still takes in a minute, and a person in one go."""
LISTED = 200
"""Alerts that a digest lists, in as many letters as it takes; of more it lists the worst ``MOST`` and counts all."""
_NAMED = 10
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LONGEST_BREAK = 14
"""Days that offices are closed running, at most."""


class Digest(Struct, frozen=True):
    """Messages are told together ``at`` that time on every working day, or once a week from ``weekday`` (0 is Monday).

    What falls on a day off goes out on the next working day. ``red_at_once``: red is told at once all the same.
    """

    at: time
    weekday: int | None = None
    red_at_once: bool = False

    def following(self, local: datetime, workdays: Workdays) -> datetime:
        """The first digest after ``local``."""
        return _following(self, local, workdays)


class Budget(Struct, frozen=True):
    """At most so many messages in a week, from Monday on; the rest goes together."""

    most: int
    red_at_once: bool = False


class Rhythm(NamedTuple):
    """How often a receiver wants to be told."""

    digest: Digest | None = None
    budget: Budget | None = None


AT_ONCE = Rhythm()
OVERFLOW = Digest(time(9), 0)
"""When a week's rest is told to who has no digest."""


def digest(text: str) -> Digest:
    """``daily 09:00`` or ``weekly monday 09:00``, either with ``except red``. Raises ValueError."""
    found = re.fullmatch(r"(?:daily|weekly ([a-z]+)) ((?:[01]\d|2[0-3]):[0-5]\d)( except red)?", text)
    if not found or (found[1] is not None and found[1] not in _WEEKDAYS):
        raise ValueError(
            f"看不懂的汇总时间 '{text}' (bad digest); 应如 daily 09:00、weekly monday 09:00、daily 09:00 except red、never"
        )
    weekday = None if found[1] is None else _WEEKDAYS.index(found[1])
    return Digest(time.fromisoformat(found[2]), weekday, bool(found[3]))


def budget(text: str) -> Budget:
    """``20 a week`` or ``20 a week except red``. Raises ValueError."""
    found = re.fullmatch(r"([1-9]\d{0,5}) a week( except red)?", text)
    if not found:
        raise ValueError(f"看不懂的条数 '{text}' (bad budget); 应如 20 a week、20 a week except red")
    return Budget(int(found[1]), bool(found[2]))


def week(local: datetime) -> datetime:
    """When the week of ``local`` began."""
    return datetime.combine(local.date() - timedelta(days=local.weekday()), time.min, local.tzinfo)


@lru_cache(maxsize=256)  # thousands of messages wait for one and the same
def _following(wanted: Digest, local: datetime, workdays: Workdays) -> datetime:
    day = local.date() - timedelta(days=_LONGEST_BREAK)
    while True:
        if wanted.weekday in (None, day.weekday()):
            slot = datetime.combine(_worked(day, workdays), wanted.at, local.tzinfo)
            if slot > local:
                return slot
        day += timedelta(days=1)


def _worked(day: date, workdays: Workdays) -> date:
    found: date = workdays.on_or_after(np.array([day], "datetime64[D]"))[0].item()
    return found


class Turn(StrEnum):
    """What happened to an alert between two digests, all told."""

    RAISED = "raised"
    WORSENED = "worsened"
    EASED = "eased"
    RESOLVED = "resolved"
    PASSED = "passed"  # raised and resolved
    CORRECTED = "corrected"
    REMINDED = "reminded"
    ESCALATED = "escalated"

    @property
    def text(self) -> str:
        return {
            Turn.RAISED: "新增",
            Turn.WORSENED: "升级",
            Turn.EASED: "降级",
            Turn.RESOLVED: "解除",
            Turn.PASSED: "新增并解除",
            Turn.CORRECTED: "更正",
            Turn.REMINDED: "催办",
            Turn.ESCALATED: "提请关注",
        }[self]


_Told = TypeVar("_Told")


class _Sort(NamedTuple):
    """What alerts are counted by: what happened to them, what they are (see ``_RANKS``), and whose."""

    turn: Turn
    rank: int
    plan: str
    section: str
    lead: tuple[str, ...]


class _Entry(Struct, frozen=True, gc=False):
    """What a digest tells of one alert: its ``last`` word, as what happened all in all, in place of ``steps``."""

    steps: Sequence[tuple[int, Notice]]
    last: Notice
    rank: int
    turn: Turn
    event: str
    previous_level: int

    @property
    def notice(self) -> Notice:
        return replace(self.last, turn=self.turn, event=self.event, previous_level=self.previous_level)


def compose(said: Iterable[tuple[int, Notice]], at: datetime) -> list[tuple[Notice, list[int]]]:
    """Letters for what one receiver is told together at ``at``, of ``MOST`` alerts each, and the numbers told in each.

    Of more alerts than anybody reads (``LISTED``) one letter lists the worst, and says how many there are of what.
    ``said`` are numbered, in order of time. Each alert is told once, by all that happened to it: what was raised and
    got worse is raised, what was raised and solved is told as both. The worst comes first, then by book and item.
    """
    changes: dict[tuple[object, ...], list[tuple[int, Notice]]] = {}
    for number, one in said:
        alone = number if _of_the_past(one) else None
        changes.setdefault((one.book, one.target, one.subject, one.kind, alone), []).append((number, one))
    entries = sorted(map(_summed, changes.values()), key=_order)
    marks, zone = {entry.last.mark for entry in entries}, datetime.fromisoformat(entries[0].last.at).tzinfo
    sorts = Counter((one.turn, one.rank, one.last.book_title, one.last.section, one.last.lead) for one in entries)
    counts = Counter({_Sort(*sort): count for sort, count in sorts.items()})
    conclusion = _conclusion(counts)
    letter = bulletin(Bulletin.DIGEST, conclusion, (conclusion,), at.astimezone(zone))
    letter = replace(letter, mark=marks.pop() if len(marks) == 1 else "")
    if len(entries) > LISTED:
        lines, worst = (*letter.lines, *_counts(counts)), tuple(entry.notice for entry in entries[:MOST])
        letter = replace(letter, lines=lines, told=worst, status=f"所列为最重的{MOST}项")
        return [(letter, [number for entry in entries for number, _ in entry.steps])]
    parts = [entries[start : start + MOST] for start in range(0, len(entries), MOST)]
    return [
        (
            replace(
                letter,
                told=tuple(entry.notice for entry in part),
                status=f"第{place}封，共{len(parts)}封" if len(parts) > 1 else "",
            ),
            [number for entry in part for number, _ in entry.steps],
        )
        for place, part in enumerate(parts, 1)
    ]


def letters(count: int) -> int:
    """How many letters it takes to tell of so many alerts together."""
    return 1 if count > LISTED else math.ceil(count / MOST)


def sections(told: Sequence[Notice]) -> Iterator[tuple[str, str, list[Notice]]]:
    """What a digest tells, part by part: what stands there (红色预警), of which plan and section, and the alerts."""
    for (rank, plan, section), mine in groupby(told, lambda one: (_rank(one), one.book_title, one.section)):
        yield _RANKS[rank], f"《{plan}》{section}", list(mine)


def _of_the_past(one: Notice) -> bool:
    """A correction that left the alert where it stands."""
    return one.event == Event.CORRECTED and one.level == one.previous_level


def _summed(steps: Sequence[tuple[int, Notice]]) -> _Entry:
    """The last word on one alert, told as what has happened to it all in all."""
    moves = [one for _, one in steps if one.event not in _FOLLOWING]
    if not moves:
        _, latest = steps[-1]
        return _Entry(steps, latest, _rank(latest), Turn(latest.event), latest.event, latest.previous_level)
    first, last = moves[0].previous_level, moves[-1]
    rank = _rank(last)
    if last.event == Event.CORRECTED:
        return _Entry(steps, last, rank, Turn.CORRECTED, last.event, last.previous_level)
    if last.state == State.RESOLVED:
        worst = max(max(one.level, one.previous_level) for one in moves)
        return _Entry(steps, last, rank, Turn.PASSED if first == Level.GREEN else Turn.RESOLVED, last.event, worst)
    if first == Level.GREEN or (first == last.level and last.event == Event.FIRED):  # the latter: solved and back
        return _Entry(steps, last, rank, Turn.RAISED, Event.FIRED, Level.GREEN)
    if first == last.level:  # worse and back, or the other way round: the last word counts
        return _Entry(steps, last, rank, Turn(last.event), last.event, last.previous_level)
    turn = Turn.WORSENED if last.level > first else Turn.EASED
    return _Entry(steps, last, rank, turn, Event(turn), first)


_FOLLOWING = frozenset(event for event in Event if event.follows)


_RANKS = ("红色预警", "黄色预警", "数据催报", "已解除", "更正")


def _rank(one: Notice) -> int:
    if _of_the_past(one):
        return 4
    if one.state == State.RESOLVED:
        return 3
    if one.kind == Kind.DATA:
        return 2
    return 0 if one.level == Level.RED else 1


def _order(entry: _Entry) -> tuple[int, str, int, str, str]:
    """Places of one target stay as they came, which is the order that the book has them in."""
    last = entry.last
    return (entry.rank, last.book, last.item or 10**6, last.section, last.target)


def _conclusion(counts: Counter[_Sort]) -> str:
    """How many of each turn, and of what kinds the new ones are: 新增3项（红色1项、黄色1项、催报1项）、解除2项."""
    turns = _totals(counts, lambda sort: sort.turn)
    kinds = _totals(counts, lambda sort: sort.rank if sort.turn is Turn.RAISED else None)
    words = [f"{word}{kinds[rank]}项" for rank, word in enumerate(("红色", "黄色", "催报")) if kinds[rank]]
    of_what = f"（{'、'.join(words)}）" if len(words) > 1 or kinds.total() > kinds[1] else ""
    return "、".join(
        f"{turn.text}{turns[turn]}项{of_what if turn is Turn.RAISED else ''}" for turn in Turn if turns[turn]
    )


def _counts(counts: Counter[_Sort]) -> tuple[str, ...]:
    """How many alerts there are of what, of which part of a plan and whose, where the letter does not list them all."""
    ranks = _totals(counts, lambda sort: sort.rank)
    plans = _totals(counts, lambda sort: f"《{sort.plan}》{sort.section}")
    leads = _totals(counts, lambda sort: "、".join(sort.lead) or None)
    return (
        f"预警情况：{'、'.join(f'{_RANKS[rank]}{ranks[rank]}项' for rank in sorted(ranks))}",
        f"所属方案：{_most(plans, '处')}",
        f"牵头单位：{_most(leads, '个单位')}",
        f"其余{counts.total() - MOST}项：均已登记，可在督办页面查看",
    )


def _totals(counts: Counter[_Sort], of: Callable[[_Sort], _Told | None]) -> Counter[_Told]:
    """How many alerts there are of each thing that ``of`` tells of them, those left out of which it tells nothing."""
    found: Counter[_Told] = Counter()
    for sort, count in counts.items():
        if (told := of(sort)) is not None:
            found[told] += count
    return found


def _most(counts: Counter[str], unit: str) -> str:
    """Those with the most, each with how many, and the others together: 统计局120项、财政局8项，另有3个单位共5项."""
    named = counts.most_common(_NAMED)
    words = "、".join(f"{name}{count}项" for name, count in named)
    others = len(counts) - len(named)
    return words + (f"，另有{others}{unit}共{counts.total() - sum(n for _, n in named)}项" if others else "")
