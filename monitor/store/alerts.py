"""Where alerts stand, and the history of how they came to."""

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from msgspec.structs import astuple, replace
from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    func,
    select,
    update,
)

from alerts.alert import Alert, Basis, Cause, Change, Event, Identity, Kind, State
from alerts.notice import Notice
from monitor.snapshot import OpenAlert
from monitor.store import bulk, moments
from monitor.store.moments import Day
from monitor.store.tables import alert, change
from rules.target import Level

_IDENTITY = (alert.c.book, alert.c.target, alert.c.subject, alert.c.kind)
_STOOD_ON = (alert.c.period, alert.c.actual, alert.c.rule)
_STAND = (
    alert.c.state,
    alert.c.level,
    alert.c.since,
    alert.c.changed,
    alert.c.last_change_id,
    *_STOOD_ON,
    alert.c.reminded,
    alert.c.steps,
)
_STANDING = (State.PENDING.value, State.FIRING.value)
_TOLD = tuple(event.value for event in Event if event.told and not event.follows)
_ASKED = 500
"""With more targets, or subjects, than this, the changes of all are read."""
_DAY = Day()


def standing(connection: Connection, periods: Collection[date] = ()) -> list[Alert]:
    """Every alert that is pending or firing, or was resolved by a figure of one of ``periods``."""
    query = select(*_IDENTITY, *_STAND)
    wanted = alert.c.state.in_(_STANDING) | alert.c.period.in_(periods)
    return [_alert(row) for row in connection.execute(query.where(wanted))]


def told(
    connection: Connection, periods: Collection[date], places: Collection[tuple[str, str, str]] = ()
) -> list[Alert]:
    """What people were told of ``periods``, one per alert and period; of any target, or of ``places`` and maybe others.

    ``places`` are book, target and subject. Each is an alert about pace as the last change told of the period left it, its level the one judged then.
    """
    c = change.c
    last = (
        select(func.max(c.id))
        .join(alert, alert.c.id == c.alert_id)
        .where(c.event.in_(_TOLD), c.period.in_(periods), alert.c.kind == Kind.PACE.value)
        .group_by(c.alert_id, c.period)
    )
    for column, asked in zip(_IDENTITY, map(set, zip(*places, strict=True)), strict=False):
        if len(asked) <= _ASKED:
            last = last.where(column.in_(asked))
    query = (
        select(
            *_IDENTITY, c.state, c.judged.label("level"), c.since, c.at.label("changed"), c.id.label("last_change_id")
        )
        .add_columns(c.period, c.actual, c.rule, alert.c.reminded, alert.c.steps)
        .join(alert, alert.c.id == c.alert_id)
        .where(c.id.in_(last), c.event != Event.WITHDRAWN.value)
    )
    return [_alert(row) for row in connection.execute(query)]


class Saved(NamedTuple):
    """The ids of changes, in the order given, and where they leave their alerts."""

    changes: list[int]
    left: list[Alert]


def save(connection: Connection, changes: Sequence[tuple[Alert | None, Change, Notice]]) -> Saved:
    """Store changes and where they leave their alerts.

    Bulk. Of several changes of one alert the last says where it stands; one without
    an alert corrects what was told of a past period, and the alert stays where it is.
    """
    if not changes:
        return Saved([], [])
    ids = list(bulk.reserve(connection, change, len(changes)))
    left = _left(changes, ids)
    alert_ids = _upsert(connection, left)
    alert_ids |= _owners(connection, [step for alert, step, _ in changes if alert is None])
    identity, at, event, cause, state, level, previous_level, since, judged, basis, corrects = zip(
        *(astuple(step) for _, step, _ in changes), strict=True
    )
    dialect = connection.dialect.name
    columns: bulk.Columns = {
        "id": ids,
        "alert_id": [alert_ids[whose] for whose in identity],
        "at": moments.column(at, dialect),
        "event": list(map(str, event)),
        "state": list(map(str, state)),
        "level": list(map(int, level)),
        "previous_level": list(map(int, previous_level)),
        "since": moments.column(since, dialect),
        "notice": [notice.json for _, _, notice in changes],
        "cause": list(map(str, cause)),
        "judged": list(map(int, judged)),
        "corrects": corrects,
        **_stood_on(connection, basis),
    }
    bulk.insert(connection, change, len(ids), columns)
    return Saved(ids, list(left.values()))


