"""What an alert that goes on standing asks for: a reminder, or the word to somebody higher up. Pure."""

from collections.abc import Sequence
from datetime import date, datetime, time
from functools import cached_property, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from alerts.alert import HEARD, Alert, Cause, Change, Event
from alerts.organisation import After, Escalation, Of, Organisation, Role
from rules.calendar import Workdays

OPENS = time(9)
"""What is due on a working day goes out from this hour, where the book is."""
_SAID = {Role.UNIT: "责任单位", Role.LEADER: "分管领导", Role.TOP: "主要领导", Role.SUPERVISOR: "督办部门"}


class Office(NamedTuple):
    """When and where a book's offices work."""

    workdays: Workdays
    zone: ZoneInfo


class Step(Struct, frozen=True, dict=True):
    """What is due of alerts: a reminder, or an escalation by ``rules``. ``waited`` tells how long they stand."""

    event: Event
    rules: tuple[Escalation, ...]
    waited: str

    @cached_property
    def words(self) -> tuple[str, ...]:
        """How an alert remembers the rules."""
        return tuple(rule.words for rule in self.rules)

    @cached_property
    def attention(self) -> str:
        """Whose attention is asked for: 主要领导; "" by a reminder, which is for those who know."""
        named = [_SAID.get(name, name) for rule in self.rules for name in rule.to]  # type: ignore[call-overload]
        return "、".join(dict.fromkeys(named))


def due(
    alert: Alert, periods: int, organisation: Organisation, office: Office, at: datetime
) -> tuple[list[Step], datetime | None]:
    """What a firing alert asks for at ``at``, and the moment at which it may ask for more, None for never.

    ``periods`` is how many judged figures running it stands on. An alert asks for each escalation once while it is
    at one level; what was missed is made up for at once, of reminders only the last.
    """
    of, later, steps = Of.standing(alert.identity.kind, alert.level), [], []
    every = organisation.reminders.get(of, 0)
    if every and (when := moment(alert.reminded or alert.changed, every, office)) <= at:
        steps.append(Step(Event.REMINDED, (), _stood(alert, office, at)))
    elif every:
        later.append(when)
    taken: list[Escalation] = []
    for rule in organisation.escalation:
        if rule.of is not of or rule.words in alert.steps:
            continue
        if rule.after.periods:
            if periods >= rule.after.periods:
                taken.append(rule)
        elif (when := _reached(rule.after, alert.changed, office)) <= at:
            taken.append(rule)
        else:
            later.append(when)
    if taken:
        longest = max(taken, key=lambda rule: (rule.after.workdays, rule.after.periods)).after
        waited = f"已连续{periods}期" if longest.periods else _stood(alert, office, at) if longest.workdays else ""
        steps.append(Step(Event.ESCALATED, tuple(taken), waited))
    return steps, min(later, default=None)


def take(alert: Alert, step: Step, at: datetime) -> tuple[Alert, Change]:
    """``alert`` after ``step``: where it was, but for what it remembers."""
    if step.event is Event.REMINDED:
        moved = replace(alert, reminded=at)
    else:
        moved = replace(alert, steps=(*alert.steps, *step.words))
    change = Change(
        identity=alert.identity,
        at=at,
        event=step.event,
        cause=Cause.STANDING,
        state=alert.state,
        level=alert.level,
        previous_level=alert.level,
        since=alert.since,
        judged=alert.level,
        basis=alert.basis,
    )
    return moved, change


def followed(alert: Alert, organisation: Organisation) -> Sequence[str]:
    """Whom the escalations of an alert have reached, at whatever level: they must hear of its end."""
    taken = {step.removeprefix(HEARD) for step in alert.steps}
    return [name for rule in organisation.escalation if rule.words in taken for name in rule.to]


def moment(start: datetime, count: int, office: Office) -> datetime:
    """When the ``count``-th working day after that of ``start`` opens."""
    day = _day(start.astimezone(office.zone).date(), count, office.workdays)
    return datetime.combine(day, OPENS, office.zone)


def _reached(after: After, start: datetime, office: Office) -> datetime:
    return moment(start, after.workdays, office) if after.workdays else start


def _stood(alert: Alert, office: Office, at: datetime) -> str:
    first, last = (when.astimezone(office.zone).date() for when in (alert.changed, at))
    return f"已满{office.workdays.between(first, last)}个工作日"


@lru_cache(maxsize=4096)  # thousands of alerts fire on few days
def _day(start: date, count: int, workdays: Workdays) -> date:
    day: date = workdays.after(np.array([start], "datetime64[D]"), count)[0].item()
    return day
