"""Storing what a source said: only what is new or different, and when it became known. In columns throughout."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, select, text

from connectors.observation import Refusal, Refused, refuse
from monitor.store import bulk, moments, registry
from monitor.store.tables import observation

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]

_LOCK = 0x66656564
_SERIES_ASKED = 500
_PERIODS_ASKED = 500
_SERIES_BITS = 40
_NUMBERS = [("id", "i8"), ("series", "i8"), ("period", "i8"), ("value", "f8"), ("known_at", "i8")]


class Appended(NamedTuple):
    """What became of the rows of one reading; ``read`` is the sum of the others."""

    read: int
    new: int
    revised: int
    unchanged: int
    refusals: tuple[Refusal, ...]


def unchanged(rows: int) -> Appended:
    """What becomes of ``rows`` rows that were stored as they are before."""
    return Appended(rows, 0, 0, rows, ())


class Candidates(NamedTuple):
    """The rows of a reading by period, as columns: place in the frame, series, period (days since 1970), whether it is to be stored.

    Series up to ``registered`` were known before this reading.
    """

    row: NDArray[np.intp]
    series: Ids
    period: Ids
    kept: Mask
    registered: int


Doubt: TypeAlias = Callable[[Candidates], Sequence[Refused | None] | None]
"""Why each row that is to be stored shall not be; None where it shall, or for all where there is no doubt."""


def append(
    connection: Connection,
    source: str,
    pull_id: int,
    observations: pd.DataFrame,
    at: datetime,
    doubt: Doubt | None = None,
) -> Appended:
    """Store the figures that ``source`` states at ``at``; ``observations`` has the columns of ``connectors.observation``.

    Each row is compared with the latest figure known at ``at`` for its series
    and period:

    - none: a new figure, known from the stated moment, else from ``at``;
    - the same value: unchanged, nothing is stored; so a repeated pull stores nothing;
    - another value: a revision, known from the stated moment if that is later
      than the stored one's, else from ``at``: nobody can have known it before.

    A stated moment after ``at`` is taken for ``at``. Where the rows themselves
    hold several moments for one period, the latest is what the source says now,
    and the earlier ones are stored only as far as they are later than what is
    stored. A row whose unit differs from that of its series is refused, and one
    that is new or different if ``doubt`` says so.

    Appends of all connections are put in one line (until the caller commits),
    so that the feed never shows a row behind its reader's back.
    """
    if connection.dialect.name == "postgresql":
        # SQLite's writing transactions stand in line anyway.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    registered = registry.last(connection)
    ids, other_unit = registry.identify(connection, source, observations)
    taken = np.flatnonzero(~other_unit)
    rows = _Rows.of(observations, ids, taken, moments.micros(at))
    kept, revised, known_at = _compare(rows, _latest(connection, rows, at), moments.micros(at))
    refused: list[Refusal] = []
    found = _doubtful(doubt, rows, kept, registered)
    if found is not None:
        fine = np.array([reason is None for reason in found])
        refused = refuse(observations.iloc[rows.row[kept[~fine]]], filter(None, found))
        kept, revised, known_at = kept[fine], revised[fine], known_at[fine]
    _insert(connection, pull_id, observations, rows, kept, known_at)
    new = int((~revised).sum())
    return Appended(
        read=len(observations),
        new=new,
        revised=len(kept) - new,
        unchanged=len(taken) - len(kept) - len(refused),
        refusals=(*_other_units(observations[other_unit]), *refused),
    )


class _Rows(NamedTuple):
    """Rows to be compared, by period, series and stated moment; ``row`` is their place in the frame. Times in µs."""

    row: NDArray[np.intp]
    series: Ids
    period: Ids
    value: NDArray[np.float64]
    stated: Ids

    @property
    def key(self) -> Ids:
        return figure_key(self.period, self.series)

    @classmethod
    def of(cls, observations: pd.DataFrame, ids: Ids, taken: NDArray[np.intp], at: int) -> "_Rows":
        stated = observations["known_at"].dt.tz_convert(None).to_numpy("datetime64[us]")
        micros = np.where(np.isnat(stated), at, np.minimum(stated.astype(np.int64), at))[taken]
        series = ids[taken]
        period = observations["period"].to_numpy("datetime64[D]").astype(np.int64)[taken]
        order = np.lexsort((micros, figure_key(period, series)))
        value = observations["value"].to_numpy(np.float64)[taken]
        return cls(taken[order], series[order], period[order], value[order], micros[order])


class _Stored(NamedTuple):
    """The latest stored figure per (period, series), by ``key``."""

    key: Ids
    value: NDArray[np.float64]
    known_at: Ids


def figure_key(period: Ids, series: Ids) -> Ids:
    """(period, series) as one number of the same order."""
    return (period << _SERIES_BITS) + series


def _latest(connection: Connection, rows: _Rows, at: datetime) -> _Stored:
    """What is known at ``at`` of the periods and series concerned, and not much more."""
    c, dialect = observation.c, connection.dialect.name
    ids = pd.unique(rows.series)
    if len(ids) > _SERIES_ASKED:
        concerned: ColumnElement[bool] = c.series_id.between(int(ids.min()), int(ids.max()))
    else:
        concerned = c.series_id.in_(ids.tolist())
    found = []
    periods = pd.unique(rows.period).astype("datetime64[D]").tolist()
    for start in range(0, len(periods), _PERIODS_ASKED):
        query = select(
            c.id, c.series_id, moments.as_days(c.period, dialect), c.value, moments.as_micros(c.known_at, dialect)
        ).where(c.period.in_(periods[start : start + _PERIODS_ASKED]), concerned, c.known_at <= at)
        found.append(bulk.fetch(connection, query, _NUMBERS))
    if not found:
        return _Stored(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))
    all_found = np.concatenate(found)
    key = figure_key(all_found["period"], all_found["series"])
    order = np.lexsort((all_found["id"], all_found["known_at"], key))
    last = order[np.append(key[order][1:] != key[order][:-1], True)[: len(key)]]
    return _Stored(key[last], all_found["value"][last], all_found["known_at"][last])


def _compare(rows: _Rows, stored: _Stored, at: int) -> tuple[NDArray[np.intp], Mask, Ids]:
    """Which of ``rows`` are to be stored, which of those are revisions, and when they became known."""
    key = rows.key
    has, before, before_at = _beside(key, stored)
    current = np.append(key[1:] != key[:-1], True)[: len(key)]
    left = np.flatnonzero(current | ~has | (rows.stated > before_at))
    first = np.append(True, key[left][1:] != key[left][:-1])[: len(left)]
    value, fresh = rows.value[left], first & ~has[left]
    previous = np.where(first, before[left], np.roll(value, 1))
    changed = fresh | (value != previous)
    kept = left[changed]
    late = has[kept] & (rows.stated[kept] <= before_at[kept])
    return kept, ~fresh[changed], np.where(late, at, rows.stated[kept])


def _beside(key: Ids, stored: _Stored) -> tuple[Mask, NDArray[np.float64], Ids]:
    """For each of ``key``: whether something is stored, its value, and since when it was known (µs)."""
    if len(stored.key) == 0:
        return np.zeros(len(key), bool), np.zeros(len(key)), np.zeros(len(key), np.int64)
    place = np.minimum(np.searchsorted(stored.key, key), len(stored.key) - 1)
    return stored.key[place] == key, stored.value[place], stored.known_at[place]


def _insert(
    connection: Connection,
    pull_id: int,
    observations: pd.DataFrame,
    rows: _Rows,
    kept: NDArray[np.intp],
    known_at: Ids,
) -> None:
    cell = observations["cell"].to_numpy(object)[rows.row[kept]].tolist()
    columns: bulk.Columns = {
        "series_id": rows.series[kept].tolist(),
        "period": _written(connection, rows.period[kept], _day),
        "value": rows.value[kept].tolist(),
        "known_at": _written(connection, known_at, moments.moment),
        "pull_id": bulk.Same(pull_id),
        "cell": cell,
    }
    bulk.insert(connection, observation, len(kept), columns)


def _written(connection: Connection, numbers: Ids, convert: Any) -> Sequence[Any] | bulk.Same:
    """Days or moments for the driver: numbers on SQLite, else converted, each distinct one once."""
    if connection.dialect.name == "sqlite":
        convert = int
    if len(numbers) and (numbers == numbers[0]).all():
        return bulk.Same(convert(int(numbers[0])))
    codes, distinct = pd.factorize(numbers)
    cells = [convert(number) for number in distinct.tolist()]
    return [cells[code] for code in codes.tolist()]


def _day(days: int) -> date:
    found: date = np.datetime64(days, "D").item()
    return found


def _doubtful(
    doubt: Doubt | None, rows: _Rows, kept: NDArray[np.intp], registered: int
) -> Sequence[Refused | None] | None:
    if doubt is None or len(kept) == 0:
        return None
    fresh = np.zeros(len(rows.row), bool)
    fresh[kept] = True
    return doubt(Candidates(rows.row, rows.series, rows.period, fresh, registered))


def _other_units(rows: pd.DataFrame) -> list[Refusal]:
    return refuse(rows, [Refused.UNKNOWN_UNIT] * len(rows)) if len(rows) else []
