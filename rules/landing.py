"""Where every row of a block will land at the year's end, renewed where figures changed."""

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rules import forecast
from rules.calendar import Every
from rules.expectation import Floats
from rules.past import Past, increments
from rules.plan import Block

_CHUNK = 16_384
"""Rows foreseen at a time: the columns of a chunk stay in the processor's cache."""
_KEPT = ("probability", "low", "high")
_PARTS = 12
"""Of a year of days, for a forecast: the work grows with the cube of their number, and a day says little."""


class Landings:
    """The landing forecast of every row, from its figures of this year and of earlier ones; columns (R,).

    ``probability`` (0-1) is that of meeting the goal; ``low`` to ``high`` (the target's unit) holds the year's end
    with the probability ``forecast.INTERVAL``. NaN where nothing can be said: the measure is not foreseen, the past
    is too short, there is no figure of this year or no goal; anywhere while nobody ``asks``.
    """

    def __init__(self, block: Block, past: Past) -> None:
        self._block, self._past, self.asks = block, past, True
        self.probability, self.low, self.high = np.full((3, block.rows), np.nan, np.float32)
        self._stale = np.zeros(block.rows, np.bool_)

    def moved(self, rows: NDArray[np.int64]) -> None:
        """Figures of this year or of earlier ones are new."""
        self._stale[rows] = True

    def kept(self) -> dict[str, NDArray[np.float32]]:
        """Where the rows land by the last ``renew``, to be taken back by another of the same block."""
        return {name: getattr(self, name) for name in _KEPT}

    def take_back(self, kept: Callable[[str], NDArray[Any]]) -> None:
        """Become those that were ``kept``."""
        for name in _KEPT:
            setattr(self, name, kept(name))

    def renew(self, values: Floats, latest: NDArray[np.int16]) -> None:
        """Foresee again where anything changed, from ``values`` (P, R) and the newest known period of each row."""
        stale = np.flatnonzero(self._stale)
        self._stale[:] = False
        self.probability[stale], self.low[stale], self.high[stale] = self._foreseen(values, stale, latest[stale])

    def seen_from(self, values: Floats, rows: NDArray[np.int64], slots: NDArray[np.int16]) -> "Landings":
        """The same with other landings of ``rows``: as they seemed at their periods ``slots`` (N,)."""
        other = copy(self)
        other.probability, other.low, other.high = (column.copy() for column in (self.probability, self.low, self.high))
        other.probability[rows], other.low[rows], other.high[rows] = self._foreseen(values, rows, slots)
        return other

    def _foreseen(self, values: Floats, rows: NDArray[np.int64], slots: NDArray[np.int16]) -> Floats:
        """Probability, low and high (3, N) of ``rows`` as seen from ``slots``."""
        found: Floats = np.full((3, len(rows)), np.nan)
        if not (self.asks and len(self._past.values)):
            return found
        for slot in np.unique(slots[slots >= 0]).tolist():
            at_slot = np.flatnonzero(slots == slot)
            for start in range(0, len(at_slot), _CHUNK):
                part = at_slot[start : start + _CHUNK]
                for which, foreseen in ((self._block.sums, self._sums), (self._block.carried, self._carried)):
                    mine = part[which[rows[part]]]
                    if len(mine):
                        found[:, mine] = self._told(rows[mine], foreseen(rows[mine], slot, values))
        return found

    def _sums(self, rows: NDArray[np.int64], slot: int, values: Floats) -> forecast.Outlook:
        if self._block.every is Every.DAY:
            return self._days(rows, slot, values)
        past = np.stack([increments(year) for year in self._past.of(rows)])
        so_far = increments(values[: slot + 1, rows])
        return forecast.outlook(forecast.shape(past, [slot + 1]), so_far)

    def _days(self, rows: NDArray[np.int64], slot: int, values: Floats) -> forecast.Outlook:
        """Days are foreseen by about a twelfth of the year at a time, cut so that one part ends today."""
        elapsed, days = slot + 1, len(self._block.ends)
        gone = min(max(round(_PARTS * elapsed / days), 1), _PARTS - (elapsed < days))
        cuts = np.concatenate(
            [np.linspace(0, elapsed, gone + 1)[:-1], np.linspace(elapsed, days, _PARTS - gone + 1)[:-1]]
        )
        first = cuts.astype(np.int64)
        past = np.stack([np.add.reduceat(increments(year), first, axis=0) for year in self._past.of(rows)])
        so_far = np.add.reduceat(increments(values[:elapsed, rows]), first[:gone], axis=0)
        return forecast.outlook(forecast.shape(past, [gone]), so_far)

    def _carried(self, rows: NDArray[np.int64], slot: int, values: Floats) -> forecast.Outlook:
        past = self._past.of(rows)
        return forecast.carried(past[:, slot], past[:, -1], values[slot, rows])

    def _told(self, rows: NDArray[np.int64], view: forecast.Outlook) -> Floats:
        block = self._block
        least = np.where(block.sign[rows] > 0, block.goal[rows] - block.slack[rows], -np.inf)
        most = np.where(block.sign[rows] < 0, block.goal[rows] + block.slack[rows], np.inf)
        if block.upper is not None:
            most = np.fmin(most, block.upper[rows] + np.abs(block.slack[rows]))
        low, _, high = forecast.interval(view)
        return np.stack([forecast.probability(view, least, most), low, high])
