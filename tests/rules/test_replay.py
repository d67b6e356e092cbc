"""Years replayed day by day from the figures and release days of the shipped books: nobody is called late falsely."""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from alerts.alert import Cause, Event, Kind
from alerts.lifecycle import advance
from connectors.period import period_end
from rules.judging import judge, verdict
from rules.loader import load_book
from rules.panel import Panel
from rules.plan import compile_plan
from rules.target import Book
from rules.unit import conversion
from rules.verdict import OWED, Reason, Verdict
from tests.rules.builders import a_book

BOOKS = Path(__file__).parents[2] / "rules" / "books"
NATIONAL = BOOKS / "national-2025" / "figures" / "gdp-index-accumulated.csv"
WANSHENG = BOOKS / "wansheng-2025" / "figures" / "演示数据.csv"
TOGETHER = {
    "fixed-investment-growth",
    "industrial-investment-growth",
    "retail-sales-growth",
    "industrial-value-added-growth",
    "corridor-freight-volume-growth",
    "corridor-freight-value-growth",
    "foreign-trade",
    "industrial-output",
}


def _replayed(book: Book, figures: Path, days: Sequence[date]) -> Iterator[tuple[date, Verdict]]:
    """The verdicts of each of ``days``, oldest first, on the figures that were out by then."""
    rows = csv.DictReader(figures.read_text("utf-8").splitlines())
    released = sorted((date.fromisoformat(row["发布日期"]), i, row) for i, row in enumerate(rows))
    panels = [Panel(block) for block in compile_plan([book])]
    entered = 0
    for day in days:
        while entered < len(released) and released[entered][0] <= day:
            for panel in panels:
                _enter(panel, released[entered][2], day)
            entered += 1
        for panel in panels:
            columns = judge(panel, day)
            for row in np.flatnonzero([target.source is not None for target in panel.block.targets]).tolist():
                yield day, verdict(panel, columns, row, row)


def _enter(panel: Panel, figure: dict[str, str], day: date) -> None:
    slot = np.flatnonzero(panel.block.ends == np.datetime64(period_end(figure["期间"])))
    for row, target in enumerate(panel.block.targets):
        if target.series == figure["指标"] and len(slot):
            factor, offset = conversion(figure["单位"], target.goal.unit) or (0, 0)
            value = np.array([float(figure["数值"]) * factor + offset])
            panel.put(np.array([row]), slot, value, np.array([np.datetime64(day, "s")]))


def _days(first: str, last: str) -> list[date]:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [start + timedelta(days=offset) for offset in range((end - start).days + 1)]


def test_the_national_series_is_never_late_on_any_day_until_its_year_is_out() -> None:
    book = load_book(BOOKS / "national-2025")
    found = dict(_replayed(book, NATIONAL, _days("2025-01-01", "2026-03-31")))
    assert {verdict.reason for verdict in found.values()} == {Reason.NOT_DUE, Reason.ON_SCHEDULE}
    assert found[date(2025, 4, 15)].reason is Reason.NOT_DUE
    assert found[date(2025, 4, 16)].period == date(2025, 3, 31)
    assert found[date(2026, 3, 31)].period == date(2025, 12, 31)


@pytest.mark.parametrize("rule", ["24 days after period", "day 24 of next month"])
@pytest.mark.parametrize("year", [2022, 2023, 2024, 2025])
def test_the_national_series_keeps_a_plain_rule_in_every_year(year: int, rule: str) -> None:
    target = {
        "goal": "about 5 % within 3",
        "measure": "growth",
        "every": "quarter",
        "published": rule,
        "source": {"connector": "nbs", "series": "国内生产总值累计指数"},
    }
    book = a_book(target, year=year, sources={"nbs": {"connector": "table_file"}})
    found = dict(_replayed(book, NATIONAL, _days(f"{year}-01-01", f"{year + 1}-03-31")))
    assert {verdict.reason for verdict in found.values()} == {Reason.NOT_DUE, Reason.ON_SCHEDULE}


