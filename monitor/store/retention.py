"""What may be forgotten: pulls that brought nothing, and turns long done. Figures, alerts and messages never are."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, select

from monitor.store import pulls, runs
from monitor.store.database import reading
from monitor.store.tables import pull, quarantine

_AT_ONCE = 1000


def forget(engine: Engine, before: datetime) -> tuple[int, int]:
    """Forget pulls and turns that began before a moment; returns how many of each.

    A pull stays that any figure came of, stored or set aside, and the last one of each source, good and bad. Deletes
    in small transactions, so that nobody waits.
    """
    with reading(engine) as connection:
        ids = _idle(connection, before)
    for start in range(0, len(ids), _AT_ONCE):
        with engine.begin() as connection:
            connection.execute(delete(pull).where(pull.c.id.in_(ids[start : start + _AT_ONCE])))
    with engine.begin() as connection:
        return len(ids), runs.forget_done(connection, before)


def _idle(connection: Connection, before: datetime) -> Sequence[int]:
    c = pull.c
    nothing = select(c.id).where(c.started_at < before, c.rows_new == 0, c.rows_revised == 0)
    found = set(connection.scalars(nothing)) - set(pulls.last_ids(connection))
    return sorted(found - set(connection.scalars(select(quarantine.c.pull_id))))
