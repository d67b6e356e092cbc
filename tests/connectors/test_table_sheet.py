"""Workbooks that mean harm, or were never computed; XLS beside XLSX."""

import random
import re
import tracemalloc
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import xlwt
from openpyxl import Workbook

from connectors import strict
from connectors.base import ConnectorError, Failure
from connectors.observation import Query, Refused
from connectors.table_file import TableFile
from tests.connectors.test_table_file import rested

YEAR = Query(at=datetime(2026, 6, 30, tzinfo=UTC), first=date(2025, 1, 1), last=date(2025, 12, 31))
LONG = {"series": "就业", "columns": {"period": "月份", "value": "数值"}}


def read(path: Path, **options):
    return TableFile(strict.read(TableFile.Options, {"path": path.name, **LONG | options}), path.parent).fetch(YEAR)


def failure(path: Path, **options) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        read(path, **options)
    return caught.value


def workbook(folder: Path, rows, **merged) -> Path:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    path = folder / "表.xlsx"
    book.save(path)
    return rested(path)


def rewritten(path: Path, part: str, change) -> Path:
    """The workbook with one of its parts changed, as a hostile or a broken program would write it."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = change(parts[part])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return rested(path)


SHEET = "xl/worksheets/sheet1.xml"
ROWS = [["月份", "数值"], ["2025-09", 1], ["2025-10", 2]]


def test_a_formula_without_a_result_is_refused_and_one_with_its_result_is_read(tmp_path):
    path = workbook(tmp_path, [*ROWS, ["2025-11", "=B2+B3"], ["2025-12", "=B2*2"]])

    def computed(sheet: bytes) -> bytes:
        return re.sub(
            rb"(<f>B2\*2</f>)<v ?/>|(<f>B2\*2</f>)<v></v>",
            rb"<f>B2*2</f><v>2</v>",
            sheet.replace(b"<f>B2+B3</f><v />", b"<f>B2+B3</f>").replace(b"<f>B2+B3</f><v></v>", b"<f>B2+B3</f>"),
        )

    found = read(rewritten(path, SHEET, computed))
    assert found.observations.value.tolist() == [1, 2, 2]
    (refusal,) = found.refusals
    assert (refusal.reason, refusal.cell, refusal.text) == (Refused.NO_RESULT, "Sheet!B4", "=B2+B3")
    assert refusal.reason.said == "公式无结果"


def test_a_formula_whose_result_is_an_empty_text_is_blank(tmp_path):
    path = workbook(tmp_path, [*ROWS, ["2025-11", '=IF(B2="","","")']])
    found = read(
        rewritten(
            path,
            SHEET,
            lambda sheet: re.sub(rb'<c r="B4"[^>]*>(<f>.*?</f>).*?</c>', rb'<c r="B4" t="str">\1<v></v></c>', sheet),
        )
    )
    assert (found.observations.value.tolist(), found.refusals) == ([1, 2], ())


def test_a_few_kilobytes_that_unpack_to_gigabytes_are_refused_unread(tmp_path):
    path = workbook(tmp_path, ROWS)
    rewritten(path, SHEET, lambda sheet: sheet.replace(b"<sheetData>", b"<sheetData>" + b" " * (4 << 20)))
    assert path.stat().st_size < 20_000
    tracemalloc.start()
    error = failure(path, max_mb=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.reason is Failure.TOO_LARGE
    assert "解压后" in error.detail
    assert peak < 2 << 20
    assert read(path, max_mb=8).observations.value.tolist() == [1, 2]


def test_a_part_that_lies_about_its_size_is_not_unpacked_beyond_it(tmp_path):
    path = workbook(tmp_path, ROWS)
    rewritten(path, SHEET, lambda sheet: sheet.replace(b"<sheetData>", b"<sheetData>" + b" " * (4 << 20)))
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo(SHEET).file_size
    path.write_bytes(data.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    assert failure(rested(path), max_mb=3).reason is Failure.BAD_ANSWER


@pytest.mark.parametrize(
    "entity",
    ['<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">', '<!ENTITY b SYSTEM "file:///etc/passwd">'],
)
def test_entities_are_never_resolved(tmp_path, entity):
    path = workbook(tmp_path, ROWS)

    def hostile(sheet: bytes) -> bytes:
        declared = f"<!DOCTYPE worksheet [{entity}]>".encode()
        text = re.sub(
            rb"(<\?xml.*?\?>)?\s*<worksheet", lambda found: (found[1] or b"") + declared + b"<worksheet", sheet, count=1
        )
        return text.replace(b"<v>1</v>", b"<v>&b;</v>")

    assert failure(rewritten(path, SHEET, hostile)).reason is Failure.BAD_ANSWER


def test_a_cell_at_the_far_end_of_the_sheet_costs_nothing(tmp_path):
    path = workbook(tmp_path, ROWS)
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    tracemalloc.start()
    found = read(rewritten(path, SHEET, lambda sheet: sheet.replace(b"</sheetData>", far)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.observations.value.tolist() == [1, 2]
    assert peak < 20 << 20


def test_only_wanted_columns_of_a_long_sheet_are_kept(tmp_path):
    path = workbook(
        tmp_path,
        [
            ["月份", "数值", "地区", *("备注",) * 8],
            *([f"2025-{1 + row % 12:02}", row, f"县{row}", *("说明",) * 8] for row in range(3000)),
        ],
    )
    tracemalloc.start()
    found = read(path, columns=LONG["columns"] | {"subject": "地区"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.observations) == 3000
    assert peak < 12 << 20


def test_a_label_merged_over_rows_belongs_to_each_of_them(tmp_path):
    book = Workbook()
    for row in (["月份", "地区", "数值"], ["2025-09", "甲", 1], [None, "乙", 2], ["2025-10", "甲", 3], [None, "乙", 4]):
        book.active.append(row)
    book.active.merge_cells("A2:A3")
    book.save(tmp_path / "表.xlsx")
    found = read(rested(tmp_path / "表.xlsx"), columns=LONG["columns"] | {"subject": "地区"})
    assert found.observations.cell.tolist() == ["Sheet!C2", "Sheet!C3", "Sheet!C4"]
    assert [(refusal.reason, refusal.cell) for refusal in found.refusals] == [(Refused.BAD_PERIOD, "Sheet!A5")]


@pytest.fixture
def old_workbook(tmp_path):
    """An XLS as Excel 97 writes it: a merged title, a percentage, a date, a number as text."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("指标")
    sheet.write_merge(0, 0, 1, 2, "工业(万元)")
    sheet.write_merge(0, 1, 0, 0, "月份")
    for place, title in enumerate(("产值", "增速"), start=1):
        sheet.write(1, place, title)
    dates, percents = (xlwt.easyxf(num_format_str=form) for form in ('yyyy"年"m"月"', "0.0%"))
    for row, (month, value, growth) in enumerate(((9, "1,234.5\xa0", 0.052), (10, 1300, -0.01)), start=2):
        sheet.write(row, 0, date(2025, month, 1), dates)
        sheet.write(row, 1, value)
        sheet.write(row, 2, growth, percents)
    book.save(str(tmp_path / "表.xls"))
    return rested(tmp_path / "表.xls")


