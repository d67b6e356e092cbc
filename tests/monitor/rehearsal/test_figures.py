"""What sources state is let into the store as it would have been day by day, in as few looks as will do."""

from datetime import UTC

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import func, select

from monitor.rehearsal.figures import Stock, begins, from_file
from monitor.rehearsal.replay import Replay, ends
from monitor.store.database import in_memory, reading
from monitor.store.tables import pull
from tests.monitor.rehearsal.builders import RETAIL, a_retail_book


@pytest.fixture(scope="module")
def stated(tmp_path_factory):
    """The retail book and its table."""
    book = a_retail_book(tmp_path_factory.mktemp("books") / "retail")
    return book, from_file(RETAIL, book, to_date=False).stated(book)["filings"]


def let_in(book, table):
    """What is known of the year, what was refused, and in how many looks."""
    memory = in_memory()
    known = Stock({"filings": table}).known(memory, book, begins(book).astimezone(UTC), ends(Replay(book)))
    groups = {number: group.name for group in known.groups for number in group.id.tolist()}
    found = known.figures
    rows = pd.DataFrame(
        {"series": [groups[one] for one in found.series.tolist()], "period": found.period, "value": found.value}
    )
    rows = rows.assign(known_at=found.known_at, status=found.status)
    with reading(memory) as connection:
        looks = connection.scalar(select(func.count()).select_from(pull))
    return rows.sort_values(["known_at", "series", "period"], ignore_index=True), known.refused, looks


def day_by_day(book, table):
    """The same where a figure that is stated twice asks for a look at every moment."""
    return let_in(book, pd.concat([table, table[table["period"].dt.year == book.year].iloc[:1]], ignore_index=True))


def test_a_year_that_goes_forward_is_looked_at_once_and_stored_nowhere(stated):
    book, table = stated
    found, refused, looks = let_in(book, table)
    expected, _, many = day_by_day(book, table)
    pd.testing.assert_frame_equal(found, expected)
    assert (refused, looks) == (0, 0)
    assert many >= 12
    assert len(found) == len(table[table["period"].dt.year <= book.year])


@pytest.mark.parametrize(
    ("period", "factor", "reason"), [("2018-05", 1e4, "万 for 亿"), ("2018-09", 0.5, "a sum that falls")]
)
def test_a_doubtful_figure_asks_for_a_look_at_every_moment(stated, period, factor, reason):
    book, table = stated
    wrong = (table["series"] == "百货零售额") & (table["period"].dt.strftime("%Y-%m") == period)
    mistaken = table.assign(value=table["value"].mask(wrong, table["value"] * factor))
    found, refused, looks = let_in(book, mistaken)
    expected, again, many = day_by_day(book, mistaken)
    pd.testing.assert_frame_equal(found, expected)
    assert refused == again == 1, reason
    assert looks == many >= 12
    assert len(found) == len(table[table["period"].dt.year <= book.year]) - 1


def test_what_no_target_can_read_is_refused_in_one_look(stated):
    book, table = stated
    strange = table[(table["series"] == "百货零售额") & (table["period"].dt.year == book.year)].assign(
        subject="甲县", unit="人"
    )
    with_it = pd.concat([table, strange], ignore_index=True)
    (found, refused, looks), (expected, _, _) = let_in(book, with_it), let_in(book, table)
    pd.testing.assert_frame_equal(found, expected)
    assert (refused, looks) == (12, 0)


def test_a_late_figure_stays_late_however_late_it_says_it_was(stated):
    book, table = stated
    late = (table["series"] == "百货零售额") & (table["period"].dt.strftime("%Y-%m") == "2018-03")
    known = table["known_at"].mask(late, table["known_at"] + pd.Timedelta(days=100))
    delayed = table.assign(known_at=known)
    for rows, _, _ in (let_in(book, delayed), day_by_day(book, delayed)):
        mine = (rows["series"] == "百货零售额") & (rows["period"] == np.datetime64("2018-03-31"))
        assert rows["known_at"][mine].item() == known[late].item().tz_localize(None)
