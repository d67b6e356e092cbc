"""Where alerts stand, and the history of how they came to."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, Select, Table, and_, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from alerts.alert import Alert, Change, Event, Identity, Kind, State
from alerts.notice import Notice
from monitor.snapshot import OpenAlert
from monitor.store import bulk, moments
from monitor.store.tables import alert, change
from rules.target import Level

_IDENTITY = (alert.c.book, alert.c.target, alert.c.subject, alert.c.kind)
_STAND = (alert.c.state, alert.c.level, alert.c.since, alert.c.changed, alert.c.last_change_id)
# Where ``save`` lays its alerts down, so that one statement moves them all. Each connection has its own.
_moving = Table(
    "moving_alert",
    MetaData(),
    Column("place", Integer, primary_key=True, autoincrement=False),
    *(Column(column.name, column.type, nullable=False) for column in (*_IDENTITY, *_STAND)),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)
_STANDING = (State.PENDING.value, State.FIRING.value)


def standing(connection: Connection) -> list[Alert]:
    """Every alert that is pending or firing."""
    query = select(*_IDENTITY, alert.c.state, alert.c.level, alert.c.since, alert.c.changed)
    return [_alert(row) for row in connection.execute(query.where(alert.c.state.in_(_STANDING)))]


def save(connection: Connection, changes: Sequence[tuple[Alert, Change, Notice]]) -> list[int]:
    """Store changes and where they leave their alerts; returns the ids of the changes, in the order given.

    Bulk. Of several changes of one alert the last says where it stands.
    """
    if not changes:
        return []
    ids = list(bulk.reserve(connection, change, len(changes)))
    alert_ids = _upsert(connection, [(alert, number) for (alert, _, _), number in zip(changes, ids, strict=True)])
    steps = [step for _, step, _ in changes]
    dialect = connection.dialect.name
    columns: bulk.Columns = {
        "id": ids,
        "alert_id": [alert_ids[step.identity] for step in steps],
        "at": [moments.written(step.at, dialect) for step in steps],
        "event": [step.event.value for step in steps],
        "state": [step.state.value for step in steps],
        "level": [step.level.value for step in steps],
        "previous_level": [step.previous_level.value for step in steps],
        "since": [moments.written(step.since, dialect) for step in steps],
        "notice": [json.dumps(notice.facts(), ensure_ascii=False) for _, _, notice in changes],
    }
    bulk.insert(connection, change, len(ids), columns)
    return ids


def latest_change(connection: Connection, books: Sequence[str]) -> datetime | None:
    """When an alert of one of ``books`` last changed; None if none ever did."""
    newest: datetime | None = connection.scalar(select(func.max(alert.c.changed)).where(alert.c.book.in_(books)))
    return newest


def open_alerts(connection: Connection) -> list[OpenAlert]:
    """Every alert that is pending or firing, with the facts of its last change; the oldest first."""
    query = (
        select(*_IDENTITY, alert.c.state, alert.c.level, alert.c.since, alert.c.changed, change.c.notice)
        .join(change, change.c.id == alert.c.last_change_id)
        .where(alert.c.state.in_(_STANDING))
        .order_by(alert.c.since, alert.c.id)
    )
    return [OpenAlert(_alert(row), Notice.of(row.notice)) for row in connection.execute(query)]


def history(connection: Connection, identity: Identity) -> list[tuple[int, Change, Notice]]:
    """Every change of one alert with its id and facts, from the first to the last."""
    c = change.c
    query: Select[Any] = (
        select(c.id, c.at, c.event, c.state, c.level, c.previous_level, c.since, c.notice)
        .join(alert, alert.c.id == c.alert_id)
        .where(*(column == value for column, value in zip(_IDENTITY, identity, strict=True)))
        .order_by(c.id)
    )
    return [
        (
            row.id,
            Change(
                identity=identity,
                at=row.at,
                event=Event(row.event),
                state=State(row.state),
                level=Level(row.level),
                previous_level=Level(row.previous_level),
                since=row.since,
            ),
            Notice.of(row.notice),
        )
        for row in connection.execute(query)
    ]


def _upsert(connection: Connection, alerts: Sequence[tuple[Alert, int]]) -> dict[Identity, int]:
    """Store where alerts stand, each with its last change; returns their ids."""
    latest = {alert.identity: (alert, number) for alert, number in alerts}
    connection.execute(CreateTable(_moving, if_not_exists=True))
    connection.execute(delete(_moving))
    bulk.insert(connection, _moving, len(latest), _columns(list(latest.values()), connection.dialect.name))
    names = [column.name for column in (*_IDENTITY, *_STAND)]
    source = select(*(_moving.c[name] for name in names)).where(_moving.c.place >= 0)  # SQLite wants a WHERE here
    insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(alert).from_select(names, source)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=_IDENTITY, set_={column.name: statement.excluded[column.name] for column in _STAND}
        )
    )
    same = and_(*(_moving.c[column.name] == column for column in _IDENTITY))
    ids = connection.scalars(select(alert.c.id).join(_moving, same).order_by(_moving.c.place))
    return dict(zip(latest, ids, strict=True))


def _columns(alerts: Sequence[tuple[Alert, int]], dialect: str) -> bulk.Columns:
    return {
        "place": range(len(alerts)),
        "book": [alert.identity.book for alert, _ in alerts],
        "target": [alert.identity.target for alert, _ in alerts],
        "subject": [alert.identity.subject for alert, _ in alerts],
        "kind": [alert.identity.kind.value for alert, _ in alerts],
        "state": [alert.state.value for alert, _ in alerts],
        "level": [alert.level.value for alert, _ in alerts],
        "since": [moments.written(alert.since, dialect) for alert, _ in alerts],
        "changed": [moments.written(alert.changed, dialect) for alert, _ in alerts],
        "last_change_id": [number for _, number in alerts],
    }


def _alert(row: Any) -> Alert:
    return Alert(
        identity=Identity(row.book, row.target, row.subject, Kind(row.kind)),
        state=State(row.state),
        level=Level(row.level),
        since=row.since,
        changed=row.changed,
    )
