"""What the daemon knows at one moment: the one thing that pages, metrics and the API read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from heapq import nsmallest
from typing import NamedTuple

from msgspec import Struct

from alerts.alert import Alert, Change, Identity, State
from alerts.delivery import Sending
from alerts.notice import Notice
from alerts.suppression import Reason
from rules.panel import Panel
from rules.target import Book
from rules.verdict import Verdicts

TRAILS = 100
"""Alerts of a book whose past is at hand: a page shows no more."""


class Judged(Struct, frozen=True):
    """A block's figures and the verdicts of all its rows."""

    panel: Panel
    verdicts: Verdicts


class OpenAlert(Struct, frozen=True):
    """An alert that is pending or firing, with the facts of its last change."""

    alert: Alert
    notice: Notice


class Trail(Struct, frozen=True):
    """How an alert came to stand as it does: all its changes, the oldest first, and the messages about them."""

    changes: Sequence[tuple[int, Change, Notice]]
    sendings: Sequence[Sending]


def foremost(alerts: Iterable[OpenAlert], most: int) -> list[OpenAlert]:
    """The ``most`` that matter most: firing before observed, red before yellow, the oldest first."""
    return nsmallest(most, alerts, lambda one: (one.alert.state is not State.FIRING, -one.alert.level, one.alert.since))


class SourceHealth(Struct, frozen=True):
    """One source of one book. Times are None where there was no such pull yet.

    ``reason`` and ``detail`` belong to the last pull if it failed, else "".
    ``schedule`` says in Chinese when it is asked; ``next_pull`` is by the daemon's clock. ``stale_periods`` are due and
    after the newest figure of a source that answers, 0 for one that does not. Counts are of the last successful pull, except ``quarantined``: figures that wait for a person's decision, by reason.
    """

    book: str
    name: str
    connector: str
    mark: str
    schedule: str
    last_pull: datetime | None
    last_success: datetime | None
    next_pull: datetime | None
    reason: str
    detail: str
    rows_read: int
    rows_new: int
    rows_revised: int
    rows_refused: int
    stale_periods: int
    quarantined: Mapping[str, int]


class Queue(NamedTuple):
    """Messages of a channel that are not sent yet, those of them that failed before, and the first moment one is due."""

    waiting: int
    retrying: int
    due: datetime | None


class Snapshot(Struct, frozen=True):
    """The state after the last cycle. Replaced as a whole, never changed in place.

    ``rehearsing`` says that the clock is not the real one (演示时钟).
    ``trails`` are those of the foremost alerts of each book.
    ``config_error`` holds the words of a refused reload, "" while what is
    written is in force. ``deliveries`` counts what was not sent by Status, ``waiting`` those that wait by why,
    ``resting`` tells why a channel rests, "" for one at work; ``queues`` are by channel, those with nothing to send left out;
    ``heartbeat`` is when a report on the system last arrived.
    """

    at: datetime
    rehearsing: bool
    books: tuple[Book, ...]
    judged: tuple[Judged, ...]
    alerts: tuple[OpenAlert, ...]
    trails: Mapping[Identity, Trail]
    sources: tuple[SourceHealth, ...]
    deliveries: Mapping[str, int]
    waiting: Mapping[Reason, int]
    resting: Mapping[str, str]
    queues: Mapping[str, Queue]
    heartbeat: datetime | None
    cycle_seconds: float
    database_bytes: int
    config_error: str
    config_loaded_at: datetime
