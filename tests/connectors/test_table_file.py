"""The quirks of files that people type by hand."""

import os
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from openpyxl import Workbook

from connectors import strict
from connectors.base import ConnectorError, Failure
from connectors.observation import LeftOut, Query, Reading, Refused
from connectors.table_file import TableFile

YEAR = Query(at=datetime(2026, 6, 30, tzinfo=UTC), first=date(2025, 1, 1), last=date(2025, 12, 31))
LONG = {"series": "就业", "columns": {"period": "月份", "value": "数值"}}


def read(path: Path, query: Query = YEAR, **options: object) -> Reading:
    return TableFile(strict.read(TableFile.Options, {"path": path.name, **options}), path.parent).fetch(query)


def rested(path: Path) -> Path:
    """The file as it is found an hour after somebody put it there."""
    os.utime(path, (time.time() - 3600,) * 2)
    return path


def values(reading: Reading) -> list[float]:
    return reading.observations.value.tolist()


def failure(path: Path, **options: object) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        read(path, **options)
    return caught.value


@pytest.fixture
def csv(tmp_path: Path):
    def write(text: str, encoding: str = "utf-8", name: str = "表.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return rested(path)

    return write


@pytest.fixture
def xlsx(tmp_path: Path):
    def write(rows: list[list[object]], formats: dict[str, str] | None = None, title: str = "Sheet") -> Path:
        book = Workbook()
        book.active.title = title
        for row in rows:
            book.active.append(row)
        for cell, form in (formats or {}).items():
            book.active[cell].number_format = form
        path = tmp_path / "表.xlsx"
        book.save(path)
        return path

    return write


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk"])
def test_a_csv_reads_in_the_encodings_that_offices_save(csv, encoding):
    assert values(read(csv("月份,数值\n2025年10月,3\n", encoding), **LONG)) == [3]


def test_lines_may_end_as_on_a_macintosh(csv):
    found = read(csv("月份,数值\r2025年9月,3\r2025年10月,x\r"), **LONG)
    assert (values(found), [refusal.cell for refusal in found.refusals]) == ([3], ["第3行"])


def test_an_encoding_that_is_named_is_the_only_one(csv):
    assert values(read(csv("月份,数值\n2025年10月,3\n", "utf-16"), encoding="utf-16", **LONG)) == [3]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_the_delimiter_is_the_one_under_which_the_header_is_found(csv, mark, ends):
    text = ends.join(["就业情况，单位：人", f"月份{mark}数值{mark}备注", f"2025-10{mark}3{mark}"])
    found = read(csv(text), **LONG)
    assert values(found) == [3]
    assert found.observations.cell.tolist() == ["第3行"]


def test_a_header_is_found_below_titles_and_compared_without_blanks(csv):
    text = "数据库：月度\n时间：2025\n月\xa0份\t,数（值）\t,\n2025-10\t,3\t,\n"
    assert values(read(csv(text), series="就业", columns={"period": "月份", "value": "数(值)"})) == [3]


def test_the_header_row_can_be_named(csv):
    text = "月份,数值\n2025-09,1\n月份,数值\n2025-10,2\n"
    assert values(read(csv(text), header=3, **LONG)) == [2]


def test_a_column_that_is_not_there_is_named_with_those_that_are(csv):
    error = failure(csv("月份,人数\n2025-10,3\n"), **LONG)
    assert error.reason is Failure.MISCONFIGURED
    assert "没有列 数值" in error.detail
    assert "月份、人数" in error.detail


def test_a_column_that_stands_twice_is_not_guessed(csv):
    error = failure(csv("月份,数值,数值\n2025-10,3,4\n"), **LONG)
    assert error.reason is Failure.MISCONFIGURED
    assert "两列都叫 数值" in error.detail


def test_an_empty_file_misses_its_columns(csv):
    assert failure(csv(""), **LONG).reason is Failure.MISCONFIGURED


def test_a_missing_file_is_named_with_a_cure(tmp_path):
    error = failure(tmp_path / "无.csv", **LONG)
    assert error.reason is Failure.NOT_FOUND
    assert str(tmp_path / "无.csv") in error.detail
    assert "path" in error.detail


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "夹.csv").mkdir()
    assert failure(tmp_path / "夹.csv", **LONG).reason is Failure.NOT_FOUND


