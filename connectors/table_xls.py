"""Reads one sheet of an XLS workbook (Excel 97-2003), with its number formats and merged cells."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xlrd
from xlrd.compdoc import CompDocError

from connectors.table_layout import Cell, Merged
from connectors.table_sheet import Row, Sheet, broken_workbook, chosen, shown, sound

_BROKEN = (
    xlrd.XLRDError, CompDocError, struct.error, AssertionError, IndexError, KeyError, ValueError, TypeError,
    AttributeError, OverflowError, OSError,
)  # fmt: skip


def xls(data: bytes, document: str, sheet: str | None) -> Sheet:
    """The sheet (default: the first). Raises ConnectorError: MISCONFIGURED, BAD_ANSWER."""
    broken = broken_workbook(document)
    try:
        with Path(os.devnull).open("w") as silent:
            book = xlrd.open_workbook(file_contents=data, formatting_info=True, on_demand=True, logfile=silent)
        name = chosen(book.sheet_names(), sheet, document)
        page = book.sheet_by_name(name)
    except _BROKEN:
        raise broken from None
    merged = [Merged(top + 1, left, bottom, right - 1) for top, bottom, left, right in page.merged_cells]
    return Sheet(name, sound(_rows(book, page), _BROKEN, broken), merged)


def _rows(book: Any, page: Any) -> Iterator[Row]:
    for row in range(page.nrows):
        cells = {place: _cell(book, page.cell(row, place)) for place in range(page.row_len(row))}
        yield row + 1, cells


def _cell(book: Any, cell: Any) -> Cell:
    form = shown(book.format_map[book.xf_list[cell.xf_index].format_key].format_str)
    match cell.ctype:
        case xlrd.XL_CELL_DATE:
            return Cell(xlrd.xldate_as_datetime(cell.value, book.datemode), form)
        case xlrd.XL_CELL_BOOLEAN:
            return Cell(str(bool(cell.value)))
        case xlrd.XL_CELL_ERROR:
            return Cell(xlrd.error_text_from_code.get(cell.value, "#ERR"))
        case xlrd.XL_CELL_NUMBER | xlrd.XL_CELL_TEXT:
            return Cell(cell.value, form)
        case _:
            return Cell(None)
