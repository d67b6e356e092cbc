"""What series said earlier in the year, read for as few of them as will do."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from monitor.store import bulk, moments, stored
from monitor.store.tables import observation
from rules.plausible import Figures

Ids = NDArray[np.int64]
_EPOCH = date(1970, 1, 1)

_ROW = [("series", "i8"), ("value", "f8"), ("period", "i8")]


def nearest(connection: Connection, series: Ids, days: Sequence[date], at: datetime) -> Figures:
    """The figures of ``series`` (distinct, sorted) of the latest of ``days`` that each has any for.

    One day after the other, the latest first, until no series is left.
    """
    found = []
    for day in sorted(days, reverse=True):
        if len(series) == 0:
            break
        rows = _read(connection, series, day, day, at)
        found.append(rows)
        missing = np.zeros(int(series[-1]) + 1, bool)
        missing[series] = True
        missing[rows.series] = False
        series = np.flatnonzero(missing)
    return joined(found)


def whole(connection: Connection, series: Ids, first: date, last: date, at: datetime) -> Figures:
    """Every figure of ``series`` (distinct, sorted) with ``first <= period <= last``."""
    return _read(connection, series, first, last, at) if len(series) else joined([])


def these(connection: Connection, series: Ids, days: Sequence[date], at: datetime) -> Figures:
    """The figures of a few ``series`` for ``days``, as known at ``at``."""
    c = observation.c
    query = stored.figures(connection).where(c.period.in_(days), c.series_id.in_(series.tolist()), c.known_at <= at)
    rows = stored.fetch(connection, query)
    newest, _ = stored.newest(rows)
    return Figures(*(rows[name][newest] for name in Figures._fields))


def _read(connection: Connection, series: Ids, first: date, last: date, at: datetime) -> Figures:
    """By period; of several stated for one the newest comes last."""
    c = observation.c
    # The day is known where only one is asked for, and each column costs.
    one = first == last
    days = [] if one else [moments.as_days(c.period, connection.dialect.name)]
    query = select(c.series_id, c.value, *days).where(
        c.period == first if one else c.period.between(first, last), stored.of(connection, series), c.known_at <= at
    )
    query = query.order_by(c.period, c.series_id, c.known_at, c.id)
    columns = _ROW[: 2 + len(days)]
    rows = _without_nil(bulk.fetch(connection, query, columns), [name for name, _ in columns if name != "value"])
    wanted = np.zeros(int(series[-1]) + 1, bool)
    wanted[series] = True
    rows = rows[wanted[rows["series"]]]
    period = np.full(len(rows), (first - _EPOCH).days) if one else rows["period"]
    return Figures(rows["series"], period, rows["value"])


def _without_nil(rows: NDArray[Any], key: list[str]) -> NDArray[Any]:
    """Rows in order of ``key`` without nil reports, nor what was stated before one for the same series and period."""
    nil = np.isnan(rows["value"])
    if not nil.any():
        return rows
    last = np.append(rows[key][1:] != rows[key][:-1], True)
    withdrawn = np.isin(rows[key], rows[key][last & nil])
    left: NDArray[Any] = rows[~(nil | withdrawn)]
    return left


def joined(parts: Sequence[Figures]) -> Figures:
    """All of ``parts`` by period, the later part last."""
    if not parts:
        return Figures(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    series, period, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(period, kind="stable")
    return Figures(series[order], period[order], value[order])
