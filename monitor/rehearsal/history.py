"""Every change of a year in columns: what happened, and to the alerts of which rows."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from alerts.alert import Change, Kind, State
from monitor.watch import Watch

Rows = NDArray[np.signedinteger[Any]]
Moments = NDArray[np.datetime64]


class Noted(NamedTuple):
    """What happened in a block. Of a change that several alerts share it says neither whose it is nor their figures."""

    block: int
    change: Change


class Spells(NamedTuple):
    """Times at which alerts of one kind stood, by row, then in time; columns (N,).

    From the first message (``since``) to the end (``until``, NaT where it still stood), at the ``worst`` level it had.
    """

    row: Rows
    since: Moments
    until: Moments
    worst: NDArray[np.int8]


class History:
    """The changes of the alerts of a watch, in the order in which they came about."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._noted: list[Noted] = []
        self._parts: list[tuple[Rows, Rows, NDArray[np.float64]]] = []

    def note(self, block: int, change: Change) -> int:
        """Remember what happens; returns its number."""
        self._noted.append(Noted(block, change))
        return len(self._noted) - 1

    def add(self, rows: Rows, what: Rows, actual: NDArray[np.float64]) -> None:
        """What happened to rows, by its number, and their figures, all (N,)."""
        if len(rows):
            self._parts.append((rows.astype(np.int32), what.astype(np.int32), actual))

    def add_all(self, changes: Iterable[Change]) -> None:
        """The same of changes one by one."""
        for change in changes:
            place = self._watch.place(*change.identity[:3])
            assert place is not None, "a rehearsal knows no other books"
            actual = np.nan if change.basis.actual is None else change.basis.actual
            number = self.note(place[0], change)
            self.add(np.array([place[1]], np.int32), np.array([number], np.int32), np.array([actual]))

    def __iter__(self) -> Iterator[Change]:
        """The changes one by one. What rule those stand on that several alerts share is left out."""
        for rows, what, actual in self._parts:
            for row, number, figure in zip(rows.tolist(), what.tolist(), actual.tolist(), strict=True):
                yield self._change(row, number, figure)

    def _change(self, row: int, number: int, actual: float) -> Change:
        block, change = self._noted[number]
        target, subject = self._watch.panels[block].block.target_at(row)
        known = None if actual != actual else actual  # noqa: PLR0124  NaN
        identity = change.identity._replace(book=target.book, target=target.id, subject=subject)
        return replace(change, identity=identity, basis=change.basis._replace(actual=known))

    def touched(self, block: int) -> NDArray[np.bool_]:
        """Rows of a block to whose alerts anything happened (R,)."""
        found = np.zeros(self._watch.panels[block].block.rows, np.bool_)
        mine = self._where(noted.block == block for noted in self._noted)
        for rows, what, _ in self._parts:
            found[rows[mine[what]]] = True
        return found

    def told(
        self, block: int, kind: Kind, slots: NDArray[np.intp], rows: NDArray[np.intp]
    ) -> Iterator[tuple[int, Change]]:
        """The last that people were told of these rows at these periods (N,), each with its place, in order of time."""
        panel = self._watch.panels[block].block
        mine = self._where(
            noted.block == block and noted.change.identity.kind is kind and noted.change.event.told
            and not noted.change.event.follows and noted.change.basis.period is not None
            for noted in self._noted
        )  # fmt: skip
        period = np.array([noted.change.basis.period for noted in self._noted], "datetime64[D]")
        slot = np.searchsorted(panel.ends, period)
        asked = slots * panel.rows + rows
        order = np.argsort(asked)
        last: dict[int, tuple[int, int, int, float]] = {}
        for part, (its_rows, what, actual) in enumerate(self._parts):
            key = slot[what].astype(np.int64) * panel.rows + its_rows
            hit = np.flatnonzero(mine[what] & np.isin(key, asked))
            places = order[np.searchsorted(asked, key[hit], sorter=order)]
            for place, at in zip(places.tolist(), hit.tolist(), strict=True):
                last[place] = part, at, int(what[at]), float(actual[at])
        for place, (*_, number, figure) in sorted(last.items(), key=lambda one: one[1]):
            yield place, self._change(int(rows[place]), number, figure)

    def spells(self, block: int, kind: Kind) -> Spells:
        """The times at which the alerts of that kind stood in a block."""
        changes = [noted.change for noted in self._noted]
        mine = self._where(
            noted.block == block and noted.change.identity.kind is kind and not noted.change.event.follows
            for noted in self._noted
        )  # fmt: skip
        parts = [(rows[mine[what]], what[mine[what]]) for rows, what, _ in self._parts]
        nothing = np.empty(0, np.int32)
        row, what = (np.concatenate([nothing, *(part[column] for part in parts)]) for column in (0, 1))
        order = np.argsort(row, kind="stable")
        row, what = row[order], what[order]
        firing = self._where(change.state is State.FIRING for change in changes)[what]
        level = np.array([change.level for change in changes], np.int8)[what]
        at = np.array([second(change.at) for change in changes], "datetime64[s]")[what]
        stood = np.zeros(len(row), np.bool_)
        stood[1:] = firing[:-1] & (row[1:] == row[:-1])
        begins, over = np.flatnonzero(firing & ~stood), np.flatnonzero(~firing & stood)
        until = np.full(len(begins), np.datetime64("NaT", "s"))
        until[np.searchsorted(begins, over) - 1] = at[over]
        worst = np.maximum.reduceat(np.where(firing, level, 0), begins) if len(begins) else level[:0]
        return Spells(row[begins], at[begins], until, worst.astype(np.int8))

    def _where(self, holds: Iterable[bool]) -> NDArray[np.bool_]:
        return np.fromiter(holds, np.bool_, len(self._noted))


def second(when: datetime) -> np.datetime64:
    """A moment as columns have it, in whole seconds."""
    return np.datetime64(when.astimezone(UTC).replace(tzinfo=None), "s")
