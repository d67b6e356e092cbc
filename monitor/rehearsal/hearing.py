"""Who hears of what happens to the alerts of rows, found once for all of which it is the same."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.alert import Alert, Identity, Kind
from alerts.escalation import Step
from alerts.moving import Telling, step_routes
from alerts.organisation import Organisation
from alerts.routing import Matter, Route
from monitor.rehearsal.history import Rows
from monitor.store.outbox import Told
from monitor.watch import Watch
from rules.target import Level

NOBODY = 0
"""The number of nobody at all."""


class Of(NamedTuple):
    """Alerts of one kind and level, of rows (N,) of a block."""

    block: int
    kind: Kind
    level: Level
    rows: Rows


class Hearing:
    """Those who hear together, as numbers. Of one book, whatever the year: that does not change who is told."""

    def __init__(self, organisation: Organisation) -> None:
        self._organisation, self._telling = organisation, Telling(organisation)
        self._groups: list[tuple[Told, ...]] = [()]
        self._numbers: dict[tuple[Told, ...], int] = {(): NOBODY}
        self._known: dict[tuple[Hashable, ...], NDArray[np.int32]] = {}

    def of_change(self, watch: Watch, those: Of, before: Alert | None) -> NDArray[np.int32]:
        """Who hears of a change (N,); ``before`` is an alert that stood as long as theirs did."""
        steps = () if before is None else before.steps
        return self._found(watch, those, steps, lambda matter: self._telling.of(matter, before))

    def of_step(self, watch: Watch, those: Of, step: Step) -> NDArray[np.int32]:
        """Who hears of a step (N,)."""
        how, organisation = (step.event, *step.words), self._organisation
        return self._found(
            watch, those, how, lambda matter: step_routes(step, matter.seen_by(organisation), organisation)
        )

    def of_matter(self, matter: Matter, before: Alert | None) -> tuple[Told, ...]:
        """Who hears of one change, one by one."""
        return _ways(self._telling.of(matter, before))

    def others(self, heard: Rows, known: Rows) -> Rows:
        """Who hears by one number and not by the other (N,)."""
        found, both = heard.copy(), heard.astype(np.int64) << 32 | known
        for one, other in ((pair >> 32, pair & 0xFFFFFFFF) for pair in np.unique(both).tolist()):
            left = tuple(way for way in self._groups[one] if way not in self._groups[other])
            found[(heard == one) & (known == other)] = self._number(left)
        return found

    def told(self, heard: Rows) -> Counter[Told]:
        """How many messages it is for each who hears."""
        found, counts = Counter[Told](), np.bincount(heard)
        for number in np.flatnonzero(counts).tolist():
            for way in self._groups[number]:
                found[way] += int(counts[number])
        return found

    def _found(
        self, watch: Watch, those: Of, how: Hashable, routes: Callable[[Matter], list[Route]]
    ) -> NDArray[np.int32]:
        panel, (book,), where = watch.panels[those.block].block, watch.books, self._organisation.asks_where
        key = those.block, those.kind, those.level, how
        if key not in self._known:
            self._known[key] = np.full(panel.rows, -1, np.int32)
        known = self._known[key]
        missing = those.rows[known[those.rows] < 0]
        if not where:
            missing = panel.first_row[np.unique(np.searchsorted(panel.first_row, missing, side="right")) - 1]
        for row in missing.tolist():
            target, subject = panel.target_at(row)
            identity = Identity(book.id, target.id, subject, those.kind)
            ways = _ways(routes(Matter.about(identity, those.level, book, target)))
            known[row : row + (1 if where else len(book.subjects))] = self._number(ways)
        return known[those.rows]

    def _number(self, ways: tuple[Told, ...]) -> int:
        if ways not in self._numbers:
            self._numbers[ways] = len(self._groups)
            self._groups.append(ways)
        return self._numbers[ways]


def _ways(routes: Sequence[Route]) -> tuple[Told, ...]:
    """Each way once."""
    return tuple(dict.fromkeys(Told(*route[:3], None) for route in routes))
