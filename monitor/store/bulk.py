"""Many rows at once, in columns: what a driver does best, without an object per cell."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ARRAY, BigInteger, ColumnElement, Connection, Select, Table, any_, bindparam, func, select, text

from monitor.store import moments

_ROWS_AT_ONCE = 64
"""Rows per INSERT on SQLite: its fixed cost weighs as much as several rows; above this nothing is gained."""
_ROWS_A_PORTION = 20_000
"""Rows per piece of a COPY: the server stores one while the next is being written."""
_ESCAPED = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}


class Same:
    """A column that has one value in all rows."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


Columns = Mapping[str, Sequence[Any] | Same]
"""Cells by column, in the driver's own types (see ``moments.written``); all columns of one length. None is no value, bytes
are text in UTF-8."""


def insert(connection: Connection, table: Table, rows: int, columns: Columns) -> None:
    """Add ``rows`` rows."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        _insert_sqlite(connection, table.name, rows, columns)
    else:
        _copy(connection, table.name, rows, columns)


def upsert(
    connection: Connection, table: Table, rows: int, columns: Columns, key: Sequence[str], told: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Add ``rows`` rows; one whose ``key`` is there already takes the place of what was there.

    Returns the columns ``told`` of each, in any order.
    """
    name, names = table.name, _names(columns)
    others = ", ".join(f'"{one}" = excluded."{one}"' for one in columns if one not in key)
    end = f" ON CONFLICT ({_names(key)}) DO UPDATE SET {others} RETURNING {_names(told)}"
    if connection.dialect.name == "sqlite":
        return _insert_sqlite(connection, name, rows, columns, end)
    # Laid down beside the table, in a place that each connection has for itself: one statement then moves them all.
    laid = f"TABLE IF NOT EXISTS new_{name} ON COMMIT DELETE ROWS AS SELECT {names} FROM {name}"  # noqa: S608  our own names
    connection.exec_driver_sql(f"CREATE TEMPORARY {laid} WITH NO DATA")
    connection.exec_driver_sql(f"DELETE FROM new_{name}")  # noqa: S608
    _copy(connection, f"new_{name}", rows, columns)
    moved = connection.exec_driver_sql(f"INSERT INTO {name} ({names}) SELECT {names} FROM new_{name}{end}")  # noqa: S608
    return list(map(tuple, moved))


def reserve(connection: Connection, table: Table, rows: int) -> range | list[int]:
    """Ids for ``rows`` new rows of ``table``, ascending. On SQLite the transaction must be a writing one."""
    if connection.dialect.name == "sqlite":
        last = connection.scalar(select(func.max(table.c.id))) or 0
        return range(last + 1, last + 1 + rows)
    numbers = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :rows)")
    return sorted(connection.scalars(numbers, {"table": table.name, "rows": rows}))


def among(connection: Connection, column: ColumnElement[int], numbers: Iterable[int]) -> ColumnElement[bool]:
    """Whether ``column`` is one of ``numbers``, however many: they are bound as one value, and the statement stays the same."""
    if connection.dialect.name == "sqlite":
        return column.in_(select(func.json_each(json.dumps(list(numbers))).table_valued("value").c.value))
    return column == any_(bindparam(None, list(numbers), ARRAY(BigInteger)))


def fetch(connection: Connection, statement: Select[Any], columns: Sequence[tuple[str, str]]) -> NDArray[Any]:
    """The rows of ``statement`` as a structured array.

    ``columns`` are names and types, all of 8 bytes (``i8``, ``f8``), which the
    statement must give without NULLs.
    """
    if connection.dialect.name == "sqlite":
        cursor: Any = connection.execute(statement).cursor
        return np.fromiter(cursor, dtype=list(columns))
    return _packed(connection, statement, columns)


