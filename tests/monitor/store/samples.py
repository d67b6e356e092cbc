"""Readings, changes and notices for the tests of the store."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import pandas as pd
from sqlalchemy import Connection

from alerts.alert import Alert, Basis, Cause, Change, Event, Identity, Kind, State
from alerts.notice import Notice
from connectors.observation import Observation, frame
from monitor.store import pulls
from monitor.store.observations import Appended, append, series
from rules.target import Level

SOURCE = "wansheng-2025/filings"
START = datetime(2025, 10, 20, 1, 30, tzinfo=UTC)


def hours(count: float) -> datetime:
    """So many hours after START."""
    return START + timedelta(hours=count)


def reading(*rows: tuple[str, str, date, float] | tuple[str, str, date, float, datetime | None]) -> pd.DataFrame:
    """A frame of figures in 人: series, subject, period, value, and when it was published if that is stated."""
    return frame(_observation(*row) for row in rows)


def _observation(
    series: str, subject: str, period: date, value: float, known_at: datetime | None = None, unit: str = "人"
) -> Observation:
    return Observation(series, subject, period, value, unit, known_at, f"{series}{period:%m}")


def registered(connection: Connection) -> dict[int, tuple[str, str, str, str]]:
    """Source, name, subject and unit of every series by its id."""
    return {
        number: (group.source, group.name, subject, group.unit)
        for group in series(connection)
        for number, subject in zip(group.id.tolist(), group.subject, strict=True)
    }


def store(connection: Connection, at: datetime, observations: pd.DataFrame, source: str = SOURCE) -> Appended:
    """Append under a pull of its own."""
    return append(connection, source, pulls.begin(connection, source, at), observations, at)


def identity(target: str = "urban-jobs", subject: str = "", kind: Kind = Kind.PACE) -> Identity:
    return Identity("wansheng-2025", target, subject, kind)


def step(
    event: Event = Event.FIRED,
    level: Level = Level.YELLOW,
    at: datetime = START,
    of: Identity | None = None,
    previous: Level = Level.GREEN,
) -> tuple[Alert, Change, Notice]:
    """A change of an alert with everything that is saved for it."""
    state = State.PENDING if event is Event.NOTICED else State.FIRING if level > Level.GREEN else State.RESOLVED
    who = of or identity()
    basis = Basis(date(2025, 9, 30), 2900.5, "年度目标：不低于4500人\n黄色阈值：落后应完成数超过5%")
    change = Change(who, at, event, Cause.ORDINARY, state, level, previous, START, level, basis)
    return Alert(who, state, level, START, at, basis), change, notice(change)


def steps(targets: Iterable[str]) -> list[tuple[Alert, Change, Notice]]:
    return [step(of=identity(target)) for target in targets]


def notice(change: Change) -> Notice:
    return Notice(
        kind=change.identity.kind.value,
        event=change.event.value,
        cause=change.cause.value,
        state=change.state.value,
        level=int(change.level),
        previous_level=int(change.previous_level),
        judged=int(change.judged),
        since=change.since.isoformat(),
        at=change.at.isoformat(),
        name="城镇新增就业",
        book=change.identity.book,
        target=change.identity.target,
        lead=("人力社保局",),
        responsible=("相关部门", "镇街"),
        asked=("人力社保局",),
        actual=2900.5,
    )
