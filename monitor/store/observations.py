"""Figures as they became known. Rows are only ever added, so that every earlier moment can be seen again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, exists, func, select

from connectors.observation import STATUSES, Status, where
from monitor.store import bulk, stored
from monitor.store.appending import Appended, append, compare, store, unchanged
from monitor.store.registry import Group, series
from monitor.store.tables import observation, pull
from monitor.store.tables import series as series_table

__all__ = [
    "Appended",
    "Figures",
    "Group",
    "Vintage",
    "append",
    "compare",
    "figures_of",
    "known",
    "last_position",
    "mark",
    "origins",
    "series",
    "since",
    "store",
    "unchanged",
    "vintages",
]

_DAYS_ASKED = 1000
_LATEST = 5000
"""Pulls that are looked at for one that began after a moment: more than begin while a store is read."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Stored figures as columns of one length.

    ``id`` is the position in the feed, ``period`` the last day of the period
    (datetime64[D]), ``value`` NaN for a nil report, ``known_at`` UTC rounded
    down to the second (datetime64[s]), ``status`` a place in ``STATUSES``.
    """

    id: NDArray[np.int64]
    series: NDArray[np.int64]
    period: NDArray[np.datetime64]
    value: NDArray[np.float64]
    known_at: NDArray[np.datetime64]
    status: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Vintage:
    """One stored value of one period, in ``unit``, with the place it was read from: ``cell`` of ``document``.

    ``value`` is None where there was nothing to report.
    """

    period: date
    value: float | None
    unit: str
    known_at: datetime
    cell: str
    document: str
    status: Status


def known(connection: Connection, at: datetime, first: date, last: date) -> Figures:
    """The latest figure known at ``at`` of every (series, period) with ``first <= period <= last``.

    Ordered by period, then series. Of two that became known at one moment the
    one stored later counts.
    """
    c = observation.c
    query = stored.figures(connection).where(c.period.between(first, last), c.known_at <= at)
    rows = stored.fetch(connection, query)
    newest, _ = stored.newest(rows)
    return figures_of(rows[newest])


def since(connection: Connection, position: int, at: datetime) -> Figures:
    """The feed: the figures stored after ``position`` up to the first not known at ``at``, in the order of storing (``id``).

    Entering them in this order, the later one winning, leads to what ``known``
    gives, as long as ``append`` was never called with an earlier moment than before.
    """
    c = observation.c
    early = _unknown(connection, position, at)
    query = stored.figures(connection).where(c.id > position)
    if early is not None:
        query = query.where(c.id < early)
    return figures_of(stored.fetch(connection, query.order_by(c.id)))


def mark(connection: Connection, position: int) -> str:
    """Tells one history from another: the figure stored at ``position``, and when its pull and the first of all began."""
    c = observation.c
    query = (
        select(c.series_id, c.period, c.value, c.known_at, c.cell, c.status, pull.c.source, pull.c.started_at)
        .join(pull, pull.c.id == c.pull_id)
        .where(c.id == position)
    )
    first = select(pull.c.started_at).order_by(pull.c.id).limit(1)
    return " ".join(map(str, (*(connection.execute(query).one_or_none() or ()), connection.scalar(first))))


def last_position(connection: Connection, at: datetime) -> int:
    """The end of the feed as it was at ``at``, before the first figure not known then; 0 where that is the first of all.

    What is ``known`` then, and what comes ``since`` this position, is all there is.
    """
    last = select(func.max(observation.c.id))
    # Nothing is known before its pull began, and the last pulls began last: else all there is would have to be looked at.
    latest = select(pull.c.started_at).order_by(pull.c.id.desc()).limit(_LATEST).subquery()
    if connection.scalar(select(exists().where(latest.c.started_at > at))):
        early = _unknown(connection, 0, at)
        if early is not None:
            last = last.where(observation.c.id < early)
    return connection.scalar(last) or 0


def _unknown(connection: Connection, position: int, at: datetime) -> int | None:
    """The first figure after ``position`` that is not known at ``at``."""
    c = observation.c
    found: int | None = connection.scalar(select(func.min(c.id)).where(c.id > position, c.known_at > at))
    return found


def vintages(connection: Connection, source: str, name: str, subject: str, first: date, last: date) -> list[Vintage]:
    """Everything ever stored for one series with ``first <= period <= last``, by period, then by when it became known."""
    found: list[Vintage] = []
    for days in _days(first, last):
        query = _vintages(days).where(
            series_table.c.source == source, series_table.c.name == name, series_table.c.subject == subject
        )
        found += [_vintage(row) for row in connection.execute(query)]
    return found


def origins(connection: Connection, figures: Iterable[tuple[int, date]], at: datetime) -> dict[tuple[int, date], str]:
    """Where the figure of each (series id, period) that counts at ``at`` was read: ``document cell``. Bulk."""
    by_period: dict[date, list[int]] = {}
    for series_id, period in figures:
        by_period.setdefault(period, []).append(series_id)
    if not by_period:  # to put the question together takes longer than all else of a small cycle
        return {}
    c = observation.c
    # Looked up one by one: of the few newest pulls among many a server believes that a join finds them at the beginning.
    document = select(pull.c.document).where(pull.c.id == c.pull_id).scalar_subquery()
    query = select(c.series_id, document, c.cell).order_by(c.series_id, c.known_at, c.id)
    found: dict[tuple[int, date], str] = {}
    for period, ids in by_period.items():
        mine = query.where(c.period == period, bulk.among(connection, c.series_id, ids), c.known_at <= at)
        # In the order of becoming known, so that the last one stays.
        found |= {(number, period): where(document, cell) for number, document, cell in connection.execute(mine)}
    return found


def figures_of(rows: NDArray[Any]) -> Figures:
    """Rows of ``stored.fetch`` as columns."""
    ids, status = stored.split(rows["id"])
    return Figures(
        id=ids,
        series=np.ascontiguousarray(rows["series"]),
        period=rows["period"].astype("datetime64[D]"),
        value=np.ascontiguousarray(rows["value"]),
        known_at=(rows["known_at"] // 1_000_000).astype("datetime64[s]"),
        status=status,
    )


def _vintage(row: Any) -> Vintage:
    period, value, unit, known_at, cell, document, code = row
    status = STATUSES[code]
    stated = None if status is Status.NIL else value
    return Vintage(period, stated, unit, known_at, cell, document, status)


def _vintages(days: list[date]) -> Select[Any]:
    c = observation.c
    return (
        select(c.period, c.value, series_table.c.unit, c.known_at, c.cell, pull.c.document, c.status)
        .join(series_table, series_table.c.id == c.series_id)
        .join(pull, pull.c.id == c.pull_id)
        # Every single day is named: one look-up each, where a range would read all other series in between.
        .where(c.period.in_(days))
        .order_by(c.period, c.known_at, c.id)
    )


def _days(first: date, last: date) -> Iterator[list[date]]:
    """Every day from ``first`` to ``last``, in portions that fit into one statement."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    for start in range(0, len(days), _DAYS_ASKED):
        yield days[start : start + _DAYS_ASKED]
