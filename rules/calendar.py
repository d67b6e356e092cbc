"""Periods, working days and publication dates.

Working days are China's: statutory holidays and make-up days 调休 as published
by the State Council each year, through ``chinesecalendar``. A year that is not
published yet has only its weekends; ``workdays_known_until`` says where that begins.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Days: TypeAlias = NDArray[np.datetime64]


class Every(StrEnum):
    """How often a target's figure is published."""

    DAY = "day"
    MONTH = "month"
    QUARTER = "quarter"
    HALF = "half"
    YEAR = "year"


_MONTHS = {Every.MONTH: 1, Every.QUARTER: 3, Every.HALF: 6, Every.YEAR: 12}
PERIOD_NAMES = {Every.DAY: "天", Every.MONTH: "个月", Every.QUARTER: "个季度", Every.HALF: "个半年", Every.YEAR: "年"}


def period_ends(year: int, every: Every) -> Days:
    """Last days of the year's periods, oldest first: (365 or 366,), (12,), (4,), (2,) or (1,)."""
    if every is Every.DAY:
        return np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")
    step = _MONTHS[every]
    next_months = np.arange(f"{year}-01", f"{year + 1}-02", dtype="datetime64[M]")[step::step]
    ends: Days = np.subtract(next_months.astype("datetime64[D]"), np.timedelta64(1, "D"))
    return ends


def label(every: Every, end: date) -> str:
    """The period that ends on ``end`` as an office writes it: 2025年9月, 2025年三季度, 2025年9月20日."""
    match every:
        case Every.DAY:
            return f"{end.year}年{end.month}月{end.day}日"
        case Every.MONTH:
            return f"{end.year}年{end.month}月"
        case Every.QUARTER:
            return f"{end.year}年{'一二三四'[(end.month - 1) // 3]}季度"
        case Every.HALF:
            return f"{end.year}年{'上' if end.month <= 6 else '下'}半年"
        case Every.YEAR:
            return f"{end.year}年"


@cache
def _published() -> tuple[Days, date]:
    """Every day off that has been published, and the last day of the last published year."""
    from chinese_calendar import is_workday
    from chinese_calendar.constants import holidays

    first, last = min(holidays).year, max(holidays).year
    days = np.arange(f"{first}-01-01", f"{last + 1}-01-01", dtype="datetime64[D]")
    off = [not is_workday(day) for day in days.astype(object)]
    return days[off], date(last, 12, 31)


def workdays_known_until() -> date:
    """Last day for which holidays and make-up days have been published."""
    return _published()[1]


@cache
def _workdays() -> np.busdaycalendar:
    off, until = _published()
    later = np.arange(np.datetime64(until) + 1, np.datetime64(until) + 366 * 20)
    weekend = later[~np.is_busday(later)]
    return np.busdaycalendar(weekmask="1111111", holidays=np.concatenate([off, weekend]))


def is_workday(day: date) -> bool:
    """Whether offices work on ``day``."""
    return bool(np.is_busday(np.datetime64(day), busdaycal=_workdays()))


def add_workdays(days: Days, count: int) -> Days:
    """The ``count``-th working day after each of ``days``."""
    moved: Days = np.busday_offset(days, count, roll="backward", busdaycal=_workdays())
    return moved


def workdays_gone(ends: Days) -> NDArray[np.float64]:
    """Share (0-1) of the working days of its year that are over at the end of each of ``ends``."""
    years = ends.astype("datetime64[Y]")
    new_year, next_year = years.astype("datetime64[D]"), (years + 1).astype("datetime64[D]")
    gone = np.busday_count(new_year, ends + np.timedelta64(1, "D"), busdaycal=_workdays())
    return np.asarray(gone / np.busday_count(new_year, next_year, busdaycal=_workdays()))


@dataclass(frozen=True, slots=True)
class Publication:
    """When a period's figure must have been published: the last day on which it is not yet late.

    Exactly one of the three is given: ``workdays`` or ``days`` after the
    period's end, or ``day_of_next``, a day of the following month (moved to the
    next working day when it falls on a day off).
    """

    text: str
    workdays: int | None = None
    days: int | None = None
    day_of_next: int | None = None

    def due(self, ends: Days) -> Days:
        """Due day of each period end."""
        if self.workdays is not None:
            return add_workdays(ends, self.workdays)
        if self.days is not None:
            return ends + np.timedelta64(self.days, "D")
        assert self.day_of_next is not None
        month = (ends + np.timedelta64(1, "D")).astype("datetime64[M]")
        last = (month + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
        wished = month.astype("datetime64[D]") + np.timedelta64(self.day_of_next - 1, "D")
        rolled: Days = np.busday_offset(np.minimum(wished, last), 0, roll="forward", busdaycal=_workdays())
        return rolled
