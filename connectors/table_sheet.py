"""One sheet of a workbook by columns, read in a stream of rows: numbers and dates as the sheet shows them."""

import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from connectors.base import ConnectorError, Failure
from connectors.figures import Column, Mask, Rows
from connectors.table_layout import HEAD, Cell, Head, Header, Merged, key, letter

Row: TypeAlias = tuple[int, dict[int, Cell]]
"""The number of a row, and its cells by column (from 0); blank ones may be missing."""

_NOT_SHOWN = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')  # parts of a number format that are no digits and no dates


_BLANK = Cell(None)
_EXACT = 2**53  # whole numbers below it are the same as floats


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

    def __init__(self, name: str, rows: Iterator[Row], merged: Sequence[Merged]) -> None:
        self.name, self.merged, self._rows = name, merged, rows
        self._look()

    def _look(self) -> None:
        first = list(islice(self._rows, HEAD))
        self._rows = chain(first, self._rows)
        self.head: Head = [(line, _dense(cells)) for line, cells in first]

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
        labels = {field: _Labels(place) for field, place in fields.items()}
        values = [_Values(place) for place in figures]
        takers = [*(column.take for column in labels.values()), *(column.take for column in values)]
        lines = array("q")
        for line, cells in self._rows:
            if line > header.last:
                lines.append(line)
                for take in takers:
                    take(cells)
        line_numbers = np.array(lines, dtype=np.int64)
        return Table(
            fields={
                field: _under_merged(column.column(field), column.place, line_numbers, self.merged)
                for field, column in labels.items()
            },
            figures=[column.figures() for column in values],
            line=line_numbers,
            torn=np.zeros(len(lines), dtype=bool),
            place=self._names,
            percent=[column.percent() for column in values],
        )

    def _names(self, positions: Rows, lines: NDArray[np.int64]) -> list[str]:
        letters = map(letter, positions.tolist())
        return [f"{self.name}!{at}{line}" for at, line in zip(letters, lines.tolist(), strict=True)]


class _Labels:
    """A column of labels: each distinct cell once."""

    def __init__(self, place: int) -> None:
        self.place = place
        self._codes = array("q")
        self._known: dict[Cell, int] = {}

    def take(self, cells: Mapping[int, Cell]) -> None:
        """Add the cell of a row."""
        self._codes.append(self._known.setdefault(cells.get(self.place, _BLANK), len(self._known)))

    def column(self, field: str) -> Column:
        """What the cells show as ``field``."""
        return Column([cell.content(field) for cell in self._known], np.array(self._codes, dtype=np.intp))


class _Values:
    """A column of figures: plain numbers as such, other cells by their rows."""

    def __init__(self, place: int) -> None:
        self._place = place
        self._numbers = array("d")
        self._others: dict[int, Cell] = {}

    def take(self, cells: Mapping[int, Cell]) -> None:
        """Add the cell of a row."""
        cell = cells.get(self._place, _BLANK)
        number = cell.value
        if (type(number) is float or (type(number) is int and abs(number) < _EXACT)) and "%" not in cell.shown:
            self._numbers.append(number)
            return
        if number is not None:
            self._others[len(self._numbers)] = cell
        self._numbers.append(np.nan)

    def figures(self) -> NDArray[Any]:
        """Numbers, NaN where there is none; with other contents among them where the column has any."""
        numbers = np.array(self._numbers, dtype=np.float64)
        if not self._others:
            return numbers
        contents = numbers.astype(object)
        for row, cell in self._others.items():
            contents[row] = cell.content("value")
        return contents

    def percent(self) -> Mask:
        """The rows that show a percentage."""
        shows = np.zeros(len(self._numbers), dtype=bool)
        shows[[row for row, cell in self._others.items() if cell.percent]] = True
        return shows


def sound(rows: Iterator[Row], broken: tuple[type[Exception], ...], error: ConnectorError) -> Iterator[Row]:
    """The same rows; raises ``error`` for whatever shows that the workbook is ``broken``."""
    try:
        yield from rows
    except broken:
        raise error from None


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
    return [cells.get(place, _BLANK) for place in range(max(cells, default=-1) + 1)]


def _under_merged(column: Column, place: int, lines: NDArray[np.int64], merged: Sequence[Merged]) -> Column:
    """A label merged over several rows belongs to each of them."""
    codes = column.codes.copy()
    for area in merged:
        if area.left <= place <= area.right and area.bottom > area.top:
            first, after = np.searchsorted(lines, [area.top, area.bottom + 1])
            if first < after and lines[first] == area.top:
                codes[first:after] = codes[first]
    return Column(column.contents, codes)
