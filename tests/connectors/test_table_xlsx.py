"""Cells straight from the XML of a workbook: the same as openpyxl reads them, and what it does not read."""

import re
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont

from connectors.table_layout import Cell
from connectors.table_xlsx import xlsx
from tests.connectors.test_table_sheet import SHEET, rewritten

CONTENTS = [
    *(
        "文字",
        " 空白 ",
        "",
        "a&b<c>",
        "_x000D_",
        "第一行\n第二行",
        0,
        1,
        -3,
        1.5,
        1e-7,
        1e21,
        2**60,
        12345678901234567890,
    ),
    *(date(2025, 9, 30), datetime.fromisoformat("2025-09-30T12:30"), time(8, 30), timedelta(hours=30), "#DIV/0!", None),
    CellRichText("甲", TextBlock(InlineFont(b=True), "乙")),
]


def head(path: Path, sheet: str | None = None) -> list[list[Cell]]:
    return [list(cells) for _, cells in xlsx(path.read_bytes(), path.name, sheet, 1 << 20).head]


@pytest.mark.parametrize("streamed", [False, True], ids=["shared strings", "inline strings"])
def test_every_kind_of_content_is_what_openpyxl_reads(tmp_path, streamed):
    book = Workbook(write_only=streamed)
    sheet = book.create_sheet("数") if streamed else book.active
    for place in range(0, len(CONTENTS), 3):
        sheet.append([*CONTENTS[place : place + 3], "末"])
    book.save(tmp_path / "表.xlsx")
    theirs = load_workbook(tmp_path / "表.xlsx", data_only=True).worksheets[0].values
    ours = head(tmp_path / "表.xlsx")
    assert [[cell.value for cell in cells] for cells in ours] == [
        [one if one != "" else None for one in row] for row in theirs
    ]


def test_a_date_of_a_workbook_that_counts_from_1904_is_the_same_day(tmp_path):
    book = Workbook()
    book.epoch = datetime(1904, 1, 1)  # noqa: DTZ001  Excel's days have no zone
    book.active.append([date(2025, 9, 30)])
    book.save(tmp_path / "表.xlsx")
    assert head(tmp_path / "表.xlsx")[0][0].value == datetime(2025, 9, 30)  # noqa: DTZ001


def test_a_day_beyond_the_calendar_is_an_error_cell_and_no_end_of_the_table(tmp_path):
    book = Workbook()
    book.active.append([date(2025, 9, 30), 7])
    book.save(tmp_path / "表.xlsx")
    path = rewritten(tmp_path / "表.xlsx", SHEET, lambda sheet: re.sub(rb"<v>45930</v>", b"<v>99999999999</v>", sheet))
    assert [cell.value for cell in head(path)[0]] == ["#VALUE!", 7]


def sheet_of(tmp_path: Path, rows: str, prefix: str = "") -> Path:
    """A workbook whose sheet another program wrote."""
    Workbook().save(tmp_path / "表.xlsx")
    colon = f":{prefix}" if prefix else ""
    mark = f"{prefix}:" if prefix else ""
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    body = re.sub(r"<(/?)", rf"<\1{mark}", f"<worksheet><sheetData>{rows}</sheetData></worksheet>")
    body = body.replace("worksheet>", f'worksheet xmlns{colon}="{space}">', 1)
    return rewritten(tmp_path / "表.xlsx", SHEET, lambda _: body.encode())


def test_cells_and_rows_without_names_stand_one_after_another(tmp_path):
    path = sheet_of(
        tmp_path, '<row><c><v>1</v></c><c r="D1"><v>2</v></c><c><v>3</v></c></row><row><c><v>4</v></c></row>'
    )
    sheet = xlsx(path.read_bytes(), path.name, None, 1 << 20)
    assert [(line, [cell.value for cell in cells]) for line, cells in sheet.head] == [
        (1, [1, None, None, 2, 3]),
        (2, [4]),
    ]


def test_a_prefix_before_every_element_is_no_matter(tmp_path):
    path = sheet_of(tmp_path, '<row r="7"><c r="B7" t="b"><v>1</v></c></row>', prefix="x")
    assert head(path) == [[Cell(None), Cell("True", "general")]]


def test_how_a_word_is_pronounced_is_no_part_of_it(tmp_path):
    spoken = '<rPh sb="0" eb="1"><t>wan</t></rPh>'
    path = sheet_of(tmp_path, f'<row><c t="inlineStr"><is><r><t>万</t></r><r><t>东</t></r>{spoken}</is></c></row>')
    assert head(path)[0][0].value == "万东"


def test_a_reference_to_no_text_is_a_broken_workbook(tmp_path):
    path = sheet_of(tmp_path, '<row><c t="s"><v>7</v></c></row>')
    with pytest.raises(Exception, match="broken workbook"):
        head(path)


@pytest.mark.parametrize("number", ["0", "-2", "1e30", "INF", "NaN"])
def test_a_row_that_no_sheet_has_is_a_broken_workbook(tmp_path, number):
    path = sheet_of(tmp_path, f'<row r="{number}"><c><v>7</v></c></row>')
    with pytest.raises(Exception, match="broken workbook"):
        head(path)


@pytest.mark.parametrize("value", ["", "<v/>", "<v></v>"])
def test_a_formula_without_result_is_shown_and_one_that_gives_no_words_is_blank(tmp_path, value):
    path = sheet_of(tmp_path, f'<row><c><f>1+1</f>{value}</c><c t="str"><f>""</f><v></v></c><c><v>5</v></c></row>')
    assert [cell.value for cell in head(path)[0]] == ["=1+1", None, 5]
