"""Years replayed day by day from the figures and release days of the shipped books: nobody is called late falsely."""

import csv
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

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
