"""From the cells that a source holds to a Reading: the one place where connectors parse, refuse and leave out figures.

Works in columns: each distinct text is parsed once, numbers are parsed
together, and only cells that fail are looked at one by one.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from connectors.fields import Constants
from connectors.number import Numbers, numbers
from connectors.observation import COLUMNS, NIL, STATUSES, LeftOut, Query, Reading, Refusal, Refused, Status, storable
from connectors.period import moment, period_end
from connectors.places import Places
from connectors.status import status

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]

_WORDS_SHOWN = 200
_KEYS = 2**62  # keys of figures stay below it, to fit an int64
_SPARSE = 64  # keys that there may be for each figure, to tick them off


def objects(cells: Sequence[Any]) -> NDArray[Any]:
    """Cells as found in an array that leaves them as they are."""
    as_found = np.empty(len(cells), dtype=object)
    as_found[:] = cells
    return as_found


@dataclass(frozen=True, slots=True)
class Column:
    """The cells of one field: its distinct contents and, per row, which of them stands there ("" for none)."""

    contents: Sequence[Any]
    codes: Rows

    @classmethod
    def of(cls, cells: Sequence[Any]) -> "Column":
        """Cells as found: texts, numbers, dates."""
        codes, contents = pd.factorize(objects(cells))
        return cls(list(contents), codes)

    def words(self, row: int) -> str:
        """The content at ``row`` as text."""
        content = self.contents[self.codes[row]]
        return str(int(content) if isinstance(content, float) and content.is_integer() else content).strip()

    def which(self, of: Callable[[Any], bool]) -> Mask:
        """The rows whose content is one of those that ``of`` picks."""
        picked = [of(content) for content in self.contents]
        if all(picked) or not any(picked):
            return np.full(len(self.codes), bool(picked) and picked[0])
        return np.array(picked, dtype=bool)[self.codes]

    def names(self) -> "Column":
        """The same cells as clean names: texts without outer or hard blanks, equal ones under one code."""
        cleaned = Column(self.contents, np.arange(len(self.contents)))
        names = Column.of([storable(cleaned.words(row)).replace("\xa0", " ") for row in range(len(self.contents))])
        same = len(names.contents) == len(self.contents)
        return Column(names.contents, self.codes if same else names.codes[self.codes])


@dataclass(frozen=True, slots=True)
class Cells:
    """Figures as found, one per row, none of it parsed.

    A field that no cell states is None. ``value`` is an object array, or a
    numeric one (NaN: no figure). ``line`` orders the rows within the source,
    ``torn`` marks rows that do not fit their header, ``notes_below`` says that
    people write notes under such a source. ``place`` names the cells of a
    field at the given rows. ``strange`` says what a row states of something
    that was not asked for ("" where it does not).
    """

    period: Column
    value: NDArray[Any]
    line: NDArray[np.int64]
    torn: Mask
    place: Callable[[str, Rows], list[str]]
    notes_below: bool
    series: Column | None = None
    subject: Column | None = None
    unit: Column | None = None
    known: Column | None = None
    status: Column | None = None
    strange: Column | None = None

    def words(self, row: int) -> str:
        """What stands at ``row`` where a figure belongs."""
        cell = self.value[row]
        return f"{cell:.15g}" if isinstance(cell, float) else str(cell)

    @classmethod
    def rows(cls, value: NDArray[Any], place: Callable[[Rows], list[str]], **fields: Column) -> "Cells":
        """Cells of a source that gives every figure a row of its own; ``place`` names the rows at the given positions."""
        return cls(
            value=value,
            line=np.arange(len(value)),
            torn=np.zeros(len(value), dtype=bool),
            place=lambda _field, at: place(at),
            notes_below=False,
            **fields,
        )


@dataclass(frozen=True, slots=True)
class _Times:
    """A column of times: the distinct ones, which of them stands in each row, and where no time could be read."""

    times: NDArray[Any]
    codes: Rows
    bad: Mask

    def end(self, row: int) -> date | None:
        """The day at ``row``."""
        found: date | None = self.times[self.codes[row]].astype("datetime64[D]").item()
        return found


@dataclass(frozen=True, slots=True)
class _Figures:
    """The same rows, parsed: clean names, period ends, moments of publication (NaT where not stated), numbers, status.

    ``status`` are places in ``STATUSES``, -1 where the word is not known.
    """

    series: Column
    subject: Column
    unit: Column
    period: _Times
    known: _Times
    number: Numbers
    status: NDArray[np.int8]


class _Sieve:
    """The rows that are still taken, and the refusals of those that no longer are."""

    def __init__(self, cells: Cells, figures: _Figures) -> None:
        self._cells = cells
        self._figures = figures
        self._refused: list[tuple[int, Refusal]] = []
        self.taken = ~figures.number.blank | (figures.status == NIL)
        self.left_out = Counter({LeftOut.BLANK: int((~self.taken).sum())})

    def leave_out(self, rows: Mask, why: LeftOut) -> None:
        """Drop rows that hold no figure, or none that was asked for, and count them."""
        self.left_out[why] += int((rows & self.taken).sum())
        self.taken &= ~rows

    def refuse(self, rows: Mask, reason: Refused, field: str, words: Callable[[int], str]) -> None:
        """Drop rows and keep why, with the place and words of ``field``."""
        refused = np.flatnonzero(rows & self.taken)
        if len(refused) == 0:
            return
        self.taken[refused] = False
        for row, cell in zip(refused.tolist(), self._cells.place(field, refused), strict=True):
            series, subject = self._figures.series.words(row), self._figures.subject.words(row)
            period = self._figures.period.end(row)
            refusal = Refusal(cell, reason, storable(words(row)[:_WORDS_SHOWN]), series, subject, period)
            self._refused.append((int(self._cells.line[row]), refusal))

    def refusals(self) -> tuple[Refusal, ...]:
        """All refusals, by line."""
        return tuple(refusal for _, refusal in sorted(self._refused, key=lambda found: found[0]))


def reading(
    cells: Cells,
    constants: Constants,
    query: Query,
    document: str,
    digest: str,
    left_out: Mapping[LeftOut, int] = MappingProxyType({}),
) -> Reading:
    """Parse ``cells`` and answer ``query`` with them. ``left_out`` counts figures that are not among them.

    Left out and counted: blank figures, notes under the table, periods outside
    the query, figures published after ``query.at``, and a figure that the
    document repeats. Everything else is an observation or a refusal.
    """
    figures = _parsed(cells, constants)
    ends, known = figures.period, figures.known
    sieve = _Sieve(cells, figures)
    if cells.notes_below:
        sieve.leave_out(_notes(cells, figures), LeftOut.NOTE)
    sieve.refuse(figures.period.bad, Refused.BAD_PERIOD, "period", cells.period.words)
    outside = (ends.times < np.datetime64(query.first, "s")) | (ends.times > np.datetime64(query.last, "s"))
    sieve.leave_out(outside[ends.codes], LeftOut.OUTSIDE)
    if cells.known is not None:
        sieve.refuse(figures.known.bad, Refused.BAD_DATE, "known", cells.known.words)
    sieve.leave_out((known.times > _utc(query.at))[known.codes], LeftOut.UNPUBLISHED)
    sieve.refuse(cells.torn, Refused.TORN_ROW, "value", cells.words)
    if cells.strange is not None:
        sieve.refuse(~_empty(cells.strange), Refused.WRONG_DIMENSION, "subject", cells.strange.words)
    if cells.series is not None:
        sieve.refuse(_empty(figures.series), Refused.UNKNOWN_SERIES, "series", cells.series.words)
    if cells.subject is not None:
        sieve.refuse(_empty(figures.subject), Refused.WRONG_DIMENSION, "subject", cells.subject.words)
    sieve.refuse(_formulas(cells.value, figures.number.bad), Refused.NO_RESULT, "value", cells.words)
    sieve.refuse(figures.number.bad, Refused.NOT_A_NUMBER, "value", cells.words)
    if cells.status is not None:
        sieve.refuse(figures.status < 0, Refused.BAD_STATUS, "status", cells.status.words)
    # 无 beside a number: one of the two is a slip.
    both = (figures.status == NIL) & ~np.isnan(figures.number.value)
    sieve.refuse(both, Refused.CONFLICT, "value", lambda row: f"{_figure(figures, row)} ≠ 无")
    _refuse_conflicts(sieve, cells, figures)
    rows = np.flatnonzero(sieve.taken)
    taken = slice(None) if len(rows) == len(sieve.taken) else rows
    place = cells.place  # the places are named late; the cells shall not stay for that
    names = {"series": figures.series, "subject": figures.subject, "unit": figures.unit}
    columns: dict[str, Any] = {
        **{
            name: pd.array(list(column.contents), dtype="str").take(column.codes[taken])
            for name, column in names.items()
        },
        "period": ends.times[ends.codes[taken]],
        "value": figures.number.value[taken],
        "known_at": pd.DatetimeIndex(known.times).tz_localize("UTC").take(known.codes[taken]),
        "cell": Places.at(rows, len(cells.line), lambda at: place("value", at)),
        "status": figures.status[taken],
    }
    observations = pd.DataFrame({name: columns[name] for name in COLUMNS}, copy=False)
    counts = {why: count for why, count in (sieve.left_out + Counter(left_out)).items() if count}
    return Reading(observations, sieve.refusals(), document, digest, counts)


def _parsed(cells: Cells, constants: Constants) -> _Figures:
    rows = len(cells.line)
    nowhere = Column([""], np.zeros(rows, dtype=np.intp))

    def names(column: Column | None, constant: str | None) -> Column:
        return column.names() if column else Column([constant or ""], nowhere.codes)

    period = _times(cells.period, lambda text: np.datetime64(period_end(text, constants.year), "s"), "s")
    if cells.known is None and constants.delay is not None:
        known = _delayed(period, constants.delay, constants.timezone)
    else:
        known = _times(cells.known or nowhere, lambda text: _utc(moment(text, constants.timezone)), "us")
    number = numbers(cells.value)
    return _Figures(
        series=names(cells.series, constants.series),
        subject=names(cells.subject, constants.subject),
        unit=names(cells.unit, constants.unit),
        period=period,
        known=known,
        number=number,
        status=np.where(number.nil, np.int8(NIL), _statuses(cells.status or nowhere, constants.status)),
    )


def _statuses(column: Column, constant: Status | None) -> NDArray[np.int8]:
    if constant is not None:
        return np.full(len(column.codes), STATUSES.index(constant), dtype=np.int8)
    found = np.full(len(column.contents), -1, dtype=np.int8)
    for place, content in enumerate(column.contents):
        try:
            found[place] = STATUSES.index(status(content))
        except ValueError:
            continue
    return found[column.codes]


def _times(column: Column, parse: Callable[[Any], np.datetime64], unit: str) -> _Times:
    """Parse each distinct content once. Different words for one time get one code."""
    times = np.full(len(column.contents), np.datetime64("NaT"), dtype=f"datetime64[{unit}]")
    bad = np.zeros(len(column.contents), dtype=bool)
    for place, content in enumerate(column.contents):
        try:
            times[place] = parse(content)
        except ValueError:
            bad[place] = True
    codes, distinct = pd.factorize(times, use_na_sentinel=False)
    return _Times(distinct, codes[column.codes], bad[column.codes])


def _delayed(period: _Times, days: int, zone: tzinfo) -> _Times:
    """00:00 in ``zone``, ``days`` after each period end."""
    ends: list[datetime | None] = period.times.tolist()
    known = [moment(end.date() + timedelta(days=days), zone) if end else None for end in ends]
    return _Times(np.array([_utc(at) for at in known], dtype="datetime64[us]"), period.codes, period.bad)


def _utc(at: datetime | None) -> np.datetime64:
    """An aware moment as numpy keeps it: in UTC, without saying so. NaT for None."""
    return np.datetime64(at.astimezone(UTC).replace(tzinfo=None) if at else "NaT", "us")


def _notes(cells: Cells, figures: _Figures) -> Mask:
    """Rows below the last row with a period that hold no number: words under the table."""
    bad = figures.period.bad & figures.number.bad
    in_table = cells.line[~figures.period.bad] if bad.any() else cells.line[:0]
    if len(in_table) == 0:
        return np.zeros(len(cells.line), dtype=bool)
    return np.asarray(bad & (cells.line > in_table.max()))


def _formulas(values: NDArray[Any], bad: Mask) -> Mask:
    """Cells that hold a formula and no result of it."""
    formulas = np.zeros(len(bad), dtype=bool)
    rows = np.flatnonzero(bad)
    formulas[rows] = [str(values[row]).startswith("=") for row in rows.tolist()]
    return formulas


def _empty(names: Column) -> Mask:
    return names.which(lambda name: name == "")


def _refuse_conflicts(sieve: _Sieve, cells: Cells, figures: _Figures) -> None:
    """Of figures that state the same thing, keep the first; refuse later ones that differ, leave out those that agree."""
    rows = np.flatnonzero(sieve.taken)
    same, distinct = _same_figure(figures, rows)
    if distinct <= _SPARSE * len(rows):  # much cheaper than to look each one up among all
        there = np.zeros(distinct, dtype=bool)
        there[same] = True
        if np.count_nonzero(there) == len(rows):
            return
    repeated = pd.Series(same).duplicated().to_numpy()
    if not repeated.any():
        return
    first_row = np.full(len(cells.line), -1)
    first_row[rows] = rows[~repeated][pd.factorize(same)[0]]
    later = np.zeros(len(cells.line), dtype=bool)
    later[rows[repeated]] = True
    value, unit, standing = figures.number.value, figures.unit.codes, figures.status
    differs = ((value != value[first_row]) & ~np.isnan(value)) | (unit != unit[first_row])
    differs |= standing != standing[first_row]

    def words(row: int) -> str:
        before = int(first_row[row])
        place = cells.place("value", np.array([before]))[0]
        return f"{_figure(figures, row)} ≠ {_figure(figures, before)} ({place})"

    sieve.refuse(later & differs, Refused.CONFLICT, "value", words)
    sieve.leave_out(later, LeftOut.REPEATED)


def _same_figure(figures: _Figures, rows: Rows) -> tuple[NDArray[np.int64], int]:
    """For ``rows`` one number per (series, subject, period, known at), and what all of them stay below."""
    taken = slice(None) if len(rows) == len(figures.status) else rows
    same, distinct = figures.series.codes[taken].astype(np.int64), len(figures.series.contents)
    for codes, contents in (
        (figures.subject.codes, figures.subject.contents),
        (figures.period.codes, figures.period.times),
        (figures.known.codes, figures.known.times),
    ):
        if distinct * len(contents) >= _KEYS:
            same, kept = pd.factorize(same)
            distinct = len(kept)
        if len(contents) > 1:
            same, distinct = same * len(contents) + codes[taken], distinct * len(contents)
    return same, distinct


def _figure(figures: _Figures, row: int) -> str:
    if figures.status[row] == NIL and np.isnan(figures.number.value[row]):
        return "无"
    return f"{figures.number.value[row]:.15g} {figures.unit.words(row)}".strip()
