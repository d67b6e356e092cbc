"""Reads the wanted columns of one sheet of an XLSX workbook, numbers and dates as the sheet shows them."""

import re
from datetime import date, datetime
from io import BytesIO
from typing import Any
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from connectors.base import ConnectorError, Failure
from connectors.figures import Cells, Column, Rows, objects
from connectors.table_layout import Table, Wanted, cells_of, complete, find_header

_NOT_SHOWN = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')  # parts of a number format that are no digits and no dates


def sheet_cells(data: bytes, wanted: Wanted, document: str, *, header: int | None, sheet: str | None) -> Cells:
    """The wanted cells of the sheet (default: the first), each called ``Sheet!C7``.

    Raises ConnectorError: MISCONFIGURED for a sheet or column that is not
    there, BAD_ANSWER for bytes that are no workbook.
    """
    name, rows = _rows(data, document, sheet)
    titles = ((line, [cell.value for cell in row]) for line, row in rows)
    found = complete(find_header(titles, wanted.headers(), header), f"{document} {name}")
    below = [row for line, row in rows if line > found.line]

    def column(title: str, kind: str) -> list[Any]:
        place = found.positions[title]
        return [_content(row[place], kind) if place < len(row) else "" for row in below]

    def place(positions: Rows, lines: NDArray[np.int64]) -> list[str]:
        letters = map(get_column_letter, (positions + 1).tolist())
        return [f"{name}!{letter}{line}" for letter, line in zip(letters, lines.tolist(), strict=True)]

    table = Table(
        fields={field: Column.of(column(title, field)) for field, title in wanted.fields.items()},
        figures=[objects(column(title, "value")) for title in wanted.figures],
        line=found.line + 1 + np.arange(len(below)),
        torn=np.zeros(len(below), dtype=bool),
        place=place,
    )
    return cells_of(table, found, wanted)


def _rows(data: bytes, document: str, sheet: str | None) -> tuple[str, list[tuple[int, Any]]]:
    """The name of the sheet and its numbered rows."""
    try:
        book = load_workbook(BytesIO(data), read_only=True, data_only=True)
        names: list[str] = [one.title for one in book.worksheets]
        name = sheet or "".join(names[:1])
        if name in names:
            book[name].reset_dimensions()  # what a workbook says of its own size may be wrong
            return name, list(enumerate(book[name].iter_rows(), start=1))
    except (BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, OSError, EOFError) as error:
        raise ConnectorError(
            Failure.BAD_ANSWER,
            f"{document} 不是完好的 XLSX 工作簿 (broken workbook: {type(error).__name__}); 请用 Excel 打开后另存为 .xlsx",
            retryable=False,
        ) from None
    raise ConnectorError(
        Failure.MISCONFIGURED,
        f"{document} 没有工作表 {name} (missing sheet); 有: {'、'.join(names)}；请改 sheet",
        retryable=False,
    )


def _content(cell: Any, kind: str) -> Any:
    """What the cell shows: 0.052 under a percent format is 5.2, a date under ``yyyy"年"m"月"`` is a month."""
    content = cell.value
    if content is None:
        return ""
    if isinstance(content, bool) or (kind == "value" and isinstance(content, date)):
        return str(content)
    if kind == "value" and isinstance(content, int | float) and "%" in _shown(cell):
        return float(f"{content * 100:.15g}")
    if kind == "period" and isinstance(content, datetime) and "d" not in _shown(cell):
        return f"{content:%Y-%m}" if "m" in _shown(cell) else f"{content:%Y}"
    return content if isinstance(content, int | float | date) else str(content)


def _shown(cell: Any) -> str:
    return _NOT_SHOWN.sub("", cell.number_format or "").lower()