def keep_up(connection: Connection, alerts: Iterable[Alert]) -> None:
    """Store the rule that ``alerts`` go by now. An edit of the book that moved none of them is no change."""
    # The names of a statement's own columns are taken.
    mine = and_(*(column == bindparam(f"of_{column.name}") for column in _IDENTITY))
    rows = [
        {**{f"of_{name}": value for name, value in found.identity._asdict().items()}, "to_rule": found.basis.rule}
        for found in alerts
    ]
    if rows:
        connection.execute(update(alert).where(mine).values(rule=bindparam("to_rule")), rows)


def latest_change(connection: Connection, books: Sequence[str]) -> datetime | None:
    """When an alert of one of ``books`` last changed; None if none ever did."""
    query = select(func.max(change.c.at)).join(alert, alert.c.id == change.c.alert_id).where(alert.c.book.in_(books))
    newest: datetime | None = connection.scalar(query)
    return newest


def open_alerts(connection: Connection) -> list[OpenAlert]:
    """Every alert that is pending or firing, with the facts of its last change; the oldest first."""
    query = (
        select(*_IDENTITY, *_STAND, change.c.notice)
        .join(change, change.c.id == alert.c.last_change_id)
        .where(alert.c.state.in_(_STANDING))
        .order_by(alert.c.since, alert.c.id)
    )
    return [OpenAlert(_alert(row), Notice.of(row.notice)) for row in connection.execute(query)]


def history(connection: Connection, identity: Identity) -> list[tuple[int, Change, Notice]]:
    """Every change of one alert with its id and facts, from the first to the last."""
    query: Select[Any] = (
        select(change)
        .join(alert, alert.c.id == change.c.alert_id)
        .where(*(column == value for column, value in zip(_IDENTITY, identity, strict=True)))
        .order_by(change.c.id)
    )
    return [(row.id, _change(identity, row), Notice.of(row.notice)) for row in connection.execute(query)]


def histories(
    connection: Connection,
    *,
    book: str | None = None,
    target: str | None = None,
    subject: str | None = None,
    state: State | None = None,
    since: datetime | None = None,
) -> list[tuple[Alert, list[tuple[int, Change, Notice]]]]:
    """Alerts that are all of what is given (``since``: changed then or later), each with all its changes, oldest first."""
    wanted = [
        column == value
        for column, value in (
            *zip(_IDENTITY, (book, target, subject), strict=False),
            (alert.c.state, state and state.value),
        )
        if value is not None
    ]
    if since is not None:
        wanted.append(alert.c.changed >= since)
    query = select(alert.c.id, *_IDENTITY, *_STAND).where(*wanted).order_by(alert.c.since, alert.c.id)
    found = {row.id: _alert(row) for row in connection.execute(query)}
    return [(found[number], steps) for number, steps in _histories(connection, found).items()]


def trails(connection: Connection, alerts: Collection[Alert]) -> dict[Identity, list[tuple[int, Change, Notice]]]:
    """All changes of ``alerts``, by what they are."""
    c, last = change.c, [alert.change_id for alert in alerts]
    by_change = {alert.change_id: alert for alert in alerts}
    rows = connection.execute(select(c.id, c.alert_id).where(bulk.among(connection, c.id, last)))
    numbers = {row.alert_id: by_change[row.id] for row in rows}
    return {numbers[number].identity: steps for number, steps in _histories(connection, numbers).items()}


