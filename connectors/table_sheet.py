"""Reads one sheet of a workbook by columns: XLSX in a stream, numbers and dates as the sheet shows them."""

import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, islice
from typing import Any, TypeAlias
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile, ZipFile

import numpy as np
from defusedxml import DefusedXmlException
from numpy.typing import NDArray
from openpyxl import load_workbook
from openpyxl.styles.numbers import BUILTIN_FORMATS
from openpyxl.utils import range_boundaries
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet._reader import FORMULA_TAG, VALUE_TAG, WorkSheetParser

from connectors.base import ConnectorError, Failure
from connectors.figures import Column, Mask, Rows, objects
from connectors.table_layout import HEAD, Cell, Head, Header, Merged, key, letter

Row: TypeAlias = tuple[int, dict[int, Cell]]
"""The number of a row, and its cells by column (from 0); blank ones may be missing."""

_NOT_SHOWN = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')  # parts of a number format that are no digits and no dates
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^<>]*?ref="([A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7})"')
_CHUNK = 1 << 20
_MOST_MERGED = 100_000
_BROKEN = (
    BadZipFile, zlib.error, InvalidFileException, ParseError, DefusedXmlException, KeyError, ValueError, TypeError, IndexError,
    AttributeError, OSError, EOFError, NotImplementedError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """The wanted columns below a header: fields by name, figures in the order asked for.

    ``percent`` marks, per column of figures, cells that state % themselves
    (None: no cell does so by its format). ``place`` names cells by their
    column positions and lines, ``merged`` are the merged cells of the sheet.
    """

    fields: Mapping[str, Column]
    figures: Sequence[NDArray[Any]]
    line: NDArray[np.int64]
    torn: Mask
    place: Callable[[Rows, NDArray[np.int64]], list[str]]
    percent: Sequence[Mask] | None = None


class Sheet:
    """One sheet: its first rows, its merged cells, and its columns."""

    def __init__(self, name: str, rows: Iterator[Row], merged: Sequence[Merged], broken: ConnectorError) -> None:
        self.name, self.merged, self._broken = name, merged, broken
        self._rows = rows
        self._look()

    def _look(self) -> None:
        rows = self._rows
        try:
            self._first = list(islice(rows, HEAD))
        except _BROKEN:
            raise self._broken from None
        self._rows = chain(self._first, rows)
        self.head: Head = [(line, _dense(cells)) for line, cells in self._first]

    def between(self, title: str | None, until: str | None, document: str) -> "Sheet":
        """Only the rows from the one with a cell that begins with ``title``, and above the next that has ``until``.

        Raises ConnectorError MISCONFIGURED where one of them stands nowhere. Can be asked for once, first of all.
        """
        if title or until:
            self._rows = _between(self._rows, title, until, f"{document} {self.name}")
            self._look()
        return self

    def table(self, header: Header, fields: dict[str, int], figures: Sequence[int]) -> Table:
        """The columns below ``header``; only they are kept of a long sheet. Can be asked for once."""
        blank = Cell(None)
        labels: dict[str, list[Any]] = {field: [] for field in fields}
        values: list[list[Any]] = [[] for _ in figures]
        percents: list[list[bool]] = [[] for _ in figures]
        lines: list[int] = []
        try:
            for line, cells in self._rows:
                if line <= header.last:
                    continue
                lines.append(line)
                for field, place in fields.items():
                    labels[field].append(cells.get(place, blank).content(field))
                for place, column, percent in zip(figures, values, percents, strict=True):
                    cell = cells.get(place, blank)
                    column.append(cell.content("value"))
                    percent.append(cell.percent)
        except _BROKEN:
            raise self._broken from None
        line_numbers = np.array(lines, dtype=np.int64)
        return Table(
            fields={
                field: _under_merged(Column.of(cells), fields[field], line_numbers, self.merged)
                for field, cells in labels.items()
            },
            figures=[objects(column) for column in values],
            line=line_numbers,
            torn=np.zeros(len(lines), dtype=bool),
            place=self._names,
            percent=[np.array(percent, dtype=bool) for percent in percents],
        )

    def _names(self, positions: Rows, lines: NDArray[np.int64]) -> list[str]:
        letters = map(letter, positions.tolist())
        return [f"{self.name}!{at}{line}" for at, line in zip(letters, lines.tolist(), strict=True)]


def xlsx(data: bytes, document: str, sheet: str | None, most: int) -> Sheet:
    """The sheet (default: the first), which must not unpack to more than ``most`` bytes.

    Raises ConnectorError: MISCONFIGURED for a sheet that is not there,
    BAD_ANSWER for bytes that are no workbook, TOO_LARGE.
    """
    broken = broken_workbook(document)
    try:
        with ZipFile(BytesIO(data)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())  # zipfile never unpacks more than it says
        if unpacked > most:
            raise ConnectorError(
                Failure.TOO_LARGE,
                f"{document} 解压后 {unpacked / 2**20:.0f} MB，超过 {most >> 20} MB (too large); 请拆分文件，或加大 max_mb",
                retryable=False,
            )
        book = load_workbook(BytesIO(data), read_only=True, data_only=True)
        names = [one.title for one in book.worksheets]
        name = chosen(names, sheet, document)
        return Sheet(name, _rows(book, book[name]), _merged(book[name], document), broken)
    except _BROKEN:
        raise broken from None


def chosen(names: Sequence[str], sheet: str | None, document: str) -> str:
    """The name of the sheet to read."""
    name = sheet or "".join(names[:1])
    if name in names:
        return name
    raise ConnectorError(
        Failure.MISCONFIGURED,
        f"{document} 没有工作表 {name} (missing sheet); 有: {'、'.join(names)}；请改 sheet",
        retryable=False,
    )


def broken_workbook(document: str) -> ConnectorError:
    """The error for bytes that Excel would not open either."""
    return ConnectorError(
        Failure.BAD_ANSWER,
        f"{document} 不是完好的工作簿 (broken workbook); 请用 Excel 打开后另存为 .xlsx（不设密码）",
        retryable=False,
    )


def shown(number_format: str | None) -> str:
    """The part of a number format that tells dates and percentages."""
    return _NOT_SHOWN.sub("", number_format or "").lower()


class _Parser(WorkSheetParser):  # type: ignore[misc]  # openpyxl has no types
    """openpyxl's own stream of cells, which would take a formula that was never computed for a blank cell."""

    def parse_cell(self, element: Any) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        formula = element.find(FORMULA_TAG)
        if cell["value"] is None and formula is not None and element.find(VALUE_TAG) is None:
            cell["value"] = f"={formula.text or ''}"
        return cell


def _rows(book: Any, sheet: Any) -> Iterator[Row]:
    formats: dict[Any, str] = {}

    def format_of(style: Any) -> str:
        if style not in formats:
            formats[style] = shown(_number_format(book, int(style)))
        return formats[style]

    with sheet._get_source() as source:  # noqa: SLF001  its own rows are padded to 16,384 cells where a file says so
        parser = _Parser(
            source,
            sheet._shared_strings,  # noqa: SLF001
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,  # noqa: SLF001
            timedelta_formats=book._timedelta_formats,  # noqa: SLF001
        )
        for line, cells in parser.parse():
            yield (
                line,
                {
                    cell["column"] - 1: Cell(cell["value"], format_of(cell["style_id"]))
                    for cell in cells
                    if cell["value"] is not None
                },
            )


def _number_format(book: Any, style: int) -> str:
    number: int = book._cell_styles[style].numFmtId  # noqa: SLF001
    return str(BUILTIN_FORMATS.get(number) or (book._number_formats[number - 164] if number >= 164 else "General"))  # noqa: SLF001


def _merged(sheet: Any, document: str) -> list[Merged]:
    """Merged cells stand behind the rows of a sheet, but are needed to read its header."""
    found: list[Merged] = []
    with sheet._get_source() as source:  # noqa: SLF001
        kept = b""
        while chunk := source.read(_CHUNK):
            text = kept + chunk
            end = 0
            for match in _MERGED.finditer(text):
                left, top, right, bottom = range_boundaries(match[1].decode())
                found.append(Merged(top, left - 1, bottom, right - 1))
                end = match.end()
            if len(found) > _MOST_MERGED:
                raise ConnectorError(
                    Failure.TOO_LARGE,
                    f"{document} 合并单元格多于 {_MOST_MERGED} 处 (too many merged cells); 请取消合并",
                    retryable=False,
                )
            kept = text[max(end, len(text) - 256) :]
    return found


def _between(rows: Iterator[Row], title: str | None, until: str | None, where: str) -> Iterator[Row]:
    begun = title is None
    for row in rows:
        if begun and until and _says(row, until):
            return
        begun = begun or _says(row, title or "")
        if begun:
            yield row
    missing = until if begun else title
    if missing:
        raise ConnectorError(
            Failure.MISCONFIGURED,
            f"{where} 没有以“{missing}”开头的单元格 (missing title); 请改 {'until' if begun else 'title'}，照抄表上的文字",
            retryable=False,
        )


def _says(row: Row, words: str) -> bool:
    return any(isinstance(cell.value, str) and key(cell.value).startswith(key(words)) for cell in row[1].values())


def _dense(cells: Mapping[int, Cell]) -> list[Cell]:
    blank = Cell(None)
    return [cells.get(place, blank) for place in range(max(cells, default=-1) + 1)]


def _under_merged(column: Column, place: int, lines: NDArray[np.int64], merged: Sequence[Merged]) -> Column:
    """A label merged over several rows belongs to each of them."""
    codes = column.codes.copy()
    for area in merged:
        if area.left <= place <= area.right and area.bottom > area.top:
            first, after = np.searchsorted(lines, [area.top, area.bottom + 1])
            if first < after and lines[first] == area.top:
                codes[first:after] = codes[first]
    return Column(column.contents, codes)
