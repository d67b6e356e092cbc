"""Alerts in columns: those of which all is the same that decides go one way, and one of them is asked which."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from msgspec.structs import replace
from numpy.typing import NDArray

from alerts import escalation, lifecycle
from alerts.alert import Alert, Basis, Change, Identity, Kind
from alerts.escalation import Office
from alerts.moving import as_told, corrections, running
from alerts.organisation import Organisation
from alerts.routing import Matter
from monitor.following import may_ask
from monitor.moves import local_day
from monitor.rehearsal.hearing import NOBODY, Hearing, Of
from monitor.rehearsal.history import History, Rows, second
from monitor.snapshot import Judged
from monitor.store.outbox import Told
from monitor.watch import AT_ONCE, NEVER, Watch
from rules.judging import objects
from rules.target import Level

_DECIDES = ("level", "pending", "keep", "slot")
"""What ``lifecycle.advance`` looks at in a verdict, besides its figure; of its target, whether that is a task.

Its reason says no more: of those that move, how the alert stood tells whether they are judged, or owe a figure.
"""


class Alike:
    """How all alerts of one book stand and who is told of what happens to them, where no message ever waits.

    Each row has an alert by its ``form``: what it has in common with others. Its figure has a column of its own; the
    rule behind it is that of its target, which nobody edits meanwhile.
    """

    def __init__(self, watch: Watch, organisation: Organisation, hearing: Hearing, history: History) -> None:
        (book,) = watch.books
        self._watch, self._organisation, self._hearing, self._history = watch, organisation, hearing, history
        self._office = Office(book.workdays, ZoneInfo(book.timezone))
        self._asks = bool(organisation.reminders or organisation.escalation)
        self._forms: list[Alert] = []
        self._numbers: dict[Alert, int] = {}
        blocks = [panel.block for panel in watch.panels]
        self._form = [{kind: np.full(block.rows, -1, np.int32) for kind in Kind} for block in blocks]
        self._actual = [{kind: np.full(block.rows, np.nan) for kind in Kind} for block in blocks]
        self._task = [
            np.repeat([target.goal.by is not None for target in block.targets], np.diff(block.first_row))
            for block in blocks
        ]
        self._changed: dict[tuple[int, Kind], tuple[Rows, Rows]] = {}  # the rows, and who hears of each
        self._told: Counter[Told] = Counter()

    def move(self, judged: Sequence[Judged], at: datetime) -> None:
        """What the verdicts and revised figures do to alerts."""
        recalled = [self._recalled(block, found) for block, found in enumerate(judged)]
        noted = [self._moved(block, kind, found, at) for block, found in enumerate(judged) for kind in Kind]
        for block, told in enumerate(recalled):
            self._correct(block, told, at)
        for part in noted:
            self._history.add(*part)

    def follow(self, judged: Sequence[Judged], at: datetime) -> bool:
        """Take the reminders and escalations that are due, of what has just moved first. Returns whether anything changed."""
        moved, self._changed = self._changed, {}
        stepped: list[tuple[int, Kind, Rows]] = [(*place, rows) for place, (rows, _) in moved.items()]
        for (block, kind), (rows, hear) in moved.items() if self._asks else ():
            mine = (self._watch.standing[block][kind][rows] > 0) & ~judged[block].verdicts.unsure[rows]
            stepped.append((block, kind, self._take(block, kind, judged[block], rows[mine], at, hear[mine])))
        for block, kind, rows in list(self._asking(judged, at, moved)):
            stepped.append((block, kind, self._take(block, kind, judged[block], rows, at)))
        for block, kind, rows in stepped:
            self._watch.due[block][kind][rows] = AT_ONCE
        return any(len(rows) for *_, rows in stepped)

    def ask(self, judged: Sequence[Judged], at: datetime) -> bool:
        """Find when those that stand ask for something next. Returns whether any does at once."""
        found = [
            len(rows) > 0 and len(self._take(block, kind, judged[block], rows, at, taking=False)) > 0
            for block, kind, rows in list(self._asking(judged, at, {}))
        ]
        return any(found)

    def told_since(self) -> Counter[Told]:
        """What was told since the last time that this was asked."""
        told, self._told = self._told, Counter()
        return told

    def _asking(
        self, judged: Sequence[Judged], at: datetime, but: Mapping[tuple[int, Kind], tuple[Rows, Rows]]
    ) -> Iterator[tuple[int, Kind, Rows]]:
        for block, found in enumerate(judged):
            for kind in Kind if self._asks else ():
                may = may_ask(self._watch, found, block, kind, self._organisation, at)
                may[but[block, kind][0] if (block, kind) in but else []] = False
                yield block, kind, np.flatnonzero(may)

    def _moved(self, block: int, kind: Kind, found: Judged, at: datetime) -> tuple[Rows, Rows, NDArray[np.float64]]:
        """Move the alerts of one kind; returns what happened, for the history."""
        panel, verdicts = found.panel, found.verdicts
        forms, stood, standing = self._form[block][kind], self._actual[block][kind], self._watch.standing[block][kind]
        revised = self._watch.revised[block]
        anew = revised[verdicts.slot, np.arange(panel.block.rows)] if revised.any() else None
        rows = lifecycle.moved(kind, standing, verdicts, anew)
        actual = verdicts.actual[rows]
        same = (actual == stood[rows]) | (np.isnan(actual) & np.isnan(stood[rows]))
        decides = (getattr(verdicts, name)[rows] for name in _DECIDES)
        first, group = _alike(forms[rows], self._task[block][rows], same, *decides)
        left, what = np.full((2, len(first)), -1, np.int32)
        leaves = np.zeros(len(first), np.int8)
        heard: dict[tuple[Level, tuple[str, ...]], list[int]] = {}
        spokesmen = rows[first]
        verdict_of = objects(panel, verdicts, spokesmen, spokesmen)
        for place, (row, verdict) in enumerate(zip(spokesmen.tolist(), verdict_of, strict=True)):
            stands = self._alert(block, kind, row)
            alert, change = lifecycle.advance(kind, stands, verdict, at)
            if alert is None or change is None:
                continue
            left[place], what[place] = self._number(alert), self._history.note(block, _shared(change))
            leaves[place] = lifecycle.standing(alert)
            if change.event.told:
                level = max(change.level, change.previous_level, change.judged)  # as in the daemon's moves
                heard.setdefault((level, stands.steps if stands else ()), []).append(place)
        moving = left[group] >= 0
        rows, group, actual = rows[moving], group[moving], actual[moving]
        before = forms[rows]
        forms[rows], standing[rows], stood[rows] = left[group], leaves[group], actual
        hear = np.full(len(rows), NOBODY, np.int32)
        for (level, steps), places in heard.items():
            mine = np.isin(group, places)
            known = self._forms[before[mine][0]] if steps else None
            hear[mine] = self._hearing.of_change(self._watch, Of(block, kind, level, rows[mine]), known)
        self._told.update(self._hearing.told(hear))
        self._changed[block, kind] = rows, hear
        return rows, what[group], actual

    def _take(
        self,
        block: int,
        kind: Kind,
        found: Judged,
        rows: Rows,
        at: datetime,
        hear: Rows | None = None,
        *,
        taking: bool = True,
    ) -> Rows:
        """Take the steps that rows ask for (or only see which do); returns the rows that change by it.

        Of what nobody would hear nothing is taken. Those that ask for nothing say when they will. ``hear`` (N,) is who
        hears now of what has just moved the alerts, and is not told once more.
        """
        panel, verdicts, watch = found.panel, found.verdicts, self._watch
        forms, looked, slot = self._form[block][kind], watch.looked[block][kind], verdicts.slot[rows]
        agrees = (slot >= 0) & (verdicts.level[rows] == watch.standing[block][kind][rows])
        first, group = _alike(forms[rows], slot, agrees)
        again, changed, rests = np.full(len(rows), NEVER), np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
        taken = list[tuple[Rows, int, int]]()  # places in rows, which step of theirs, what happened
        for one, members in zip(first.tolist(), _members(group), strict=True):
            alert = self._forms[forms[rows[one]]]
            last = panel.block.ends[slot[one]].item() if agrees[one] else None
            periods = running(panel.block, alert.basis.period, last)
            steps, later = escalation.due(alert, periods, self._organisation, self._office, at)
            again[members] = NEVER if later is None else second(later)
            rests[members] = not steps
            parts = [(members, alert)]
            for number, step in enumerate(steps):
                left = list[tuple[Rows, Alert]]()
                for stood, before in parts:
                    heard = self._hearing.of_step(watch, Of(block, kind, before.level, rows[stood]), step)
                    nobody = heard == NOBODY
                    rests[stood[nobody]], changed[stood[~nobody]] = True, True
                    left.append((stood[nobody], before))
                    if taking and not nobody.all():
                        moved, change = escalation.take(before, step, at)
                        taken.append((stood[~nobody], number, self._history.note(block, change)))
                        left.append((stood[~nobody], moved))
                        others = heard if hear is None else self._hearing.others(heard, hear[stood])
                        self._told.update(self._hearing.told(others[~nobody]))
                parts = left
            for stood, after in parts if taking else ():
                forms[rows[stood]] = self._number(after)
        resting = rows[rests]
        watch.due[block][kind][resting] = again[rests]
        looked[resting] = np.where(verdicts.level[resting] >= 0, panel.latest[resting], looked[resting])
        if taken:
            place = np.concatenate([places for places, _, _ in taken])
            step_of, what = (np.repeat([one[part] for one in taken], [len(one[0]) for one in taken]) for part in (1, 2))
            order = np.lexsort((step_of, place))
            mine = rows[place[order]]
            self._history.add(mine, what[order], self._actual[block][kind][mine])
        return rows[changed]

    def _recalled(self, block: int, found: Judged) -> list[tuple[Alert, tuple[int, int]]]:
        """What was told of past periods whose figure was revised, each with its slot and row."""
        panel, revised = found.panel, self._watch.revised[block]
        if not revised.any():
            return []
        slots, rows = np.nonzero(revised)
        past = slots < panel.latest[rows]
        slots, rows = slots[past], rows[past]
        told = list(self._history.told(block, Kind.PACE, slots, rows))
        mine = rows[[place for place, _ in told]]
        recalled = []
        for (place, change), verdict in zip(told, objects(panel, found.verdicts, mine, mine), strict=True):
            basis = change.basis._replace(rule=lifecycle.rule(Kind.PACE, verdict))
            steps = self._forms[self._form[block][Kind.PACE][rows[place]]].steps
            alert = replace(as_told(change, 0), basis=basis, steps=steps)
            recalled.append((alert, (int(slots[place]), int(rows[place]))))
        return recalled

    def _correct(self, block: int, told: Sequence[tuple[Alert, tuple[int, int]]], at: datetime) -> None:
        """Take back what was told of past periods, where revised figures say so."""
        panel, book = self._watch.panels[block], self._watch.books[0]
        for step in corrections(panel, told, self._stands, local_day(panel, at), at):
            change = step.change
            self._history.add_all([change])
            level = max(change.level, change.previous_level, change.judged)
            matter = Matter.about(change.identity, level, book, step.verdict.target)
            self._told.update(self._hearing.of_matter(matter, step.before))

    def _stands(self, identity: Identity) -> Alert | None:
        place = self._watch.place(*identity[:3])
        return None if place is None else self._alert(place[0], identity.kind, place[1])

    def _alert(self, block: int, kind: Kind, row: int) -> Alert | None:
        """Where the alert of a row stands, as far as its form and its figure tell."""
        number, figure = int(self._form[block][kind][row]), float(self._actual[block][kind][row])
        if number < 0:
            return None
        form = self._forms[number]
        return replace(form, basis=form.basis._replace(actual=None if np.isnan(figure) else figure))

    def _number(self, alert: Alert) -> int:
        """The number of an alert's form."""
        form = replace(alert, identity=_whose(alert.identity), basis=Basis(alert.basis.period))
        if form not in self._numbers:
            self._numbers[form] = len(self._forms)
            self._forms.append(form)
        return self._numbers[form]


def _alike(*columns: NDArray[Any]) -> tuple[Rows, Rows]:
    """Groups of places (N,) at which all columns of small whole numbers agree: the first of each, and whose each is."""
    code = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        low, high = int(column.min(initial=0)), int(column.max(initial=0))
        code = code * (high - low + 1) + column - low
    group, distinct = pd.factorize(code)
    first = np.empty(len(distinct), np.intp)
    first[group[::-1]] = np.arange(len(group))[::-1]
    return first, group


def _members(group: Rows) -> list[Rows]:
    """The places of each group, in order."""
    sizes = np.bincount(group)
    return np.split(np.argsort(group, kind="stable"), np.cumsum(sizes)[:-1])[: len(sizes)]


def _shared(change: Change) -> Change:
    """What all of a group have of a change."""
    return replace(change, identity=_whose(change.identity), basis=Basis(change.basis.period))


def _whose(identity: Identity) -> Identity:
    return Identity("", "", "", identity.kind)
