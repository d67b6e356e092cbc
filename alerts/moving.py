"""What verdicts and revised figures do to alerts, and who hears of it: the one way of live cycles and of test cases. Pure."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from alerts import escalation, lifecycle
from alerts.alert import Alert, Change, Identity, Kind
from alerts.escalation import Step
from alerts.organisation import Organisation
from alerts.routing import Matter, Route, higher, routes
from rules.calendar import Every
from rules.judging import judge, objects
from rules.panel import Panel
from rules.plan import Block
from rules.target import Book, Level, Target
from rules.verdict import Verdict, Verdicts

Standing = Mapping[Kind, NDArray[np.int8]]
"""How the alerts of rows stand, by kind; see ``lifecycle.standing``."""


class Moved(Struct, frozen=True, gc=False):
    """A step of the alert of one row. A correction of a past period has no ``alert``: it moves none."""

    alert: Alert | None
    change: Change
    verdict: Verdict
    row: int
    before: Alert | None


def moves(
    panel: Panel,
    verdicts: Verdicts,
    standing: Standing,
    known: Callable[[Identity], Alert | None],
    at: datetime,
    revised: NDArray[np.bool_] | None = None,
    rows: NDArray[np.int64] | None = None,
) -> Iterator[Moved]:
    """The steps that ``verdicts`` of ``rows`` (all of the block's unless said) ask for.

    ``standing`` is that of the same rows, ``known`` finds an alert that is or was; ``revised`` (P, R) marks figures of
    the block that became other ones.
    """
    mine = np.arange(panel.block.rows) if rows is None else rows
    anew = revised[verdicts.slot, mine] if revised is not None and revised.any() else None
    for kind in Kind:
        indices = lifecycle.moved(kind, standing[kind], verdicts, anew)
        rows_moved = mine[indices]
        for row, found in zip(rows_moved.tolist(), objects(panel, verdicts, indices, rows_moved), strict=True):
            before = known(Identity(found.target.book, found.target.id, found.subject, kind))
            alert, change = lifecycle.advance(kind, before, found, at)
            if alert is not None and change is not None:
                yield Moved(alert, change, found, row, before)


def corrections(
    panel: Panel,
    told: Sequence[tuple[Alert, tuple[int, int]]],
    stands: Callable[[Identity], Alert | None],
    today: date,
    at: datetime,
) -> Iterator[Moved]:
    """What revised figures of past periods take back of what was ``told`` of them, each with its slot and row."""
    if not told:
        return
    slots, rows = np.array([spot for _, spot in told]).T
    slots = slots.astype(np.int16)
    as_told = panel.having(rows, slots, np.array([before.basis.actual for before, _ in told], np.float64))
    verdicts = judge(panel, today, rows=rows, slots=slots)
    by_rule = judge(as_told, today, rows=rows, slots=slots).level
    found_all = objects(panel, verdicts, np.arange(len(rows)), rows)
    for (before, (_, row)), found, level in zip(told, found_all, by_rule.tolist(), strict=True):
        change = lifecycle.correction(before, stands(before.identity), found, Level(level), at)
        if change is not None:
            yield Moved(None, change, found, row, before)


def running(block: Block, first: date | None, last: date | None) -> int:
    """How many judged figures running an alert stands on from the period ``first`` to ``last``; of daily ones, in how many months."""
    if first is None or last is None:
        return 1
    if block.every is Every.DAY:
        return (last.year - first.year) * 12 + last.month - first.month + 1
    ends = block.ends.tolist()
    return bisect_left(ends, last) - bisect_left(ends, first) + 1


def as_told(change: Change, number: int) -> Alert:
    """The alert as the change of that id told of its period: at the level judged then."""
    return Alert(change.identity, change.state, change.judged, change.since, change.at, change.basis, number)


class Telling:
    """Who is told, found once for all alerts of which it is the same."""

    def __init__(self, organisation: Organisation) -> None:
        self.organisation = organisation
        self._found: dict[Matter, list[Route]] = {}
        self._about: dict[tuple[object, ...], tuple[Matter, list[Route]]] = {}

    def about(self, identity: Identity, level: Level, book: Book, target: Target) -> tuple[Matter, list[Route]]:
        """What an alert about ``target`` is at ``level``, and who is told of it by the routes: the same for all alike."""
        subject = identity.subject if self.organisation.asks_where else ""
        alike = (identity.book, identity.target, subject, identity.kind, level)
        found = self._about.get(alike)
        if found is None:
            matter = Matter.about(identity, level, book, target).seen_by(self.organisation)
            found = self._about[alike] = matter, self.of(matter)
        return found

    def of(self, matter: Matter, before: Alert | None = None) -> list[Route]:
        """Who is told by the routes; and of the end of what stood too long, who was told of that."""
        matter = matter.seen_by(self.organisation)
        if matter not in self._found:
            self._found[matter] = routes(matter, self.organisation)
        return self.with_informed(matter, self._found[matter], before)

    def with_informed(self, matter: Matter, found: list[Route], before: Alert | None) -> list[Route]:
        """``found``, and who was told that the alert stood too long."""
        if before is None or not before.steps:
            return found
        informed = higher(escalation.followed(before, self.organisation), matter, self.organisation, "此前已获报告")
        return [*found, *others(informed, found)]


def others(routes: Sequence[Route], known: Sequence[Route]) -> list[Route]:
    """Those of ``routes`` that are ways of none of the ``known`` ones."""
    ways = {route[:3] for route in known}
    return [route for route in routes if route[:3] not in ways]


def step_routes(step: Step, matter: Matter, organisation: Organisation) -> list[Route]:
    """Who is reminded, or told higher up."""
    if not step.rules:
        return routes(matter, organisation)
    named = dict.fromkeys(name for rule in step.rules for name in rule.to)
    reason = f"{step.rules[-1].of.text}{step.waited}{'仍未解除' if step.waited else '即时报告'}"
    return higher(named, matter, organisation, reason)
