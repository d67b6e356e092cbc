"""Honest figures pass untouched; slips of the pen are caught, each for its own reason."""

import csv
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from connectors.observation import Observation, Query, Refused, frame
from connectors.registry import connector_class
from connectors.strict import read
from rules import plausible
from rules.loader import load_book
from rules.plausible import REASONS, Figures
from tests.rules.builders import a_book

BOOKS = Path(__file__).parents[2] / "rules" / "books"
SOURCE = {"sources": {"s": {"connector": "table_file"}}, "source": "s"}
LATE = datetime.fromisoformat("2026-06-01T00:00:00+08:00")


def found(book, table, known=None, source=None):
    """What is said of each row: (series, period, reason) of those refused. ``known`` are figures stored before."""
    source = source or next(iter(book.sources))
    tables = [part.sort_values("period", kind="stable") for part in (table, table[:0] if known is None else known)]
    names = {name: number for number, name in enumerate(pd.unique(pd.concat(tables)["series"]))}
    promises = [plausible.promised(book, source, part) for part in tables]
    new, old = (
        Figures(
            part["series"].map(names).to_numpy(np.int64),
            part["period"].to_numpy("datetime64[D]").astype(np.int64),
            promise.read(part["value"].to_numpy()),
        )
        for part, promise in zip(tables, promises, strict=True)
    )
    codes, _, _ = plausible.alone(promises[0], new.value)
    fine = codes == 0
    codes[fine] = plausible.beside(promises[0].take(fine), Figures(*(column[fine] for column in new)), old)
    rows = zip(tables[0]["series"], tables[0]["period"], codes.tolist(), strict=True)
    return [(series, f"{period:%Y-%m-%d}", REASONS[code]) for series, period, code in rows if code]


def monthly(*values, series="指标", unit="个", first=1):
    ends = pd.date_range("2025-01-31", periods=12, freq="ME")[first - 1 :]
    return frame(
        Observation(series, "", end.date(), float(value), unit, None, "")
        for end, value in zip(ends, values, strict=False)
    )


def reasons(target, *values, known=(), unit="个"):
    book = a_book(target, **SOURCE)
    stored = monthly(*known, unit=unit) if known else None
    return [reason for _, _, reason in found(book, monthly(*values, unit=unit, first=len(known) + 1), stored)]


def example(name, year=None):
    """A shipped book and all that its source states for its year."""
    book = load_book(BOOKS / name)
    (source,) = book.sources.values()
    kind = connector_class(source.connector)
    connector = kind(read(kind.Options, source.options), book.folder)
    year = year or book.year
    return book, connector.fetch(Query(LATE, date(year, 1, 1), date(year, 12, 31))).observations


@pytest.mark.parametrize("name", ["wansheng-2025", "national-2025", "chongqing-air-2025"])
def test_every_figure_of_the_shipped_books_passes(name):
    book, table = example(name)
    assert len(table) >= 4
    assert found(book, table) == []


@pytest.mark.parametrize("year", [2022, 2023, 2024])
def test_four_years_of_daily_air_pass(year):
    book, table = example("chongqing-air-2025", year)
    table["period"] += pd.Timestamp("2025-01-01") - pd.Timestamp(f"{year}-01-01")
    assert len(table) >= 365
    assert found(book, table) == []


def test_the_indices_of_the_statistics_bureau_pass_year_by_year():
    book, _ = example("national-2025")
    with (BOOKS / "national-2025/figures/gdp-index-accumulated.csv").open(encoding="utf-8") as file:
        rows = [(int(row["期间"][:4]), int(row["期间"][5]), float(row["数值"])) for row in csv.DictReader(file)]
    for year in {year for year, _, _ in rows}:
        table = frame(
            Observation(
                "国内生产总值累计指数", "", (pd.Timestamp(2025, 3 * q, 1) + pd.offsets.MonthEnd(0)).date(), value, "上年=100", None, ""
            )
            for of, q, value in rows
            if of == year
        )  # fmt: skip
        assert found(book, table) == []


