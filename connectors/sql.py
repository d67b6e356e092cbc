"""The source kind ``sql``: one read-only query, with bound parameters, of any database that SQLAlchemy speaks to."""

import hashlib
import re
import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from sqlalchemy import URL, BindParameter, Connection, Date, DateTime, String, bindparam, text

from connectors.base import ConnectorError, Failure
from connectors.fields import Constants
from connectors.figures import Cells, Column, Rows, objects, reading
from connectors.observation import Query, Reading
from connectors.sql_session import Database, address
from connectors.strict import Strict

_FIELDS = ("series", "subject", "period", "value", "unit", "known", "status")
_PARAMETERS: dict[str, BindParameter[Any]] = {
    "first": bindparam("first", type_=Date()),
    "last": bindparam("last", type_=Date()),
    "at": bindparam("at", type_=DateTime()),
    "since": bindparam("since", type_=DateTime()),
    "series": bindparam("series", type_=String(), expanding=True),
}
_AGAIN = re.compile(r"(\d{1,4}) days?")
_BATCH = 1_000  # rows; larger ones cost more than they save, in memory that has left the cache
_LONG_AGO = datetime(1900, 1, 1)  # noqa: DTZ001 - a local time, like every time that is bound


def _without_password(url: str) -> str:
    if address(url).password:
        raise ValueError("url 里不要写口令 (password in url): 请用 password_file 或 url_file")
    return url


def _known_parameters(query: str) -> str:
    if unknown := [name for name in _bound(query) if name not in _PARAMETERS]:
        raise ValueError(
            f"query 里有未知的参数 :{'、:'.join(unknown)} (unknown parameter); "
            f"可用 :{'、:'.join(_PARAMETERS)}；冒号本身写作 \\:"
        )
    return query


def _days(again: str) -> str:
    if not _AGAIN.fullmatch(again.strip()):
        raise ValueError(f"看不懂 again: {again} (bad window); 应如 60 days")
    return again


class SqlOptions(Constants):
    """A database and a query whose columns are the fields of a figure.

    A column of the result called ``series``, ``subject``, ``period``, ``value``,
    ``unit``, ``known`` or ``status`` is that field; ``columns`` names those called
    otherwise. Bound in the query, times as local times of ``timezone``:
    ``:first`` and ``:last`` (dates), ``:at``, ``:series`` (``IN :series``), and
    ``:since``: ``again`` before the last answer, so that late rows and
    revisions are read once more; long ago where all must be read.
    """

    url: Annotated[str, _without_password] | None = None  # database URL without its password
    url_file: str | None = None  # file with the URL, relative to the configuration
    password_file: str | None = None  # file with the password, relative to the configuration
    query: Annotated[str, _known_parameters]  # one SELECT
    columns: dict[Literal["series", "subject", "period", "value", "unit", "known", "status"], str] = {}
    """Field -> column of the result; default: the field's own name."""
    again: Annotated[str, _days] = "60 days"  # N days: how far :since goes back before the last answer
    timeout: Annotated[float, Meta(gt=0)] = 30  # seconds to connect, and for the whole query
    max_rows: Annotated[int, Meta(gt=0)] = 1_000_000

    def __post_init__(self) -> None:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("url 与 url_file 须写且只写一个 (exactly one address)")
        self.refuse_twice(self.columns)

    def refuse_twice(self, columns: Iterable[str]) -> None:
        """Raise ValueError for a field that has both a constant and a column."""
        for name in columns:
            if getattr(self, name, None) is not None:
                raise ValueError(f"{name} 既是常量又有来源 (given twice): 请只留一个")

    def window(self) -> timedelta:
        """How far back rows are read again."""
        return timedelta(days=int(self.again.split()[0]))