def test_no_release_of_the_national_series_is_taken_for_a_correction_of_another() -> None:
    target = {"goal": "at least 5 %", "measure": "growth", "every": "quarter", "published": "day 24 of next month"}
    series = {"source": {"connector": "nbs", "series": "国内生产总值累计指数"}}
    alert, events = None, []
    for year in (2022, 2023, 2024, 2025):
        book = a_book(target | series, year=year, sources={"nbs": {"connector": "table_file"}})
        for day, found in _replayed(book, NATIONAL, _days(f"{year}-02-01", f"{year + 1}-01-31")):
            alert, change = advance(Kind.PACE, alert, found, datetime(day.year, day.month, day.day, tzinfo=UTC))
            events += [(change.event, change.cause)] if change else []
    assert {cause for _, cause in events} == {Cause.ORDINARY}
    assert {Event.FIRED, Event.RESOLVED} <= {event for event, _ in events}
    assert Event.CORRECTED not in {event for event, _ in events}


def test_a_release_that_does_not_come_on_its_announced_day_is_late_the_day_after(tmp_path: Path) -> None:
    held = [line for line in NATIONAL.read_text("utf-8").splitlines() if "2025Q3" not in line]
    (tmp_path / "held.csv").write_text("\n".join(held), encoding="utf-8")
    book = load_book(BOOKS / "national-2025")
    found = dict(_replayed(book, tmp_path / "held.csv", _days("2025-10-18", "2025-10-22")))
    owed = [day for day, verdict in found.items() if verdict.reason is Reason.LATE]
    assert owed == [date(2025, 10, 21), date(2025, 10, 22)]


def test_no_target_of_wansheng_is_late_before_its_story_says_so() -> None:
    """Three figures of autumn are missing by design; until then every unit files in time."""
    book = load_book(BOOKS / "wansheng-2025")
    late = {
        (day, verdict.target.id)
        for day, verdict in _replayed(book, WANSHENG, _days("2025-01-01", "2025-10-24"))
        if verdict.reason in OWED
    }
    assert {day for day, _ in late} == set(_days("2025-10-22", "2025-10-24"))
    assert {name for _, name in late} == {"paid-in-investment", "sensing-devices-share", "soe-loss-making-share"}


def test_januarys_statistics_are_not_owed_in_february() -> None:
    book = load_book(BOOKS / "wansheng-2025")
    found = {verdict.target.id: verdict for _, verdict in _replayed(book, WANSHENG, [date(2025, 2, 25)])}
    assert {found[name].reason for name in TOGETHER} == {Reason.NOT_DUE}
    together = {target.id for target in book.targets if target.published.january_with_february}
    assert together == TOGETHER


def test_a_monthly_series_that_comes_only_at_quarter_ends_is_simply_quarterly(tmp_path: Path) -> None:
    """Its March is the first quarter; what may come in between belongs to no period of the target."""
    (tmp_path / "f.csv").write_text(
        "指标,期间,数值,单位,发布日期\n指标,2025-03,30,个,2025-04-10\n指标,2025-04,1,个,2025-05-10\n", encoding="utf-8"
    )
    target = {"every": "quarter", "published": "day 20 of next month", "source": "filings"}
    book = a_book(target, sources={"filings": {"connector": "table_file"}})
    found = dict(_replayed(book, tmp_path / "f.csv", _days("2025-01-01", "2025-07-21")))
    assert not [day for day, verdict in found.items() if verdict.reason in OWED]
    assert found[date(2025, 6, 30)].actual == 30


# On which days of 2025 (and of January 2026) figures really came out: the Bureau's releases of the nation's month and
# quarter, Chongqing's quarters, and within these its services, which run a month behind all else.
STATISTICS = "03-17 04-16 05-19 06-16 07-15 08-15 09-15 10-20 11-14 12-15 2026-01-19"
PRICES = "02-09 03-09 04-10 05-10 06-09 07-09 08-09 09-10 10-15 11-09 12-10 2026-01-09"
QUARTERS = {"2025-03": "04-16", "2025-06": "07-15", "2025-09": "10-20", "2025-12": "2026-01-19"}
CITY = {"2025-03": "04-25", "2025-06": "07-23", "2025-09": "10-24"}
SERVICES = {"2025-02": "04-25", "2025-05": "07-23", "2025-08": "10-24"}


