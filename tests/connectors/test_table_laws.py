"""The law of tables: every cell is a figure, a label, a note, empty, or refused with its reason. None is lost."""

from collections import Counter
from datetime import UTC, date, datetime

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.utils import get_column_letter

from connectors.observation import LeftOut, Query, Reading, Refused
from connectors.strict import read
from connectors.table_file import TableFile
from tests.connectors.test_table_file import rested

WIDE = Query(datetime(2027, 1, 1, tzinfo=UTC), date(2025, 1, 1), date(2025, 12, 31))
PERIODS = [f"2025年{month}月" for month in range(1, 13)]
SERIES = [f"指标{number}" for number in range(1, 5)]
FIGURES = {"1,234.5": 1234.5, "１２": 12.0, "5.2%": 5.2, " 8\xa0": 8.0, "-3": -3.0, "0": 0.0}
BLANKS = ["", "-", "—", "…", "\xa0"]
WORDS = ["大约三千", "12人", "=", "=SUM(A1)", "#DIV/0!", "待报"]
LABELS = ["", "坏", "2025-13", "合计", "2024年3月", "注：初步数"]
anything = st.sampled_from([*FIGURES, *BLANKS, *WORDS])
grids = st.integers(1, 4).flatmap(
    lambda wide: st.lists(st.lists(anything, min_size=wide, max_size=wide), min_size=1, max_size=8)
)


def saved(folder, rows, kind):
    path = folder / f"表.{kind}"
    if kind == "csv":
        quoted = [",".join(f'"{cell}"' for cell in row) for row in rows]
        path.write_text("\n".join([*quoted, ""]), encoding="utf-8")
    else:
        book = Workbook()
        for line, row in enumerate(rows, start=1):
            for place, content in enumerate(row, start=1):
                cell = book.active.cell(line, place)
                cell.value = content or None
                if isinstance(content, str) and content.startswith("="):
                    cell.data_type = "s"  # words that only look like a formula
        book.save(path)
    return rested(path)


def accounted(found: Reading, cells: dict[str, str]) -> None:
    """Of ``cells`` (place -> content) each is taken with its value, refused, or left out and counted."""
    taken = dict(zip(found.observations.cell, found.observations.value, strict=True))
    assert len(taken) == len(found.observations), "one cell, one figure"
    assert taken.items() <= {place: FIGURES.get(content) for place, content in cells.items()}.items()
    assert len(taken) + len(found.refusals) + sum(found.left_out.values()) == len(cells)
    blank = sum(content in BLANKS for content in cells.values())
    assert found.left_out.get(LeftOut.BLANK, 0) == blank