@pytest.mark.parametrize("junk", [b"\xff\xfe\x00\x00\x80", bytes(range(256)), b"\x89PNG\r\n\x1a\n\x00\x00"])
@pytest.mark.parametrize("name", ["坏.csv", "坏.xlsx"])
def test_bytes_that_are_no_table_are_a_bad_answer(tmp_path, name, junk):
    (tmp_path / name).write_bytes(junk)
    assert failure(rested(tmp_path / name), **LONG).reason is Failure.BAD_ANSWER


def test_a_quote_that_never_closes_does_not_swallow_the_table(csv):
    error = failure(csv('月份,数值\n2025-09,1\n"2025-10,2\n2025-11,3\n'), **LONG)
    assert error.reason is Failure.BAD_ANSWER
    assert "引号" in error.detail


def test_lines_are_counted_as_an_editor_counts_them(csv):
    found = read(csv('月份,数值,备注\n2025-09,1,"一\n二"\n2025-10,2,\n\n2025-11,x,\n'), **LONG)
    assert found.observations.cell.tolist() == ["第2行", "第4行"]
    assert found.refusals[0].cell == "第6行"


def test_a_row_torn_by_a_comma_in_a_name_is_refused_not_shifted(csv):
    text = "指标,月份,数值\n产值, 当季,2025-10,3\n工业,2025-10,4\n"
    found = read(csv(text), columns={"series": "指标", "period": "月份", "value": "数值"})
    assert values(found) == [4]
    text = "月份,数值,上年\n2025-10,3,5,1\n2025-11,4,1\n"
    found = read(csv(text), **LONG)
    assert values(found) == [4]
    assert [(refusal.cell, refusal.reason) for refusal in found.refusals] == [("第2行", Refused.TORN_ROW)]


def test_a_short_row_lacks_its_figure(csv):
    assert values(read(csv("月份,数值\n2025-09\n2025-10,2\n"), **LONG)) == [2]


def test_numbers_as_people_type_them(csv):
    text = '月份,数值\n2025-01,"1,234.5"\n2025-02,１２\n2025-03,5.2%\n2025-04,7\xa0\n2025-05, 8\n2025-06,-1.5\n'
    assert values(read(csv(text), **LONG)) == [1234.5, 12, 5.2, 7, 8, -1.5]


def test_truth_values_are_no_numbers(csv, xlsx):
    assert values(read(csv("月份,数值\n2025-01,TRUE\n2025-02,FALSE\n"), **LONG)) == []
    found = read(xlsx([["月份", "数值"], ["2025-01", True]]), **LONG)
    assert [refusal.reason for refusal in found.refusals] == [Refused.NOT_A_NUMBER]


def test_notes_under_the_table_are_left_out_unless_they_hold_a_figure(csv):
    text = "月份,数值\n2025-10,3\n\n注：本表为初步核算数,以年报为准\n数据来源：统计局\n合计,3\n"
    found = read(csv(text), **LONG)
    assert values(found) == [3]
    assert [(refusal.cell, refusal.reason, refusal.text) for refusal in found.refusals] == [
        ("第6行", Refused.BAD_PERIOD, "合计")
    ]


def test_where_no_period_can_be_read_nothing_counts_as_a_note(csv):
    assert len(read(csv("月份,数值\n甲,一\n乙,二\n"), **LONG).refusals) == 2


def test_one_column_per_series_reads_as_one_figure_per_cell(csv):
    text = "日期,AQI,PM2.5,备注\n2025-01-01,93.5,—,\n2025-01-02,x,70,\n"
    found = read(
        csv(text), columns={"period": "日期"}, values={"AQI": "空气质量指数", "PM2.5": "细颗粒物"}, unit="μg/m³"
    )
    assert found.observations[["series", "value", "cell"]].to_numpy().tolist() == [
        ["空气质量指数", 93.5, "第2行B列"],
        ["细颗粒物", 70.0, "第3行C列"],
    ]
    assert [(refusal.cell, refusal.series) for refusal in found.refusals] == [("第3行B列", "空气质量指数")]


def test_cells_of_a_workbook_have_their_own_names(xlsx):
    path = xlsx([["就业"], ["月份", "甲", "乙"], ["2025-09", 1, "x"], ["坏", 2, None]], title="一月 表")
    found = read(path, columns={"period": "月份"}, values={"甲": "甲", "乙": "乙"})
    assert found.observations.cell.tolist() == ["一月 表!B3"]
    assert [(refusal.cell, refusal.text) for refusal in found.refusals] == [("一月 表!C3", "x"), ("一月 表!A4", "坏")]


