"""Everything ever stated of a book's series, for what is computed from it."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from connectors.observation import NIL
from monitor.store import bulk, moments, registry, stored
from monitor.store.observations import Figures, figures_of
from monitor.store.registry import Group
from monitor.store.tables import observation, pull, series
from rules.derived import Series, Vintages

_ROW = [("series", "i8"), ("period", "i8"), ("value", "f8"), ("known_at", "i8"), ("pull", "i8"), ("status", "i8")]


def stated(
    connection: Connection,
    book: str,
    inputs: Iterable[Series],
    subjects: Sequence[str],
    first: date,
    last: date,
    at: datetime,
) -> tuple[Vintages, NDArray[np.int64]]:
    """What the sources of ``book`` stated until ``at`` of ``inputs`` with ``first <= period <= last``; and in which pull.

    Times are microseconds since 1970 UTC. What is stated of other subjects than ``subjects`` and of none is left out.
    """
    wanted = tuple(sorted(set(inputs)))
    place = {subject: number for number, subject in enumerate(subjects)} | {"": -1 if "" not in subjects else 0}
    units: dict[str, int] = {}
    ids: list[int] = []
    codes: list[tuple[int, int, int]] = []
    for source, group in groupby(wanted, key=lambda read: read.source):
        names = [read.series for read in group]
        for name, unit, its_ids, its_subjects in registry.stored(connection, f"{book}/{source}", names, [*place]):
            if name in names:
                code = wanted.index(Series(source, name)), units.setdefault(unit, len(units))
                for one, subject in zip(its_ids, its_subjects, strict=True):
                    if subject in place:
                        ids.append(one)
                        codes.append((*code, place[subject]))
    rows = _rows(connection, wanted, book, first, last, at)
    order = np.argsort(ids)
    known = np.array(ids, dtype=np.int64)[order]
    found = np.array(codes, dtype=np.int64).reshape(-1, 3)[order]
    where = np.minimum(np.searchsorted(known, rows["series"]), max(len(known) - 1, 0))
    mine = known[where] == rows["series"] if len(known) else np.zeros(len(rows), bool)
    rows, which = rows[mine], found[where[mine]]
    code, unit, subject = which.T
    value = np.where(rows["status"] == NIL, np.nan, rows["value"])
    status = rows["status"].astype(np.int8)
    vintages = Vintages(wanted, tuple(units), code, subject, unit, rows["period"], value, rows["known_at"], status)
    return vintages, rows["pull"]


def _rows(
    connection: Connection, inputs: Sequence[Series], book: str, first: date, last: date, at: datetime
) -> NDArray[np.void]:
    """In the order of becoming known."""
    c, dialect = observation.c, connection.dialect.name
    sources = {f"{book}/{read.source}" for read in inputs}
    mine = select(series.c.id).where(series.c.source.in_(sources), series.c.name.in_({read.series for read in inputs}))
    query = (
        select(
            c.series_id,
            moments.as_days(c.period, dialect),
            func.coalesce(c.value, 0.0),  # of a nil report, on SQLite
            moments.as_micros(c.known_at, dialect),
            c.pull_id,
            c.status,
        )
        .where(c.series_id.in_(mine), c.period.between(first, last), c.known_at <= at)
        .order_by(c.known_at, c.id)
    )
    return bulk.fetch(connection, query, _ROW)


def everything(
    connection: Connection, book: str, first: date, last: date
) -> tuple[list[Group], Figures, NDArray[np.bool_]]:
    """All series of ``book``, and all that was ever stated of them with ``first <= period <= last``.

    In the order of becoming known. The last (N,) marks figures of which the source did not say when it published them.
    """
    c, dialect = observation.c, connection.dialect.name
    mine = select(series.c.id).where(series.c.source.startswith(f"{book}/", autoescape=True))
    query = (
        stored.figures(connection)
        .add_columns(moments.as_micros(pull.c.started_at, dialect))
        .join(pull, pull.c.id == c.pull_id)
        .where(c.series_id.in_(mine), c.period.between(first, last))
        .order_by(c.known_at, c.id)
    )
    rows = bulk.fetch(connection, query, [*stored.COLUMNS, ("asked", "i8")])
    groups = [group for group in registry.series(connection) if group.source.startswith(f"{book}/")]
    return groups, figures_of(rows), rows["known_at"] == rows["asked"]


def years(connection: Connection, book: str) -> list[int]:
    """The years of which there are figures of ``book``."""
    c, dialect = observation.c, connection.dialect.name
    mine = select(series.c.id).where(series.c.source.startswith(f"{book}/", autoescape=True))
    query = select(moments.as_days(c.period, dialect)).where(c.series_id.in_(mine)).distinct()
    days = bulk.fetch(connection, query, [("period", "i8")])["period"].astype("datetime64[D]")
    found: list[int] = np.unique(days.astype("datetime64[Y]").astype(np.int64) + 1970).tolist()
    return found
