"""The pace that is needed from here, against the pace so far."""

from datetime import date
from typing import NamedTuple

import numpy as np

from rules.calendar import period_ends
from rules.target import Measure, Op, Target

_PACED = frozenset({Measure.CUMULATIVE, Measure.GOOD_DAYS, Measure.REDUCTION, Measure.LEVEL})


class Pace(NamedTuple):
    """``needed`` units per period over the ``left`` periods that remain; ``so_far`` units per period until now.

    ``so_far`` is None for a level, whose start is not known.
    """

    needed: float
    so_far: float | None
    left: int


def pace(target: Target, goal: float, actual: float, period: date) -> Pace | None:
    """Pace from the end of ``period`` to the goal; None where pace has no meaning, nothing is left, or the goal is reached."""
    if target.measure not in _PACED or target.goal.op in (Op.AT_MOST, Op.LESS_THAN):
        return None
    ends = period_ends(period.year, target.every)
    gone = int(np.searchsorted(ends, np.datetime64(period), side="right"))
    left = len(ends) - gone
    if left == 0 or actual >= goal:
        return None
    so_far = None if target.measure is Measure.LEVEL or gone == 0 else actual / gone
    return Pace((goal - actual) / left, so_far, left)
