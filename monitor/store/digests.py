"""Messages told together: the letter, what is in it, and how much a receiver has been told."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from alerts import digest
from alerts.bulletin import Bulletin
from alerts.delivery import Status, key
from alerts.notice import Notice
from monitor.store import bulk
from monitor.store.tables import delivery


class Way(NamedTuple):
    """One way to one receiver."""

    receiver: str
    channel: str
    address: str


def enclose(
    connection: Connection, way: Way, said: Sequence[tuple[int, Notice]], why: str, at: datetime, **values: object
) -> None:
    """Queue messages (delivery ids, in order of time) as one digest, or as many as it takes.

    ``why`` says for what reason they go together; ``values`` are what else becomes of them.
    """
    for number, (letter, mine) in enumerate(digest.compose(said, at)):
        facts = {
            "key": key(f"{Bulletin.DIGEST} {at.isoformat()} {number}", *way),
            "why": f"{way.receiver}的消息{why}",
            "bulletin": Bulletin.DIGEST.value,
            "notice": letter.facts(),
        }
        queued = insert(delivery).values(**way._asdict(), **facts, status=Status.QUEUED.value, attempts=0, due_at=at)
        digest_id = connection.execute(queued.returning(delivery.c.id)).scalar_one()
        enclosed = update(delivery).where(bulk.among(connection, delivery.c.id, mine))
        connection.execute(enclosed.values(digest_id=digest_id, **values))


def arrived(connection: Connection, number: int, at: datetime) -> None:
    """What a digest tells has been told."""
    told = update(delivery).where(delivery.c.digest_id == number)
    connection.execute(told.values(status=Status.SENT.value, finished_at=at))


def spent(connection: Connection, since: datetime) -> dict[Way, int]:
    """How many messages each way has carried since then, or is about to carry; many told together are one."""
    c = delivery.c
    on_the_way = c.status.in_((Status.QUEUED.value, Status.SENDING.value))
    told = and_(c.status == Status.SENT.value, c.finished_at >= since)
    query = (
        select(c.receiver, c.channel, c.address, func.count())
        .where(or_(on_the_way, told), c.digest_id.is_(None))
        .where(or_(c.bulletin.is_(None), c.bulletin == Bulletin.DIGEST.value))
        .group_by(c.receiver, c.channel, c.address)
    )
    return {Way(*way): count for *way, count in connection.execute(query)}
