"""The figures known at one moment, month-major, ready to be judged."""

import numpy as np
from numpy.typing import NDArray

from connectors.observation import NIL, PARTIAL
from rules.expectation import Floats
from rules.plan import Block


class Panel:
    """Latest known figure of every row of a block for every period of its year.

    ``values`` (P, R) in each target's unit, NaN where nothing is known; ``latest``
    (R,) the newest period with a figure, -1 for none; ``reported`` (R,) the newest
    that anything was stated for, be it only that there is nothing to report, and
    ``known_at`` (R,) when that was; ``preliminary`` (P, R) marks figures that are
    not final yet. Good days are counted here: ``values`` then holds the count so far.
    ``expected`` (P, R) is what is expected at each period's end: the block's plan curves
    as they stand, for what other figures say of them is known no sooner than here.
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        self.values: Floats = np.full((len(block.ends), block.rows), np.nan)
        self.expected = block.expected
        self.preliminary = np.zeros((len(block.ends), block.rows), dtype=np.bool_)
        self.latest = np.full(block.rows, -1, dtype=np.int16)
        self.reported = self.latest.copy()
        self.known_at = np.full(block.rows, np.datetime64("NaT"), dtype="datetime64[s]")
        self._averages: dict[int, Floats] = {}
        self._counting = np.flatnonzero(~np.isnan(block.counts))
        self._daily: Floats = np.full((len(block.ends), len(self._counting)), np.nan)

    def put(
        self,
        rows: NDArray[np.int64],
        slots: NDArray[np.int64],
        values: Floats,
        known_at: NDArray[np.datetime64],
        status: NDArray[np.int8] | None = None,
    ) -> None:
        """Enter figures, all arguments (N,), the later of two for the same place winning. NaN is no figure.

        ``status`` are places in ``STATUSES``, all final where it is left out. A nil report, whose value is NaN, takes
        the place of the figure that its period may have had.
        """
        status = np.zeros(len(rows), np.int8) if status is None else status
        nil = status == NIL
        if not (known := nil | ~np.isnan(values)).all():
            self.put(rows[known], slots[known], values[known], known_at[known], status[known])
            return
        self.values[slots, rows], self.preliminary[slots, rows] = values, status == PARTIAL
        np.maximum.at(self.reported, rows, slots.astype(np.int16))
        newest = slots == self.reported[rows]
        self.known_at[rows[newest]] = known_at[newest]
        self._averages.clear()
        if len(self._counting):
            self._count(rows, slots, values)
        np.maximum.at(self.latest, rows[~nil], slots[~nil].astype(np.int16))
        if nil.any():
            self.latest[rows[nil]] = self.before(rows[nil], np.full(nil.sum(), len(self.block.ends), np.int16))

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
