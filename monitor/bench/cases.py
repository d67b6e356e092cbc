"""Years to forecast, cut out of a table of real monthly series, each with a goal as an office would set it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor import wide
from rules.document import Invalid

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MIN_YEARS, PREDECESSORS, HISTORY, DRAWN = 6, 4, 8, 6


@dataclass(frozen=True)
class Cases:
    """Years to forecast, one column each."""

    history: Floats  # (8, 12, n), NaN before a series begins
    year: Floats  # (12, n)
    goal: Floats  # (n,)
    series: list[str]
    calendar_year: list[int]
    left_out: int  # drawn, but the goal cannot be computed (a nil year)

    @property
    def met(self) -> Bools:
        """Whether the year reached its goal, (n,)."""
        return np.asarray(self.year.sum(axis=0) >= self.goal)


def read(path: Path) -> pd.DataFrame:
    """A wide monthly table of whole years, with no month left out. Raises Invalid with its place."""
    table = wide.read(path)
    first, last = table.index[0].year, table.index[-1].year
    return table.reindex(pd.period_range(f"{first}-01", f"{last}-12", freq="M"))


def make_cases(frame: pd.DataFrame, seed: int = 7) -> Cases:
    """Up to 6 years of each series with at least 6 complete non-negative years, drawn where 4 such years precede.

    Raises Invalid where there are none.
    """
    first = frame.index[0].year
    cube = frame.to_numpy(dtype=float).reshape(-1, 12, frame.shape[1])  # years, months, series
    complete = (np.nan_to_num(cube, nan=-1.0) >= 0).all(axis=1)
    draw = np.random.default_rng(seed)
    histories, years, names, calendar = [], [], [], []
    for j, name in enumerate(frame.columns):
        for i in _draw_years(complete[:, j], draw):
            past = [k for k in range(i) if complete[k, j]][-HISTORY:]
            history = np.full((HISTORY, 12), np.nan)
            history[HISTORY - len(past) :] = cube[past, :, j]
            histories.append(history)
            years.append(cube[i, :, j])
            names.append(str(name))
            calendar.append(first + i)
    if not years:
        raise Invalid(
            [
                f"没有一个序列有{MIN_YEARS}个完整且非负的年份、此前有{PREDECESSORS}个这样的年份 (no cases)；年份应含全部12个月"
            ]
        )
    history, year = np.stack(histories, axis=2), np.stack(years, axis=1)
    goal = office_goal(history)
    good = np.isfinite(goal) & (goal > 0)
    if not good.any():
        raise Invalid(["往年全年合计均为零，无从确定目标 (no goal)"])
    names = [name for name, keep in zip(names, good, strict=True) if keep]
    calendar = [year_ for year_, keep in zip(calendar, good, strict=True) if keep]
    return Cases(history[:, :, good], year[:, good], goal[good], names, calendar, int((~good).sum()))


def _draw_years(complete: Bools, draw: np.random.Generator) -> list[int]:
    """Positions of the years of one series to forecast."""
    eligible = [i for i in range(PREDECESSORS, complete.size) if complete[i - PREDECESSORS : i + 1].all()]
    if complete.sum() < MIN_YEARS or not eligible:
        return []
    return sorted(int(i) for i in draw.choice(eligible, min(DRAWN, len(eligible)), replace=False))


def office_goal(history: Floats) -> Floats:
    """Last year's total, grown by the median of the last three log growths, (n,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        total = history.sum(axis=1)
        growth = np.median(np.diff(np.log(total), axis=0)[-3:], axis=0)
        return np.asarray(total[-1] * np.exp(growth))
