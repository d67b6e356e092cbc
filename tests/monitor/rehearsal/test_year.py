"""A book as it would have been written for another year."""

from pathlib import Path

import pytest

from monitor.rehearsal.year import redated
from rules.loader import load_book
from rules.plan import compile_plan

BOOKS = Path(__file__).parents[3] / "rules" / "books"


@pytest.mark.parametrize("name", ["chongqing-air-2025", "national-2025", "wansheng-2025"])
@pytest.mark.parametrize("year", [2019, 2024, 2026])
def test_every_shipped_book_can_be_dated_to_another_year(name, year):
    book = load_book(BOOKS / name)
    found = redated(book, year)
    assert (found.year, found.id, found.folder) == (year, book.id, book.folder)
    assert [(one.id, one.goal.value) for one in found.targets] == [(one.id, one.goal.value) for one in book.targets]
    assert {block.year for block in compile_plan([found])} == {year}
    assert str(book.year) not in found.title


def test_days_move_with_the_year_and_holidays_stay_where_they_were(tmp_path):
    (tmp_path / "book.yaml").write_text(
        """
book: b-2024
title: 2024年方案
year: 2024
holidays: [2024-05-02]
targets:
  - id: opening
    name: 开通
    lead: 甲局
    goal: done by 2024-02-29
    measure: milestone
  - id: jobs
    name: 就业
    lead: 甲局
    goal: at least 12 人
    measure: cumulative
    expect: "checkpoints {2024-06-30: 40%, 2024-12-31: 100%}"
""",
        encoding="utf-8",
    )
    found = redated(load_book(tmp_path), 2023)
    opening, jobs = found.targets
    assert str(opening.goal.by) == "2023-02-28"
    assert [str(day) for day, _ in jobs.expect.points] == ["2023-06-30", "2023-12-31"]
    assert [str(day) for day in found.workdays.holidays] == ["2024-05-02"]
    assert found.title == "2023年方案"


def test_a_book_of_the_year_is_itself(tmp_path):
    book = load_book(BOOKS / "national-2025")
    assert redated(book, 2025) is book