def _monthly(days: str, first: int) -> dict[str, str]:
    return {f"2025-{month:02}": day for month, day in enumerate(days.split(), first)}


def _owed(folder: Path, came: dict[str, str], published: str, last: str, **target: str) -> list[str]:
    """The days on which a unit was called late whose figures came on these days."""
    rows = [f"指标,{period},6,%,{day if len(day) > 5 else f'2025-{day}'}" for period, day in came.items()]
    (folder / "f.csv").write_text("\n".join(["指标,期间,数值,单位,发布日期", *rows]), encoding="utf-8")
    rule = {"goal": "at least 5 %", "measure": "growth", "published": published, "source": "filings", **target}
    book = a_book(rule, sources={"filings": {"connector": "table_file"}})
    replayed = _replayed(book, folder / "f.csv", _days("2025-01-01", last))
    return [f"{day:%m-%d}" for day, verdict in replayed if verdict.reason in OWED]


def test_industry_and_retail_keep_the_18th_with_january_and_february_together(tmp_path: Path) -> None:
    came = _monthly(STATISTICS, 2)
    assert _owed(tmp_path, came, "day 18 of next month, January with February", "2026-02-15") == []
    # A day that is moved off a weekend a plain count of days does not know; January alone never comes.
    assert _owed(tmp_path, came, "18 days after period, January with February", "2026-02-15") == ["10-19"]
    assert _owed(tmp_path, came, "day 18 of next month", "2025-03-31")[0] == "02-19"


def test_consumer_prices_come_about_the_9th_and_their_own_calendar_knows_when(tmp_path: Path) -> None:
    came = _monthly(PRICES, 1)
    days = ", ".join(day if len(day) > 5 else f"2025-{day}" for day in came.values())
    assert _owed(tmp_path, came, f"on {days}", "2026-02-08") == []
    # A plain rule does not know that they wait for half a week after the National Day.
    late = _owed(tmp_path, came, "day 9 of next month", "2026-02-08")
    assert late == ["10-10", "10-11", "10-12", "10-13", "10-14"]


@pytest.mark.parametrize(
    ("came", "rule", "last"),
    [
        (QUARTERS, "on 2025-04-16, 2025-07-15, 2025-10-20, 2026-01-19", "2026-02-28"),
        (QUARTERS, "day 18 of next month", "2026-02-28"),
        (CITY, "day 25 of next month", "2026-01-25"),
        (CITY, "25 days after period", "2026-01-25"),
    ],
)
def test_quarters_of_the_nation_and_a_week_later_of_a_city_are_never_late(
    came: dict[str, str], rule: str, last: str, tmp_path: Path
) -> None:
    assert _owed(tmp_path, came, rule, last, every="quarter") == []


def test_a_city_is_late_by_the_days_of_the_nation(tmp_path: Path) -> None:
    late = _owed(tmp_path, CITY, "day 18 of next month", "2025-10-31", every="quarter")
    assert late == [
        *(f"04-{day}" for day in range(19, 25)),
        *(f"07-{day}" for day in (19, 20, 21, 22)),
        "10-21",
        "10-22",
        "10-23",
    ]


@pytest.mark.parametrize("period", SERVICES)
def test_services_come_a_month_after_all_else(period: str, tmp_path: Path) -> None:
    """January to February with the first quarter, to May with the second, to August with the third."""
    month = int(period[-2:])
    came = {f"2025-{earlier:02}": f"{earlier + 1:02}-28" for earlier in range(1, month)} | {period: SERVICES[period]}
    last = f"2025-{month + 2:02}-28"
    late = "day 28 of the month after next, January with February"
    assert _owed(tmp_path, came, late, last) == []
    assert _owed(tmp_path, came, "day 28 of next month, January with February", last) != []
