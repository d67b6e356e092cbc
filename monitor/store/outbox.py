"""Messages on their way: queued with the change they tell of, taken under a lease, tried, sent or given up."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, LargeBinary, Text, and_, case, cast, func, insert, or_, select, update

from alerts.alert import State
from alerts.bulletin import Bulletin
from alerts.delivery import LEASE, Attempt, Delivery, Result, Status, key
from alerts.notice import Notice, read
from alerts.routing import Route
from alerts.suppression import Held
from monitor.store import bulk, digests, moments
from monitor.store.digests import Way
from monitor.store.pulls import clean
from monitor.store.tables import alert, attempt, change, delivery

_WAITING = (Status.QUEUED.value, Status.SENDING.value)


class Message(NamedTuple):
    """A message as it is queued: what it tells of, and by which way."""

    id: int
    change_id: int
    way: Way


def enqueue(
    connection: Connection, messages: Sequence[tuple[int, Route]], at: datetime, held: Mapping[tuple[int, Way], Held]
) -> list[Message]:
    """Queue one message per (change id, route), due at once unless it is ``held``; returns those due. Bulk.

    The same change by the same way to the same receiver is one message, however often it is named.
    """
    once: dict[tuple[int, Way], str] = {}
    for change_id, route in messages:
        once.setdefault((change_id, Way(*route[:3])), route.why)
    if not once:
        return []
    ids, dialect = list(bulk.reserve(connection, delivery, len(once))), connection.dialect.name
    receiver, channel, address = zip(*(way for _, way in once), strict=True)
    columns: bulk.Columns = {
        "id": ids,
        "change_id": [change_id for change_id, _ in once],
        "receiver": receiver,
        "channel": channel,
        "address": address,
        "why": list(once.values()),
        "key": [key(change_id, *way) for change_id, way in once],
        "attempts": bulk.Same(0),
    }
    waits = [held.get(place) for place in once]
    bulk.insert(connection, delivery, len(ids), {**columns, **_waiting(waits, at, dialect)})
    return [Message(number, *place) for number, place, why in zip(ids, once, waits, strict=True) if why is None]


def _waiting(waits: Sequence[Held | None], at: datetime, dialect: str) -> bulk.Columns:
    """Until when messages wait, and why; None for those that are due ``at`` once."""
    if not any(waits):
        return {"status": bulk.Same(Status.QUEUED.value), "due_at": bulk.Same(moments.written(at, dialect))}
    return {
        "status": [str(Status.SUPPRESSED if why else Status.QUEUED) for why in waits],
        "due_at": moments.column((why.until if why else at for why in waits), dialect),
        "suppressed": [str(why.reason) if why else None for why in waits],
        "silence_id": [why.silence or None if why else None for why in waits],
        "inhibitor": [why.inhibitor or None if why else None for why in waits],
    }


def announce(connection: Connection, notice: Notice, ways: Sequence[Route], at: datetime) -> list[int]:
    """Queue a message that tells of no change, due at once; returns the ids of its deliveries."""
    return [
        connection.execute(
            insert(delivery)
            .values(**route._asdict(), key=key(f"{notice.kind} {notice.at}", *route[:3]), bulletin=notice.kind)
            .values(notice=notice.facts(), status=Status.QUEUED.value, attempts=0, due_at=at)
            .returning(delivery.c.id)
        ).scalar_one()
        for route in ways
    ]


def claim(connection: Connection, channel: str, at: datetime, limit: int, *, together: bool = False) -> list[Delivery]:
    """Take up to ``limit`` messages of ``channel`` that are due, the longest due first, for ``LEASE`` from ``at``.

    ``together``: only those that go to the same receiver and address as the first of them. No two senders get the
    same one. A message whose sender fell silent is due again when its lease ends, before those that nobody has taken
    yet; the try that was begun counts. Commit before sending.
    """
    c = delivery.c
    taken: list[int] = []
    same: list[ColumnElement[bool]] = []
    # One status after the other, and with what the index has in between: it is then read in order, as far as the limit.
    for status in (Status.SENDING, Status.QUEUED):
        waiting = [c.status == status.value, c.finished_at.is_(None), c.channel == channel, c.due_at <= at]
        if together and not same:
            first = connection.execute(
                select(c.receiver, c.address).where(*waiting).order_by(c.due_at, c.id).limit(1)
            ).one_or_none()
            if first is None:
                continue
            same = [c.receiver == first.receiver, c.address == first.address]
        due = (
            select(c.id)
            .where(*waiting, *same)
            .order_by(c.due_at, c.id)
            .limit(limit - len(taken))
            .with_for_update(skip_locked=True)  # no such thing on SQLite, where one transaction writes at a time
            .cte("due")
        )
        taken += connection.scalars(
            update(delivery)
            .where(c.id.in_(select(due.c.id)))
            .values(status=Status.SENDING.value, attempts=c.attempts + 1, due_at=at + LEASE)
            .returning(c.id)
        )
    return _deliveries(connection, taken)


def finish(connection: Connection, made: Sequence[tuple[Delivery, Attempt, Status, datetime]], at: datetime) -> int:
    """Write down tries, and what becomes of each message and when it is next tried if it is queued again. Bulk.

    Returns how many are done with. Of the others the lease had run out and another sender has them by now:
    only the try is written down.
    """
    written = moments.written(at, connection.dialect.name)
    for tried, together in groupby(made, itemgetter(1)):  # those that went in one message
        ids = [taken.id for taken, *_ in together]
        said = {"result": bulk.Same(tried.result.value), "answer": bulk.Same(clean(tried.answer))}
        bulk.insert(connection, attempt, len(ids), {"delivery_id": ids, "at": bulk.Same(written), **said})
    alike: dict[tuple[int, Status, datetime], list[int]] = {}
    for taken, _, status, due_at in made:
        if status is Status.SENT and taken.notice.kind == Bulletin.DIGEST:
            digests.arrived(connection, taken.id, at)
        alike.setdefault((taken.attempts, status, due_at), []).append(taken.id)
    ended = 0
    for (attempts, status, due_at), ids in alike.items():
        done = at if status in (Status.SENT, Status.DEAD) else None
        ended += _free(connection, ids, attempts, status=status.value, due_at=due_at, finished_at=done)
    return ended


class Told(NamedTuple):
    """A message that has arrived; ``bulletin`` is None where it tells of one change."""

    receiver: str
    channel: str
    address: str
    bulletin: str | None


def arrive(connection: Connection, at: datetime) -> list[Told]:
    """Take everything that is due at ``at`` as sent, by a rehearsal, in which nothing goes out. Bulk."""
    c = delivery.c
    sent = update(delivery).where(c.status == Status.QUEUED.value, c.due_at <= at)
    sent = sent.values(status=Status.SENT.value, attempts=c.attempts + 1, finished_at=at)
    rows = connection.execute(sent.returning(c.id, c.receiver, c.channel, c.address, c.bulletin)).all()
    for row in rows:
        if row.bulletin == Bulletin.DIGEST:
            digests.arrived(connection, row.id, at)
    return [Told(*row[1:]) for row in rows]


def put_back(connection: Connection, taken: Sequence[Delivery], due_at: datetime) -> None:
    """Undo ``claim`` for messages whose try was not begun, as long as the lease holds: they wait, due from ``due_at``."""
    for attempts in {message.attempts for message in taken}:
        ids = [message.id for message in taken if message.attempts == attempts]
        _free(connection, ids, attempts, status=Status.QUEUED.value, due_at=due_at, attempts=attempts)


def _free(connection: Connection, ids: Sequence[int], tries: int, **values: Any) -> int:
    """End the leases of messages that were tried ``tries`` times before, where they still hold; returns how many did."""
    c = delivery.c
    # By a function, or SQLite would look through all that is being sent for each of a sender's messages.
    sending = func.lower(c.status) == Status.SENDING.value
    mine = and_(bulk.among(connection, c.id, ids), sending, c.attempts == tries + 1)
    return connection.execute(update(delivery).where(mine).values(**values)).rowcount


def standing(connection: Connection, channel: str, since: datetime) -> list[Delivery]:
    """The messages that arrived on ``channel`` and tell of alerts as they stand: firing, or resolved after ``since``."""
    c = delivery.c
    latest = (
        select(c.id)
        .join(alert, alert.c.last_change_id == c.change_id)
        .where(c.channel == channel, c.status == Status.SENT.value)
        .where(or_(alert.c.state == State.FIRING.value, alert.c.changed > since))
    )
    return _deliveries(connection, connection.scalars(latest).all())


def release(connection: Connection, channel: str | None = None) -> int:
    """End the leases of senders that are no more, on all channels or on one; returns how many.

    Only for the one process that leads, and for the one sender of the channel.
    """
    c = delivery.c
    freed = update(delivery).where(c.status == Status.SENDING.value).values(status=Status.QUEUED.value)
    if channel is not None:
        freed = freed.where(c.channel == channel)
    return connection.execute(freed.values(due_at=moments.EPOCH)).rowcount


def hasten(connection: Connection, at: datetime) -> int:
    """Make what is queued due at once: its pauses were measured by another clock. Returns how many."""
    c = delivery.c
    queued = update(delivery).where(c.status == Status.QUEUED.value, c.due_at > at)
    return connection.execute(queued.values(due_at=at)).rowcount


def counts(connection: Connection, statuses: Collection[Status] = tuple(Status)) -> dict[str, int]:
    """How many messages there are of each of ``statuses``, zeros included. Those sent are all that ever were."""
    status, asked = delivery.c.status, [one.value for one in statuses]
    query = select(status, func.count()).where(status.in_(asked)).group_by(status)
    return dict.fromkeys(asked, 0) | dict(connection.execute(query).all())


def queues(connection: Connection) -> dict[str, tuple[int, int, datetime | None]]:
    """Of each channel with messages on their way: how many, how many of them failed before, the first moment one is due.

    A message that is being sent is due when its lease ends. None where all were taken back from a sender that is gone.
    """
    c = delivery.c
    again = c.attempts > case((c.status == Status.SENDING.value, 1), else_=0)
    query = (
        select(c.channel, func.count(), func.count().filter(again), func.min(c.due_at).filter(c.due_at > moments.EPOCH))
        .where(c.status.in_(_WAITING))
        .group_by(c.channel)
    )
    return {channel: (waiting, retrying, due) for channel, waiting, retrying, due in connection.execute(query)}


def last_sent(connection: Connection, bulletin: str) -> datetime | None:
    """When a message of that sort last arrived."""
    c = delivery.c
    last: datetime | None = connection.scalar(
        select(func.max(c.finished_at)).where(c.bulletin == bulletin, c.status == Status.SENT.value)
    )
    return last


def redrive(connection: Connection, ids: Collection[int], who: str, at: datetime) -> list[int]:
    """Queue dead letters again, all unless ``ids`` says which; ``who`` stands in their history. Returns their ids."""
    c = delivery.c
    query = select(c.id).where(c.status == Status.DEAD.value)
    taken = sorted(connection.scalars(query.where(c.id.in_(ids)) if ids else query))
    # Their tries count anew, or the first failure would be the last.
    again = update(delivery).where(bulk.among(connection, c.id, taken))
    connection.execute(again.values(status=Status.QUEUED.value, due_at=at, attempts=0, finished_at=None))
    noted: bulk.Columns = {
        "delivery_id": taken,
        "at": bulk.Same(moments.written(at, connection.dialect.name)),
        "result": bulk.Same(Result.REDRIVEN.value),
        "answer": bulk.Same(clean(who)),
    }
    bulk.insert(connection, attempt, len(taken), noted)
    return taken


def _deliveries(connection: Connection, ids: Sequence[int]) -> list[Delivery]:
    c = delivery.c
    # SQLite keeps UTF-8, which is what is read: no text need be made of it.
    plain = LargeBinary() if connection.dialect.name == "sqlite" else Text()
    query = (
        select(c.id, c.key, c.receiver, c.channel, c.address, c.why, c.attempts - 1)
        .add_columns(cast(func.coalesce(change.c.notice, c.notice), plain))
        .outerjoin(change, change.c.id == c.change_id)
        .where(bulk.among(connection, c.id, ids))
        .order_by(c.id)
    )
    rows = connection.execute(query).all()
    if not rows:
        return []
    *columns, facts = zip(*rows, strict=True)
    return list(map(Delivery, *columns, read(facts)))
