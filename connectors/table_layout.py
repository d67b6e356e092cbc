"""Tables as people lay them out: finds the header, and turns one column per series into one row per figure."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.base import ConnectorError, Failure
from connectors.figures import Cells, Column, Mask, Rows

_HEADER_WITHIN = 100  # rows searched for the header where its row is not given


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read of a table: the column header of each field, and the value columns with the series of each.

    A long table has one value column, whose series is None: another field names it.
    """

    fields: Mapping[str, str]
    figures: Mapping[str, str | None]

    def headers(self) -> list[str]:
        """Every column header that must be there."""
        return [*self.fields.values(), *self.figures]


@dataclass(frozen=True, slots=True)
class Header:
    """A header row: its line, the titles of its cells, and where the wanted ones stand."""

    line: int
    titles: tuple[str, ...]
    positions: Mapping[str, int]
    missing: tuple[str, ...]

    @property
    def width(self) -> int:
        """Columns up to the last one with a title."""
        return max((place for place, title in enumerate(self.titles, start=1) if title), default=0)


def find_header(rows: Iterable[tuple[int, Sequence[object]]], wanted: Sequence[str], at: int | None) -> Header:
    """The first of the numbered ``rows`` that holds all ``wanted`` titles, or the row ``at``.

    Where there is none, the nearest row, which says what it misses. Titles are
    compared without blanks and in half width. Raises ConnectorError where a
    wanted title stands twice.
    """
    nearest = Header(at or 1, (), {}, tuple(wanted))
    for line, cells in rows:
        if line > (at or _HEADER_WITHIN):
            break
        if at and line < at:
            continue
        header = _header(line, cells, wanted)
        if not header.missing:
            return header
        if (len(header.missing), -header.width) < (len(nearest.missing), -nearest.width):
            nearest = header
    return nearest


def complete(header: Header, document: str) -> Header:
    """The header again, or a ConnectorError that names the columns that it misses and those that are there."""
    if header.missing:
        there = "、".join(title for title in header.titles if title) or "没有表头"
        raise ConnectorError(
            Failure.MISCONFIGURED,
            f"{document} 没有列 {'、'.join(header.missing)} (missing column); 第{header.line}行有: {there}; "
            "请改 columns/values 里的列名，或用 header 指明表头所在行",
            retryable=False,
        )
    return header


def _header(line: int, cells: Sequence[object], wanted: Sequence[str]) -> Header:
    titles = tuple("" if cell is None else str(cell).strip() for cell in cells)
    keys = [_key(title) for title in titles]
    found = {title: keys.index(_key(title)) for title in wanted if _key(title) in keys}
    missing = tuple(title for title in wanted if title not in found)
    twice = [title for title in found if keys.count(_key(title)) > 1]
    if twice and not missing:
        raise ConnectorError(
            Failure.MISCONFIGURED,
            f"第{line}行有两列都叫 {'、'.join(twice)} (ambiguous column): 请在表里改一个名字",
            retryable=False,
        )
    return Header(line, titles, found, missing)


def _key(title: str) -> str:
    return "".join(unicodedata.normalize("NFKC", title).split())


@dataclass(frozen=True, slots=True)
class Table:
    """The wanted columns of a table below its header: fields by name, figures in the order of ``Wanted.figures``.

    ``place`` names cells by their column positions and lines.
    """

    fields: Mapping[str, Column]
    figures: Sequence[NDArray[Any]]
    line: NDArray[np.int64]
    torn: Mask
    place: Callable[[Rows, NDArray[np.int64]], list[str]]


def cells_of(table: Table, header: Header, wanted: Wanted) -> Cells:
    """One row per figure: the value columns one below the other, the fields beside each."""
    rows, copies = len(table.line), len(table.figures)
    stands = {field: header.positions[title] for field, title in wanted.fields.items()}
    values_stand = np.array([header.positions[title] for title in wanted.figures], dtype=np.intp)

    def place(field: str, at: Rows) -> list[str]:
        positions = np.full(len(at), stands[field]) if field in stands else values_stand[at // rows]
        return table.place(positions, table.line[at % rows])

    fields = {name: Column(column.contents, np.tile(column.codes, copies)) for name, column in table.fields.items()}
    if None not in wanted.figures.values():
        fields["series"] = Column(list(wanted.figures.values()), np.repeat(np.arange(copies), rows))
    return Cells(
        value=np.concatenate(table.figures),
        line=np.tile(table.line, copies),
        torn=np.tile(table.torn, copies),
        place=place,
        notes_below=True,
        **fields,
    )
