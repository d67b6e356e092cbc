"""What became of every message: where it was to go, what it tells of, and every try with its answer."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from alerts.delivery import Result, Sending, Status, Try
from alerts.organisation import Contact
from monitor.store import bulk
from monitor.store.tables import alert, attempt, change, delivery

_LATEST = 5000


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


def tried_since(connection: Connection, channel: str, since: datetime) -> list[datetime]:
    """When ``channel`` tried to send, from then on, as far as the latest tries of all channels tell."""
    a = attempt.c
    latest = select(a.delivery_id, a.at).where(a.result != Result.REDRIVEN.value).order_by(a.id.desc()).limit(_LATEST)
    last = latest.subquery().c
    query = select(last.at).join(delivery, delivery.c.id == last.delivery_id).order_by(last.at)
    return list(connection.scalars(query.where(delivery.c.channel == channel, last.at > since)))


def readdress(connection: Connection, contacts: Callable[[str], Sequence[Contact]]) -> int:
    """Have what is not sent yet go where its receiver is reached by now, where that is one address of the channel.

    Not where the receiver is told of the same change at that address already. Returns how many messages.
    """
    c, other = delivery.c, delivery.alias()
    waits = [c.status.in_((Status.QUEUED.value, Status.SUPPRESSED.value)), c.finished_at.is_(None)]
    moved = 0
    for receiver, channel, address in connection.execute(
        select(c.receiver, c.channel, c.address).where(*waits).distinct()
    ):
        now = [contact.address for contact in contacts(receiver) if contact.channel == channel]
        if len(now) != 1 or now[0] == address:
            continue
        same = [other.c.receiver == receiver, other.c.channel == channel, other.c.address == now[0]]
        told = select(other.c.id).where(*same, other.c.change_id == c.change_id).correlate(delivery).exists()
        mine = update(delivery).where(*waits, c.receiver == receiver, c.channel == channel, c.address == address, ~told)
        moved += connection.execute(mine.values(address=now[0])).rowcount
    return moved


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
