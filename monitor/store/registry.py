"""Which series exist: every (source, name, subject) ever met, with the unit it was first stated in."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import JSON, ColumnElement, Connection, Select, func, select

from monitor.store import bulk
from monitor.store.tables import series as table

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]

_ASKED = 500
"""With more names, or subjects, than this, the series of all are looked up."""


class Group(NamedTuple):
    """The series of one source, name and unit: ``id`` and ``subject`` of each, in no order. ``source`` is ``book/source``."""

    source: str
    name: str
    unit: str
    id: Ids
    subject: list[str]


def series(connection: Connection) -> Iterator[Group]:
    """Every series that ever had a figure."""
    query = _gathered(connection, table.c.source, table.c.name, table.c.unit)
    for source, name, unit, ids, subjects in connection.execute(query):
        yield Group(source, name, unit, np.array(ids, np.int64), subjects)


def last(connection: Connection) -> int:
    """The highest id of a series; 0 where there is none."""
    return connection.scalar(select(func.max(table.c.id))) or 0


def identify(connection: Connection, source: str, observations: pd.DataFrame) -> tuple[Ids, Mask]:
    """The series of each row, registered where it is new; and which rows state another unit than their series has.

    The unit of a series is that of its first row, for good: a figure in another
    unit is not a revision of the ones before it. The caller must be the only
    one who registers series of this source.
    """
    name, names = pd.factorize(observations["series"])
    subject, subjects = pd.factorize(observations["subject"])
    unit, units = pd.factorize(observations["unit"])
    pair = name.astype(np.int64) * len(subjects) + subject
    known = _Known(connection, source, list(names), pd.Index(subjects, dtype=object), list(units))
    ids, unit_of = known.find(pair)
    if (unseen := ids < 0).any():
        fresh, first = np.unique(pair[unseen], return_index=True)
        rows = np.flatnonzero(unseen)[first]
        new = _register(connection, source, observations.iloc[rows])
        place = np.searchsorted(fresh, pair[unseen])
        ids[unseen] = new[place]
        unit_of[unseen] = unit[rows][place]
    return ids, unit != unit_of


class _Known:
    """The stored series of one source, under the codes that a reading gives to names, subjects and units."""

    def __init__(
        self, connection: Connection, source: str, names: list[str], subjects: "pd.Index[Any]", units: list[str]
    ) -> None:
        ids: list[int] = []
        subject: list[str] = []
        # Codes of names and units, each with the number of series that it stands for.
        name_codes, unit_codes, counts = [-1], [-1], [0]
        name_place = {name: code for code, name in enumerate(names)}
        unit_place = {unit: code for code, unit in enumerate(units)}
        for name, unit, its_ids, its_subjects in stored(connection, source, names, subjects.tolist()):
            ids += its_ids
            subject += its_subjects
            name_codes.append(name_place.get(name, -1))
            unit_codes.append(unit_place.get(unit, -1))
            counts.append(len(its_ids))
        code = subjects.get_indexer(pd.Index(subject, dtype=object)).astype(np.int64)
        name_of = np.repeat(name_codes, counts)
        pair = np.where((code >= 0) & (name_of >= 0), name_of * len(subjects) + code, -1)
        order = np.argsort(pair)
        self._pair = pair[order]
        self._id = np.array(ids, dtype=np.int64)[order]
        self._unit = np.repeat(unit_codes, counts)[order]

    def find(self, pair: NDArray[np.int64]) -> tuple[Ids, NDArray[np.int64]]:
        """Id and unit of each pair; -1 where it is not stored."""
        if len(self._pair) == 0:
            return np.full(len(pair), -1, np.int64), np.full(len(pair), -1, np.int64)
        place = np.minimum(np.searchsorted(self._pair, pair), len(self._pair) - 1)
        hit = self._pair[place] == pair
        return np.where(hit, self._id[place], -1), np.where(hit, self._unit[place], -1)


def stored(
    connection: Connection, source: str, names: Sequence[str], subjects: Sequence[str]
) -> Iterator[tuple[str, str, list[int], list[str]]]:
    """By name and unit: ids and subjects; of those named, and perhaps of others."""
    query = _gathered(connection, table.c.name, table.c.unit).where(table.c.source == source)
    for column, asked in ((table.c.name, names), (table.c.subject, subjects)):
        if len(asked) <= _ASKED:
            query = query.where(column.in_(asked))
    yield from connection.execute(query)


def _gathered(connection: Connection, *by: ColumnElement[str]) -> Select[Any]:
    """Ids and subjects of series by some columns. The database makes lists of them: 430,000 rows arrive as a few hundred."""
    gather = func.json_group_array if connection.dialect.name == "sqlite" else func.json_agg
    columns: list[ColumnElement[Any]] = [*by, gather(table.c.id, type_=JSON), gather(table.c.subject, type_=JSON)]
    query: Select[Any] = select(*columns)
    return query.group_by(*by)


def _register(connection: Connection, source: str, rows: pd.DataFrame) -> Ids:
    """New series from the first row of each; their ids in the order of ``rows``, which is by name, then subject."""
    ids = list(bulk.reserve(connection, table, len(rows)))
    columns: bulk.Columns = {
        "id": ids,
        "source": bulk.Same(source),
        "name": rows["series"].tolist(),
        "subject": rows["subject"].tolist(),
        "unit": rows["unit"].tolist(),
    }
    bulk.insert(connection, table, len(ids), columns)
    return np.array(ids, dtype=np.int64)
