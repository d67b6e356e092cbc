"""Forms as they come back: made by the program, filled in with openpyxl the way people do, put into a folder."""

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

from connectors.filing_form import KEY, STATUS, VALUE, Form, Line
from connectors.filing_workbook import FilingWorkbook
from connectors.strict import read
from monitor.intake.filing_sheet import workbook

JOBS = Line("urban-jobs", "城镇新增就业", "", "城镇新增就业", "人", whole=True)
RATE = Line("unemployment", "失业率", "", "城镇调查失业率", "%")
FUND = Line("fees", "社保基金收入", "", "社保基金收入", "亿元")
HEADER = 4


def a_form(*lines: Line, **changes: Any) -> Form:
    told = {"book": "b", "title": "方案", "source": "b/filings", "unit": "人力社保局", "period": "2025-10-31"}
    return Form(**{**told, "label": "2025年10月", "lines": lines or (JOBS, RATE, FUND), **changes})


def columns(sheet: Worksheet) -> dict[str, int]:
    return {cell.value: cell.column for cell in sheet[HEADER] if cell.value}


def rows(sheet: Worksheet) -> dict[str, int]:
    """The row of each key."""
    place = columns(sheet)[KEY]
    return {key: row for row in range(HEADER + 1, sheet.max_row + 1) if (key := sheet.cell(row, place).value)}


def filled(
    content: bytes, figures: Mapping[str, Mapping[str, Any] | Any], edit: Callable[[Any], object] = lambda _: None
) -> bytes:
    """The form with ``figures`` by key (a value, or cells by header), and what else a person does to the workbook."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    sheet = book.worksheets[0]
    for key, told in figures.items():
        for title, value in (told if isinstance(told, Mapping) else {VALUE: told}).items():
            sheet.cell(rows(sheet)[key], columns(sheet)[title]).value = value
    for area in list(sheet.merged_cells.ranges):  # which Excel moves with their rows and openpyxl does not
        sheet.unmerge_cells(str(area))
    edit(book)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def a_filing(
    figures: Mapping[str, Any], *lines: Line, edit: Callable[[Any], object] = lambda _: None, **form: Any
) -> bytes:
    return filled(workbook(a_form(*lines, **form)), figures, edit)


def put(folder: Path, name: str, content: bytes, second: int = 0) -> Path:
    """A file of long ago, so that it is taken to be whole; a higher ``second`` came later."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    os.utime(path, (1_700_000_000 + second,) * 2)
    return path


def connector(folder: Path) -> FilingWorkbook:
    return FilingWorkbook(read(FilingWorkbook.Options, {"path": "in/*.xlsx"}), folder)


NIL = {STATUS: "无报送事项"}
