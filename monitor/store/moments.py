"""Times and days in the database: always UTC, and plain integers on SQLite, so that comparing is right and quick."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    DateTime,
    Dialect,
    Integer,
    cast,
    func,
    literal_column,
    type_coerce,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()


class Moment(TypeDecorator[datetime]):
    """An aware datetime; TIMESTAMPTZ, on SQLite microseconds since 1970 UTC. A naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return None if value is None else written(value, dialect.name)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return moment(value) if dialect.name == "sqlite" else value.astimezone(UTC)


class Day(TypeDecorator[date]):
    """A DATE; on SQLite days since 1970."""

    impl = Date()
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else Date())

    def process_bind_param(self, value: date | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name != "sqlite" else value.toordinal() - _EPOCH_DAY

    def process_result_value(self, value: Any, dialect: Dialect) -> date | None:
        return value if value is None or dialect.name != "sqlite" else date.fromordinal(value + _EPOCH_DAY)


def written(at: datetime, dialect: str) -> Any:
    """``at`` as a driver of ``dialect`` takes it. Raises ValueError for a naive datetime."""
    if at.tzinfo is None:
        raise ValueError(f"时间没有时区 (naive_datetime): {at}")
    return micros(at) if dialect == "sqlite" else at.astimezone(UTC)


def column(moments: Iterable[datetime | None], dialect: str) -> list[Any]:
    """Moments as a driver takes them; thousands of rows share a few."""
    listed = list(moments)
    known = {at: None if at is None else written(at, dialect) for at in set(listed)}
    return [known[at] for at in listed]


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (at - EPOCH) // timedelta(microseconds=1)


def moment(micros: int) -> datetime:
    """The inverse of ``micros``."""
    return EPOCH + timedelta(microseconds=micros)


def as_micros(column: ColumnElement[datetime], dialect: str) -> ColumnElement[int]:
    """A Moment column selected as microseconds since 1970, to be read into an array."""
    if dialect == "sqlite":
        return type_coerce(column, BigInteger)
    # date_part is a double: exact to the microsecond for some centuries, and much quicker than extract, a numeric.
    return cast(func.date_part("epoch", column) * 1_000_000.0, BigInteger)


def as_days(column: ColumnElement[date], dialect: str) -> ColumnElement[int]:
    """A Day column selected as days since 1970, to be read into an array."""
    if dialect == "sqlite":
        return type_coerce(column, Integer)
    return cast(column.op("-", return_type=Integer())(literal_column("DATE '1970-01-01'")), BigInteger)