def test_an_old_workbook_reads_as_a_new_one_does(old_workbook):
    options = strict.read(
        TableFile.Options,
        {
            "path": old_workbook.name,
            "columns": {"period": "月份"},
            "values": {"工业(万元)/产值": "产值", "增速": "增速"},
        },
    )
    found = TableFile(options, old_workbook.parent).fetch(YEAR).observations
    assert found[["series", "value", "unit", "cell"]].to_numpy().tolist() == [
        ["产值", 1234.5, "万元", "指标!B3"],
        ["产值", 1300, "万元", "指标!B4"],
        ["增速", 5.2, "%", "指标!C3"],
        ["增速", -1, "%", "指标!C4"],
    ]
    assert [f"{end:%m-%d}" for end in found.period] == ["09-30", "10-31", "09-30", "10-31"]


def test_what_a_file_is_decides_how_it_is_read_not_its_name(tmp_path, old_workbook):
    path = workbook(tmp_path, ROWS)
    assert read(rested(path.rename(tmp_path / "新.xls"))).observations.value.tolist() == [1, 2]
    (tmp_path / "坏.xls").write_bytes(old_workbook.read_bytes()[:700])
    assert failure(rested(tmp_path / "坏.xls")).reason is Failure.BAD_ANSWER
    (tmp_path / "网页.xls").write_bytes(b"<html><table></table></html>")
    assert failure(rested(tmp_path / "网页.xls")).reason is Failure.BAD_ANSWER


