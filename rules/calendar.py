"""Periods, working days and publication dates.

Working days are China's: statutory holidays and make-up days 调休 as published
by the State Council each year, through ``chinesecalendar``, and what a book adds
to them. A year that is not known yet has only its weekends.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Days: TypeAlias = NDArray[np.datetime64]


class Every(StrEnum):
    """How often a target's figure is published."""

    DAY = "day"
    MONTH = "month"
    QUARTER = "quarter"
    HALF = "half"
    YEAR = "year"

    @property
    def text(self) -> str:
        return {"day": "逐日", "month": "逐月", "quarter": "逐季", "half": "逐半年", "year": "全年"}[self.value]


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


@lru_cache(maxsize=4096)  # thousands of figures are of few periods
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


class Workdays(Struct, frozen=True):
    """The days on which offices work: as published, but for what a book says of single days.

    ``holidays`` are off and ``workdays`` are worked, whatever was published.
    """

    holidays: tuple[date, ...] = ()
    workdays: tuple[date, ...] = ()

    @property
    def known_until(self) -> date:
        """Last day whose holidays are known. A year in which the book names holidays is known."""
        year = _published()[1].year
        while any(day.year == year + 1 for day in self.holidays):
            year += 1
        return date(year, 12, 31)

    def include(self, day: date) -> bool:
        """Whether offices work on ``day``."""
        return bool(np.is_busday(np.datetime64(day), busdaycal=_busdays(self)))

    def after(self, days: Days, count: int) -> Days:
        """The ``count``-th working day after each of ``days``."""
        moved: Days = np.busday_offset(days, count, roll="backward", busdaycal=_busdays(self))
        return moved

    def gone(self, ends: Days) -> NDArray[np.float64]:
        """Share (0-1) of the working days of its year that are over at the end of each of ``ends``."""
        years = ends.astype("datetime64[Y]")
        new_year, next_year = years.astype("datetime64[D]"), (years + 1).astype("datetime64[D]")
        gone = np.busday_count(new_year, ends + np.timedelta64(1, "D"), busdaycal=_busdays(self))
        return np.asarray(gone / np.busday_count(new_year, next_year, busdaycal=_busdays(self)))

    def between(self, first: date, last: date) -> int:
        """How many working days there are after ``first``, up to and with ``last``."""
        after, until = np.datetime64(first) + 1, np.datetime64(last) + 1
        return int(np.busday_count(after, until, busdaycal=_busdays(self)))

    def on_or_after(self, days: Days) -> Days:
        """Each of ``days``, or the next working day where it is a day off."""
        moved: Days = np.busday_offset(days, 0, roll="forward", busdaycal=_busdays(self))
        return moved


PUBLISHED = Workdays()
"""Working days as published, with nothing added."""


@cache
def _published() -> tuple[Days, date]:
    """Every day off, of which years ahead only the weekends are known, and the last day of the last published year."""
    from chinese_calendar.constants import holidays, workdays

    first, last = min(holidays).year, max(holidays).year
    days = np.arange(f"{first}-01-01", f"{last + 21}-01-01", dtype="datetime64[D]")
    off = ~np.is_busday(days)
    off[np.searchsorted(days, _days(holidays))] = True
    off[np.searchsorted(days, _days(workdays))] = False
    return days[off], date(last, 12, 31)


@cache
def _busdays(workdays: Workdays) -> np.busdaycalendar:
    off = np.concatenate([_published()[0], _days(workdays.holidays)])
    worked = (off[:, None] == _days(workdays.workdays)).any(axis=1)
    return np.busdaycalendar(weekmask="1111111", holidays=off[~worked])


def _days(named: Iterable[date]) -> Days:
    return np.array(list(named), dtype="datetime64[D]")


_LATEST = timedelta(days=366)
"""How long after its period a figure may be announced; a date later than that belongs to another year's list."""


class Publication(Struct, frozen=True):
    """When a period's figure must have been published: the last day on which it is not yet late.

    Exactly one of the four is given: ``workdays`` after the period's end; ``days``
    after it, whatever day that is; a ``day`` of the ``months``-th month after it,
    moved to the next working day when it is a day off; or the announced ``dates``
    of the year's figures, in order, as they stand. With ``january_with_february``
    the year's first figure is February's, and covers January.
    """

    text: str
    workdays: int | None = None
    days: int | None = None
    day: int | None = None
    months: int = 1
    dates: tuple[date, ...] = ()
    january_with_february: bool = False

    def due(self, ends: Days, workdays: Workdays = PUBLISHED) -> Days:
        """Due day of each period of a year. January's is February's where both come out together."""
        if self.january_with_february:
            month = ends.astype("datetime64[M]")
            january = month == month.astype("datetime64[Y]").astype("datetime64[M]")
            ends = np.where(january, (month + 2).astype("datetime64[D]") - np.timedelta64(1, "D"), ends)
        if self.dates:
            first = self.dates[:1] if self.january_with_february else ()
            return np.array([*first, *self.dates], dtype="datetime64[D]")
        if self.workdays is not None:
            return workdays.after(ends, self.workdays)
        if self.days is not None:
            return ends + np.timedelta64(self.days, "D")
        assert self.day is not None
        month = ends.astype("datetime64[M]") + self.months
        last = (month + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
        wished = month.astype("datetime64[D]") + np.timedelta64(self.day - 1, "D")
        return workdays.on_or_after(np.minimum(wished, last))

    def objection(self, year: int, every: Every) -> str | None:
        """Why the rule does not fit figures of ``year`` that come ``every`` so often, with the cure."""
        if self.january_with_february and every is not Every.MONTH:
            return f"January with February 只用于 every: month，而不是 {every} (january with february)；请删去"
        ends = [end.item() for end in period_ends(year, every)][int(self.january_with_february) :]
        if not self.dates:
            return None
        if len(self.dates) != len(ends):
            return f"应列{len(ends)}个发布日期，每期一个，而不是{len(self.dates)}个 (wrong count)"
        for day, end in zip(self.dates, ends, strict=True):
            if not end <= day <= end + _LATEST:
                return (
                    f"{label(every, end)}的发布日期 {day} 应在期末之后一年以内 (wrong date)；请核对是否错了一期或一年"
                )
        return None

    def beyond(self, ends: Days, workdays: Workdays) -> bool:
        """Whether a due day is counted in working days that are not known yet."""
        counted = self.workdays is not None or self.day is not None
        return counted and bool((self.due(ends, workdays) > np.datetime64(workdays.known_until)).any())
