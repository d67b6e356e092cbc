"""Periods, working days with 调休, and the day by which a figure must be published."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import phrase
from rules.calendar import Every, add_workdays, is_workday, label, period_ends, workdays_known_until

DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))


@pytest.mark.parametrize(
    ("year", "every", "count", "first", "last"),
    [
        (2025, Every.DAY, 365, "2025-01-01", "2025-12-31"),
        (2024, Every.DAY, 366, "2024-01-01", "2024-12-31"),
        (2025, Every.MONTH, 12, "2025-01-31", "2025-12-31"),
        (2025, Every.QUARTER, 4, "2025-03-31", "2025-12-31"),
        (2025, Every.HALF, 2, "2025-06-30", "2025-12-31"),
        (2025, Every.YEAR, 1, "2025-12-31", "2025-12-31"),
    ],
)
def test_the_periods_of_a_year_end_on_their_last_days(
    year: int, every: Every, count: int, first: str, last: str
) -> None:
    ends = period_ends(year, every)
    assert (len(ends), str(ends[0]), str(ends[-1])) == (count, first, last)


def test_february_ends_on_the_29th_in_a_leap_year() -> None:
    assert [str(period_ends(year, Every.MONTH)[1]) for year in (2024, 2025)] == ["2024-02-29", "2025-02-28"]


@pytest.mark.parametrize(
    ("every", "end", "text"),
    [
        (Every.DAY, date(2025, 9, 20), "2025年9月20日"),
        (Every.MONTH, date(2025, 9, 30), "2025年9月"),
        (Every.QUARTER, date(2025, 3, 31), "2025年一季度"),
        (Every.QUARTER, date(2025, 9, 30), "2025年三季度"),
        (Every.HALF, date(2025, 6, 30), "2025年上半年"),
        (Every.HALF, date(2025, 12, 31), "2025年下半年"),
        (Every.YEAR, date(2025, 12, 31), "2025年"),
    ],
)
def test_a_period_is_named_as_an_office_names_it(every: Every, end: date, text: str) -> None:
    assert label(every, end) == text


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2025-01-26", True),  # a Sunday made up for the Spring Festival
        ("2025-01-28", False),
        ("2025-02-08", True),
        ("2025-09-28", True),  # a Sunday made up for the National Day
        *((f"2025-10-0{day}", False) for day in range(1, 9)),
        ("2025-10-09", True),
        ("2025-10-11", True),  # a Saturday made up
        ("2025-10-12", False),
        ("2025-10-13", True),
    ],
)
def test_holidays_and_make_up_days_of_2025_are_known(day: str, works: bool) -> None:
    assert is_workday(date.fromisoformat(day)) is works


def test_years_beyond_the_published_calendar_have_only_weekends() -> None:
    after = workdays_known_until() + timedelta(days=1)
    for day in (after + timedelta(days=offset) for offset in range(3000)):
        assert is_workday(day) == (day.weekday() < 5), day


@pytest.mark.parametrize(
    ("rule", "end", "due"),
    [
        ("10 workdays after period", "2025-09-30", "2025-10-21"),
        ("1 workday after period", "2025-09-30", "2025-10-09"),
        ("10 workdays after period", "2025-08-31", "2025-09-12"),  # the period ends on a Sunday
        ("10 workdays after period", "2025-12-31", "2026-01-15"),
        ("0 days after period", "2025-12-31", "2025-12-31"),
        ("24 days after period", "2025-09-30", "2025-10-24"),
        ("day 15 of next month", "2025-09-30", "2025-10-15"),
        ("day 5 of next month", "2025-09-30", "2025-10-09"),  # moved off the National Day
        ("day 5 of next month", "2025-06-30", "2025-07-07"),  # moved off a Saturday
        ("day 31 of next month", "2025-01-31", "2025-02-28"),  # the month is shorter
        ("day 15 of next month", "2025-12-31", "2026-01-15"),
    ],
)
def test_a_figure_is_due_by_its_publication_rule(rule: str, end: str, due: str) -> None:
    ends = np.array([end], dtype="datetime64[D]")
    assert str(phrase.published(rule).due(ends)[0]) == due


@given(DAYS, st.integers(1, 60))
def test_the_nth_working_day_after_a_day_has_n_working_days_up_to_it(day: date, count: int) -> None:
    due = add_workdays(np.array([day], dtype="datetime64[D]"), count)[0].item()
    between = [day + timedelta(days=offset) for offset in range(1, (due - day).days + 1)]
    assert is_workday(due)
    assert sum(map(is_workday, between)) == count
