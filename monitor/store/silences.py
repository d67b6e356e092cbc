"""Silences, and the messages that wait: because of one, of another alert, of the hour, or to be told together."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from alerts.alert import Event, State
from alerts.delivery import Status
from alerts.notice import Notice, read
from alerts.suppression import NO_CROWDS, Held, Reason, Silence
from monitor.store import bulk, digests
from monitor.store.digests import Way
from monitor.store.outbox import Message
from monitor.store.tables import alert, change, delivery, silence
from rules.target import Level

Decide: TypeAlias = Callable[[Notice, Way, bool], Held | None]
"""Whether a message by a way waits; True where its turn to be told together has come."""
_IDS_ASKED = 500
_FACTS = ("book", "target", "subject", "section", "unit", "label", "until", "who", "reason")


def add(connection: Connection, made: Silence, at: datetime) -> int:
    """Store a silence (its id is not looked at); returns its id."""
    facts = {name: getattr(made, name) for name in _FACTS}
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
    return [Silence(id=row.id, level=Level(row.level), **{name: getattr(row, name) for name in _FACTS}) for row in rows]


def hold_ends(connection: Connection, changes: Sequence[int]) -> set[int]:
    """Have the ends of alerts, among ``changes`` and just queued, wait where the beginning still waits by the same way.

    Returns the messages.
    """
    if changes and connection.scalar(select(exists().where(_WAITS))):
        return _wait_alike(connection, _ends(Status.QUEUED), changes)
    return set()


def gather(
    connection: Connection,
    due: Iterable[Message],
    said: Mapping[int, Notice],
    crowds: Mapping[str, int],
    at: datetime,
) -> None:
    """Have messages that are ``due``, just queued, told together where a way has too many for one moment.

    ``said`` are the facts by change.
    """
    now: dict[Way, list[tuple[int, Notice]]] = {}
    for number, change_id, way in due:
        if way.channel in crowds:
            now.setdefault(way, []).append((number, said[change_id]))
    for way, mine in now.items():
        if len(mine) > crowds[way.channel]:
            held = {"status": Status.SUPPRESSED.value, "suppressed": Reason.CROWD.value}
            digests.enclose(connection, way, mine, _CROWD, at, **held)


def _wait_alike(connection: Connection, ends: Select[Any], changes: Sequence[int]) -> set[int]:
    """Have the ``ends`` among ``changes`` wait as their beginnings do; returns the messages."""
    found = set()
    for start in range(0, len(changes), _IDS_ASKED):
        for row in connection.execute(ends, {"some": changes[start : start + _IDS_ASKED]}).all():
            values = {"due_at": row.due_at, "suppressed": row.suppressed, "silence_id": row.silence_id}
            mine = update(delivery).where(delivery.c.id == row.id)
            connection.execute(mine.values(status=Status.SUPPRESSED.value, inhibitor=row.inhibitor, **values))
            found.add(row.id)
    return found


def _crowd(
    told: Mapping[tuple[object, ...], tuple[Row[Any], Notice]],
    together: dict[Way, list[tuple[int, Notice]]],
    crowds: Mapping[str, int],
) -> list[int]:
    """Have what is ``told`` by one way told ``together`` where it is too much at once; returns the other messages."""
    by_way: dict[Way, list[tuple[int, Notice]]] = {}
    for row, said in told.values():
        by_way.setdefault(Way(row.receiver, row.channel, row.address), []).append((row.id, said))
    alone = list[int]()
    for way, mine in by_way.items():
        if len(mine) > crowds.get(way.channel, len(mine)):
            together[way] = sorted([*together.get(way, ()), *mine], key=itemgetter(0))
        else:
            alone += [number for number, _ in mine]
    return alone


def _needless(told: Mapping[tuple[object, ...], tuple[Row[Any], Notice]]) -> list[tuple[object, ...]]:
    """The reminders of what is told only now, among what is told by alert, way and sort."""
    news = {key[:2] for key, (row, _) in told.items() if not Event(row.event).follows}
    return [key for key in told if key[2] == Event.REMINDED and key[:2] in news]


class Awoken(NamedTuple):
    """How many messages are queued as they are, how many in digests, how many are dropped."""

    told: int = 0
    merged: int = 0
    dropped: int = 0


def awake(
    connection: Connection, decide: Decide, at: datetime, crowds: Mapping[str, int] = NO_CROWDS, *, anew: bool = False
) -> Awoken:
    """Queue what has waited long enough and is still true, and together what is due together or is of ``crowds``.

    Told is the last change of an alert that stands, or of which the receiver has heard before, what was said again of
    it since (but for a reminder of what is told only now), and every correction; anything else is no longer worth telling, and is kept as it is. A digest tells all
    that has happened, but for what a later message has told already. What ``decide`` still holds waits on. ``anew``:
    look at all that waits, because what is written may have changed.
    """
    rows = connection.execute(_asleep()) if anew else connection.execute(_ready(), {"at": at})
    told: dict[tuple[object, ...], tuple[Row[Any], Notice]] = {}
    dropped: dict[int, int] = {}
    together: dict[Way, list[tuple[int, Notice]]] = {}
    beginning: set[tuple[int, Way]] = set()
    waiting = rows.all()
    for row, said in zip(waiting, read(row.facts for row in waiting), strict=True):
        way, reason = Way(row.receiver, row.channel, row.address), Reason(row.suppressed)
        ready = reason.merged and row.due_at <= at
        # Of an alert whose beginning is told only now, and together, the rest is told with it.
        begun = (row.alert_id, way) in beginning and not row.true
        if row.superseded if reason.merged else not (row.true or begun):
            dropped[row.id] = row.change_id
        elif (held := decide(said, way, ready or begun)) is not None:
            if _waiting(held) != {name: getattr(row, name) for name in _WHY}:
                connection.execute(update(delivery).where(delivery.c.id == row.id).values(**_waiting(held)))
        elif ready or begun:
            together.setdefault(way, []).append((row.id, said))
            beginning.add((row.alert_id, way))
        elif not row.true:
            dropped[row.id] = row.change_id
        else:
            # Of what was said again and again, once is enough.
            again = said.event if said.event == Event.REMINDED else row.id
            if (before := told.pop((row.alert_id, way, again), None)) is not None:
                dropped[before[0].id] = before[0].change_id
            told[row.alert_id, way, again] = row, said
    for key in _needless(told):
        row, _ = told.pop(key)
        dropped[row.id] = row.change_id
    alone = _crowd(told, together, crowds) + [mine[0][0] for mine in together.values() if len(mine) == 1]
    merged = {way: mine for way, mine in together.items() if len(mine) > 1}
    _set(connection, alone, status=Status.QUEUED.value, due_at=at)
    wished = {Way(row.receiver, row.channel, row.address) for row in waiting if row.suppressed in _WISHED}
    for way, mine in merged.items():
        digests.enclose(connection, way, mine, "按机构文件汇总发送" if way in wished else _CROWD, at)
    # A digest that is yet to tell the beginning must tell the end as well.
    gone = dropped.keys() - _wait_alike(connection, _ends(Status.SUPPRESSED, *_MERGED), list(dropped.values()))
    _set(connection, list(gone), finished_at=at)
    return Awoken(len(alone), sum(map(len, merged.values())), len(gone))


def next_due(connection: Connection) -> datetime | None:
    """When the first of the messages that wait for their hour is due; None where none does."""
    query = select(func.min(delivery.c.due_at)).where(_WAITS, delivery.c.suppressed != Reason.INHIBITED.value)
    due: datetime | None = connection.scalar(query)
    return due


def waiting(connection: Connection) -> dict[Reason, int]:
    """How many messages wait for each reason, zeros included."""
    query = select(delivery.c.suppressed, func.count()).where(_WAITS).group_by(delivery.c.suppressed)
    return dict.fromkeys(Reason, 0) | {Reason(why): count for why, count in connection.execute(query)}


_WAITS = and_(
    delivery.c.status == Status.SUPPRESSED.value, delivery.c.finished_at.is_(None), delivery.c.digest_id.is_(None)
)
_MERGED = tuple(reason for reason in Reason if reason.merged)
_CROWD = "同一时刻条数较多，合并发送"
_WISHED = (Reason.DIGEST.value, Reason.BUDGET.value)
_WHY = ("due_at", "suppressed", "silence_id", "inhibitor")


# Putting these questions together takes longer than SQLite needs for them, and they are asked in every cycle.
@cache
def _ends(status: Status, *reasons: Reason) -> Select[Any]:
    """Ends of alerts, among the changes ``some``, whose beginning still waits by the same way, for any of ``reasons``."""
    c, its = delivery.c, change.alias()
    first, began = delivery.alias(), change.alias()
    same = [first.c[name] == c[name] for name in ("receiver", "channel", "address")]
    query: Select[Any] = (
        select(c.id, first.c.due_at, first.c.suppressed, first.c.silence_id, first.c.inhibitor)
        .join(its, its.c.id == c.change_id)
        .join(began, and_(began.c.alert_id == its.c.alert_id, began.c.id < its.c.id))
        .join(first, and_(first.c.change_id == began.c.id, *same))
        .where(c.status == status.value, c.finished_at.is_(None), its.c.state == State.RESOLVED.value)
        .where(first.c.status == Status.SUPPRESSED.value, first.c.finished_at.is_(None), first.c.digest_id.is_(None))
        .where(~_heard(its), its.c.id.in_(bindparam("some", expanding=True)))
        .order_by(first.c.id)
    )
    return query.where(first.c.suppressed.in_([reason.value for reason in reasons])) if reasons else query


@cache
def _asleep() -> Select[Any]:
    c, its = delivery.c, change
    stands = and_(alert.c.state == State.FIRING.value, alert.c.last_change_id <= c.change_id)
    true = or_(
        its.c.event == Event.CORRECTED.value,
        stands,
        and_(alert.c.last_change_id == c.change_id, _heard(its)),
    )
    query: Select[Any] = (
        select(c.id, c.receiver, c.channel, c.address, *(c[name] for name in _WHY))
        .add_columns(
            its.c.alert_id,
            c.change_id,
            its.c.event,
            cast(its.c.notice, Text).label("facts"),
            true.label("true"),
            _told_since(its).label("superseded"),
        )
        .join(its, its.c.id == c.change_id)
        .join(alert, alert.c.id == its.c.alert_id)
        .where(_WAITS)
        .order_by(c.id)
    )
    return query


@cache
def _ready() -> Select[Any]:
    """Of what waits, that whose hour has come or whose alert was let go."""
    return _asleep().where(or_(delivery.c.due_at <= bindparam("at"), _let_go()))


def _heard(its: FromClause) -> ColumnElement[bool]:
    """Whether the receiver has heard of the alert before, by the same way."""
    earlier, then = delivery.alias(), change.alias()
    return (
        _by_the_same_way(earlier, then, its).where(earlier.c.status == Status.SENT.value, then.c.id < its.c.id).exists()
    )


def _told_since(its: FromClause) -> ColumnElement[bool]:
    """Whether a later change of the alert is on its way, by itself or in a digest, which tells where it stands."""
    later, then = delivery.alias(), change.alias()
    query = _by_the_same_way(later, then, its).where(then.c.id > its.c.id)
    moves = then.c.event.notin_([event.value for event in Event if event.follows or event is Event.CORRECTED])
    own = its.c.event != Event.CORRECTED.value
    goes = or_(later.c.status != Status.SUPPRESSED.value, later.c.digest_id.is_not(None))
    return and_(own, query.where(goes, moves).exists())


def _by_the_same_way(other: FromClause, then: FromClause, its: FromClause) -> Select[Any]:
    c = delivery.c
    same = [other.c[name] == c[name] for name in ("receiver", "channel", "address")]
    joined = (
        select(other.c.id).join(then, then.c.id == other.c.change_id).where(then.c.alert_id == its.c.alert_id, *same)
    )
    return joined.correlate(delivery, its)


def _let_go() -> ColumnElement[bool]:
    """Whether the alert that held a message has moved on."""
    c, holding = delivery.c, alert.alias()
    holds = (
        select(holding.c.id).where(holding.c.last_change_id == c.inhibitor).where(holding.c.state == State.FIRING.value)
    )
    return and_(c.suppressed == Reason.INHIBITED.value, ~holds.correlate(delivery).exists())


def _waiting(why: Held) -> dict[str, object]:
    return {
        "due_at": why.until,
        "suppressed": why.reason.value,
        "silence_id": why.silence or None,
        "inhibitor": why.inhibitor or None,
    }


def _set(connection: Connection, ids: Sequence[int], **values: object) -> None:
    if ids:
        connection.execute(update(delivery).where(bulk.among(connection, delivery.c.id, ids)).values(**values))
