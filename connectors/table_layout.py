"""Tables as people lay them out: finds the header, of one row or several, and the columns behind an author's names."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from connectors.base import ConnectorError, Failure
from connectors.unit_words import is_unit_line

HEAD = 100
"""Rows in which a header is looked for where its rows are not given."""
_HEIGHTS = (1, 2, 3)
_LETTERS = re.compile(r"([A-Z]{1,3})列")


class Cell(NamedTuple):
    """A cell as found, and the part of its number format that is shown ("" for texts)."""

    value: Any
    shown: str = ""

    def content(self, field: str) -> Any:
        """What the cell shows as ``field``: a date under ``yyyy"年"m"月"`` is a month, 0.052 under 0.0% is 5.2."""
        value = self.value
        if value is None:
            return ""
        if field == "value" and isinstance(value, date):
            return str(value)
        if field == "value" and self.percent:
            return float(f"{value * 100:.15g}")
        if field == "period" and isinstance(value, datetime) and "d" not in self.shown:
            return f"{value:%Y-%m}" if "m" in self.shown else f"{value:%Y}"
        return value if isinstance(value, int | float | date) else str(value)

    @property
    def percent(self) -> bool:
        """Whether a number is shown as a percentage."""
        return "%" in self.shown and isinstance(self.value, int | float)


class Merged(NamedTuple):
    """Cells merged into one: rows counted from 1, columns from 0, all inclusive."""

    top: int
    left: int
    bottom: int
    right: int


Head = Sequence[tuple[int, Sequence[Cell]]]
"""The first rows of a table, with their line numbers."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: names of columns by field, names of value columns, and header rows of fields.

    ``header`` are the first and the last row of the header ((1, 0): there is none), None where it is to be found.
    """

    columns: Mapping[str, str]
    figures: Sequence[str]
    across: Mapping[str, int]
    header: tuple[int, int] | None

    def names(self) -> list[str]:
        """Every column that must be there."""
        return [*self.columns.values(), *self.figures]


@dataclass(frozen=True, slots=True)
class Header:
    """The rows ``first`` to ``last``, and per column the texts above it, from top to bottom, a merged one once.

    ``levels`` are the rows, with each heading in every column that it stands above.
    """

    first: int
    last: int
    paths: tuple[tuple[str, ...], ...]
    missing: tuple[str, ...] = ()
    levels: tuple[tuple[str, ...], ...] = ()

    @property
    def width(self) -> int:
        """Columns up to the last one with a title."""
        return max((place for place, path in enumerate(self.paths, start=1) if path), default=0)

    def find(self, name: str) -> list[int]:
        """Columns called ``name``: ``C列``, or the end of the texts above it (``M2/同比增长``, or ``同比增长``)."""
        if letters := _LETTERS.fullmatch(name.strip().upper()):
            return [position(letters[1])]
        wanted = key(name)
        ends = ("/".join(map(key, path)) for path in self.paths)
        return [place for place, end in enumerate(ends) if end and (end == wanted or end.endswith(f"/{wanted}"))]

    def under(self, name: str) -> list[int]:
        """Columns called ``name``, or standing under a heading of that name."""
        inside = (place for place, path in enumerate(self.paths) if key(name) in map(key, path))
        return sorted({*self.find(name), *inside})

    def title(self, place: int) -> str:
        """The name of a column: the texts above it, or its letter."""
        path = self.paths[place] if place < len(self.paths) else ()
        return "/".join(" ".join(part.split()) for part in path) or f"{letter(place)}列"


def find_header(head: Head, wanted: Wanted, merged: Sequence[Merged], document: str) -> Header:
    """The header among the rows of ``head``: the given rows, or the first that hold all wanted names.

    Names are compared without blanks and in half width. Raises ConnectorError
    (MISCONFIGURED) where a name is missing, with those that are there, or
    stands for several columns.
    """
    header = nearest_header(head, wanted, merged)
    if header.missing:
        there = "、".join(header.title(place) for place, path in enumerate(header.paths) if path) or "没有表头"
        raise ConnectorError(
            Failure.MISCONFIGURED,
            f"{document} 没有列 {'、'.join(header.missing)} (missing column); 第{header.last}行有: {there}; "
            "请改 columns/values 里的列名，或用 header 指明表头所在行",
            retryable=False,
        )
    for name in wanted.names():
        found = header.find(name)
        if len(found) > 1:
            choices = "、".join(f"{letter(place)}列（{header.title(place)}）" for place in found)
            raise ConnectorError(
                Failure.MISCONFIGURED,
                f"{document} 第{header.last}行有两列都叫 {name} (ambiguous column): {choices}; "
                "请写全上级表头（上级/下级），或写列号，如 C列",
                retryable=False,
            )
    return header


def nearest_header(head: Head, wanted: Wanted, merged: Sequence[Merged]) -> Header:
    """The header that misses the fewest names, of these the widest, of these the first."""
    names = wanted.names()
    if wanted.header is not None:
        return _header(head, *wanted.header, names, merged)
    nearest = Header(1, 1, (), tuple(names))
    merged = [area for area in merged if area.top <= max((line for line, _ in head), default=0)]
    for height in _HEIGHTS:
        for line, _ in head:
            header = _header(head, line, line + height - 1, names, merged)
            if not header.missing:
                return header
            if (len(header.missing), -header.width) < (len(nearest.missing), -nearest.width):
                nearest = header
        titles = {key(_title(cell)) for _, cells in head for cell in cells}
        if not all(_possible(name, titles) for name in names):
            break
    return nearest


def _possible(name: str, titles: set[str]) -> bool:
    """Whether some cell may be the lowest title of the column ``name``."""
    parts = key(name).split("/")
    return bool(_LETTERS.fullmatch(name)) or any("/".join(parts[cut:]) in titles for cut in range(len(parts)))


def _header(head: Head, first: int, last: int, names: Sequence[str], merged: Sequence[Merged]) -> Header:
    rows = [(line, [_title(cell) for cell in cells]) for line, cells in head if first <= line <= last]
    width = max((len(titles) for _, titles in rows), default=0)
    levels = [_spread(line, titles + [""] * (width - len(titles)), merged) for line, titles in rows]
    for row, upper in enumerate(levels[:-1]):
        # Where its cells are not merged, a heading over several columns stands in the first of them only.
        for place in range(1, width):
            same_group = all(level[place] == level[place - 1] for level in levels[:row])
            if not upper[place] and levels[row + 1][place] and same_group:
                upper[place] = upper[place - 1]
    paths = tuple(tuple(dict.fromkeys(filter(None, column))) for column in zip(*levels, strict=True))
    parts = tuple(tuple(part for part in path if not is_unit_line(part)) for path in paths)
    found = Header(first, last, parts, levels=tuple(tuple(level) for level in levels))
    return replace(found, missing=tuple(name for name in names if not found.find(name)))


def _spread(line: int, titles: list[str], merged: Sequence[Merged]) -> list[str]:
    """The titles of a row with each merged one in every column that it covers (its lower rows stay blank)."""
    for area in merged:
        if area.top == line:
            covered = slice(area.left, area.right + 1)
            titles[covered] = [titles[area.left]] * len(titles[covered]) if area.left < len(titles) else []
    return titles


def _title(cell: Cell) -> str:
    content = cell.content("period")
    if isinstance(content, datetime):
        return f"{content:%Y-%m-%d}"
    return str(int(content) if isinstance(content, float) and content.is_integer() else content).strip()


def key(title: str) -> str:
    """A title as it is compared: in half width, without blanks."""
    return "".join(unicodedata.normalize("NFKC", title).split())


def position(letters: str) -> int:
    """The column called ``letters``, counted from 0."""
    place = 0
    for one in letters:
        place = place * 26 + ord(one) - ord("A") + 1
    return place - 1


def letter(place: int) -> str:
    """The letters of a column counted from 0."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def at(head: Head, name: str) -> Cell:
    """The cell ``B2`` of the first rows; an empty one where there is none."""
    found = re.fullmatch(r"([A-Z]+)(\d+)", name)
    assert found
    cells: Sequence[Cell] = next((cells for line, cells in head if line == int(found[2])), ())
    place = position(found[1])
    return cells[place] if place < len(cells) else Cell(None)