def test_a_percent_cell_reads_as_it_is_shown(xlsx):
    rows = [["月份", "数值"], ["2025-01", 0.052], ["2025-02", 0.07], ["2025-03", 0.052], ["2025-04", -0.0122]]
    found = read(xlsx(rows, {"B2": "0.0%", "B3": "0%", "B5": "0.00%"}), **LONG)
    assert values(found) == [5.2, 7, 0.052, -1.22]


def test_dates_of_a_workbook_read_as_they_are_shown(xlsx):
    rows = [["月份", "数值"], *([date(2025, month, 1), month] for month in (1, 2, 3)), [45748, 4]]
    formats = {"A2": 'yyyy"年"m"月"', "A3": "mmm-yy", "A4": "yyyy-mm-dd"}
    found = read(xlsx(rows, formats), **LONG)
    assert [f"{end:%m-%d}" for end in found.observations.period] == ["01-31", "02-28", "03-01", "04-01"]


def test_a_date_where_a_number_belongs_is_refused(xlsx):
    found = read(xlsx([["月份", "数值"], ["2025-01", date(2025, 1, 1)]]), **LONG)
    assert [refusal.reason for refusal in found.refusals] == [Refused.NOT_A_NUMBER]


def test_an_error_cell_is_refused_with_its_words(xlsx):
    found = read(xlsx([["月份", "数值"], ["2025-01", "#DIV/0!"]]), **LONG)
    assert [refusal.text for refusal in found.refusals] == ["#DIV/0!"]


def test_rows_skipped_in_a_workbook_keep_their_numbers(xlsx):
    path = xlsx([["月份", "数值"], ["2025-01", 1], [], [], ["2025-02", 2], []])
    assert read(path, **LONG).observations.cell.tolist() == ["Sheet!B2", "Sheet!B5"]


def test_a_sheet_that_is_not_there_is_named_with_those_that_are(xlsx):
    error = failure(xlsx([["月份", "数值"]]), sheet="二", **LONG)
    assert error.reason is Failure.MISCONFIGURED
    assert "有: Sheet" in error.detail


def test_codes_of_places_stay_codes(xlsx):
    path = xlsx([["月份", "数值", "代码"], ["2025-01", 1, 500110], ["2025-01", 2, 500111.0]])
    found = read(path, series="就业", columns={"period": "月份", "value": "数值", "subject": "代码"})
    assert found.observations.subject.tolist() == ["500110", "500111"]


def test_a_delay_says_when_figures_become_known(csv):
    path = csv("月份,数值\n2025-09,1\n2025-10,2\n")
    at = datetime(2025, 11, 10, tzinfo=UTC)
    found = read(path, Query(at, YEAR.first, YEAR.last), known="15 days after period", **LONG)
    assert found.observations.known_at.tolist() == [pd.Timestamp("2025-10-15", tz="Asia/Shanghai")]
    assert len(read(path, known="15 days after period", **LONG).observations) == 2


def test_without_any_date_the_source_does_not_say_when(csv):
    assert read(csv("月份,数值\n2025-10,3\n"), **LONG).observations.known_at.isna().all()


def test_a_year_completes_periods_that_name_none(csv):
    found = read(csv("月份,数值\n1-2月,3\n1—10月,9\n"), year=2025, **LONG)
    assert [f"{end:%m-%d}" for end in found.observations.period] == ["02-28", "10-31"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": "表.pdf", **LONG}, "不会读"),
        ({"path": "表.csv", "columns": LONG["columns"]}, "序列名"),
        ({"path": "表.csv", "series": "就业", "columns": {**LONG["columns"], "series": "指标"}}, "只留一个"),
        ({"path": "表.csv", "series": "就业", "columns": {"period": "月份"}}, "数值列"),
        ({"path": "表.csv", **LONG, "known": "soon"}, "days after period"),
        ({"path": "表.csv", **LONG, "encoding": "utf-9"}, "没有编码"),
        ({"path": "表.csv", **LONG, "encoding": "rot13"}, "没有编码"),
        ({"path": "表.csv", **LONG, "timezone": "Asia/Wansheng"}, "timezone"),
        ({"path": "表.csv", **LONG, "columsn": {}}, "columsn"),
        ({"path": "表.csv", **LONG, "values": {"甲": "甲"}}, "不能并用"),
        ({"path": "表.csv", "columns": {"series": "指标"}, "across": {"subject": 1}}, "期间须有来源"),
        ({"path": "表.csv", "columns": {"series": "指标", "period": "月份"}, "across": {"period": 1}}, "只留一个"),
        ({"path": "表.csv", "columns": {"series": "指标"}, "across": {"period": 4}, "header": "2-3"}, "不在表头之内"),
        ({"path": "表.csv", **LONG, "fill": ["subject"]}, "fill 里的 subject"),
        ({"path": "表.csv", **LONG, "header": "3-2"}, "看不懂 header"),
        ({"path": "表.csv", **LONG, "header": "500"}, "看不懂 header"),
        ({"path": "表.csv", "series": "就业", "columns": {"period": "A列", "value": "B列"}}, "须写 header"),
        ({"path": "表.csv", **LONG, "above": {"unit": "亿元"}}, "应如 B2"),
        ({"path": "表.csv", **LONG, "dates": "week"}, "dates"),
        ({"path": "表.*f", **LONG}, "不会读"),
    ],
)
def test_options_that_contradict_themselves_are_refused(options, words):
    with pytest.raises(strict.Wrong, match=words):
        strict.read(TableFile.Options, options)


