"""Which messages wait now: all that decides it, looked up once for a cycle."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from zoneinfo import ZoneInfo

from msgspec.structs import replace
from sqlalchemy import Connection

from alerts import digest
from alerts.alert import Alert, Identity, State
from alerts.inhibition import Firing, Inhibitors
from alerts.notice import Notice
from alerts.organisation import Organisation
from alerts.routing import Matter, Route, is_for, rhythm
from alerts.suppression import Held, Quiet, decide
from monitor.store import digests, silences
from monitor.store.digests import Way
from monitor.watch import Watch
from rules.calendar import PUBLISHED, Workdays

_DECIDES = (
    "book",
    "section",
    "labels",
    "kind",
    "event",
    "state",
    "level",
    "previous_level",
    "judged",
    "asked",
    "lead",
    "responsible",
    "supervisor",
)
"""What of a notice decides whether it waits; where anybody asks, also its target and subject."""


class Waiting:
    """Decides message by message, once for all that are alike.

    What each receiver has been told this week is as of when this is made, and counted on.
    """

    def __init__(
        self, connection: Connection, watch: Watch, organisation: Organisation, quiet: Quiet | None, at: datetime
    ) -> None:
        self._watch, self._organisation, self._quiet, self._at = watch, organisation, quiet, at
        self._silences = silences.in_force(connection, at)
        zone = ZoneInfo(watch.books[0].timezone) if watch.books else at.tzinfo
        week = digest.week(at.astimezone(zone))
        self._spent = digests.spent(connection, week) if organisation.budgeted else {}
        self._at_once = not (self._silences or quiet or organisation.inhibit or organisation.patient)
        asks_where = self._silences or organisation.inhibit or organisation.asks_where
        self._decides = attrgetter(*_DECIDES, *(("target", "subject") if asks_where else ()))
        self._found: dict[tuple[object, ...], Held | None] = {}
        self._moved: Mapping[Identity, Alert] = {}

    def of(
        self, said: Iterable[tuple[int, Notice, Sequence[Route]]], moved: Iterable[Alert]
    ) -> dict[tuple[int, Way], Held]:
        """What of ``said`` (change id, facts, ways) waits, where a cycle has left its alerts as ``moved``.

        The worst is told first: it must not wait because a week's messages were used up by less.
        """
        if self._at_once:
            return {}
        self._moved = {alert.identity: alert for alert in moved}
        held: dict[tuple[int, Way], Held] = {}
        ways_of: dict[int, list[Way]] = {}  # alerts that are alike have one list of routes
        for number, notice, routes in sorted(said, key=lambda one: -max(one[1].level, one[1].previous_level)):
            if id(routes) not in ways_of:
                ways_of[id(routes)] = list(dict.fromkeys(Way(*route[:3]) for route in routes))
            for way in ways_of[id(routes)]:
                why = self(notice, way)
                if why is not None:
                    held[number, way] = why
        return held

    def __call__(self, notice: Notice, way: Way, ready: bool = False) -> Held | None:
        """Whether a message waits; ``ready``: its turn to be told together has come."""
        spent = self._spent.get(way, 0)
        alike = (*self._decides(notice), way.receiver, ready, spent)
        try:
            held = self._found[alike]
        except KeyError:
            held = self._found[alike] = self._decide(notice, way.receiver, spent, ready=ready)
        if held is None and not ready and self._organisation.budgeted:
            self._spent[way] = spent + 1
        return held

    def _decide(self, notice: Notice, receiver: str, spent: int, *, ready: bool) -> Held | None:
        local, workdays = self._here(notice.book)
        matter, town = Matter.of(notice), self._organisation
        return decide(
            notice,
            local,
            self._silences,
            None if ready else self._quiet,
            workdays,
            inhibitor=self._inhibitors.of(matter) if town.inhibit else 0,
            rhythm=digest.AT_ONCE if ready or not town.patient else rhythm(matter, notice.event, receiver, town),
            spent=spent,
        )

    def _here(self, book: str) -> tuple[datetime, Workdays]:
        """What time it is where a book is, and when its offices work."""
        found = self._watch.by_id.get(book)
        zone, workdays = (ZoneInfo(found.timezone), found.workdays) if found else (self._at.tzinfo, PUBLISHED)
        return self._at.astimezone(zone), workdays

    @cached_property
    def _inhibitors(self) -> Inhibitors:
        return Inhibitors(self._organisation, self._firing())

    def _firing(self) -> Iterator[Firing]:
        """The alerts that may hold others. Whether they may is asked once for all subjects of a target."""
        targets = {(target.book, target.id): target for book in self._watch.books for target in book.targets}
        anywhere = [replace(rule.by, subject=()) for rule in self._organisation.inhibit]
        holds: dict[tuple[object, ...], bool] = {}
        for identity, alert in (self._watch.alerts | dict(self._moved)).items():
            target = targets.get((identity.book, identity.target))
            if alert.state is not State.FIRING or target is None:
                continue
            alike = (identity.book, identity.target, identity.kind, alert.level)
            if holds.get(alike, True):
                matter = Matter.about(identity, alert.level, self._watch.by_id[identity.book], target)
                holds[alike] = any(is_for(when, matter, self._organisation) for when in anywhere)
                if holds[alike]:
                    yield Firing(matter, alert.change_id)
