"""From the columns of a table to its figures: one row per figure, with all that the table says of it."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from connectors.base import ConnectorError, Failure
from connectors.figures import Cells, Column, Mask, Rows
from connectors.number import numbers
from connectors.observation import LeftOut
from connectors.period import in_year, period_in, period_until, since_january
from connectors.table_layout import Head, Header, at
from connectors.table_sheet import Table
from connectors.unit_words import unit_line, unit_of

FIELDS = ("series", "subject", "unit", "known", "status", "period", "year")
_NOTE = re.compile(r"\s*(?:[(（]?(?:注|备注|附注|说明|数据来源|资料来源|note|data source)|\d+[.、．])", re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20|21)\d\d")


@dataclass(frozen=True, slots=True)
class Layout:
    """What an author says of a table beyond the names of its columns.

    ``across``: header row by field; ``above``: cell by field; ``alone``: what is said of a column of figures alone,
    by its place; ``fill``: fields whose blank cells repeat the one above; ``skip``: labels of rows that are left out;
    ``dates``: what a date stands for (month, ...); ``to_date``: what a series is called over January to a month;
    ``unit``: the unit where the table states none.
    """

    across: Mapping[str, int] = field(default_factory=dict)
    above: Mapping[str, str] = field(default_factory=dict)
    alone: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    fill: Sequence[str] = ()
    skip: Sequence[str] = ()
    dates: str | None = None
    to_date: str | None = None
    unit: str = ""


class Figures:
    """The columns of figures at ``places``, with their labels at ``fields``, below ``header``.

    ``left_out`` counts the figures that are set aside by their rows.
    """

    def __init__(
        self,
        table: Table,
        head: Head,
        header: Header,
        fields: Mapping[str, int],
        places: Sequence[int],
        layout: Layout,
    ) -> None:
        self._head, self._header, self._layout = head, header, layout
        self._stand, self._places = fields, np.array(places, dtype=np.intp)
        self._table = table
        labels = {name: _filled(column) if name in layout.fill else column for name, column in table.fields.items()}
        kept, self.left_out = self._rows_kept(labels)
        self._kept = slice(None) if kept.all() else kept
        self._labels = {name: Column(column.contents, column.codes[self._kept]) for name, column in labels.items()}
        self._line = table.line[self._kept]
        self._each = np.repeat(np.arange(len(places)), len(self._line))
        self._all = np.zeros(len(self._each), dtype=np.intp)

    def cells(self) -> Cells:
        """One row per figure: the columns of figures one below the other."""
        values = np.concatenate([column[self._kept] for column in self._table.figures])
        period = self._period()
        series = self._said("series")
        if series is not None and self._layout.to_date:
            named = [bool(self._layout.alone.get(place, {}).get("series")) for place in self._places.tolist()]
            series = _since_january(series, period, np.array(named, dtype=bool)[self._each], self._layout.to_date)
        if self._layout.dates:
            period = Column([period_until(one, self._layout.dates) for one in period.contents], period.codes)
        copies = len(self._places)
        return Cells(
            period=period,
            value=values,
            line=_repeated(self._line, copies),
            torn=_repeated(self._table.torn[self._kept], copies),
            place=_places(self._table.place, self._stand, self._places, self._line),
            notes_below="period" in self._stand,
            series=series,
            subject=self._said("subject"),
            unit=self._unit(series, values),
            known=self._said("known"),
            status=self._said("status"),
        )

    def _said(self, name: str) -> Column | None:
        """The field of each figure: as said of its column alone, by its row, by its column, above the table."""
        layout, layers = self._layout, []
        own = [layout.alone.get(place, {}).get(name, "") for place in self._places.tolist()]
        if any(own):
            layers.append(Column(own, self._each))
        if name in self._labels:
            label = self._labels[name]
            layers.append(Column(label.contents, _repeated(label.codes, len(self._places))))
        if name in layout.across:
            level = self._header.levels[layout.across[name] - self._header.first]
            contents = [level[place] if place < len(level) else "" for place in self._places.tolist()]
            layers.append(Column(contents, self._each))
        if name in layout.above and name != "unit":
            text = str(at(self._head, layout.above[name]).content(name))
            layers.append(Column([_stated(text, name)], self._all))
        return _first_said(layers)

    def _period(self) -> Column:
        period, year = self._said("period") or Column([""], self._all), self._said("year")
        if year is None:
            return period
        title = self._header.title(self._stand["period"]) if "period" in self._stand else ""
        return _pairs(period, year, lambda content, of: in_year(content, of, title))

    def _unit(self, series: Column | None, values: NDArray[Any]) -> Column | None:
        """The unit of each figure: the nearest to it that is stated. The cell, a label, a title, above the table."""
        percent = self._percent(values)
        own = Column(["", "%"], percent.astype(np.intp)) if percent.any() else None
        paths = [self._header.paths[place] if place < len(self._header.paths) else () for place in self._places]
        titles = [next(filter(None, map(unit_of, reversed(path))), "") for path in paths]
        layers = [
            own,
            self._said("unit"),
            Column(titles, self._each) if any(titles) else None,
            Column([unit_of(str(one)) for one in series.contents], series.codes) if series is not None else None,
            Column([self._unit_above() or self._layout.unit], self._all),
        ]
        return _first_said([layer for layer in layers if layer is not None and any(map(_is_said, layer.contents))])

    def _unit_above(self) -> str:
        if "unit" in self._layout.above:
            return _stated(str(at(self._head, self._layout.above["unit"]).content("unit")), "unit")
        cells = (cell for line, row in self._head if line <= self._header.last for cell in row)
        found = {unit_line(cell.value) for cell in cells if isinstance(cell.value, str)} - {""}
        if len(found) > 1:
            raise ConnectorError(
                Failure.MISCONFIGURED,
                f"表上写了几个计量单位: {'、'.join(sorted(found))} (ambiguous unit); 请用 above: {{unit: B2}} 指明所在单元格",
                retryable=False,
            )
        return "".join(found)

    def _percent(self, values: NDArray[Any]) -> Mask:
        """Cells that state % themselves: by their format, or as typed."""
        typed = np.zeros(len(values), dtype=bool)
        if values.dtype == object:
            typed[:] = [isinstance(cell, str) and cell.rstrip().endswith(("%", "％")) for cell in values.tolist()]
        if self._table.percent is not None:
            typed |= np.concatenate([column[self._kept] for column in self._table.percent])
        return typed

    def _rows_kept(self, labels: Mapping[str, Column]) -> tuple[Mask, Counter[LeftOut]]:
        """All rows but those to skip and, where periods do not stand beside them, notes under the table."""
        lines = len(self._table.line)
        skipped, notes = np.zeros(lines, dtype=bool), np.zeros(lines, dtype=bool)
        for column in labels.values():
            skipped |= column.which(lambda content: str(content).strip() in self._layout.skip)
        if "period" not in labels:
            notes = self._notes(labels) & ~skipped
        left_out: Counter[LeftOut] = Counter()
        for figures in self._table.figures if skipped.any() or notes.any() else ():
            read = numbers(figures)
            said = ~read.blank | read.nil
            left_out[LeftOut.SKIPPED] += int((said & skipped).sum())
            left_out[LeftOut.NOTE] += int((said & notes).sum())
        return ~(skipped | notes), left_out

    def _notes(self, labels: Mapping[str, Column]) -> Mask:
        """Below the last number: the first row that begins as notes do, and all under it."""
        lines = np.arange(len(self._table.line))
        number = np.zeros(len(lines), dtype=bool)
        for figures in self._table.figures:
            read = numbers(figures)
            number |= ~read.blank & ~read.bad
        begins = np.zeros(len(lines), dtype=bool)
        for column in labels.values():
            begins |= column.which(lambda content: _NOTE.match(str(content)) is not None)
        begins &= lines > (np.flatnonzero(number)[-1] if number.any() else len(lines))
        return lines >= (np.flatnonzero(begins)[0] if begins.any() else len(lines))


def _places(
    name_of: Callable[[Rows, NDArray[np.int64]], list[str]],
    fields: Mapping[str, int],
    places: Rows,
    line: NDArray[np.int64],
) -> Callable[[str, Rows], list[str]]:
    """What names the cells of a field at given figures. It outlives the reading, so it holds no more than it needs."""

    def place(field: str, rows: Rows) -> list[str]:
        stands = np.full(len(rows), fields[field]) if field in fields else places[rows // len(line)]
        return name_of(stands, line[rows % len(line)])

    return place


def _is_said(content: Any) -> bool:
    return not isinstance(content, str) or content.replace("\xa0", " ").strip() != ""


def _repeated(cells: NDArray[Any], copies: int) -> NDArray[Any]:
    return np.tile(cells, copies) if copies > 1 else cells


def _filled(column: Column) -> Column:
    """Blank cells repeat the one above."""
    said = column.which(_is_said)
    above = np.maximum.accumulate(np.where(said, np.arange(len(said)), -1))
    return Column(column.contents, np.where(above >= 0, column.codes[above], column.codes))


def _first_said(layers: Sequence[Column]) -> Column | None:
    """In each row what the first layer says that says anything."""
    if not layers:
        return None
    first, *others = layers
    for layer in others:
        said = first.which(_is_said)
        if said.all():
            break
        codes = np.where(said, first.codes, layer.codes + len(first.contents))
        first = Column([*first.contents, *layer.contents], codes)
    return first


def _pairs(first: Column, second: Column, join: Callable[[Any, Any], Any]) -> Column:
    """Both columns as one, each distinct pair joined once."""
    pairs = first.codes.astype(np.int64) * len(second.contents) + second.codes
    codes, distinct = pd.factorize(pairs)
    found = [divmod(int(pair), len(second.contents)) for pair in distinct]
    return Column([join(first.contents[one], second.contents[two]) for one, two in found], codes)


def _since_january(series: Column, period: Column, named: Mask, words: str) -> Column:
    """Series over January to a month get another name, unless ``named`` by the author: the month stands beside them."""
    contents = [since_january(content) for content in period.contents]
    spans = Column([*contents, False], np.where(named, len(contents), period.codes))
    return _pairs(series, spans, lambda name, span: f"{name}{words}" if span and _is_said(name) else name)


def _stated(text: str, name: str) -> str:
    """What a cell above the table states as ``name``: ``填报单位：万东镇``, ``2025年1—10月主要指标``, ``单位：亿元``."""
    match name:
        case "unit":
            return unit_line(text) or unit_of(text) or text
        case "period":
            return period_in(text)
        case "year":
            found = _YEAR.search(text)
            return found[0] if found else text
        case _:
            return re.split("[:：]", text, maxsplit=1)[-1].strip()