def test_a_machine_without_memory_does_not_call_the_workbook_broken(old_workbook, monkeypatch):
    def starved(**_):
        raise MemoryError

    monkeypatch.setattr("xlrd.open_workbook", starved)
    with pytest.raises(MemoryError):
        read(old_workbook)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_bytes_are_a_bad_answer_and_never_a_crash(tmp_path, seed):
    path = workbook(tmp_path, [ROWS[0], *([f"2025-{1 + row % 12:02}", row] for row in range(200))])
    data, chance = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(40):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path.write_bytes(data)
    # A damaged directory of the archive may claim any size.
    assert failure(rested(path)).reason in {Failure.BAD_ANSWER, Failure.TOO_LARGE}


def test_merged_cells_without_end_are_refused(tmp_path):
    merged = b"<mergeCells>" + b'<mergeCell ref="A5:A6"/>' * 100_001 + b"</mergeCells>"
    path = rewritten(
        workbook(tmp_path, ROWS), SHEET, lambda sheet: sheet.replace(b"</sheetData>", b"</sheetData>" + merged)
    )
    assert failure(path).reason is Failure.TOO_LARGE


TWO = [
    ["表一　就业（单位：人）"],
    ["月份", "本月止累计"],
    ["2025-09", 4100],
    [],
    ["2025-10", 4500],
    ["表二　投资（单位：亿元）"],
    ["月份", "本月止累计"],
    ["2025-09", 8.5],
]


@pytest.mark.parametrize(
    ("which", "found"),
    [
        ({"until": "表二"}, [("人", 4100, "Sheet!B3"), ("人", 4500, "Sheet!B5")]),
        ({"title": "表二投资"}, [("亿元", 8.5, "Sheet!B8")]),
        ({"title": "表一", "until": "表二"}, [("人", 4100, "Sheet!B3"), ("人", 4500, "Sheet!B5")]),
    ],
)
def test_of_several_tables_on_a_sheet_the_one_under_its_title_is_read(tmp_path, which, found):
    answer = read(workbook(tmp_path, TWO), columns={"period": "月份", "value": "本月止累计"}, series="甲", **which)
    assert [(one.unit, one.value, one.cell) for one in answer.observations.itertuples()] == found
    assert answer.refusals == ()


def test_a_table_far_below_the_first_is_found_by_its_title(tmp_path):
    rows = [*TWO[:3], *([f"2025年{n}月的注", n] for n in range(300)), *TWO[5:]]
    answer = read(
        workbook(tmp_path, rows), columns={"period": "月份", "value": "本月止累计"}, series="甲", title="表二"
    )
    assert answer.observations.cell.tolist() == ["Sheet!B306"]


@pytest.mark.parametrize("which", [{"title": "表三"}, {"until": "表三"}])
def test_a_title_that_stands_nowhere_is_named(tmp_path, which):
    error = failure(workbook(tmp_path, TWO), columns={"period": "月份", "value": "本月止累计"}, series="甲", **which)
    assert error.reason is Failure.MISCONFIGURED
    assert "以“表三”开头" in error.detail


def test_a_text_file_has_one_table(tmp_path):
    path = tmp_path / "表.csv"
    path.write_text("月份,数\n2025-09,1\n", encoding="utf-8")
    error = failure(path, columns={"period": "月份", "value": "数"}, series="甲", title="表一")
    assert (error.reason, "每个表存一个文件" in error.detail) == (Failure.MISCONFIGURED, True)
