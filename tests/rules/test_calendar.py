"""Periods, working days with 调休, and the day by which a figure must be published."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import phrase
from rules.calendar import PUBLISHED, Every, Workdays, label, period_ends
from rules.plan import beyond_calendar, compile_plan
from tests.rules.builders import a_book, a_target, judged

DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))
AFTER = PUBLISHED.known_until + timedelta(days=1)
QUARTERS = "on 2025-04-16, 2025-07-15, 2025-10-20, 2026-01-19"


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
    assert PUBLISHED.include(date.fromisoformat(day)) is works


def test_years_beyond_the_published_calendar_have_only_weekends() -> None:
    for day in (AFTER + timedelta(days=offset) for offset in range(3000)):
        assert PUBLISHED.include(day) == (day.weekday() < 5), day


def test_a_book_makes_a_day_off_or_worked_whatever_was_published() -> None:
    friday, sunday = date(2025, 9, 26), date(2025, 9, 14)
    own = Workdays(holidays=(friday,), workdays=(sunday,))
    assert not own.include(friday)
    assert own.include(sunday)
    assert own.after(np.array(["2025-09-25"], dtype="datetime64[D]"), 1)[0] == np.datetime64("2025-09-28")  # made up
    assert own.include(date(2025, 9, 25))


def test_the_calendar_is_known_for_the_years_whose_holidays_a_book_names() -> None:
    year = AFTER.year
    assert Workdays(holidays=(AFTER,)).known_until == date(year, 12, 31)
    assert Workdays(holidays=(AFTER, date(year + 1, 1, 1))).known_until == date(year + 1, 12, 31)
    assert Workdays(holidays=(date(year + 1, 1, 1),)).known_until == PUBLISHED.known_until
    assert Workdays(workdays=(AFTER,)).known_until == PUBLISHED.known_until


def test_a_book_of_a_year_that_nobody_has_published_counts_its_own_holidays() -> None:
    year = AFTER.year
    spring = [f"{year}-02-0{day}" for day in range(1, 8)]
    rule: dict[str, Any] = {"published": "3 workdays after period"}
    silent = a_book(rule, year=year)
    told = a_book(rule, year=year, holidays=[f"{year}-01-01", *spring], workdays=[f"{year}-02-13", f"{year}-02-14"])
    dues = [compile_plan([book])[0].due[0, 0].item() for book in (silent, told)]
    assert dues[0] < date(year, 2, 7) < dues[1]
    assert [target.id for target in beyond_calendar(silent)] == ["t0"]


@pytest.mark.parametrize(
    ("year", "target", "warned"),
    [
        (AFTER.year - 1, {"published": "10 workdays after period"}, True),  # December is due in the next year
        (AFTER.year - 1, {"published": "day 5 of next month"}, True),
        (AFTER.year - 1, {"published": "18 days after period"}, False),
        (AFTER.year - 2, {"published": "10 workdays after period"}, False),
        (AFTER.year, {"measure": "milestone", "goal": f"done by {AFTER.year}-06-30"}, False),
    ],
)
def test_a_book_that_counts_working_days_beyond_the_calendar_is_found(
    year: int, target: dict[str, Any], warned: bool
) -> None:
    assert bool(beyond_calendar(a_book(target, year=year))) is warned


def test_a_book_that_names_the_holidays_it_needs_is_not_found() -> None:
    rule = {"published": "10 workdays after period"}
    assert not beyond_calendar(a_book(rule, year=AFTER.year - 1, holidays=[AFTER.isoformat()]))


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
        ("day 28 of the month after next", "2025-03-31", "2025-05-28"),
        ("day 28 of the month after next", "2025-04-30", "2025-06-30"),  # moved off a Saturday
        ("day 31 of the month after next", "2024-12-31", "2025-02-28"),
        ("day 15 of the month after next", "2025-11-30", "2026-01-15"),
        ("18 days after period", "2025-10-31", "2025-11-18"),
        ("5 days after period", "2025-09-30", "2025-10-05"),  # a holiday: days are not moved
        ("18 days after period, January with February", "2025-01-31", "2025-03-18"),
        ("18 days after period, January with February", "2024-01-31", "2024-03-18"),  # a leap year
        ("18 days after period, January with February", "2025-02-28", "2025-03-18"),
        ("18 days after period, January with February", "2025-03-31", "2025-04-18"),
        ("day 15 of next month, January with February", "2025-01-31", "2025-03-17"),
    ],
)
def test_a_figure_is_due_by_its_publication_rule(rule: str, end: str, due: str) -> None:
    ends = np.array([end], dtype="datetime64[D]")
    assert str(phrase.published(rule).due(ends)[0]) == due


@given(DAYS, st.integers(1, 60))
def test_the_nth_working_day_after_a_day_has_n_working_days_up_to_it(day: date, count: int) -> None:
    due = PUBLISHED.after(np.array([day], dtype="datetime64[D]"), count)[0].item()
    between = [day + timedelta(days=offset) for offset in range(1, (due - day).days + 1)]
    assert PUBLISHED.include(due)
    assert sum(map(PUBLISHED.include, between)) == count


def test_announced_dates_are_due_as_they_stand_one_for_each_period() -> None:
    due = phrase.published(QUARTERS).due(period_ends(2025, Every.QUARTER))
    assert due.astype(str).tolist() == ["2025-04-16", "2025-07-15", "2025-10-20", "2026-01-19"]


def test_announced_dates_begin_with_february_where_january_comes_with_it() -> None:
    dates = [f"2025-{month:02}-17" for month in range(3, 13)] + ["2026-01-19"]
    rule = f"on {', '.join(dates)}, January with February"
    due = a_target(published=rule).published.due(period_ends(2025, Every.MONTH)).astype(str).tolist()
    assert due == ["2025-03-17", *dates]


@pytest.mark.parametrize(
    ("at", "known", "reason", "owed"),
    [
        ("2025-02-25", {}, "not_due", None),  # January's figure is never owed
        ("2025-03-18", {}, "not_due", None),
        ("2025-03-19", {}, "no_data", date(2025, 2, 28)),
        ("2025-03-19", {1: 9}, "late", date(2025, 2, 28)),  # nor does it stand for February's
        ("2025-03-19", {2: 99}, "on_schedule", None),
        ("2025-04-18", {2: 99}, "on_schedule", None),
        ("2025-04-19", {2: 99}, "late", date(2025, 3, 31)),
    ],
)
def test_januarys_figure_is_never_owed_where_it_comes_with_februarys(
    at: str, known: dict[int, float], reason: str, owed: date | None
) -> None:
    found = judged(known, at=at, published="18 days after period, January with February")
    assert (found.reason, found.owed) == (reason, owed)


RULES = st.one_of(
    st.integers(1, 60).map("{} workdays after period".format),
    st.integers(0, 60).map("{} days after period".format),
    st.integers(1, 31).map("day {} of next month".format),
    st.integers(1, 31).map("day {} of the month after next".format),
)
OWN = st.builds(Workdays, *[st.lists(DAYS, max_size=30).map(tuple)] * 2)


@given(RULES, st.booleans(), st.sampled_from(Every), st.integers(2020, 2030), OWN)
def test_a_due_day_follows_its_period_in_order_and_is_worked_where_that_is_promised(
    text: str, together: bool, every: Every, year: int, own: Workdays
) -> None:
    rule = phrase.published(f"{text}, January with February" if together and every is Every.MONTH else text)
    ends = period_ends(year, every)
    due = rule.due(ends, own)
    assert (due >= ends).all()
    assert (np.diff(due) >= np.timedelta64(0, "D")).all()
    if rule.days is None:
        assert all(own.include(day) for day in due.astype(object))


@given(st.sampled_from([Every.MONTH, Every.QUARTER, Every.HALF, Every.YEAR]), st.booleans(), st.data())
def test_a_list_with_one_announced_day_for_each_period_fits_and_any_other_is_refused(
    every: Every, together: bool, data: st.DataObject
) -> None:
    together = together and every is Every.MONTH
    ends = [end.item() for end in period_ends(2025, every)][int(together) :]
    dates = [end + timedelta(days=data.draw(st.integers(0, 27))) for end in ends]
    suffix = ", January with February" if together else ""

    def objection(dates: list[date]) -> str | None:
        return phrase.published(f"on {', '.join(map(str, dates))}{suffix}").objection(2025, every)

    assert objection(dates) is None
    assert "wrong count" in (objection([*dates, dates[-1] + timedelta(days=30)]) or "")
    if len(dates) > 1:
        assert "wrong count" in (objection(dates[1:]) or "")
        late = dates[0] - timedelta(days=31)
        assert "wrong date" in (objection([late, *dates[:-1]]) or "")  # one period off
    assert "wrong date" in (objection([day + timedelta(days=367) for day in dates]) or "")
