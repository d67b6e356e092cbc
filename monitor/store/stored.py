"""Stored figures, read as columns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Select, select

from monitor.store import bulk, moments
from monitor.store.tables import observation

Ids = NDArray[np.int64]

_SERIES_BITS = 40
_STATUS_BITS = 2
_CLOSE = 8
"""Series between the first and the last, for each one asked for, that are read with it sooner than it is looked up."""
COLUMNS = [("id", "i8"), ("series", "i8"), ("period", "i8"), ("value", "f8"), ("known_at", "i8")]
"""``id`` has the status in its last bits: a column more makes storing a country slower by a fifteenth."""


def figure_key(period: Ids, series: Ids) -> Ids:
    """(period, series) as one number of the same order."""
    return (period << _SERIES_BITS) + series


def figures(connection: Connection) -> Select[Any]:
    """The question that ``fetch`` answers, to be narrowed by the caller."""
    c, dialect = observation.c, connection.dialect.name
    period, known_at = moments.as_days(c.period, dialect), moments.as_micros(c.known_at, dialect)
    return select(c.id * 2**_STATUS_BITS + c.status, c.series_id, period, c.value, known_at)


def of(connection: Connection, series: Ids) -> ColumnElement[bool]:
    """The figures of ``series`` (distinct, sorted), and of those between them where they lie close together."""
    first, last = int(series[0]), int(series[-1])
    if last - first < _CLOSE * len(series):
        return observation.c.series_id.between(first, last)
    return bulk.among(connection, observation.c.series_id, series.tolist())


def fetch(connection: Connection, query: Select[Any]) -> NDArray[Any]:
    """Rows of ``id``, ``series``, ``period`` (days since 1970), ``value``, ``known_at`` (µs); see ``split`` for the id."""
    return bulk.fetch(connection, query, COLUMNS)


def split(ids: Ids) -> tuple[Ids, NDArray[np.int8]]:
    """Position in the feed and status of rows."""
    return ids >> _STATUS_BITS, (ids & (2**_STATUS_BITS - 1)).astype(np.int8)


def newest(rows: NDArray[Any]) -> tuple[NDArray[np.intp], Ids]:
    """Where the row of each (period, series) is that became known last, and of those the one stored last; their keys.

    Sorted here, not by the database: the rows come almost in order, which a server's sort does not notice.
    """
    key = figure_key(rows["period"], rows["series"])
    order = np.lexsort((rows["id"], rows["known_at"], key))
    key = key[order]
    last = np.append(key[1:] != key[:-1], True)[: len(key)]
    return order[last], key[last]
