"""The nouns of stage 3: an alert about a target, and the changes that make its history."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from rules.target import Level


class Kind(StrEnum):
    """What an alert is about: the target's progress, or a figure that somebody owes."""

    PACE = "pace"
    DATA = "data"


class State(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class Event(StrEnum):
    """What happened to an alert. The same word is stored, logged and counted."""

    NOTICED = "noticed"
    LAPSED = "lapsed"
    FIRED = "fired"
    WORSENED = "worsened"
    EASED = "eased"
    RESOLVED = "resolved"

    @property
    def told(self) -> bool:
        """Whether people hear of it. What never became an alert is kept in the history only."""
        return self not in (Event.NOTICED, Event.LAPSED)


class Identity(NamedTuple):
    """What makes two alerts the same. Thresholds are not part of it."""

    book: str
    target: str
    subject: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Alert:
    """Where an alert stands. ``since`` is when it was noticed or, once it fires, when it fired; ``changed`` its last change."""

    identity: Identity
    state: State
    level: Level
    since: datetime
    changed: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One step in an alert's history; never altered afterwards."""

    identity: Identity
    at: datetime
    event: Event
    state: State
    level: Level
    previous_level: Level
    since: datetime