def test_a_bulk_file_with_one_bad_cell_reads_the_rest(csv):
    lines = [f"县{place},2025-{month:02},{place}.{month}" for place in range(2000) for month in range(1, 13)]
    found = read(
        csv("\n".join(["地区,月份,数值", *lines[:100], "县x,2025-01,约3", *lines[100:]])),
        series="就业",
        columns={"subject": "地区", "period": "月份", "value": "数值"},
    )
    assert len(found.observations) == len(lines)
    assert [refusal.cell for refusal in found.refusals] == ["第102行"]


def test_repeats_are_found_among_more_kinds_of_figures_than_a_key_can_count(csv, monkeypatch):
    monkeypatch.setattr("connectors.figures._KEYS", 10)
    lines = [f"县{place},2025-{month:02},{place}" for place in range(5) for month in range(1, 13)]
    columns = {"subject": "地区", "period": "月份", "value": "数值"}
    found = read(
        csv("\n".join(["地区,月份,数值", *lines, "县3,2025年7月,99", lines[0]])), series="就业", columns=columns
    )
    assert len(found.observations) == len(lines)
    assert [(refusal.cell, refusal.text) for refusal in found.refusals] == [("第62行", "99 ≠ 3 (第44行)")]


def test_headings_over_several_columns_are_told_apart_without_merged_cells_too(csv):
    text = "月份,产值(亿元),,投资,\n,当月,累计,当月,累计\n2025-10,1,2,3,4\n"
    found = read(
        csv(text), columns={"period": "月份"}, values={"产值(亿元)/累计": "产值", "投资/累计": "投资"}, unit="万元"
    )
    rows = found.observations[["series", "value", "unit", "cell"]].to_numpy().tolist()
    assert rows == [["产值", 2.0, "亿元", "第3行C列"], ["投资", 4.0, "万元", "第3行E列"]]
    assert found.unread == ("产值(亿元)/当月", "投资/当月")


def test_a_name_that_stands_for_several_columns_is_answered_with_the_choices(csv):
    text = "月份,产值,,投资,\n,当月,累计,当月,累计\n2025-10,1,2,3,4\n"
    error = failure(csv(text), header="1-2", columns={"period": "月份"}, values={"累计": "产值"})
    assert error.reason is Failure.MISCONFIGURED
    assert "C列（产值/累计）、E列（投资/累计）" in error.detail


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("月份,数值（亿元）\n2025-10,3\n", "亿元"),
        ("月份,数值(万元)\n2025-10,3\n", "万元"),
        ("就业情况,单位：人\n月份,数值\n2025-10,3\n", "人"),
        ("（单位：亿元人民币）,\n月份,数值\n2025-10,3\n", "亿元"),
        ("填报单位：人力社保局,\n月份,数值\n2025-10,3\n", "个"),
        ("月份,数值（亿元）\n2025-10,3%\n", "%"),
        ("单位：万元,\n月份,数值（亿元）\n2025-10,3\n", "亿元"),
    ],
)
def test_the_unit_is_the_one_that_stands_nearest_to_the_figure(csv, text, unit):
    value = next(title for title in ("数值（亿元）", "数值(万元)", "数值") if title in text)
    found = read(csv(text), series="就业", columns={"period": "月份", "value": value}, unit="个")
    assert found.observations.unit.tolist() == [unit]


def test_two_units_above_a_table_are_not_guessed(csv):
    path = csv("单位：人,单位：户\n月份,数值\n2025-10,3\n")
    assert "above" in failure(path, **LONG).detail
    assert read(path, **LONG, above={"unit": "B1"}).observations.unit.tolist() == ["户"]


