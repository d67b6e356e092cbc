"""Whether a source goes on."""

from datetime import date

import pytest

from rules.feed import periods_missing, stale
from rules.plan import compile_plan
from tests.rules.builders import a_block, a_book, a_panel

SOURCES = {"filings": {"connector": "table_file"}, "other": {"connector": "table_file"}}
MINE = {"source": "filings", "published": "10 workdays after period"}
TOWNS = "subject,target,goal\n甲镇,t0,100\n乙镇,t0,100\n"


@pytest.mark.parametrize(
    ("newest", "today", "missing"),
    [
        # August's figure is due on 12 September, September's on 21 October: the holidays are in between.
        (8, "2025-10-21", 0),
        (8, "2025-10-22", 1),
        (7, "2025-10-24", 2),
        (9, "2025-10-24", 0),
        (10, "2025-10-24", 0),
    ],
)
def test_periods_are_missing_once_their_due_day_is_over(newest, today, missing):
    panel = a_panel(a_block(MINE, sources=SOURCES), {newest: 50.0})
    assert periods_missing(panel, date.fromisoformat(today)) == {"b/filings": missing}


def test_a_source_that_never_brought_anything_misses_all_that_is_due():
    panel = a_panel(a_block(MINE, sources=SOURCES))
    assert periods_missing(panel, date(2025, 4, 1)) == {"b/filings": 2}
    assert periods_missing(panel, date(2025, 1, 20)) == {}


def test_one_subject_that_is_up_to_date_is_enough():
    panel = a_panel(a_block(MINE, sources=SOURCES, subjects=TOWNS), {3: 1.0}, {9: 1.0})
    assert periods_missing(panel, date(2025, 10, 24)) == {"b/filings": 0}


def test_each_source_stands_for_itself():
    block = a_block(MINE, {**MINE, "source": "other"}, sources=SOURCES)
    panel = a_panel(block, {9: 1.0}, {6: 1.0})
    assert periods_missing(panel, date(2025, 10, 24)) == {"b/filings": 0, "b/other": 3}


@pytest.mark.parametrize(("months", "quarters", "missing"), [(6, 2, 3), (6, 3, 0), (9, 1, 0)])
def test_a_frequency_that_goes_on_says_that_the_source_does(months, quarters, missing):
    book = a_book(MINE, {**MINE, "every": "quarter"}, {**MINE, "every": "year"}, sources=SOURCES)
    known = {"month": {months: 1.0}, "quarter": {quarters: 1.0}, "year": {}}
    panels = [a_panel(block, known[block.every]) for block in compile_plan([book])]
    assert stale((panel, date(2025, 10, 24)) for panel in panels) == {"b/filings": missing}
