"""Silences, and the messages that wait because of one or because of the hour."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, exists, insert, or_, select, update

from alerts.alert import Event, State
from alerts.delivery import Status
from alerts.notice import Notice
from alerts.suppression import Held, Silence
from monitor.store.tables import alert, change, delivery, silence
from rules.target import Level

_IDS_ASKED = 500


def add(connection: Connection, made: Silence, at: datetime) -> int:
    """Store a silence (its id is not looked at); returns its id."""
    facts = {name: getattr(made, name) for name in ("book", "target", "unit", "until", "who", "reason")}
    values = {**facts, "level": made.level.value, "made_at": at, "ended_by": ""}
    return int(connection.execute(insert(silence).values(**values).returning(silence.c.id)).scalar_one())


def end(connection: Connection, number: int, who: str, at: datetime) -> bool:
    """End a silence before its time; what waits because of it is looked at again. False where none is in force."""
    s = silence.c
    ended = update(silence).where(s.id == number, s.ended_at.is_(None), s.until > at).values(ended_at=at, ended_by=who)
    if connection.execute(ended).rowcount != 1:
        return False
    connection.execute(update(delivery).where(delivery.c.silence_id == number, _WAITS).values(due_at=at))
    return True


def in_force(connection: Connection, at: datetime) -> list[Silence]:
    """The silences that hold at ``at``, the latest first."""
    s = silence.c
    rows = connection.execute(select(silence).where(s.ended_at.is_(None), s.until > at).order_by(s.id.desc()))
    return [
        Silence(row.id, row.book, row.target, row.unit, Level(row.level), row.until, row.who, row.reason)
        for row in rows
    ]


def hold(connection: Connection, held: Mapping[int, Held]) -> None:
    """Have the messages about changes (by id), just queued, wait."""
    c = delivery.c
    alike: dict[Held, list[int]] = {}
    for number, why in held.items():
        alike.setdefault(why, []).append(number)
    for why, numbers in alike.items():
        for start in range(0, len(numbers), _IDS_ASKED):
            mine = update(delivery).where(c.change_id.in_(numbers[start : start + _IDS_ASKED]))
            connection.execute(mine.values(status=Status.SUPPRESSED.value, **_waiting(why)))


def awake(connection: Connection, decide: Callable[[Notice], Held | None], at: datetime) -> tuple[int, int]:
    """Queue what has waited long enough and is still true; returns how many are queued, and how many are dropped.

    Told is the last change of an alert that stands, or of which the receiver has heard before, and every correction;
    anything else is no longer worth telling, and is kept as it is. What ``decide`` still holds waits on.
    """
    c = delivery.c
    earlier, its = delivery.alias(), change.alias()
    heard = exists().where(
        earlier.c.change_id == its.c.id,
        its.c.alert_id == alert.c.id,
        earlier.c.receiver == c.receiver,
        earlier.c.channel == c.channel,
        earlier.c.status == Status.SENT.value,
    )
    true = or_(
        change.c.event == Event.CORRECTED.value,
        and_(alert.c.last_change_id == c.change_id, or_(alert.c.state == State.FIRING.value, heard)),
    )
    query = (
        select(c.id, change.c.notice, true.label("true"))
        .join(change, change.c.id == c.change_id)
        .join(alert, alert.c.id == change.c.alert_id)
        .where(_WAITS, c.due_at <= at)
    )
    rows = connection.execute(query).all()
    told: list[int] = []
    dropped: list[int] = []
    for row in rows:
        if not row.true:
            dropped.append(row.id)
        elif (held := decide(Notice.of(row.notice))) is None:
            told.append(row.id)
        else:
            connection.execute(update(delivery).where(c.id == row.id).values(**_waiting(held)))
    _set(connection, told, status=Status.QUEUED.value, due_at=at)
    _set(connection, dropped, finished_at=at)
    return len(told), len(dropped)


_WAITS = and_(delivery.c.status == Status.SUPPRESSED.value, delivery.c.finished_at.is_(None))


def _waiting(why: Held) -> dict[str, object]:
    return {"due_at": why.until, "suppressed": why.reason.value, "silence_id": why.silence or None}


def _set(connection: Connection, ids: Sequence[int], **values: object) -> None:
    for start in range(0, len(ids), _IDS_ASKED):
        some = ids[start : start + _IDS_ASKED]
        connection.execute(update(delivery).where(delivery.c.id.in_(some)).values(**values))
