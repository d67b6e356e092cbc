"""Plan curves: what should be true by the end of each period."""

from datetime import date

import numpy as np
from numpy.typing import NDArray

from rules.calendar import PUBLISHED, Days, Workdays
from rules.target import Expect, Measure, Shape

Floats = NDArray[np.float64]


def shares(expect: Expect, measure: Measure, ends: Days, year: int, workdays: Workdays = PUBLISHED) -> Floats:
    """Share of the way (0-1) that should be done by each of ``ends`` (P,).

    Offices count elapsed periods: a quarter of the year's plan by the end of
    March, 91.7 % by the end of November. Good days are counted in days, which
    is the same thing where the figure is daily. A stage counts whole, from its day on.
    """
    if expect.shape is Shape.HOLD:
        return np.ones(len(ends))
    if expect.shape is Shape.CHECKPOINTS:
        return _through(expect.points, ends, year)
    if expect.shape is Shape.STAGES:
        return steps(expect.points, ends)
    if expect.shape is Shape.WORKDAYS:
        return workdays.gone(ends)
    if measure is Measure.GOOD_DAYS:
        new_year = np.datetime64(f"{year}-01-01")
        days = (np.datetime64(f"{year + 1}-01-01") - new_year).astype(int)
        return np.asarray(((ends - new_year).astype(int) + 1) / days)
    elapsed: Floats = np.arange(1, len(ends) + 1, dtype=np.float64) / len(ends)
    return elapsed


def _through(points: tuple[tuple[date, float], ...], ends: Days, year: int) -> Floats:
    """Straight lines from nothing at New Year through the points; level after the last."""
    days = np.array([f"{year - 1}-12-31", *(when.isoformat() for when, _ in points)], dtype="datetime64[D]")
    shares: Floats = np.interp(ends.astype(float), days.astype(float), [0.0, *(share for _, share in points)])
    return shares


def steps(points: tuple[tuple[date, float], ...], days: Days) -> Floats:
    """The share of the last point whose day is not after each of ``days``; 0 before the first."""
    gone = np.searchsorted(np.array([when for when, _ in points], dtype="datetime64[D]"), days, side="right")
    return np.array([0.0, *(share for _, share in points)])[gone]