def places(rows, kind, count):
    names = {}
    for line, row in enumerate(rows, start=2):
        for place, content in enumerate(row[1:], start=2):
            letter = get_column_letter(place)
            csv_name = f"第{line}行{letter}列" if count > 1 else f"第{line}行"
            names[f"Sheet!{letter}{line}" if kind == "xlsx" else csv_name] = content
    return names


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grid=grids, labels=st.lists(st.sampled_from([*PERIODS, *LABELS]), min_size=8, max_size=8))
def test_nothing_is_lost_with_periods_down(tmp_path, kind, grid, labels):
    rows = [[label, *row] for label, row in zip(labels, grid, strict=False)]
    titles = SERIES[: len(grid[0])]
    path = saved(tmp_path, [["月份", *titles], *rows], kind)
    options = read(
        TableFile.Options,
        {"path": path.name, "columns": {"period": "月份"}, "values": {title: title for title in titles}},
    )
    found = TableFile(options, tmp_path).fetch(WIDE)
    accounted(found, places(rows, kind, len(titles)))


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grid=grids, titles=st.lists(st.sampled_from([*PERIODS, *LABELS]), min_size=4, max_size=4))
def test_nothing_is_lost_with_periods_across(tmp_path, kind, grid, titles):
    wide = len(grid[0])
    rows = [[f"指标{line}", *row] for line, row in enumerate(grid)]
    path = saved(tmp_path, [["指标", *titles[: wide - 1], "2025年12月"], *rows], kind)
    options = read(TableFile.Options, {"path": path.name, "columns": {"series": "指标"}, "across": {"period": 1}})
    found = TableFile(options, tmp_path).fetch(WIDE)
    accounted(found, places(rows, kind, wide))


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_each_kind_of_cell_has_its_own_account(tmp_path, kind):
    rows = [
        ["月份", "甲", "乙", "备注"],
        ["2025年1月", "1,234.5", "-", "随便"],
        ["2025年2月", "大约三千", "１２", ""],
        ["2024年2月", "8", "0", ""],
        ["坏", "5.2%", "", ""],
        ["2025年1月", "1234.5", "", ""],
        ["合计", "9", "12", ""],
        ["注：初步数", "以年报为准", "", ""],
    ]
    rows[5][1] = "1,234.5"
    options = read(
        TableFile.Options,
        {"path": f"表.{kind}", "columns": {"period": "月份"}, "values": {"甲": "甲", "乙": "乙"}, "skip": ["合计"]},
    )
    saved(tmp_path, rows, kind)
    found = TableFile(options, tmp_path).fetch(WIDE)
    assert found.observations.value.tolist() == [1234.5, 12]
    assert Counter(refusal.reason for refusal in found.refusals) == {Refused.NOT_A_NUMBER: 1, Refused.BAD_PERIOD: 1}
    assert found.left_out == {
        LeftOut.BLANK: 4,
        LeftOut.NOTE: 1,
        LeftOut.SKIPPED: 2,
        LeftOut.OUTSIDE: 2,
        LeftOut.REPEATED: 1,
    }
    assert found.unread == ("备注",)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    grid=grids,
    labels=st.lists(st.sampled_from([*PERIODS, *LABELS]), min_size=8, max_size=8),
    torn=st.sets(st.integers(0, 7)),
    short=st.sets(st.integers(0, 7)),
)
def test_a_text_reads_the_same_however_few_rows_are_split_together(tmp_path, grid, labels, torn, short):
    wide = len(grid[0])
    rows = [
        [label, *row, *["多"] * (line in torn)] for line, (label, row) in enumerate(zip(labels, grid, strict=False))
    ]
    rows = [row[:1] if line in short else row for line, row in enumerate(rows)]
    path = saved(tmp_path, [["月份", *SERIES[:wide]], *rows], "csv")
    options = read(
        TableFile.Options,
        {"path": path.name, "columns": {"period": "月份"}, "values": {one: one for one in SERIES[:wide]}},
    )
    whole = TableFile(options, tmp_path).fetch(WIDE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("connectors.table_text._ROWS", 2)
        parts = TableFile(options, tmp_path).fetch(WIDE)
    pd.testing.assert_frame_equal(parts.observations, whole.observations)
    assert (parts.refusals, parts.left_out) == (whole.refusals, whole.left_out)


def test_truth_is_no_number_even_where_other_rows_hold_only_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("connectors.table_text._ROWS", 1)
    path = saved(tmp_path, [["月份", "数"], ["2025-01", "1"], ["2025-02", "TRUE"], ["2025-03", "2.50"]], "csv")
    options = read(TableFile.Options, {"path": path.name, "series": "甲", "columns": {"period": "月份", "value": "数"}})
    found = TableFile(options, tmp_path).fetch(WIDE)
    assert found.observations.value.tolist() == [1, 2.5]
    assert [(one.reason, one.text) for one in found.refusals] == [(Refused.NOT_A_NUMBER, "True")]


def test_a_column_may_be_label_and_figure(tmp_path):
    path = saved(tmp_path, [["月份", "数"], ["2025-01", "1"], ["2025-02", "-"]], "csv")
    options = read(TableFile.Options, {"path": path.name, "columns": {"period": "月份", "value": "数", "series": "数"}})
    found = TableFile(options, tmp_path).fetch(WIDE)
    assert found.observations[["series", "value"]].to_numpy().tolist() == [["1", 1]]
    assert found.left_out == {LeftOut.BLANK: 1}