def test_a_unit_column_goes_before_titles_and_a_blank_one_behind_them(csv):
    text = "月份,数值(亿元),单位\n2025-09,1,万元\n2025-10,2,\n"
    found = read(csv(text), series="就业", columns={"period": "月份", "value": "数值(亿元)", "unit": "单位"})
    assert found.observations.unit.tolist() == ["万元", "亿元"]


def test_what_stands_above_a_table_is_read_from_its_cell(csv):
    text = "万东镇2025年1—10月指标完成情况表,,填报单位：万东镇\n填报日期：2025-11-05,,\n指标,数值,单位\n就业,168,人\n"
    found = read(
        csv(text),
        columns={"series": "指标", "value": "数值", "unit": "单位"},
        above={"period": "A1", "subject": "C1", "known": "A2"},
    ).observations.iloc[0]
    assert (found.series, found.subject, found.value, found.unit) == ("就业", "万东镇", 168, "人")
    assert found.period == pd.Timestamp(2025, 10, 31)
    assert found.known_at == pd.Timestamp("2025-11-05", tz="Asia/Shanghai")


@pytest.mark.parametrize("months", [("10", "11"), ("10月", "11月")])
def test_a_year_beside_a_month_makes_a_period(csv, months):
    text = "年份,月份,数值\n2025,{},3\n2025年,{},4\n".format(*months)
    found = read(csv(text), series="就业", columns={"year": "年份", "period": "月份", "value": "数值"})
    assert [f"{end:%Y-%m-%d}" for end in found.observations.period] == ["2025-10-31", "2025-11-30"]


def test_a_bare_number_under_a_title_that_says_neither_month_nor_quarter_is_refused(csv):
    found = read(
        csv("年份,期次,数值\n2025,3,1\n"), series="就业", columns={"year": "年份", "period": "期次", "value": "数值"}
    )
    assert [refusal.reason for refusal in found.refusals] == [Refused.BAD_PERIOD]
    found = read(
        csv("年份,季度,数值\n2025,3,1\n"), series="就业", columns={"year": "年份", "period": "季度", "value": "数值"}
    )
    assert [f"{end:%m-%d}" for end in found.observations.period] == ["09-30"]


@pytest.mark.parametrize(
    ("dates", "end"), [("month", "11-30"), ("quarter", "12-31"), ("year", "12-31"), (None, "11-01")]
)
def test_the_author_says_what_a_day_stands_for(xlsx, dates, end):
    path = xlsx([["月份", "数值"], [date(2025, 11, 1), 1]], {"A2": "yyyy-mm-dd"})
    assert [f"{found:%m-%d}" for found in read(path, **LONG, dates=dates).observations.period] == [end]


def test_a_date_is_repeated_downwards_only_where_the_author_says_so(csv):
    path = csv("月份,地区,数值\n2025-10,甲,1\n,乙,2\n")
    columns = {"period": "月份", "subject": "地区", "value": "数值"}
    assert len(read(path, series="就业", columns=columns).refusals) == 1
    found = read(path, series="就业", columns=columns, fill=["period"])
    assert found.observations.subject.tolist() == ["甲", "乙"]


def test_notes_under_a_table_with_periods_across_are_left_out(csv):
    text = "指标,1月,2月\n就业,1,约3\n收入,2,5\n注：初步数,含人,含户\n以年报为准,待定,待定\n"
    found = read(csv(text), columns={"series": "指标"}, across={"period": 1}, year=2025)
    assert sorted(values(found)) == [1, 2, 5]
    assert [refusal.text for refusal in found.refusals] == ["约3"]
    assert found.left_out == {LeftOut.NOTE: 4}


def test_a_row_that_ends_early_borrows_nothing_from_others(csv):
    text = "月份,数值,地区\n2025-09,1,甲\n2025-10,2\n"
    found = read(csv(text), series="就业", columns={"period": "月份", "value": "数值", "subject": "地区"})
    assert found.observations.subject.tolist() == ["甲"]
    assert [refusal.reason for refusal in found.refusals] == [Refused.WRONG_DIMENSION]


def test_months_and_spans_since_january_go_apart_by_name(csv):
    text = "指标,10月,1-10月\n产值,3,30\n"
    found = read(csv(text), columns={"series": "指标"}, across={"period": 1}, year=2025, to_date="累计")
    assert found.observations[["series", "value"]].to_numpy().tolist() == [["产值", 3.0], ["产值累计", 30.0]]
