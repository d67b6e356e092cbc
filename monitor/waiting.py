"""Which messages wait now: all that decides it, looked up once for a cycle."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from alerts import digest
from alerts.alert import Alert, Identity, State
from alerts.inhibition import Firing, Inhibitors
from alerts.notice import Notice
from alerts.organisation import Organisation
from alerts.routing import Matter, Route, rhythm
from alerts.suppression import Held, Quiet, decide
from monitor.store import digests, silences
from monitor.store.digests import Way
from monitor.watch import Watch
from rules.calendar import PUBLISHED


class Waiting:
    """Decides message by message. What each receiver has been told this week is as of when this is made, and counted on."""

    def __init__(
        self, connection: Connection, watch: Watch, organisation: Organisation, quiet: Quiet | None, at: datetime
    ) -> None:
        self._watch, self._organisation, self._quiet, self._at = watch, organisation, quiet, at
        self._silences = silences.in_force(connection, at)
        zone = ZoneInfo(watch.books[0].timezone) if watch.books else at.tzinfo
        week = digest.week(at.astimezone(zone))
        self._spent = digests.spent(connection, week) if organisation.budgeted else {}
        self._at_once = not (self._silences or quiet or organisation.inhibit or organisation.patient)
        self._moved: Mapping[Identity, Alert] = {}

    def of(
        self, said: Sequence[tuple[int, Notice, Sequence[Route]]], moved: Iterable[Alert]
    ) -> dict[tuple[int, Way | None], Held]:
        """What of ``said`` (change id, facts, ways) waits, where a cycle has left its alerts as ``moved``.

        The worst is told first: it must not wait because a week's messages were used up by less.
        """
        if self._at_once:
            return {}
        self._moved = {alert.identity: alert for alert in moved}
        held: dict[tuple[int, Way | None], Held] = {}
        for number, notice, ways in sorted(said, key=lambda one: -max(one[1].level, one[1].previous_level)):
            for way in dict.fromkeys(Way(*route[:3]) for route in ways):
                why = self(notice, way)
                if why is not None:
                    held[number, way] = why
        return held

    def __call__(self, notice: Notice, way: Way, ready: bool = False) -> Held | None:
        """Whether a message waits; ``ready``: its turn to be told together has come."""
        book = self._watch.by_id.get(notice.book)
        zone, workdays = (ZoneInfo(book.timezone), book.workdays) if book else (self._at.tzinfo, PUBLISHED)
        matter, town = Matter.of(notice), self._organisation
        held = decide(
            notice,
            self._at.astimezone(zone),
            self._silences,
            None if ready else self._quiet,
            workdays,
            inhibitor=self._inhibitors.of(matter) if town.inhibit else 0,
            rhythm=digest.AT_ONCE if ready or not town.patient else rhythm(matter, notice.event, way.receiver, town),
            spent=self._spent.get(way, 0),
        )
        if held is None and not ready:
            self._spent[way] = self._spent.get(way, 0) + 1
        return held

    @cached_property
    def _inhibitors(self) -> Inhibitors:
        return Inhibitors(self._organisation, self._firing())

    def _firing(self) -> Iterator[Firing]:
        targets = {(target.book, target.id): target for book in self._watch.books for target in book.targets}
        for identity, alert in (self._watch.alerts | dict(self._moved)).items():
            target = targets.get((identity.book, identity.target))
            if alert.state is State.FIRING and target is not None:
                yield Firing(Matter.about(alert, self._watch.by_id[identity.book], target), alert.change_id)
