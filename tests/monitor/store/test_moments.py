from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Connection, insert, select

from monitor.store import moments
from monitor.store.tables import clock

SHANGHAI = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    "at",
    [
        datetime(2025, 10, 20, 9, 30, 0, 123456, SHANGHAI),
        datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
        datetime(2199, 1, 1, tzinfo=UTC),
    ],
)
def test_a_moment_comes_back_exactly_and_in_utc(connection: Connection, at: datetime) -> None:
    connection.execute(insert(clock).values(id=1, wall_at=at, clock_at=at))
    found = connection.execute(select(clock.c.wall_at)).scalar_one()
    assert found == at
    assert found.tzinfo is UTC
    number = moments.as_micros(clock.c.wall_at, connection.dialect.name)
    assert connection.scalar(select(number)) == moments.micros(at)
    assert moments.moment(moments.micros(at)) == at


def test_moments_are_compared_as_moments(connection: Connection) -> None:
    at = datetime(2025, 10, 20, 1, 30, tzinfo=UTC)
    connection.execute(insert(clock).values(id=1, wall_at=at, clock_at=at))
    same = datetime(2025, 10, 20, 9, 30, tzinfo=SHANGHAI)
    for limit, found in ((same, 1), (same - timedelta(microseconds=1), 0), (same + timedelta(microseconds=1), 1)):
        assert len(connection.execute(select(clock).where(clock.c.wall_at <= limit)).all()) == found
