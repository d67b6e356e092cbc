"""The figure that would clear an alert: with it, at the next period, no threshold of the target is reached any more.

In columns, from the same limits that judging goes by.
"""

import numpy as np
from numpy.typing import NDArray

from rules.expectation import Floats
from rules.limits import Limits
from rules.panel import Panel
from rules.target import Against
from rules.verdict import Clearing, listed
from rules.yardstick import against, allowed


def clearings(panel: Panel, rows: NDArray[np.int64], slots: NDArray[np.int16]) -> list[Clearing | None]:
    """What would clear the alerts of ``rows`` after their periods ``slots``, both (N,).

    None where nothing was judged yet, no period is left, or it cannot be told: another number decides that is not
    known yet (a series leant on, the average of all subjects, the chance to meet the goal).
    """
    found: list[Clearing | None] = [None] * len(rows)
    told = np.flatnonzero((slots >= 0) & (slots < len(panel.block.ends) - 1))
    if not len(told):
        return found
    least, most = _bounds(panel, rows[told], slots[told] + np.int16(1))
    known = (least <= most) & ((least > -np.inf) | (most < np.inf))
    told, least, most = told[known], least[known], most[known]
    ends = panel.block.ends[slots[told] + 1].tolist()
    bounds = map(Clearing, ends, listed(least, least > -np.inf), listed(most, most < np.inf))
    for place, clearing in zip(told.tolist(), bounds, strict=True):
        found[place] = clearing
    return found


def _bounds(panel: Panel, rows: NDArray[np.int64], slots: NDArray[np.int16]) -> tuple[Floats, Floats]:
    """Least and most (N,) that a figure at ``slots`` may be; NaN where it cannot be told."""
    block = panel.block
    least, most = np.full(len(rows), -np.inf), np.full(len(rows), np.inf)
    for limits in (*block.yellow, *block.red, *block.clear):
        inside, here = (np.arange(len(rows)), rows) if limits.rows is None else limits.among(rows)
        if not len(inside):
            continue
        low, high = _of(panel, limits, here, rows[inside], slots[inside])
        # A bound that is not known makes all of it unknown: NaN goes through.
        least[inside], most[inside] = np.maximum(least[inside], low), np.minimum(most[inside], high)
    last = slots == len(block.ends) - 1
    sign, slack, goal = block.sign[rows], block.slack[rows], panel.expected[slots, rows]
    least[last & (sign > 0)] = np.maximum(least, goal - slack)[last & (sign > 0)]
    most[last & (sign < 0)] = np.minimum(most, goal + slack)[last & (sign < 0)]
    if block.upper is not None:
        # The year's end asks for the goal itself, whatever the thresholds allow.
        upper = np.where(last, block.upper[rows] + slack, np.inf)
        most = np.minimum(most, np.where(np.isnan(upper), np.inf, upper))
    unknown = np.isnan(least) | np.isnan(most)
    return np.where(unknown, np.nan, least), np.where(unknown, np.nan, most)


def _of(
    panel: Panel, limits: Limits, here: NDArray[np.int64], rows: NDArray[np.int64], slots: NDArray[np.int16]
) -> tuple[Floats, Floats]:
    """The same of one threshold per row; ``here`` are the rows' places in ``limits``."""
    block, count = panel.block, len(rows)
    free, unknown = np.full(count, np.inf), np.full(count, np.nan)
    if limits.against in (Against.PROBABILITY, Against.OUTLOOK, Against.AVERAGE):
        return unknown, unknown
    seen = against(panel, limits, here, rows, slots)
    room = allowed(block, limits, here, rows, slots, seen.expected)
    expected = panel.expected[slots, rows] if limits.against is Against.SPREAD else seen.expected
    if limits.against is Against.PERIOD:
        before = panel.before(rows, slots)
        expected = expected + np.where(before < 0, block.base[rows], panel.values[before, rows])
    sign = block.sign[rows]
    low = np.where(sign > 0, expected - room, -free)
    high = np.where(sign < 0, expected + room, free)
    never = np.isinf(limits.absolute[here])
    low, high = np.where(never, -free, low), np.where(never, free, high)
    if limits.against is None and block.upper is not None:
        upper = block.upper[rows]
        high = np.where(np.isnan(upper) | never, high, np.minimum(high, upper + room))
    if limits.below is not None:
        low = np.fmax(low, limits.below[here])
    if limits.above is not None:
        high = np.fmin(high, limits.above[here])
    if limits.first is not None:
        early = slots < limits.first[here]
        low, high = np.where(early, -free, low), np.where(early, free, high)
    return low, high
