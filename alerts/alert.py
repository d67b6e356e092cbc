"""The nouns of stage 3: an alert about a target, and the changes that make its history."""

from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from rules.target import Level


class Kind(StrEnum):
    """What an alert is about: the target's progress, or a figure that somebody owes."""

    PACE = "pace"
    DATA = "data"


class State(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"

    @property
    def text(self) -> str:
        return {State.PENDING: "观察", State.FIRING: "预警", State.RESOLVED: "已解除"}[self]


class Event(StrEnum):
    """What happened to an alert. The same word is stored, logged and counted."""

    NOTICED = "noticed"
    LAPSED = "lapsed"
    FIRED = "fired"
    WORSENED = "worsened"
    EASED = "eased"
    RESOLVED = "resolved"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"
    REMINDED = "reminded"
    ESCALATED = "escalated"

    @property
    def text(self) -> str:
        return _EVENTS[self]

    @property
    def told(self) -> bool:
        """Whether people hear of it. What never became an alert is kept in the history only."""
        return self not in _UNTOLD

    @property
    def follows(self) -> bool:
        """Whether it says again what was said: the alert stands where its last other change left it."""
        return self in _FOLLOWING


_UNTOLD = frozenset({Event.NOTICED, Event.LAPSED})
_FOLLOWING = frozenset({Event.REMINDED, Event.ESCALATED})
_EVENTS = {
    Event.NOTICED: "待定",
    Event.LAPSED: "待定撤销",
    Event.FIRED: "告警",
    Event.WORSENED: "升级",
    Event.EASED: "降级",
    Event.RESOLVED: "解除",
    Event.CORRECTED: "更正",
    Event.WITHDRAWN: "撤销",
    Event.REMINDED: "提醒",
    Event.ESCALATED: "提请领导关注",
}


class Cause(StrEnum):
    """Why an alert changed. The same word is stored, logged and counted."""

    ORDINARY = "ordinary"  # a later period's figure, or a day that has passed
    REVISED = "revised"  # another figure for the period told
    RULE_EDITED = "rule_edited"  # the book judges the same figure otherwise
    COMPARED = "compared"  # figure and rule stand; what the figure is compared with does not
    TARGET_REMOVED = "target_removed"
    STANDING = "standing"  # nothing has changed for too long

    @property
    def text(self) -> str:
        return _CAUSES[self]


_CAUSES = {
    Cause.ORDINARY: "新的数据或时限",
    Cause.REVISED: "数据修订",
    Cause.RULE_EDITED: "规则修改",
    Cause.COMPARED: "对照的数变动",
    Cause.TARGET_REMOVED: "目标删去",
    Cause.STANDING: "久未变动",
}


class Identity(NamedTuple):
    """What makes two alerts the same. Thresholds are not part of it."""

    book: str
    target: str
    subject: str
    kind: Kind


class Basis(NamedTuple):
    """On what a change stood: the last day of the period judged, its figure in the target's unit, the rule in words."""

    period: date | None = None
    actual: float | None = None
    rule: str = ""


NOTHING = Basis()
HEARD = "before: "
"""Begins an escalation that was followed while the alert stood at another level."""


class Alert(Struct, frozen=True, gc=False):
    """Where an alert stands. ``since`` is when it was noticed or, once it fires, when it fired; ``changed`` its last change.

    ``basis`` is what its last change stood on; ``change_id`` that change in the store, 0 while it is not saved.
    Since that change: when people were last ``reminded``, and the escalations that were followed (``steps``); those of
    the levels before begin with ``HEARD``.
    """

    identity: Identity
    state: State
    level: Level
    since: datetime
    changed: datetime
    basis: Basis = NOTHING
    change_id: int = 0
    reminded: datetime | None = None
    steps: tuple[str, ...] = ()

    @property
    def heard(self) -> tuple[str, ...]:
        """``steps`` as another level remembers them: who was told goes on being told, and what was asked may be asked anew."""
        return tuple(dict.fromkeys(HEARD + step.removeprefix(HEARD) for step in self.steps))


class Change(Struct, frozen=True, gc=False):
    """One step in an alert's history; never altered afterwards.

    ``state`` and ``level`` are where the alert stands after it, ``judged`` is the level of the period in ``basis``:
    another one only in the correction of a past period, which leaves the alert where it stands.
    ``corrects`` is the id of the change that a correction takes back.
    """

    identity: Identity
    at: datetime
    event: Event
    cause: Cause
    state: State
    level: Level
    previous_level: Level
    since: datetime
    judged: Level
    basis: Basis
    corrects: int | None = None
