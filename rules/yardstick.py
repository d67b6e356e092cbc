"""What a threshold looks at: a figure, what is laid beside it, and how far behind it may be. In columns."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rules.expectation import Floats
from rules.limits import Limits, Rows
from rules.panel import Panel
from rules.plan import Block
from rules.target import Against


class Seen(NamedTuple):
    """A figure, what it is compared with, and how far it is behind that, in the target's unit: positive is bad."""

    actual: Floats
    expected: Floats
    shortfall: Floats


def at(matrix: Floats, slot: NDArray[np.int16], rows: Rows) -> Floats:
    """The value of each row at its own period; NaN where it has none."""
    first = int(slot[0])
    if (slot == first).all():
        # All figures of one release: a contiguous row of the matrix.
        return matrix[first][rows] if first >= 0 else np.full(len(slot), np.nan)
    return np.where(slot < 0, np.nan, matrix[slot, columns(rows)])


def columns(rows: Rows) -> NDArray[np.int64]:
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows


def against_plan(panel: Panel, rows: Rows, slot: NDArray[np.int16]) -> Seen:
    """Each row's figure against what the plan expects at the end of its period."""
    block = panel.block
    actual, expected = at(panel.values, slot, rows), at(panel.expected, slot, rows)
    short = block.sign[rows] * (expected - actual)
    if block.upper is not None:
        short = np.fmax(short, actual - block.upper[rows])
    return Seen(actual, expected, short)


def against(
    panel: Panel, limits: Limits, here: NDArray[np.int64], rows: NDArray[np.int64], slot: NDArray[np.int16]
) -> Seen:
    """What the yardstick of ``limits`` sees of ``rows`` at ``slot``; they lie ``here`` in it."""
    block = panel.block
    if limits.against in (None, Against.OUTLOOK):
        return against_plan(panel, rows, slot)
    actual, expected = at(panel.values, slot, rows), at(panel.expected, slot, rows)
    if limits.against is Against.PERIOD:
        before = panel.before(rows, slot)
        actual -= np.where(before < 0, block.base[rows], panel.values[before, rows])
        expected -= np.where(before < 0, block.base[rows], _planned(panel, rows, slot, before))
    elif limits.against is Against.PROBABILITY:
        return Seen(panel.landings.probability[rows].astype(np.float64), expected, np.full(len(rows), -np.inf))
    elif limits.against is Against.SPREAD:
        # Of as much again as the season differs from year to year, the threshold allows a multiple.
        shortfall = block.sign[rows] * (expected - actual)
        usual = panel.spread[slot, np.searchsorted(block.learnt, rows)] * panel.goals(rows, slot)
        return Seen(actual, np.where(slot < 0, np.nan, usual), shortfall)
    elif limits.against is Against.AVERAGE:
        expected = panel.average(rows, slot)
    elif limits.lagged is not None:
        expected = at(limits.lagged, slot, here)
    return Seen(actual, expected, block.sign[rows] * (expected - actual))


def _planned(panel: Panel, rows: NDArray[np.int64], slot: NDArray[np.int16], before: NDArray[np.int16]) -> Floats:
    """What was expected at ``before`` on the way to the goal in force at ``slot``: a changed goal adds no task by itself."""
    block, planned = panel.block, panel.expected[before, rows]
    if block.changed is None:
        return planned
    base = block.base[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        larger = (block.goals(rows, slot) - base) / (block.goals(rows, before) - base)
    return np.where(np.isfinite(larger), base + (planned - base) * larger, planned)


def allowed(block: Block, limits: Limits, here: Rows, rows: Rows, slot: NDArray[np.int16], expected: Floats) -> Floats:
    """How far each row may be behind at its period without reaching the threshold, in the target's unit."""
    room: Floats = limits.share[here] * np.abs(expected) + limits.absolute[here]
    if limits.of_goal is not None:
        room += limits.of_goal[here] * np.nan_to_num(np.abs(block.goals(rows, slot)))
    if limits.narrowing is not None:
        room *= 1 - limits.narrowing[here] * (slot + 1) / len(block.ends)
    slack = block.slack[rows]
    if block.ripens is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            to_go = 1 - np.abs(expected / block.goals(rows, slot))
        slack = slack - block.ripens[rows] * np.clip(np.nan_to_num(to_go), 0.0, 1.0)
    # Only the plan's own goal must be surpassed where it says so: peers and the period's task may be equalled.
    return room + (slack if limits.against is None else np.abs(slack))


def exceeded(
    block: Block, limits: Limits, here: Rows, rows: Rows, slot: NDArray[np.int16], seen: Seen
) -> NDArray[np.bool_]:
    over: NDArray[np.bool_] = seen.shortfall > allowed(block, limits, here, rows, slot, seen.expected)
    if limits.below is not None:
        over |= seen.actual < limits.below[here]
    if limits.above is not None:
        over |= seen.actual > limits.above[here]
    if limits.first is not None:
        over &= slot >= limits.first[here]
    return over
