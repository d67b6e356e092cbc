"""The pace that is needed from here, against the pace so far."""

from datetime import date
from functools import lru_cache

import numpy as np
from msgspec import Struct

from rules.calendar import PUBLISHED, Every, Workdays, period_ends
from rules.target import AT_MOST, Measure, Target

_STARTED = frozenset({Measure.CUMULATIVE, Measure.GOOD_DAYS, Measure.REDUCTION})
"""What begins at nothing with the year."""
_PACED = _STARTED | {Measure.LEVEL}


class Pace(Struct, frozen=True, gc=False):
    """``needed`` units per period over the ``left`` periods that remain; ``so_far`` units per period until now.

    ``daily`` and ``daily_so_far`` are the same per working day, of which ``workdays`` remain (0: the year ends in days
    off). What was so far is None for a level, whose start is not known; ``daily`` is None where no working day remains.
    """

    needed: float
    so_far: float | None
    left: int
    daily: float | None
    daily_so_far: float | None
    workdays: int


def pace(target: Target, goal: float, actual: float, period: date, workdays: Workdays = PUBLISHED) -> Pace | None:
    """Pace from the end of ``period`` to the goal; None where pace has no meaning, nothing is left, or the goal is reached."""
    if target.measure not in _PACED or target.goal.op in AT_MOST:
        return None
    gone, left, worked, remain = _days(target.every, period, workdays)
    if left == 0 or actual >= goal:
        return None
    missing, started = goal - actual, gone > 0 and target.measure in _STARTED
    return Pace(
        needed=missing / left,
        so_far=actual / gone if started else None,
        left=left,
        daily=missing / remain if remain else None,
        daily_so_far=actual / worked if started and worked else None,
        workdays=remain,
    )


@lru_cache(maxsize=4096)  # thousands of figures are of few periods
def _days(every: Every, period: date, workdays: Workdays) -> tuple[int, int, int, int]:
    """At the end of ``period``: periods of its year gone and left, working days gone and left."""
    ends = period_ends(period.year, every)
    gone = int(np.searchsorted(ends, np.datetime64(period), side="right"))
    worked = workdays.between(date(period.year - 1, 12, 31), period)
    return gone, len(ends) - gone, worked, workdays.between(period, date(period.year, 12, 31))
