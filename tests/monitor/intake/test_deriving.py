"""Derived series on a real store: computed after a pull, known since their inputs, judged, explained and revised like any other."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from connectors.observation import Observation, Reading, Status, frame
from monitor import pipeline
from monitor.explain import explanation
from monitor.store import observations, pulls, quarantine
from monitor.store.database import reading
from monitor.watch import Watch
from monitor.wiring import Feed
from rules.judging import verdict
from rules.past import YEARS
from rules.target import Level
from rules.verdict import REASONS, Reason
from tests.rules.builders import a_book

AT = datetime(2025, 10, 27, 1, 0, tzinfo=UTC)
SOURCES = {"filings": {"connector": "table_file", "mark": "演示数据"}, "stats": {"connector": "table_file"}}
SHARE = {"series": "三产占比", "unit": "%", "every": "quarter", "formula": "第三产业增加值 / stats.地区生产总值 * 100"}
TARGET = {
    "name": "三产占比",
    "measure": "share",
    "goal": "at least 50 %",
    "every": "quarter",
    "published": "15 days after period",
    "source": {"connector": "derived", "series": "三产占比"},
}
SUBJECTS = "subject,target,goal\n甲县,t0,50\n乙县,t0,50\n"


class Stated:
    def __init__(self, rows):
        self.rows, self.asked = rows, []

    def fetch(self, query):
        self.asked.append(query)
        return Reading(frame(self.rows), (), "figures.csv", "digest")


def day(number):
    """Noon of a day of October 2025."""
    return datetime(2025, 10, number, 4, tzinfo=UTC)


KNOWN = day(20)


def figure(name, quarter, value, known=KNOWN, subject="", unit="亿元", year=2025, status=Status.FINAL):
    end = date(year, 3 * quarter, 31 if quarter in (1, 4) else 30)
    return Observation(name, subject, end, value, unit, known, "第2行", status)


def a_derived_book(*targets, derived=(SHARE,), **keys):
    return a_book(*(targets or (TARGET,)), sources=SOURCES, derived=list(derived), source="filings", **keys)


def pulled(engine, book, source, *rows, at=AT):
    connector = Stated(rows)
    pipeline.pull(engine, Feed(book, book.sources[source], connector), at)
    return connector


def stored(engine, book, name="三产占比", subject=""):
    """Every figure of a derived series: (period, value, known at)."""
    with reading(engine) as connection:
        found = observations.vintages(connection, "b/derived", name, subject, date(2024, 1, 1), date(2025, 12, 31))
    return [(one.period.isoformat(), one.value, one.known_at) for one in found]


def panel_at(engine, book, at):
    watch = Watch([book])
    watch.load(engine, at)
    return watch


def test_a_share_is_stored_once_both_of_its_inputs_are_known_and_since_the_later_of_them(engine):
    book = a_derived_book()
    pulled(engine, book, "filings", figure("第三产业增加值", 3, 30.0, day(18)))
    assert stored(engine, book) == []
    pulled(engine, book, "stats", figure("地区生产总值", 3, 50.0, day(20)), figure("地区生产总值", 2, 40.0))
    assert stored(engine, book) == [("2025-09-30", 60.0, day(20))]
    with reading(engine) as connection:
        (origin,) = observations.origins(connection, [(3, date(2025, 9, 30))], AT).values()
        assert origin == "由公式推算 三产占比 = 第三产业增加值 / stats.地区生产总值 * 100"
        assert pulls.latest(connection)["b/derived"].rows_new == 1


def test_asking_again_computes_nothing_anew(engine):
    book = a_derived_book()
    rows = figure("第三产业增加值", 3, 30.0), figure("地区生产总值", 3, 50.0)
    pulled(engine, book, "filings", rows[0])
    pulled(engine, book, "stats", rows[1])
    with reading(engine) as connection:
        before = pulls.latest(connection)["b/derived"].last_pull
    pulled(engine, book, "stats", rows[1], at=AT + timedelta(hours=1))
    with reading(engine) as connection:
        assert pulls.latest(connection)["b/derived"].last_pull == before
    assert len(stored(engine, book)) == 1


def test_a_source_is_asked_for_what_only_a_formula_reads(engine):
    book = a_derived_book()
    (query,) = pulled(engine, book, "stats").asked
    assert query.series == ("地区生产总值",)
    assert query.first == date(2025 - YEARS, 1, 1)


def test_growth_asks_for_the_year_before_too_and_reads_it_from_the_store(engine):
    growth = {"series": "增速", "unit": "%", "every": "quarter", "formula": "yoy(产值)"}
    book = a_derived_book(
        {**TARGET, "measure": "growth", "source": {"connector": "derived", "series": "增速"}}, derived=[growth]
    )
    rows = [figure("产值", 3, 100.0, day(1), year=2024), figure("产值", 3, 106.0)]
    (query,) = pulled(engine, book, "filings", *rows).asked
    assert query.first == date(2025 - YEARS, 1, 1)
    ((period, value, known_at),) = stored(engine, book, "增速")
    assert (period, known_at) == ("2025-09-30", day(20))
    assert value == pytest.approx(6)


def test_earlier_years_are_derived_as_far_back_as_forecasts_read(engine):
    book = a_derived_book()
    years = range(2025 - YEARS, 2025)
    rows = [(quarter, year) for year in years for quarter in (1, 2, 3, 4)]
    pulled(engine, book, "filings", *(figure("第三产业增加值", q, 30.0 + q + y % 7, day(1), year=y) for q, y in rows))
    pulled(engine, book, "stats", *(figure("地区生产总值", q, 60.0, day(1), year=y) for q, y in rows))
    pulled(engine, book, "filings", figure("第三产业增加值", 2, 33.0), figure("地区生产总值", 2, 60.0))
    pulled(engine, book, "stats", figure("地区生产总值", 2, 60.0))
    watch = panel_at(engine, book, AT)
    assert watch.panels[0].past.years(0) == YEARS
    (judged,) = pipeline.verdicts_at(watch, (), AT)
    assert 0 <= verdict(judged.panel, judged.verdicts, 0, 0).probability <= 1


def told(engine, book):
    """Value and status of every vintage of the derived figures."""
    with reading(engine) as connection:
        found = observations.vintages(connection, "b/derived", "三产占比", "", date(2024, 1, 1), date(2025, 12, 31))
    return [(one.value, one.status) for one in found]


def test_a_figure_is_no_more_final_than_what_it_is_made_of(engine):
    book = a_derived_book()
    pulled(engine, book, "filings", figure("第三产业增加值", 3, 30.0, day(18), status=Status.PARTIAL), at=day(21))
    pulled(engine, book, "stats", figure("地区生产总值", 3, 50.0), at=day(21))
    assert told(engine, book) == [(60.0, Status.PARTIAL)]
    (judged,) = pipeline.verdicts_at(panel_at(engine, book, AT), (), AT)
    assert judged.verdicts.preliminary.tolist() == [True]
    pulled(engine, book, "filings", figure("第三产业增加值", 3, 30.0, day(24)), at=day(25))
    assert told(engine, book) == [(60.0, Status.PARTIAL), (60.0, Status.FINAL)]
    (judged,) = pipeline.verdicts_at(panel_at(engine, book, AT), (), AT)
    assert judged.verdicts.preliminary.tolist() == [False]


def test_of_what_is_nil_there_is_no_figure_and_an_earlier_one_is_taken_back(engine):
    book = a_derived_book()
    pulled(engine, book, "stats", figure("地区生产总值", 3, 50.0), at=day(21))
    pulled(engine, book, "filings", figure("第三产业增加值", 3, 30.0, day(20)), at=day(21))
    pulled(engine, book, "filings", figure("第三产业增加值", 3, np.nan, day(24), status=Status.NIL), at=day(25))
    assert told(engine, book) == [(60.0, Status.FINAL), (None, Status.NIL)]
    (judged,) = pipeline.verdicts_at(panel_at(engine, book, AT), (), AT)
    assert REASONS[judged.verdicts.reason[0]] is Reason.NIL


def test_a_revised_input_revises_and_the_past_stays_as_it_was(engine):
    book = a_derived_book()
    pulled(engine, book, "filings", figure("第三产业增加值", 3, 30.0, day(18)))
    pulled(engine, book, "stats", figure("地区生产总值", 3, 50.0, day(20)), at=day(21))
    pulled(engine, book, "stats", figure("地区生产总值", 3, 75.0, day(24)), at=day(25))
    assert stored(engine, book) == [("2025-09-30", 60.0, day(20)), ("2025-09-30", 40.0, day(24))]
    for at, value in ((day(19), np.nan), (day(21), 60.0), (day(26), 40.0)):
        np.testing.assert_array_equal(panel_at(engine, book, at).panels[0].values[2], [value])


def test_vintages_that_come_all_at_once_are_told_apart(engine):
    book = a_derived_book()
    history = [figure("地区生产总值", 3, value, day(known)) for known, value in ((10, 40.0), (15, 50.0), (20, 60.0))]
    pulled(engine, book, "stats", *history)
    pulled(
        engine, book, "filings", figure("第三产业增加值", 3, 30.0, day(12)), figure("第三产业增加值", 3, 33.0, day(20))
    )
    assert stored(engine, book) == [
        ("2025-09-30", 75.0, day(12)),
        ("2025-09-30", 60.0, day(15)),
        ("2025-09-30", pytest.approx(55.0), day(20)),
    ]


def test_an_edited_formula_counts_from_the_moment_it_is_in_force(engine):
    book = a_derived_book()
    pulled(engine, book, "filings", figure("第三产业增加值", 3, 30.0), at=day(21))
    pulled(engine, book, "stats", figure("地区生产总值", 3, 50.0), at=day(21))
    edited = a_derived_book(derived=[{**SHARE, "formula": "share(第三产业增加值, stats.地区生产总值) - 1"}])
    pulled(engine, edited, "stats", figure("地区生产总值", 3, 50.0), at=day(25))
    assert stored(engine, edited) == [("2025-09-30", 60.0, day(20)), ("2025-09-30", 59.0, day(25))]


def test_an_edited_unit_is_kept_apart_and_shown(engine):
    book = a_derived_book()
    pulled(engine, book, "filings", figure("第三产业增加值", 3, 30.0))
    pulled(engine, book, "stats", figure("地区生产总值", 3, 50.0))
    edited = a_derived_book(
        {**TARGET, "measure": "level", "goal": "at least 50 亿元"}, derived=[{**SHARE, "unit": "亿元"}]
    )
    pulled(engine, edited, "stats")
    with reading(engine) as connection:
        (row,) = quarantine.opened(connection)
    assert (row.reason, row.series, row.value) == ("unknown_unit", "三产占比", 60.0)


def test_nobody_is_chased_for_what_is_derived_of_a_figure_that_waits_for_a_decision(engine):
    read = {
        "name": "第三产业增加值",
        "goal": "at least 40 亿元",
        "every": "quarter",
        "published": "15 days after period",
    }
    book = a_derived_book(TARGET, read)
    pulled(engine, book, "stats", figure("地区生产总值", 2, 40.0), figure("地区生产总值", 3, 60.0))
    pulled(engine, book, "filings", figure("第三产业增加值", 2, 20.0), figure("第三产业增加值", 3, 3.0))
    watch, reasons = panel_at(engine, book, AT), []
    for asked in (quarantine.doubted, lambda *_: ()):
        with reading(engine) as connection:
            (judged,) = pipeline.verdicts_at(watch, (), AT, asked(connection, AT))
        reasons += [REASONS[code] for code in judged.verdicts.reason]
    assert reasons == [Reason.IN_DOUBT, Reason.IN_DOUBT, Reason.LATE, Reason.LATE]


def test_inputs_are_read_in_one_unit(engine):
    total = {"series": "合计", "unit": "亿元", "every": "quarter", "formula": "第三产业增加值 + stats.地区生产总值"}
    target = {
        **TARGET,
        "measure": "level",
        "goal": "at least 5 亿元",
        "source": {"connector": "derived", "series": "合计"},
    }
    book = a_derived_book(TARGET, target, derived=[SHARE, total])
    pulled(engine, book, "filings", figure("第三产业增加值", 3, 300000.0, unit="万元"))
    pulled(engine, book, "stats", figure("地区生产总值", 3, 50.0))
    assert [value for _, value, _ in stored(engine, book)] == [pytest.approx(60)]
    assert [value for _, value, _ in stored(engine, book, "合计")] == [pytest.approx(80)]


def test_a_derived_series_may_need_another(engine):
    lead = {"series": "占比之差", "unit": "个百分点", "every": "quarter", "formula": "三产占比 - lag(三产占比, 1)"}
    book = a_derived_book(derived=[lead, SHARE])
    pulled(engine, book, "filings", *(figure("第三产业增加值", quarter, 30.0 + quarter) for quarter in (2, 3)))
    pulled(engine, book, "stats", *(figure("地区生产总值", quarter, 50.0) for quarter in (2, 3)))
    assert [(period, value) for period, value, _ in stored(engine, book, "占比之差")] == [
        ("2025-09-30", pytest.approx(2))
    ]


def test_all_subjects_are_computed_and_lean_on_their_mean(engine):
    """不低于全市平均: 60 and 40 have a mean of 50; a district is judged once all that report are known."""
    mean = {"series": "全市平均", "unit": "%", "every": "quarter", "formula": "mean(三产占比)"}
    leaning = {**TARGET, "goal": "at least the figure of 全市平均", "levels": {"yellow": "behind 0 points"}}
    book = a_derived_book(TARGET, leaning, derived=[SHARE, mean], subjects=SUBJECTS)
    pulled(engine, book, "stats", figure("地区生产总值", 3, 50.0), figure("地区生产总值", 2, 50.0))  # for all districts
    rows = [figure("第三产业增加值", 2, 25.0, subject=subject) for subject in ("甲县", "乙县")]
    pulled(engine, book, "filings", *rows, figure("第三产业增加值", 3, 30.0, subject="甲县"))
    watch = panel_at(engine, book, AT)
    (judged,) = pipeline.verdicts_at(watch, (), AT)
    reasons = {verdict(judged.panel, judged.verdicts, row, row).reason for row in (2, 3)}
    assert reasons == {Reason.NO_REFERENCE, Reason.LATE}  # 乙县 owes its own figure, 甲县 owes nothing
    pulled(engine, book, "filings", figure("第三产业增加值", 3, 20.0, subject="乙县"), at=AT + timedelta(hours=1))
    at = AT + timedelta(hours=2)
    assert watch.take(engine, at)
    for seen in (watch, panel_at(engine, book, at)):
        (judged,) = pipeline.verdicts_at(seen, (), at)
        found = [verdict(judged.panel, judged.verdicts, row, row) for row in (2, 3)]
        assert {one.subject: (one.level, one.actual, one.goal) for one in found} == {
            "甲县": (Level.GREEN, 60.0, 50.0),
            "乙县": (Level.RED, 40.0, 50.0),
        }


def test_who_leans_on_a_figure_for_all_leans_on_its_own_as_soon_as_there_is_one(engine):
    leaning = {**TARGET, "source": "filings", "name": "占比", "goal": "at least the figure of stats.对照"}
    book = a_book(
        leaning,
        {"name": "另一", "measure": "share", "goal": "at least 1 %", "every": "quarter"},
        sources=SOURCES,
        subjects="subject,target,goal\n甲县,t1,1\n乙县,t1,1\n",
    )
    pulled(engine, book, "stats", figure("对照", 3, 50.0, unit="%"), figure("对照", 2, 49.0, unit="%"))
    watch = panel_at(engine, book, AT)
    first = watch.panels[0].block.first_row[0]
    assert watch.panels[0].expected[1:3, first : first + 2].tolist() == [[49, 49], [50, 50]]
    at = AT + timedelta(hours=1)
    pulled(engine, book, "stats", figure("对照", 3, 55.0, unit="%", subject="乙县"), at=at)
    watch.take(engine, at)
    for seen in (watch, panel_at(engine, book, at)):
        names = seen.panels[0].block.subjects[0]
        expected = dict(zip(names, seen.panels[0].expected[1:3, first : first + 2].T.tolist(), strict=True))
        np.testing.assert_array_equal(expected["甲县"], [49, 50])
        np.testing.assert_array_equal(expected["乙县"], [np.nan, 55])


def test_nobody_is_late_for_a_derived_figure_while_a_source_of_it_is_silent(engine):
    watch = panel_at(engine, a_derived_book(), AT)
    for silent, reason in ((["b/stats"], Reason.FAILED), (["b/filings"], Reason.FAILED), ([], Reason.NO_DATA)):
        (judged,) = pipeline.verdicts_at(watch, silent, AT)
        assert REASONS[judged.verdicts.reason[0]] is reason


def test_the_explanation_shows_formula_mark_and_origin(engine):
    book = a_derived_book()
    pulled(engine, book, "filings", figure("第三产业增加值", 3, 30.0))
    pulled(engine, book, "stats", figure("地区生产总值", 3, 50.0))
    watch = panel_at(engine, book, AT)
    (judged,) = pipeline.verdicts_at(watch, (), AT)
    with reading(engine) as connection:
        found = observations.vintages(connection, "b/derived", "三产占比", "", date(2025, 1, 1), date(2025, 12, 31))
    text = explanation(watch, judged, 0, found, AT)
    assert text.startswith("三产占比 (b/t0) 【演示数据】")
    assert "三产占比 = 第三产业增加值 / stats.地区生产总值 * 100（推算）" in text
    assert "由公式推算 三产占比 = 第三产业增加值" in text
