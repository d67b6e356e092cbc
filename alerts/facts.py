"""What can be said of a letter, by name, and what each alert has of it for itself."""

from collections.abc import Hashable, Iterable
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from alerts.alert import Cause, Event, Kind
from alerts.channels.base import Letter
from alerts.notice import Notice
from rules import wording
from rules.target import Level, quantity
from rules.verdict import Reason


class Own(NamedTuple):
    """What each alert has for itself, ready to print; "" for what is not known.

    Templates may ask whether one is there, and print it. ``wanted`` is the goal with the time by which it must be met.
    """

    about: str
    goal: str
    wanted: str
    actual: str
    expected: str
    gap: str
    pace: str
    outlook: str
    enough: str
    origin: str


MARKS = Own(*(chr(0xFDD0 + place) for place in range(len(Own._fields))))
"""What stands for them in ``message.marked``: characters that are in no text, from U+FDD0 on."""
_READ_FROM = {
    "subject",
    "goal",
    "goal_value",
    "actual",
    "actual_text",
    "expected",
    "expected_text",
    "shortfall",
    "gap_text",
    "pace_text",
    "probability",
    "outlook_text",
    "enough_text",
    "origin",
}
_shared = attrgetter(*(name for name in Notice.__struct_fields__ if name not in _READ_FROM))


def own(notice: Notice) -> Own:
    """What the alert of ``notice`` has for itself."""
    goal = notice.goal
    return Own(
        line(f"{notice.subject}{notice.name}"),
        goal,
        goal if notice.by in goal else f"{notice.by}{goal}",
        notice.actual_text,
        notice.expected_text,
        notice.gap_text,
        notice.pace_text,
        notice.outlook_text,
        notice.enough_text,
        notice.origin,
    )


def shape(letter: Letter, mine: Iterable[bytes]) -> Hashable:
    """Letters of one shape say the same, but for what each alert has for itself: ``mine``, of which "" is not said."""
    notice, gap, short = letter.notice, letter.notice.gap_text, letter.notice.shortfall
    ahead = short is not None and short <= 0
    return letter.why, _shared(notice), tuple(map(bool, mine)), "目标" in gap, gap == _DONE, ahead


def facts_of(letter: Letter) -> dict[str, Any]:
    """What templates may speak of but a digest's sections: every fact by its own name, ready to print; "" for what is not known.

    ``of_goal`` says that the gap is one to the goal itself, or to what stands for it all year, ``done`` that there is
    none. What is read here from what each alert has for itself has its part in ``shape``.
    """
    notice = letter.notice
    return {
        **own(notice)._asdict(),
        "event": notice.event,
        "level": _LEVELS[notice.level],
        "previous_level": _LEVELS[notice.previous_level],
        "judged": _LEVELS[notice.judged],
        "changed": "因对照依据变动，" if notice.cause == Cause.COMPARED else "",
        "edit": notice.edit,
        "told_level": "" if notice.told_level is None else _LEVELS[notice.told_level],
        "told_day": _moment(notice.told_at).split()[0] if notice.told_at else "",
        "told_text": notice.told_text,
        "reason": notice.reason,
        "reason_text": wording.cause(Reason(notice.reason), notice.shortfall) if notice.reason in _REASONS else "",
        "period": notice.period,
        "status": notice.status,
        "said": f"{notice.period}，{notice.status}" if notice.period and notice.status else notice.period,
        "owed": notice.owed,
        "nil": notice.nil,
        "by": notice.by,
        "of_goal": "目标" in notice.gap_text or notice.by.endswith("全年"),
        "done": notice.gap_text == _DONE,
        "rule": notice.rule,
        "clear": notice.clear_text,
        "lines": tuple((label, value) for label, _, value in (line.partition("：") for line in notice.lines)),
        "lead": "、".join(notice.lead),
        "asked": "、".join(notice.asked),
        "unit": f"{notice.asked[0]}等{len(notice.asked)}个单位" if len(notice.asked) > 2 else "、".join(notice.asked),
        "responsible": "、".join(notice.responsible),
        "supervisor": notice.supervisor,
        "since": _moment(notice.since),
        "at": _moment(notice.at),
        "plan": notice.book_title,
        "section": notice.section,
        "item": notice.item,
        "target": f"{notice.book}/{notice.target}",
        "why": letter.why,
        "mark": notice.mark,
        "waited": notice.waited,
        "attention": notice.attention,
    }


def bars(notice: Notice) -> list[tuple[str, str, int]]:
    """What the figure is held against, to be drawn: label, value and length in per cent; [] where that shows nothing."""
    if notice.kind != Kind.PACE or notice.actual is None or notice.event == Event.WITHDRAWN or notice.unit == "类":
        return []
    found = {"实际数值": (notice.actual, notice.actual_text)}
    if notice.expected is not None and notice.expected != notice.goal_value:
        found["时序要求"] = (notice.expected, notice.expected_text)
    if notice.goal_value is not None:
        found["年度目标"] = (notice.goal_value, quantity(notice.goal_value, notice.unit))
    values = [value for value, _ in found.values()]
    if len(found) == 1 or min(values) < 0 or not max(values) > 0:
        return []
    return [(label, words, round(100 * value / max(values))) for label, (value, words) in found.items()]


def line(text: Any) -> str:
    """On one line."""
    return " ".join(str(text).split())


_DONE = "已完成"
_LEVELS = {level.value: level.text for level in Level}
_REASONS = frozenset(Reason)


@lru_cache(maxsize=4096)  # thousands of alerts move in one moment
def _moment(iso: str) -> str:
    """``2025-10-27T09:00:00+08:00`` -> ``2025年10月27日 09:00``, in the offset given."""
    when = datetime.fromisoformat(iso)
    return f"{when.year}年{when.month}月{when.day}日 {when.hour:02}:{when.minute:02}"