class Sql:
    """Asks anew at each fetch. ``Reading.digest`` is the SHA-256 of the result, the document the address, bare.

    ``:since`` is the one thing kept between fetches, and only in memory: an
    instance that has not yet answered the same question asks for everything.
    So a restart, an edited book or a new year reads all, and no row is lost to
    an outage longer than the window.
    """

    Options: ClassVar[type[Strict]] = SqlOptions

    def __init__(self, options: SqlOptions, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._answered: Query | None = None

    def fetch(self, query: Query) -> Reading:
        """The figures of the result.

        ConnectorError: UNREACHABLE, TIMEOUT, DENIED, NOT_FOUND (no such SQLite
        file), TOO_LARGE (over ``max_rows``), MISCONFIGURED (secret files, table,
        column, a query that writes), BAD_ANSWER. Its words hold no secret.
        """
        options = self._options
        database = Database(self._url(), self._folder, options.timeout, options.timezone)
        try:
            with database.reading() as connection:
                cells = _cells(self._columns(connection, query), options)
        except ConnectorError as error:
            raise ConnectorError(error.reason, f"{database.shown}: {error.detail}", retryable=error.retryable) from None
        found = reading(cells, options, query, database.shown, _digest(cells))
        self._answered = query
        return found

    def _url(self) -> URL:
        options = self._options
        try:
            url = address(options.url or self._secret(options.url_file or ""))
        except ValueError as error:
            raise ConnectorError(Failure.MISCONFIGURED, f"{options.url_file}: {error}", retryable=False) from None
        return url.set(password=self._secret(options.password_file)) if options.password_file else url

    def _secret(self, name: str) -> str:
        try:
            secret = (self._folder / name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError):
            secret = ""
        if not secret:
            raise ConnectorError(
                Failure.MISCONFIGURED,
                f"文件 {self._folder / name} 读不出内容 (no secret): 请检查文件、权限和内容",
                retryable=False,
            )
        return secret

    def _columns(self, connection: Connection, query: Query) -> dict[str, list[Any]]:
        """The fields of the result, read in batches, so that neither number nor time runs away."""
        options = self._options
        bound = _bound(options.query)
        statement = text(options.query).bindparams(*(_PARAMETERS[name] for name in bound))
        ends = time.monotonic() + options.timeout
        given = self._given(query)
        result = connection.execution_options(stream_results=True, max_row_buffer=_BATCH).execute(
            statement, {name: given[name] for name in bound}
        )
        with closing(result):
            if not result.returns_rows:
                raise _refused(Failure.MISCONFIGURED, "query 不返回数据 (no rows): 只许写一条 SELECT")
            fields = self._fields(list(result.keys()))
            columns: dict[str, list[Any]] = {field: [] for field in fields}
            while batch := result.fetchmany(_BATCH):
                cells = list(zip(*batch, strict=True))
                for field, place in fields.items():
                    columns[field] += cells[place]
                if len(columns["value"]) > options.max_rows:
                    raise _refused(
                        Failure.TOO_LARGE,
                        f"结果超过 {options.max_rows} 行 (too large): 请用 :first、:last、:since、:series 缩小，或加大 max_rows",
                    )
                if time.monotonic() > ends:
                    raise _refused(
                        Failure.TIMEOUT, f"没有在 {options.timeout:g} 秒内读完 (timeout): 请缩小查询，或加大 timeout"
                    )
        return columns

    def _given(self, query: Query) -> dict[str, Any]:
        """The parameters. Times are local: the session, or what stands in the tables, takes them as such."""
        before, since = self._answered, _LONG_AGO
        asked = (query.first, query.last, query.series)
        if before and asked == (before.first, before.last, before.series) and before.at <= query.at:
            since = self._local(before.at) - self._options.window()
        return {
            "first": query.first,
            "last": query.last,
            "at": self._local(query.at),
            "since": since,
            "series": list(query.series),
        }

    def _local(self, at: datetime) -> datetime:
        return at.astimezone(self._options.timezone).replace(tzinfo=None)

    def _fields(self, names: Sequence[str]) -> dict[str, int]:
        """Where each field stands in the result. Every column must be a field, so that none is overlooked."""
        options = self._options
        wanted = {field: options.columns.get(field, field) for field in _FIELDS}  # type: ignore[call-overload]
        found = {field: names.index(name) for field, name in wanted.items() if name in names}
        needed = {"period", "value", *options.columns, *(() if options.series else ("series",))}
        there = f"；结果里有: {'、'.join(names)}"
        if missing := [wanted[field] for field in _FIELDS if field in needed and field not in found]:
            raise _refused(
                Failure.MISCONFIGURED,
                f"查询结果没有列 {'、'.join(missing)} (missing column){there}；请在 query 里用 AS 命名，或改 columns",
            )
        if stray := [name for place, name in enumerate(names) if place not in found.values()]:
            raise _refused(
                Failure.MISCONFIGURED,
                f"查询结果的列 {'、'.join(stray)} 没有用处 (unmapped column){there}；请从 query 里去掉，或在 columns 里指明",
            )
        try:
            options.refuse_twice(found)
        except ValueError as error:
            raise _refused(Failure.MISCONFIGURED, str(error)) from None
        return found


def _bound(query: str) -> list[str]:
    """The names of the parameters of ``query``."""
    return list(text(query).compile().params)


def _refused(reason: Failure, detail: str) -> ConnectorError:
    return ConnectorError(reason, detail, retryable=reason is Failure.TIMEOUT)


def _cells(columns: Mapping[str, list[Any]], options: SqlOptions) -> Cells:
    """The rows as cells, each called 第N行 by its place in the result."""

    def place(at: Rows) -> list[str]:
        return [f"第{row}行" for row in (at + 1).tolist()]

    named = {name: _column(cells, options) for name, cells in columns.items() if name != "value"}
    return Cells.rows(_values(columns["value"]), place, **named)


def _column(cells: Sequence[Any], options: SqlOptions) -> Column:
    try:
        found = Column.of(cells)
    except TypeError:  # lists and objects cannot be told apart by hash
        cells = [cell if isinstance(cell, Hashable) else str(cell) for cell in cells]
        found = Column.of(cells)
    if (found.codes < 0).any():  # neither NULL nor NaN is a content to pandas
        found = Column.of([_stated(cell) for cell in cells])
    return Column([_content(cell, options) for cell in found.contents], found.codes)


def _stated(cell: Any) -> Any:
    """NULL as an empty cell, NaN as its own text: neither may stand for the other."""
    return "" if cell is None else cell if cell == cell else str(cell)  # noqa: PLR0124


def _content(cell: Any, options: SqlOptions) -> Any:
    """A cell of a field as the house reads it: aware times as local ones, decimals as numbers, all else as text."""
    if isinstance(cell, datetime):
        return cell.astimezone(options.timezone) if cell.tzinfo else cell
    if isinstance(cell, Decimal) and cell.is_finite():
        return int(cell) if cell == cell.to_integral_value() else float(cell)
    return str(cell) if isinstance(cell, bool) or not isinstance(cell, int | float | str | date) else cell


def _values(cells: Sequence[Any]) -> NDArray[Any]:
    """Numbers as one array, NULL as NaN; anything else, a stored NaN included, as found, for the house to refuse."""
    if set(map(type, cells)) <= {int, float, Decimal, type(None)}:
        values = np.array(cells, dtype=np.float64)
        if int(np.isnan(values).sum()) == cells.count(None):
            return values
    return objects([str(cell) if isinstance(cell, bool | Decimal) else _stated(cell) for cell in cells])


def _digest(cells: Cells) -> str:
    """Of the distinct contents and where they stand, which is the result in fewer bytes."""
    digest = hashlib.sha256()
    for column in (cells.series, cells.subject, cells.period, cells.unit, cells.known, cells.status):
        if column is not None:
            digest.update(repr(column.contents).encode() + column.codes.tobytes())
    values = cells.value
    digest.update(values.tobytes() if values.dtype.kind == "f" else repr(values.tolist()).encode())
    return digest.hexdigest()
