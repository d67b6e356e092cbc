"""Thresholds in columns: for each row of a block, when a level is reached.

A level is reached when any of its thresholds is. Most targets have one plain
threshold; those lie in one dense Limits over all rows of the block. Every
further threshold, and every yardstick that costs more to look at, lies in a
Limits over just the rows that have it.
"""

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import NamedTuple, TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from rules.calendar import Days
from rules.expectation import Floats, steps
from rules.target import PERCENT, PROGRESS, Against, Target, Threshold
from rules.unit import conversion

Rows = slice | NDArray[np.int64]

_OWN = frozenset({Against.PERIOD, Against.AVERAGE, Against.LATE, Against.SPREAD, Against.PROBABILITY, Against.OUTLOOK})
"""Yardsticks that lay something else beside the figure than what the plan expects by now."""
_Cell = TypeVar("_Cell", np.float64, np.datetime64)
_Member = tuple[int, Target, Threshold | None]


class Limits(Struct, frozen=True):
    """One threshold each for N rows of a block; all columns (N,).

    ``rows`` are those rows, ascending; None means all of the block's. ``against``
    says what the figure is compared with: None is what the plan expects at the end
    of its period; PERIOD looks at what this period alone added, AVERAGE at the mean
    of the target's subjects, LATE at ``lagged`` (P, N), SPREAD and PROBABILITY at
    how much the season differs from year to year and at the chance to meet the goal;
    OUTLOOK lets that chance overrule the plan.

    Reached are a shortfall above ``share * |expected| + of_goal * |goal| + absolute``
    (target's unit; the goal in force then), which shrinks by the share ``narrowing`` until the year's end, and a figure
    below ``below`` or above ``above`` (NaN for none); both not before the period
    ``first``, for ``periods`` published periods running. A column is None where no row needs it.
    """

    rows: NDArray[np.int64] | None
    against: Against | None
    share: Floats
    of_goal: Floats | None
    absolute: Floats
    below: Floats | None
    above: Floats | None
    periods: NDArray[np.int16]
    narrowing: Floats | None
    first: NDArray[np.int16] | None
    lagged: Floats | None

    def among(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places in ``rows`` of the rows that lie here, and their places here."""
        assert self.rows is not None
        return among(self.rows, rows)


def among(lie: NDArray[np.int64], rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places in ``rows`` of those that ``lie`` (ascending) somewhere, and their places there."""
    if isinstance(rows, slice):
        start, stop = np.searchsorted(lie, [rows.start, rows.stop])
        return lie[start:stop] - rows.start, np.arange(start, stop)
    here = np.minimum(np.searchsorted(lie, rows), len(lie) - 1)
    inside = np.flatnonzero(lie[here] == rows)
    return inside, here[inside]


def compile_limits(
    targets: Sequence[Target],
    thresholds: Sequence[tuple[Threshold, ...]],
    first_row: NDArray[np.int64],
    goal: Floats,
    ends: Days,
    changes: NDArray[np.bool_],
) -> tuple[Limits, ...]:
    """The dense Limits of a block and the further ones; ``thresholds`` are each target's, ``changes`` (R,) marks changed goals."""
    plain = [next((level for level in levels if _is_plain(level)), None) for levels in thresholds]
    dense = [(index, target, level) for index, (target, level) in enumerate(zip(targets, plain, strict=True))]
    sparse = compile_sparse(targets, thresholds, first_row, goal, ends, changes, plain)
    return (_limits(None, None, dense, np.diff(first_row), goal, ends, changes), *sparse)


def compile_sparse(
    targets: Sequence[Target],
    thresholds: Sequence[tuple[Threshold, ...]],
    first_row: NDArray[np.int64],
    goal: Floats,
    ends: Days,
    changes: NDArray[np.bool_],
    without: Sequence[Threshold | None] | None = None,
) -> tuple[Limits, ...]:
    """The same of thresholds that few targets have, over just their rows; ``without`` is one of each target's to leave out."""
    further = sorted(
        (order, level.against if level.against in _OWN else "", index)
        for index, levels in enumerate(thresholds)
        for order, level in enumerate(levels)
        if without is None or level is not without[index]
    )
    sizes = np.diff(first_row)
    found = []
    for (order, own), group in groupby(further, key=lambda entry: entry[:2]):
        members = [(index, targets[index], thresholds[index][order]) for *_, index in group]
        rows = np.concatenate([np.arange(*first_row[index : index + 2]) for index, *_ in members])
        found.append(_limits(rows, Against(own) if own else None, members, sizes, goal, ends, changes))
    return tuple(found)


def _is_plain(level: Threshold) -> bool:
    return level.against not in (*_OWN, Against.OVERDUE) and level.narrows_to is None


def _limits(
    rows: NDArray[np.int64] | None,
    against: Against | None,
    members: Sequence[_Member],
    sizes: NDArray[np.int64],
    goal: Floats,
    ends: Days,
    changes: NDArray[np.bool_],
) -> Limits:
    counts = sizes[[index for index, *_ in members]]
    terms = np.array([_terms(target, level, ends) for _, target, level in members], dtype=np.float64)
    one = _Terms(*(repeated(term, counts) for term in terms.T))
    of, moves = (goal, changes) if rows is None else (goal[rows], changes[rows])
    of_goal = np.where(moves, one.of_goal, 0.0)
    return Limits(
        rows=rows,
        against=against,
        share=one.share,
        of_goal=of_goal if of_goal.any() else None,
        absolute=one.absolute + (one.of_goal - of_goal) * np.abs(np.nan_to_num(of)),
        below=or_none(one.below),
        above=or_none(one.above),
        periods=one.periods.astype(np.int16),
        narrowing=one.narrowing if one.narrowing.any() else None,
        first=one.first.astype(np.int16) if one.first.any() else None,
        lagged=_lagged(members, counts, of, ends) if against is Against.LATE else None,
    )


class _Terms(NamedTuple):
    """One target's threshold in numbers; as columns, the terms of many."""

    share: Floats
    of_goal: Floats
    absolute: Floats
    below: Floats
    above: Floats
    periods: Floats
    narrowing: Floats
    first: Floats


def _terms(target: Target, level: Threshold | None, ends: Days) -> tuple[float, ...]:
    share, of_goal, absolute, below, above, first = 0.0, 0.0, 0.0, np.nan, np.nan, 0
    if level is None:
        return share, of_goal, np.inf, below, above, 1, 0.0, first  # never reached
    match level.against:
        case Against.SHARE | Against.PERIOD | Against.OUTLOOK:
            share = level.value / 100
        case Against.SPREAD:
            share = level.value
        case Against.PROBABILITY:
            absolute, below = np.inf, level.value / 100
        case Against.POINTS if target.measure in PROGRESS and target.goal.unit not in PERCENT:
            of_goal = level.value / 100
        case Against.POINTS | Against.UNITS:
            absolute = _in_unit(level, target)
        case Against.BELOW:
            absolute, below = np.inf, _in_unit(level, target)
        case Against.ABOVE:
            absolute, above = np.inf, _in_unit(level, target)
        case Against.OVERDUE:
            first = _last_slot(target, ends)
    narrowing = 0.0 if level.narrows_to is None else 1 - level.narrows_to / level.value
    return share, of_goal, absolute, below, above, level.periods, narrowing, first


def _in_unit(threshold: Threshold, target: Target) -> float:
    """The threshold's number in the target's unit."""
    found = conversion(threshold.unit, target.goal.unit)
    assert found is not None, "the loader refuses thresholds whose unit does not convert"
    return threshold.value * found[0] + found[1]


def _last_slot(target: Target, ends: Days) -> int:
    """The first period at whose end the goal itself is due."""
    points = target.expect.points
    return int(np.searchsorted(ends, np.datetime64(points[-1][0]))) if points else len(ends) - 1


def _lagged(members: Sequence[_Member], counts: NDArray[np.int64], goal: Floats, ends: Days) -> Floats:
    """What each row must have reached at each period's end not to be late by its threshold: (P, N)."""
    curves = []
    for _, target, level in members:
        assert level is not None
        curves.append(steps(tuple((_later(day, level), share) for day, share in target.expect.points), ends))
    return np.repeat(np.stack(curves, axis=1), counts, axis=1) * goal


def _later(day: date, level: Threshold) -> date:
    """``day`` moved by the threshold's days or calendar months."""
    if level.unit == "天":
        return day + timedelta(days=int(level.value))
    month = day.year * 12 + day.month - 1 + int(level.value)
    year, month = divmod(month, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def repeated(values: NDArray[_Cell], sizes: Sequence[int] | NDArray[np.int64]) -> NDArray[_Cell]:
    """One value per target, repeated for its subjects; where all are alike it takes no room, and cannot be written to."""
    alike = np.array_equal(values, np.broadcast_to(values[0], len(values)), equal_nan=True)
    return np.broadcast_to(values[0], int(np.sum(sizes))) if alike else np.repeat(values, sizes)


def or_none(values: Floats) -> Floats | None:
    """The column, or None where no row has a value in it."""
    return None if np.isnan(values).all() else values
