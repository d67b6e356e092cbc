"""The ledger of scheduled work: each slot of a job is done once, and a restart knows where to go on."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from monitor.store.pulls import Outcome, clean
from monitor.store.tables import clock as clock_table
from monitor.store.tables import run

_OPEN = ""
_ONLY = 1
ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""The slot of a job that is done once and for all."""


class Anchor(NamedTuple):
    """What the daemon's clock showed (``clock_at``) when the real one showed ``wall_at``."""

    wall_at: datetime
    clock_at: datetime


def claim_slot(connection: Connection, job: str, slot: datetime, at: datetime) -> bool:
    """Take a slot of a job; False if it was finished before, by whomever, and did not fail.

    One that was begun and never finished is taken again: only the leader writes, so whoever began it is no more, or
    could not go on. The caller sees to it that one process does not do a job twice at the same time.
    """
    insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    taken = insert(run).values(job=job, slot=slot, started_at=at, outcome=_OPEN, detail="")
    again = taken.on_conflict_do_update(
        index_elements=[run.c.job, run.c.slot],
        set_={"started_at": at, "finished_at": None, "outcome": _OPEN, "detail": ""},
        where=run.c.finished_at.is_(None) | (run.c.outcome == Outcome.FAILED.value),
    )
    return connection.execute(again.returning(run.c.job)).first() is not None


def finish(connection: Connection, job: str, slot: datetime, at: datetime, outcome: str, detail: str = "") -> None:
    """Write down how a slot ended."""
    mine = update(run).where(run.c.job == job, run.c.slot == slot)
    connection.execute(mine.values(finished_at=at, outcome=outcome, detail=clean(detail)))


def answer(connection: Connection, job: str) -> str | None:
    """How a job that is done once and for all ended; None if it was not done yet."""
    found: str | None = connection.scalar(select(run.c.detail).where(run.c.job == job, run.c.slot == ONCE))
    return found


def answered(connection: Connection, job: str, at: datetime, outcome: str, detail: str) -> None:
    """Write down how a job ended that is done once and for all."""
    if claim_slot(connection, job, ONCE, at):
        finish(connection, job, ONCE, at, outcome, detail)


def forget_answers(connection: Connection, before: datetime) -> int:
    """Forget the jobs of ``answered`` that ended before a moment; returns how many."""
    return connection.execute(delete(run).where(run.c.slot == ONCE, run.c.started_at < before)).rowcount


def forget_done(connection: Connection, before: datetime) -> int:
    """Forget finished slots from before a moment, but for jobs that are done once and for all; returns how many."""
    old = (run.c.slot < before) & (run.c.slot != ONCE) & run.c.finished_at.is_not(None)
    return connection.execute(delete(run).where(old)).rowcount


def forget_ahead(connection: Connection, now: datetime) -> int:
    """Forget the slots that have not come yet: a clock that was ahead saw them. They are done when they come."""
    return connection.execute(delete(run).where(run.c.slot > now)).rowcount


def clock(connection: Connection, wall_at: datetime, clock_at: datetime) -> Anchor:
    """The anchor of the daemon's clock: the stored one, or this one, stored from now on."""
    _insert_if_new(connection, clock_table, {"id": _ONLY, "wall_at": wall_at, "clock_at": clock_at})
    query = select(clock_table.c.wall_at, clock_table.c.clock_at).where(clock_table.c.id == _ONLY)
    return Anchor(*connection.execute(query).one())


def _insert_if_new(connection: Connection, table: Table, values: dict[str, Any]) -> bool:
    """Whether the row was inserted; False where its primary key is taken."""
    insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    key = next(iter(table.primary_key.columns))
    made = connection.execute(insert(table).values(**values).on_conflict_do_nothing().returning(key))
    return made.first() is not None