SLIPS = [
    ("城镇新增就业", "2025-09-30", 2251.2, Refused.CUMULATIVE_FELL),
    ("城镇新增就业", "2025-09-30", 168.0, Refused.CUMULATIVE_FELL),
    ("城镇新增就业", "2025-09-30", 0.2512, Refused.WRONG_SCALE),
    ("城镇新增就业", "2025-09-30", 25120.0, Refused.JUMP),
    ("外贸进出口总额", "2025-02-28", 7400.0, Refused.WRONG_SCALE),
    ("规上工业总产值", "2025-09-30", 0.02278, Refused.WRONG_SCALE),
    ("接待游客", "2025-06-30", 15981000.0, Refused.WRONG_SCALE),
    ("空气质量优良天数", "2025-06-30", 190.0, Refused.OUT_OF_RANGE),
    ("一般公共预算民生支出占比", "2025-05-31", 718.0, Refused.OUT_OF_RANGE),
    ("国企利润增速", "2025-06-30", 5400.0, Refused.OUT_OF_RANGE),
    ("固定资产投资增速", "2025-09-30", 32.0, Refused.JUMP),
    ("养老床位", "2025-09-30", 12360.0, Refused.JUMP),
    ("养老床位", "2025-09-30", 123.6, Refused.JUMP),
    ("空气质量在主城都市区排名", "2025-09-30", 0.0, Refused.OUT_OF_RANGE),
    ("市控断面水质类别", "2025-09-30", 7.0, Refused.OUT_OF_RANGE),
]


@pytest.mark.parametrize(("series", "period", "value", "reason"), SLIPS)
def test_a_slip_among_the_shipped_figures_is_caught_alone_and_for_its_reason(series, period, value, reason):
    book, table = example("wansheng-2025")
    slip = (table["series"] == series) & (table["period"] == pd.Timestamp(period))
    assert slip.sum() == 1
    table.loc[slip, "value"] = value
    assert found(book, table) == [(series, period, reason)]


def test_a_digit_too_many_in_the_air_is_a_jump():
    book, table = example("chongqing-air-2025")
    place = table.index[table["period"] == pd.Timestamp("2025-05-05")]
    table.loc[place, "value"] *= 10
    assert found(book, table) == [("AQI", "2025-05-05", Refused.JUMP)]


def test_a_revision_downward_of_the_same_period_is_no_fall():
    book = a_book({}, **SOURCE)
    known = monthly(8, 17, 25)
    assert found(book, monthly(20, first=3), known) == []
    assert found(book, monthly(16, first=3), known) == [("指标", "2025-03-31", Refused.CUMULATIVE_FELL)]


def test_what_is_refused_is_no_measure_for_what_follows():
    assert reasons({}, 8, 17, 25, 33, 4100, 50, 58) == [Refused.JUMP]


def test_a_first_figure_is_never_a_jump_and_a_jump_needs_four_before_it():
    growth = {"measure": "growth", "goal": "at least 5 %"}
    assert reasons(growth, 52, unit="%") == []
    assert reasons(growth, 52, known=(5, 5.2, 5.1), unit="%") == []
    assert reasons(growth, 52, known=(5, 5.2, 5.1, 5.3), unit="%") == [Refused.JUMP]


def test_a_series_that_stood_still_may_take_its_first_step():
    assert reasons({"goal": "at least 8 个"}, 0, 0, 0, 0, 0, 5) == []
    assert reasons({"goal": "at most 0 起", "measure": "zero"}, 0, 0, 0, 0, 0, 1, unit="起") == []
    assert reasons({"goal": "at most Ⅲ类", "measure": "class"}, 2, 2, 2, 2, 5, unit="类") == []


def test_a_red_line_that_breaks_is_news_and_no_slip():
    assert reasons({"goal": "at least 12.6 万亩", "measure": "floor"}, 12.7, 12.7, 12.7, 12.7, 12.1, unit="万亩") == []
    assert reasons({"goal": "at most 5.5 %", "measure": "ceiling"}, 5.1, 5.2, 5.1, 5.2, 9.8, unit="%") == []


def test_a_debt_that_is_nearly_paid_is_no_slip():
    debt = {"goal": "at most 0 亿元", "measure": "level", "expect": "path from 6.8"}
    assert reasons(debt, 6, 5, 4, 2, 1, 0.001, unit="亿元") == []
    assert reasons(debt, 6, 5, 40000, unit="亿元") == [Refused.WRONG_SCALE]


def test_a_figure_is_read_in_its_targets_unit():
    money = {"goal": "at least 300 亿元"}
    assert reasons(money, 250000, 500000, 750000, unit="万元") == []
    assert reasons(money, 25, 50, unit="万元") == [Refused.WRONG_SCALE] * 2


def test_each_subject_is_held_against_its_own_goal():
    book = a_book({}, subjects="subject,target,goal\n甲县,t0,120\n乙县,t0,1200000\n", **SOURCE)
    rows = [Observation("指标", subject, date(2025, 6, 30), 600000.0, "个", None, "") for subject in ("甲县", "乙县")]
    assert [reason for _, _, reason in found(book, frame(rows))] == [Refused.WRONG_SCALE]


def test_what_no_target_reads_is_held_against_nothing():
    book = a_book({}, **SOURCE)
    assert found(book, monthly(5, 1e12, -3, series="别的")) == []
