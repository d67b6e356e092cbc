"""Storing what a source said: only what is new or different, and when it became known. In columns throughout."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from connectors.observation import NIL, Refusal, Refused, refuse
from monitor.store import bulk, moments, registry, stored
from monitor.store.stored import figure_key
from monitor.store.tables import observation

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]

_LOCK = 0x66656564
_PERIODS_ASKED = 500


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


class Rows(NamedTuple):
    """Rows of a reading by period, series and stated moment, as columns.

    ``row`` is their place in the frame, ``period`` in days since 1970, ``stated`` in µs.
    """

    row: NDArray[np.intp]
    series: Ids
    period: Ids
    value: NDArray[np.float64]
    stated: Ids
    status: NDArray[np.int8]

    @property
    def key(self) -> Ids:
        return figure_key(self.period, self.series)

    @classmethod
    def of(cls, observations: pd.DataFrame, ids: Ids, taken: NDArray[np.intp], at: int) -> "Rows":
        stated = observations["known_at"].dt.tz_convert(None).to_numpy("datetime64[us]")
        micros = np.where(np.isnat(stated), at, np.minimum(stated.astype(np.int64), at))[taken]
        series = ids[taken]
        period = observations["period"].to_numpy("datetime64[D]").astype(np.int64)[taken]
        order = np.lexsort((micros, figure_key(period, series)))
        value, status = (observations[name].to_numpy()[taken] for name in ("value", "status"))
        return cls(taken[order], series[order], period[order], value[order], micros[order], status[order])


class Compared(NamedTuple):
    """A reading beside what is stored: ``rows`` that may be stored, and which of them, ``kept`` (K,), are new or different.

    ``revised`` (K,) tells those apart, ``known_at`` (K,) is when they became known (µs). Series up to ``registered``
    were known before this reading. ``refusals`` are rows that state another unit than their series has.
    """

    table: pd.DataFrame
    rows: Rows
    kept: NDArray[np.intp]
    revised: Mask
    known_at: Ids
    registered: int
    refusals: list[Refusal]


def append(connection: Connection, source: str, pull_id: int, observations: pd.DataFrame, at: datetime) -> Appended:
    """Store the figures that ``source`` states at ``at``, all of them believed; see ``compare``."""
    return store(connection, pull_id, compare(connection, source, observations, at))


def compare(connection: Connection, source: str, observations: pd.DataFrame, at: datetime) -> Compared:
    """Find what is new in the figures that ``source`` states at ``at`` (columns of ``connectors.observation``).

    Each row is compared with the latest figure known at ``at`` for its series
    and period:

    - none: a new figure, known from the stated moment, else from ``at``;
    - the same value of the same status: unchanged, nothing is stored; so a repeated pull stores nothing;
    - another value or status: a revision, known from the stated moment if that is later
      than the stored one's, else from ``at``: nobody can have known it before.

    A stated moment after ``at`` is taken for ``at``. Where the rows themselves
    hold several moments for one period, the latest is what the source says now,
    and the earlier ones are stored only as far as they are later than what is
    stored. A figure whose unit differs from that of its series is refused (a nil
    report has no unit).

    Comparisons of all connections are put in one line (until the caller commits),
    so that the feed never shows a row behind its reader's back.
    """
    if connection.dialect.name == "postgresql":
        # SQLite's writing transactions stand in line anyway.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    registered = registry.last(connection)
    ids, other_unit = registry.identify(connection, source, observations)
    other_unit &= observations["status"].to_numpy() != NIL
    rows = Rows.of(observations, ids, np.flatnonzero(~other_unit), moments.micros(at))
    kept, revised, known_at = _new(rows, _latest(connection, rows, registered, at), moments.micros(at))
    refusals = []
    if other_unit.any():
        strange = observations[other_unit]
        refusals = refuse(strange, [Refused.UNKNOWN_UNIT] * len(strange))
    return Compared(observations, rows, kept, revised, known_at, registered, refusals)


def store(
    connection: Connection, pull_id: int, found: Compared, doubts: Sequence[Refused | None] | None = None
) -> Appended:
    """Store what is new, in the transaction that compared it; but not what ``doubts`` (K,) names a reason against."""
    kept, revised, known_at, refused = found.kept, found.revised, found.known_at, found.refusals
    if doubts is not None:
        fine = np.array([reason is None for reason in doubts])
        refused = [*refused, *refuse(found.table.iloc[found.rows.row[kept[~fine]]], filter(None, doubts))]
        kept, revised, known_at = kept[fine], revised[fine], known_at[fine]
    _insert(connection, pull_id, found.table, found.rows, kept, known_at)
    read, new = len(found.table), int((~revised).sum())
    return Appended(read, new, len(kept) - new, read - len(kept) - len(refused), tuple(refused))


class _Stored(NamedTuple):
    """The latest stored figure per (period, series), by ``key``."""

    key: Ids
    value: NDArray[np.float64]
    known_at: Ids
    status: NDArray[np.int8]

    def beside(self, key: Ids) -> tuple[Mask, "_Stored"]:
        """For each of ``key`` whether something is stored, and what; anything where nothing is."""
        if len(self.key) == 0:
            return np.zeros(len(key), bool), _Stored(key, np.zeros(len(key)), key, np.zeros(len(key), np.int8))
        place = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        found = _Stored(self.key[place], self.value[place], self.known_at[place], self.status[place])
        return found.key == key, found


def _latest(connection: Connection, rows: Rows, registered: int, at: datetime) -> _Stored:
    """What is known at ``at`` of the periods and series concerned, and not much more."""
    c = observation.c
    ids = np.unique(rows.series[rows.series <= registered])
    if len(ids) == 0:
        return _Stored(ids, np.empty(0), ids, np.empty(0, np.int8))
    periods = pd.unique(rows.period).astype("datetime64[D]").tolist()
    parts = [periods[start : start + _PERIODS_ASKED] for start in range(0, len(periods), _PERIODS_ASKED)] or [[]]
    query = stored.figures(connection).where(stored.of(connection, ids), c.known_at <= at)
    found = np.concatenate([stored.fetch(connection, query.where(c.period.in_(part))) for part in parts])
    newest, key = stored.newest(found)
    _, status = stored.split(found["id"][newest])
    return _Stored(key, found["value"][newest], found["known_at"][newest], status)


def _new(rows: Rows, known: _Stored, at: int) -> tuple[NDArray[np.intp], Mask, Ids]:
    """Which of ``rows`` are to be stored, which of those are revisions, and when they became known."""
    key = rows.key
    has, before = known.beside(key)
    current = np.append(key[1:] != key[:-1], True)[: len(key)]
    left = np.flatnonzero(current | ~has | (rows.stated > before.known_at))
    first = np.append(True, key[left][1:] != key[left][:-1])[: len(left)]
    value, status, fresh = rows.value[left], rows.status[left], first & ~has[left]
    other = (value != np.where(first, before.value[left], np.roll(value, 1))) & (status != NIL)
    changed = fresh | other | (status != np.where(first, before.status[left], np.roll(status, 1)))
    kept = left[changed]
    late = has[kept] & (rows.stated[kept] <= before.known_at[kept])
    return kept, ~fresh[changed], np.where(late, at, rows.stated[kept])


def _insert(
    connection: Connection,
    pull_id: int,
    observations: pd.DataFrame,
    rows: Rows,
    kept: NDArray[np.intp],
    known_at: Ids,
) -> None:
    columns: dict[str, Sequence[Any] | bulk.Same] = {
        "series_id": rows.series[kept].tolist(),
        "period": _written(connection, rows.period[kept], _day),
        "value": rows.value[kept].tolist(),
        "known_at": _written(connection, known_at, moments.moment),
        "pull_id": bulk.Same(pull_id),
        "cell": observations["cell"].array.take(rows.row[kept]).tolist(),
    }
    if (status := rows.status[kept]).any():
        # Plain figures are final, which the database writes by itself: a column less to send.
        columns |= {"status": status.tolist()}
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
