"""What became of every message: where it was to go, what it tells of, and every try with its answer."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, select

from alerts.delivery import Result, Sending, Status, Try
from monitor.store import bulk
from monitor.store.tables import alert, attempt, change, delivery


def sendings(
    connection: Connection,
    *,
    status: Status | None = None,
    channel: str | None = None,
    receiver: str | None = None,
    ids: Collection[int] | None = None,
    changes: Collection[int] | None = None,
    most: int | None = None,
) -> list[Sending]:
    """Messages that are all of what is given, the latest first, at most ``most``."""
    c = delivery.c
    about = (alert.c.book, alert.c.target, alert.c.subject, alert.c.kind)
    query = (
        select(delivery, change.c.event, *about)
        .outerjoin(change, change.c.id == c.change_id)
        .outerjoin(alert, alert.c.id == change.c.alert_id)
        .order_by(c.id.desc())
        .limit(most)
    )
    if status is not None:
        query = query.where(c.status == status.value)
    if channel is not None:
        query = query.where(c.channel == channel)
    if receiver is not None:
        query = query.where(c.receiver == receiver)
    if ids is not None:
        query = query.where(bulk.among(connection, c.id, ids))
    if changes is not None:
        query = query.where(bulk.among(connection, c.change_id, changes))
    rows = connection.execute(query).all()
    tries = _tries(connection, [row.id for row in rows])
    return [_sending(row, tuple(tries.get(row.id, ()))) for row in rows]


def _tries(connection: Connection, ids: list[int]) -> dict[int, list[Try]]:
    a, found = attempt.c, dict[int, list[Try]]()
    query = select(attempt).where(bulk.among(connection, a.delivery_id, ids)).order_by(a.id)
    for row in connection.execute(query):
        found.setdefault(row.delivery_id, []).append(Try(row.at, Result(row.result), row.answer))
    return found


def _sending(row: Any, tries: tuple[Try, ...]) -> Sending:
    return Sending(
        id=row.id,
        change_id=row.change_id,
        about=row.bulletin or f"{row.book}/{row.target}/{row.subject}/{row.kind}",
        event=row.bulletin or row.event,
        receiver=row.receiver,
        channel=row.channel,
        address=row.address,
        why=row.why,
        status=Status(row.status),
        attempts=row.attempts,
        due_at=row.due_at,
        finished_at=row.finished_at,
        suppressed=row.suppressed or "",
        digest=row.digest_id,
        tries=tries,
    )