def _insert_sqlite(connection: Connection, table: str, rows: int, columns: Columns, end: str = "") -> list[Any]:
    """Returns what a statement with that ``end`` tells of the rows."""
    columns = _alike(columns)
    same = [column.value for column in columns.values() if isinstance(column, Same)]
    varying = [column for column in columns.values() if not isinstance(column, Same)]
    cells = chain.from_iterable(zip(*varying, strict=True))
    told = list[Any]()
    cursor = connection.connection.cursor()
    for block, count in ((_ROWS_AT_ONCE, rows // _ROWS_AT_ONCE), (1, rows % _ROWS_AT_ONCE)):
        statement = _statement(table, columns, block) + end if count else ""
        for _ in range(count):
            cursor.execute(statement, [*same, *islice(cells, block * len(varying))])
            told += cursor.fetchall()
    cursor.close()
    return told


def _statement(table: str, columns: Columns, rows: int) -> str:
    """INSERT of ``rows`` rows: equal values are bound once, as the first parameters, and used in every row."""
    fixed = [name for name, column in columns.items() if isinstance(column, Same)]
    place = len(fixed)
    groups = []
    for _ in range(rows):
        marks = []
        for name, column in columns.items():
            if isinstance(column, Same):
                mark = f"?{fixed.index(name) + 1}"
            else:
                place += 1
                mark = f"?{place}"
            marks.append(f"CAST({mark} AS TEXT)" if isinstance(_first(column), bytes) else mark)
        groups.append(f"({','.join(marks)})")
    return f'INSERT INTO "{table}" ({_names(columns)}) VALUES {",".join(groups)}'  # noqa: S608  names are those of our own tables


def _copy(connection: Connection, table: str, rows: int, columns: Columns) -> None:
    columns = _alike(columns)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table}" ({_names(columns)}) FROM STDIN') as copy:
        for start in range(0, rows, _ROWS_A_PORTION):
            end = min(start + _ROWS_A_PORTION, rows)
            written = [
                _words([column.value]) * (end - start) if isinstance(column, Same) else _words(column[start:end])
                for column in columns.values()
            ]
            copy.write("\n".join(map("\t".join, zip(*written, strict=True))) + "\n")


def _names(columns: Iterable[str]) -> str:
    return ",".join(f'"{name}"' for name in columns)


def _alike(columns: Columns) -> Columns:
    """Cells that are all equal as one value: of thousands of alerts that move at once half the columns are such."""
    return {
        name: column
        if isinstance(column, Same) or column[0] != column[-1] or column.count(column[0]) < len(column)
        else Same(column[0])
        for name, column in columns.items()
    }


def _first(column: Sequence[Any] | Same) -> Any:
    return column.value if isinstance(column, Same) else column[0]


def _packed(connection: Connection, statement: Select[Any], columns: Sequence[tuple[str, str]]) -> NDArray[Any]:
    """The server packs each column into one string of bytes: a row of its own costs more than all that is in it."""
    query = statement.compile(connection, compile_kwargs={"render_postcompile": True})
    params = {
        name: moments.written(value, "postgresql") if isinstance(value, datetime) else value
        for name, value in query.params.items()
    }
    send = {"i8": "int8send", "f8": "float8send"}
    packed = ",".join(f"string_agg({send[kind]}({name}), ''::bytea)" for name, kind in columns)
    names = ",".join(name for name, _ in columns)
    driver: Any = connection.connection.driver_connection
    with driver.cursor(binary=True) as cursor:
        wire = cursor.execute(f"SELECT {packed} FROM ({query}) AS row ({names})", params).fetchone()  # noqa: S608  names and marks only
    rows = np.empty(len(wire[0] or b"") // 8, dtype=list(columns))
    for (name, kind), data in zip(columns, wire, strict=True):
        rows[name] = np.frombuffer(data or b"", dtype=f">{kind}")
    return rows


def _words(column: Sequence[Any]) -> list[str]:
    """A column in COPY's text form."""
    if None in column:
        return [r"\N" if cell is None else _escaped(str(cell)) for cell in column]
    if isinstance(column[0], bytes):
        return [_escaped(cell.decode()) for cell in column]
    if not isinstance(column[0], str):
        return list(map(str, column))
    return list(map(_escaped, column))


def _escaped(cell: str) -> str:
    for mark, written in _ESCAPED.items():
        cell = cell.replace(mark, written)
    return cell
