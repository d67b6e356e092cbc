"""The figures known at one moment, month-major, ready to be judged."""

from collections.abc import Callable
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.observation import NIL, PARTIAL
from rules.expectation import Floats
from rules.landing import Landings
from rules.limits import Rows
from rules.past import Past, increments, shares
from rules.plan import Block
from rules.target import LEARNT, Shape

_CHUNK = 16_384
"""Rows whose earlier years are read at a time; of a whole country they would take a lot of memory."""


_KEPT = ("values", "preliminary", "latest", "reported", "known_at", "spread", "_daily")


class Panel:
    """Latest known figure of every row of a block for every period of its year.

    ``values`` (P, R) in each target's unit, NaN where nothing is known; ``latest``
    (R,) the newest period with a figure, -1 for none; ``reported`` (R,) the newest
    that anything was stated for, be it only that there is nothing to report, and
    ``known_at`` (R,) when that was; ``preliminary`` (P, R) marks figures that are
    not final yet. Good days are counted here: ``values`` then holds the count so far.
    ``expected`` (P, R) is what is expected at each period's end: the block's plan curves
    and, for the rows ``block.learnt``, what ``past`` says of the season, for rows that lean on a
    series what that is known to say; ``spread`` (P, L) is how much the season's share of the year
    differs from year to year (NaN where not known; (P, 0) where no threshold asks).
    ``landings`` tells where the rows will land. What is drawn from earlier years is as of the last ``renew``.
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        self.past = Past(block)
        self._drawn = block.leans is not None or len(block.learnt) > 0
        self._unlearnt = np.zeros(block.rows, np.bool_)
        self.landings = Landings(block, self.past)
        self.preliminary = np.zeros((len(block.ends), block.rows), dtype=np.bool_)
        self.latest = np.full(block.rows, -1, dtype=np.int16)
        self.reported = self.latest.copy()
        self._averages: dict[int, Floats] = {}
        self._counting = np.flatnonzero(~np.isnan(block.counts))
        self._daily: Floats = np.full((len(block.ends), len(self._counting)), np.nan)

    # Made when first looked at: of a country they are large, and a panel may yet take those of another one.

    @cached_property
    def values(self) -> Floats:
        return np.full((len(self.block.ends), self.block.rows), np.nan)

    @cached_property
    def expected(self) -> Floats:
        return self.block.expected

    @cached_property
    def spread(self) -> Floats:
        rows = len(self.block.learnt) if self.block.spreads else 0
        return np.full((len(self.block.ends), rows), np.nan, np.float32)

    @cached_property
    def known_at(self) -> NDArray[np.datetime64]:
        return np.full(self.block.rows, np.datetime64("NaT"), dtype="datetime64[s]")

    def __copy__(self) -> "Panel":
        """Another one with the same columns, be they looked at for the first time only now: what is put in one is in both."""
        other = Panel.__new__(Panel)
        made = {"values": self.values, "expected": self.expected, "spread": self.spread, "known_at": self.known_at}
        other.__dict__ |= made | self.__dict__
        return other

    def put(
        self,
        rows: NDArray[np.int64],
        slots: NDArray[np.int64],
        values: Floats,
        known_at: NDArray[np.datetime64],
        status: NDArray[np.int8] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Enter figures, all arguments (N,), the later of two for the same place winning. NaN is no figure.

        ``status`` are places in ``STATUSES``, all final where it is left out. A nil report, whose value is NaN, takes
        the place of the figure that its period may have had. Returns the slots and rows where a known figure became
        another one.
        """
        status = np.zeros(len(rows), np.int8) if status is None else status
        nil = status == NIL
        if not (known := nil | ~np.isnan(values)).all():
            return self.put(rows[known], slots[known], values[known], known_at[known], status[known])
        # Few rows get a figure that is not of a later period than all before.
        seen = np.zeros(self.block.rows, np.bool_)
        seen[rows[slots <= self.latest[rows]]] = True
        again = np.flatnonzero(seen)
        before = self.values[:, again]
        self.values[slots, rows], self.preliminary[slots, rows] = values, status == PARTIAL
        np.maximum.at(self.reported, rows, slots.astype(np.int16))
        newest = slots == self.reported[rows]
        self.known_at[rows[newest]] = known_at[newest]
        self._averages.clear()
        self.landings.moved(rows)
        if len(self._counting):
            self._count(rows, slots, values)
        np.maximum.at(self.latest, rows[~nil], slots[~nil].astype(np.int16))
        if nil.any():
            self.latest[rows[nil]] = self.before(rows[nil], np.full(nil.sum(), len(self.block.ends), np.int16))
        now = self.values[:, again]
        revised, which = np.nonzero(~np.isnan(before) & ~np.isnan(now) & (now != before))
        return revised, again[which]

    def having(self, rows: NDArray[np.int64], slots: NDArray[np.int16], values: Floats) -> "Panel":
        """A panel like this one in which other values stand at these places, all arguments (N,)."""
        self.renew()  # else the other would do it, by its own values
        other = copy(self)
        other.values = self.values.copy()
        other._averages = {}  # noqa: SLF001  a panel's own
        other.values[slots, rows] = values
        return other

    def held_against(self, block: Block) -> "Panel":
        """The same figures, now and later, under the thresholds of ``block``."""
        other = copy(self)
        other.block = block
        return other

    def seen_from(self, rows: NDArray[np.int64], slots: NDArray[np.int16]) -> "Panel":
        """A panel like this one in which ``rows`` land where it seemed at their periods ``slots``, both (N,)."""
        other = copy(self)
        other.landings = self.landings.seen_from(self.values, rows, slots)
        return other

    def put_past(self, rows: NDArray[np.int64], periods: NDArray[np.datetime64], values: Floats) -> None:
        """Enter figures of earlier years by the last day of their period; others are left alone."""
        taken = self.past.put(rows, periods, values)
        if not taken.any():
            return
        self.landings.moved(rows[taken])
        self._unlearnt[rows[taken]] = True

    def kept(self) -> dict[str, NDArray[Any]]:
        """All columns, to be taken back by a panel of the same block."""
        self.renew()
        own = {"expected": self.expected} if self._drawn else {}
        return {name: getattr(self, name) for name in _KEPT} | own | {"past": self.past.values} | self.landings.kept()

    def take_back(self, kept: Callable[[str], NDArray[Any]]) -> None:
        """Become what the panel of the same block was whose columns were ``kept``, found by their names."""
        for name in _KEPT:
            setattr(self, name, kept(name))
        if self._drawn:
            self.expected = kept("expected")
        self.past.values = kept("past")
        self.landings.take_back(kept)

    def renew(self) -> None:
        """Bring what follows from earlier years up to date: curves that are read from them, and the landings."""
        unlearnt = np.flatnonzero(self._unlearnt[self.block.learnt])
        self._unlearnt[:] = False
        for start in range(0, len(unlearnt), _CHUNK):
            self._learn(unlearnt[start : start + _CHUNK])
        self.landings.renew(self.values, self.latest)

    def _learn(self, which: NDArray[np.int64]) -> None:
        """Draw the curves of some of ``block.learnt`` from earlier years, where there are enough of them."""
        block, rows = self.block, self.block.learnt[which]
        reached = self.past.of(rows)
        goals = np.stack([block.goals(rows, np.full(len(rows), p, np.int16)) for p in range(len(block.ends))])
        target = np.searchsorted(block.first_row, rows, side="right") - 1
        for shape, enough in LEARNT.items():
            mine = np.flatnonzero(np.array([t.expect.shape is shape for t in block.targets])[target])
            season, spread, years = shares(reached[-1:, :, mine] if shape is Shape.LAST_YEAR else reached[:, :, mine])
            spoken = years >= enough
            curve = goals[:, mine] * np.cumsum(increments(season), axis=0)
            self.expected[:, rows[mine]] = np.where(spoken, curve, block.planned(rows[mine]))
            if block.spreads:
                self.spread[:, which[mine]] = np.where(spoken, spread, np.nan)

    def lean(self, rows: NDArray[np.int64], slots: NDArray[np.int64], values: Floats) -> None:
        """Enter what the series say that rows lean on, all arguments (N,), values in the targets' units."""
        assert self.block.plus is not None
        self.expected[slots, rows] = values + self.block.plus[rows]

    def goals(self, rows: Rows, slots: NDArray[np.int16]) -> Floats:
        """The goal of each of ``rows`` at the end of its period (-1: the last one in force); NaN where none is known."""
        goals = self.block.goals(rows, slots)
        if self.block.leans is None:
            return goals
        every = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        leaning = self.block.leans[every] & (slots >= 0)
        return np.where(leaning, self.expected[slots, every], goals)

    def _count(self, rows: NDArray[np.int64], slots: NDArray[np.int64], values: Floats) -> None:
        """Turn daily figures into good days so far; a day without a figure is neither good nor bad."""
        place = np.searchsorted(self._counting, rows)
        mine = self._counting[np.minimum(place, len(self._counting) - 1)] == rows
        self._daily[slots[mine], place[mine]] = values[mine]
        touched = np.unique(place[mine])
        daily = self._daily[:, touched]
        good = daily <= self.block.counts[self._counting[touched]]
        self.values[:, self._counting[touched]] = np.where(np.isnan(daily), np.nan, np.cumsum(good, axis=0))

    def before(self, rows: NDArray[np.int64], slots: NDArray[np.int16]) -> NDArray[np.int16]:
        """The newest known period before each of ``slots``, -1 for none."""
        found = np.maximum(slots, np.int16(0)) - np.int16(1)
        while (gap := (found >= 0) & np.isnan(self.values[found, rows])).any():
            found = found - gap
        return found

    def average(self, rows: NDArray[np.int64], slots: NDArray[np.int16]) -> Floats:
        """The mean over all subjects of each row's target that have a figure for the period; NaN for no figure."""
        first = self.block.first_row
        target = np.searchsorted(first, rows, side="right") - 1
        found: Floats = np.full(len(rows), np.nan)
        for slot in np.unique(slots[slots >= 0]):
            if slot not in self._averages:
                known = ~np.isnan(self.values[slot])
                total = np.add.reduceat(np.where(known, self.values[slot], 0.0), first[:-1])
                count = np.add.reduceat(known, first[:-1], dtype=np.float64)
                self._averages[slot] = total / np.where(count == 0, np.nan, count)
            mine = slots == slot
            found[mine] = self._averages[slot][target[mine]]
        return found