def _histories(connection: Connection, alerts: Mapping[int, Alert]) -> dict[int, list[tuple[int, Change, Notice]]]:
    found: dict[int, list[tuple[int, Change, Notice]]] = {number: [] for number in alerts}
    theirs = select(change).where(bulk.among(connection, change.c.alert_id, alerts))
    for row in connection.execute(theirs.order_by(change.c.id)):
        step = _change(alerts[row.alert_id].identity, row)
        found[row.alert_id].append((row.id, step, Notice.of(row.notice)))
    return found


def _change(identity: Identity, row: Any) -> Change:
    return Change(
        identity=identity,
        at=row.at,
        event=Event(row.event),
        cause=Cause(row.cause),
        state=State(row.state),
        level=Level(row.level),
        previous_level=Level(row.previous_level),
        since=row.since,
        judged=Level(row.judged),
        basis=Basis(row.period, row.actual, row.rule),
        corrects=row.corrects,
    )


def _owners(connection: Connection, corrections: Sequence[Change]) -> dict[Identity, int]:
    """The alerts' ids of ``corrections``: those of the changes that they correct."""
    c = change.c
    corrected = {step.identity: step.corrects for step in corrections if step.corrects is not None}
    if not corrected:
        return {}
    query = select(c.id, c.alert_id).where(bulk.among(connection, c.id, corrected.values()))
    found = dict(connection.execute(query).all())
    return {identity: found[number] for identity, number in corrected.items()}


def _left(changes: Sequence[tuple[Alert | None, Change, Notice]], ids: Sequence[int]) -> dict[Identity, Alert]:
    """Where the changes leave their alerts, each with the change that put it there: what follows it up moves nothing."""
    left: dict[Identity, Alert] = {}
    for (moved, step, _), number in zip(changes, ids, strict=True):
        if moved is not None:
            last = left.get(step.identity, moved).change_id if step.event.follows else number
            left[step.identity] = replace(moved, change_id=last)
    return left


def _upsert(connection: Connection, left: Mapping[Identity, Alert]) -> dict[Identity, int]:
    """Store where alerts stand; returns their ids."""
    if not left:
        return {}
    dialect = connection.dialect.name
    identity, state, level, since, changed, basis, change_id, reminded, steps = zip(
        *map(astuple, left.values()), strict=True
    )
    book, target, subject, kind = zip(*identity, strict=True)
    columns: bulk.Columns = {
        "book": book,
        "target": target,
        "subject": subject,
        "kind": list(map(str, kind)),
        "state": list(map(str, state)),
        "level": list(map(int, level)),
        "since": moments.column(since, dialect),
        "changed": moments.column(changed, dialect),
        "last_change_id": change_id,
        **_stood_on(connection, basis),
        "reminded": moments.column(reminded, dialect),
        "steps": list(map("\n".join, steps)),
    }
    key = [column.name for column in _IDENTITY]
    # A change is of one alert: in whatever order the rows come, the last one tells whose they are.
    ids = dict(bulk.upsert(connection, alert, len(left), columns, key, ("last_change_id", "id")))
    return {whose: ids[last] for whose, last in zip(identity, change_id, strict=True)}


def _stood_on(connection: Connection, found: Sequence[Basis]) -> bulk.Columns:
    period, actual, rule = zip(*found, strict=True)
    written = {day: _DAY.process_bind_param(day, connection.dialect) for day in set(period)}
    return {"period": [written[day] for day in period], "actual": actual, "rule": rule}


def _alert(row: Any) -> Alert:
    return Alert(
        identity=Identity(row.book, row.target, row.subject, Kind(row.kind)),
        state=State(row.state),
        level=Level(row.level),
        since=row.since,
        changed=row.changed,
        # Thousands of alerts go by one rule.
        basis=Basis(row.period, row.actual, sys.intern(row.rule)),
        change_id=row.last_change_id,
        reminded=row.reminded,
        steps=tuple(row.steps.splitlines()),
    )
