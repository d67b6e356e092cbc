"""Errands: what workers on other hosts are asked to do and what they answer, beside procrastinate's queue of them.

Nothing of value is in it. What is owed and what is done stands in the ledger and the outbox, so that a leader begins
with an empty slate, and tables of another version are made anew.
"""

from collections.abc import Collection, Sequence
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Identity,
    MetaData,
    Table,
    Text,
    and_,
    delete,
    insert,
    select,
    text,
    update,
)

if TYPE_CHECKING:
    from procrastinate.manager import JobManager

SCHEMA = "duban_queue"
TASK = "errand"
_MADE = text("SELECT obj_description(to_regnamespace(:schema))")
_HERE = text(f"SET LOCAL search_path TO {SCHEMA}")
_ERRAND = Table(
    "errand",
    MetaData(schema=SCHEMA),
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("question", Text, nullable=False),
    Column("answer", Text),
)
_C = _ERRAND.c
_LOST = text("""
    SELECT id FROM errand WHERE answer IS NULL AND id NOT IN (
        SELECT CAST(job.args ->> 'errand' AS bigint)
        FROM procrastinate_jobs job LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
        WHERE job.status = 'todo'
        OR job.status = 'doing' AND worker.last_heartbeat > now() - make_interval(secs => :patience)
    )
""")
_WORKERS = text("""
    SELECT count(*) FROM duban_queue.procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => :patience)
""")
_UNTAKEN = text("""
    DELETE FROM procrastinate_jobs WHERE status = 'todo' AND CAST(args ->> 'errand' AS bigint) = ANY(:errands)
    RETURNING CAST(args ->> 'errand' AS bigint)
""")


def prepare(engine: Engine) -> None:
    """Begin with an empty slate: whoever asked before asks no more, and a late answer finds no question."""
    from procrastinate.schema import SchemaManager

    with engine.begin() as connection:
        if connection.scalar(_MADE, {"schema": SCHEMA}) == _edition():
            connection.execute(_HERE)
            connection.execute(delete(_ERRAND))
            connection.execute(text("DELETE FROM procrastinate_jobs WHERE status = 'todo' OR worker_id IS NULL"))
            return
        connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        connection.execute(_HERE)
        # Not through SQLAlchemy: many statements at once, and per cent signs that mean nothing.
        _driver(connection).execute(SchemaManager.get_schema())
        _ERRAND.create(connection)
        connection.execute(text(f"COMMENT ON SCHEMA {SCHEMA} IS '{_edition()}'"))


def prepared(engine: Engine) -> bool:
    """Whether a leader has made the tables as this program needs them."""
    with engine.connect() as connection:
        return bool(connection.scalar(_MADE, {"schema": SCHEMA}) == _edition())


def workers(connection: Connection, patience: float) -> int:
    """How many gave a sign of life within ``patience`` seconds; 0 where no leader has made the tables yet."""
    if connection.scalar(_MADE, {"schema": SCHEMA}) is None:
        return 0
    return int(connection.scalar(_WORKERS, {"patience": patience}) or 0)


def put(connection: Connection, question: str) -> int:
    """Ask; returns the errand's number."""
    connection.execute(_HERE)
    errand: int = connection.execute(insert(_ERRAND).values(question=question).returning(_C.id)).scalar_one()
    _offer(connection, [errand])
    return errand


def put_again(connection: Connection, patience: float) -> Sequence[int]:
    """Offer anew what nobody has: its worker died, or gave no sign of life for ``patience`` seconds."""
    connection.execute(_HERE)
    lost = connection.scalars(_LOST, {"patience": patience}).all()
    _offer(connection, lost)
    return lost


def withdraw(connection: Connection, errands: Collection[int]) -> list[int]:
    """Take back those of these that no worker has taken; returns which are no more, by this or by what was before."""
    connection.execute(_HERE)
    untaken = list(connection.scalars(_UNTAKEN, {"errands": list(errands)}))
    connection.execute(delete(_ERRAND).where(_C.id.in_(untaken)))
    standing = set(connection.scalars(select(_C.id).where(_C.id.in_(errands))))
    return [errand for errand in errands if errand not in standing]


def answered(connection: Connection, errands: Collection[int]) -> dict[int, str]:
    """Take the answers there are to these."""
    found = delete(_ERRAND).where(_C.id.in_(errands), _C.answer.is_not(None)).returning(_C.id, _C.answer)
    return {errand: said for errand, said in connection.execute(found)}  # noqa: C416  mypy knows no rows


def question(connection: Connection, errand: int) -> str | None:
    """What is asked; None where nobody waits for it any more."""
    asked: str | None = connection.scalar(select(_C.question).where(_waiting(errand)))
    return asked


def answer(connection: Connection, errand: int, said: str) -> bool:
    """Answer, the only thing that a worker ever writes; False where nobody waits for it any more."""
    return connection.execute(update(_ERRAND).where(_waiting(errand)).values(answer=said)).rowcount == 1


def _waiting(errand: int) -> ColumnElement[bool]:
    return and_(_C.id == errand, _C.answer.is_(None))


def _offer(connection: Connection, errands: Sequence[int]) -> None:
    from procrastinate.jobs import Job

    if errands:
        jobs = [
            Job(queue=TASK, lock=None, queueing_lock=None, task_name=TASK, task_kwargs={"errand": errand})
            for errand in errands
        ]
        _manager().batch_defer_jobs(jobs, connection=_driver(connection))


@cache
def _manager() -> "JobManager":
    from procrastinate import SyncPsycopgConnector
    from procrastinate.manager import JobManager

    return JobManager(SyncPsycopgConnector())  # never opened: it is always given a connection


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _edition() -> str:
    return f"duban {version('duban')}, procrastinate {version('procrastinate')}"
