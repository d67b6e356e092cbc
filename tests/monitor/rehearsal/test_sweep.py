"""A value that is tried in columns comes to what a rehearsal of the book with that value comes to."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from alerts.organisation import Organisation
from connectors.strict import read
from monitor.rehearsal.figures import Stock, from_file
from monitor.rehearsal.replay import Setting
from monitor.rehearsal.run import rehearse
from monitor.rehearsal.sweep import knob, sweep
from rules.document import Invalid
from tests.monitor.rehearsal.builders import RETAIL, a_retail_book

DAYS = date(2016, 1, 1), date(2018, 12, 31)
NOW = datetime(2020, 1, 1, tzinfo=UTC)
NOBODY = read(Organisation, {"default": {"contacts": []}})


@pytest.mark.parametrize(
    ("levels", "text"),
    [
        ({"red": "behind 6% for 2"}, "yellow.behind=1..9 by 4"),
        ({"clear": "behind 1%", "clear for": 2}, "red.behind=3..9 by 3"),
        ({"yellow": "behind 2% with outlook", "not before": "20%"}, "yellow.behind=0.5..4.5 by 2"),
    ],
)
def test_every_value_comes_to_what_its_book_comes_to(levels, text, tmp_path):
    book = a_retail_book(tmp_path / "retail", **levels)
    plain = from_file(RETAIL, book, to_date=False).stated(book)["filings"]
    key = plain["series"].astype(str) + plain["period"].dt.strftime(" %Y-%m")
    wrong = key.isin(["家具零售额 2018-07", "电器零售额 2017-11", "百货零售额 2016-04"])
    right = plain[wrong].assign(known_at=plain["known_at"][wrong] + pd.Timedelta(days=40))
    mistaken = plain.assign(value=plain["value"].mask(wrong, plain["value"] * 0.93))
    stock = Stock({"filings": pd.concat([mistaken, right], ignore_index=True)})
    tried = knob(text)
    written, points = sweep(book, stock, tried, DAYS, NOW)
    assert len({point.told for point in points}) > 1
    for point in (written, *points):
        turned = book if point is written else tried.turned(book, point.value)
        score, _ = rehearse(turned, stock, Setting(NOBODY), DAYS, NOW)
        whole = score.whole
        assert (point.alerts, point.flaps, point.false_alarms) == (whole.alerts, whole.flaps, whole.false_alarms)
        assert (point.missed, point.misses, point.lead_days) == (whole.missed, whole.misses, whole.lead_days)


@pytest.mark.parametrize(
    ("text", "level", "said", "count"),
    [
        ("yellow.behind=2..20", "yellow", "yellow: behind 2%", 19),
        ("red.behind 天=5..30 by 5", "red", "red: behind 5 天", 6),
        ("red.period below=60..80 by 10", "red", "red: period below 60%", 3),
    ],
)
def test_what_is_tried_is_said_in_few_words(text, level, said, count):
    tried = knob(text)
    assert (tried.level, tried.says(tried.steps[0]), len(tried.steps)) == (level, said, count)


@pytest.mark.parametrize(
    "text", ["yellow", "yellow.behind=9..2", "green.behind=1..2", "yellow.behind=1..999", "yellow.behind=1..2 by 0"]
)
def test_what_cannot_be_tried_is_refused_with_an_example(text):
    with pytest.raises(Invalid, match="bad sweep"):
        knob(text)


def test_a_book_without_such_a_threshold_is_told_so(tmp_path):
    with pytest.raises(Invalid, match="nothing to sweep"):
        knob("yellow.behind 天=1..2").turned(a_retail_book(tmp_path / "retail"), 1.0)


def test_only_the_number_is_turned(tmp_path):
    book = a_retail_book(tmp_path / "retail", red=["behind 6% for 2", "below 1 亿元"])
    red = knob("red.behind=3..4").turned(book, 3.5).targets[0].levels.red
    assert [one.text for one in red] == ["behind 3.5% for 2", "below 1 亿元"]
    assert (red[0].value, red[0].periods) == (3.5, 2)
