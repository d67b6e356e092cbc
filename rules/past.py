"""Figures of earlier years, laid beside this year's periods: what seasonal curves and forecasts learn from."""

import numpy as np
from numpy.typing import NDArray

from rules.calendar import Every, period_ends
from rules.expectation import Floats
from rules.plan import Block

YEARS = 8
"""Years looked back; offices change what they count faster than that."""
_COUNTED = 0.95
"""Part of a year's days that must be known for its good days to be counted."""


class Past:
    """Figures of up to ``YEARS`` earlier years of every row of a block, each at the place of this year's period.

    ``values`` is (years, P, R) in each target's unit, oldest year first, NaN where
    nothing is known; it grows with the oldest year that is entered. Where figures are
    daily values of which the good ones count (``block.counts``), they lie here as stated.
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        self.values = np.empty((0, len(block.ends), block.rows), np.float32)

    def put(self, rows: NDArray[np.int64], periods: NDArray[np.datetime64], values: Floats) -> NDArray[np.bool_]:
        """Enter figures, all arguments (N,), the later of two for the same place winning. Returns which were taken.

        ``periods`` are last days of periods; one that is no period of an earlier year is left alone. NaN, a nil report,
        takes the place of the figure that its period may have had.
        """
        days = np.unique(periods)  # few, for many rows
        back = self.block.year - (days.astype("datetime64[Y]").astype(np.int64) + 1970)
        slot = np.full(len(days), -1)
        for years in np.unique(back[(back >= 1) & (back <= YEARS)]).tolist():
            here = np.flatnonzero(back == years)
            slot[here] = _slots(self.block, self.block.year - years, days[here])
        which = np.searchsorted(days, periods)
        back, slot = back[which], slot[which]
        mine = slot >= 0
        oldest = max(back[mine & ~np.isnan(values)].max(initial=0), len(self.values))
        mine &= back <= oldest
        if mine.any():
            self._reach(oldest)
            self.values[len(self.values) - back[mine], slot[mine], rows[mine]] = values[mine]
        return mine

    def _reach(self, years: int) -> None:
        missing = years - len(self.values)
        if missing > 0:
            values = np.full((years, *self.values.shape[1:]), np.nan, np.float32)
            values[missing:] = self.values
            self.values = values

    def of(self, rows: NDArray[np.int64]) -> Floats:
        """What the rows had reached by the end of each period of each year: (years, P, N). Good days are counted here."""
        found = self.values[:, :, rows].astype(np.float64)
        counts = self.block.counts[rows]
        daily = np.flatnonzero(~np.isnan(counts))
        if len(daily):
            stated = found[:, :, daily]
            known = ~np.isnan(stated)
            good = np.cumsum(stated <= counts[daily], axis=1, dtype=np.float64)
            good[np.broadcast_to(known.mean(axis=1, keepdims=True) < _COUNTED, good.shape)] = np.nan
            found[:, :, daily] = good
        return found

    def years(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many earlier years of each of ``rows`` are complete."""
        return np.asarray(np.isfinite(self.of(rows)[:, -1]).sum(axis=0))


def _slots(block: Block, year: int, periods: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """This year's place of the periods of an earlier one, -1 for none: same month, same day."""
    ends = period_ends(year, block.every)
    slot = np.minimum(np.searchsorted(ends, periods), len(ends) - 1)
    found = np.where(ends[slot] == periods, slot, -1)
    if block.every is not Every.DAY or len(ends) == len(block.ends):
        return found
    leap_day = 59  # the place of 29 February
    if len(ends) > len(block.ends):
        return np.where(found == leap_day, -1, found - (found > leap_day))
    return np.asarray(found + (found >= leap_day))


def increments(reached: Floats) -> Floats:
    """What each period added to a running sum, (P, ...); a gap shares evenly what came in it, an open end stays NaN.

    January and February published together are such a gap.
    """
    added = np.full_like(reached, np.nan)
    before, periods = np.zeros(reached.shape[1:]), np.zeros(reached.shape[1:])
    for p, now in enumerate(reached):
        periods += 1
        known = ~np.isnan(now)
        added[p] = (now - before) / periods
        before, periods = np.where(known, now, before), np.where(known, 0.0, periods)
    for p in range(len(reached) - 2, -1, -1):
        added[p] = np.where(np.isnan(reached[p]), added[p + 1], added[p])
    return added


def shares(reached: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """The seasonal curve: mean share of the year's end reached by each period's end, and its spread from year to year.

    From (years, P, N) to (P, N), (P, N) and the number of years that speak (N,).
    A year without its last figure, or which ended at nothing, says nothing of
    the others' shares. The spread is a standard deviation, NaN below two years.
    """
    end = reached[:, -1:, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(end > 0, reached / end, np.nan)
        years = (end[:, 0] > 0).sum(axis=0)
        known = ~np.isnan(share)
        count = known.sum(axis=0)
        mean = np.where(known, share, 0.0).sum(axis=0) / count
        square = (np.where(known, share - mean, 0.0) ** 2).sum(axis=0)
        spread = np.where(count > 1, np.sqrt(square / (count - 1)), np.nan)
    return mean, spread, years
