"""Figures that were refused: kept apart, each once, until a person decides or the source corrects itself."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import pandas as pd
from sqlalchemy import Connection, Select, bindparam, func, insert, select, update

from connectors.observation import Observation, Refusal, Status, frame
from monitor.store.appending import append
from monitor.store.pulls import clean
from monitor.store.tables import pull
from monitor.store.tables import quarantine as table
from rules.plausible import REASONS

KEPT = 1000
"""Refused figures of one pull that are kept, in the document's order; the pull counts all of them."""
_KEYS_ASKED = 500
_DOUBTS = [reason.value for reason in REASONS if reason is not None]
Figure = tuple[str, str, str, float | None]


class State(StrEnum):
    """``open`` until a person decides, or the source states something else that can be right."""

    OPEN = "open"
    RELEASED = "released"
    DISMISSED = "dismissed"
    CORRECTED = "corrected"

    @property
    def text(self) -> str:
        return _TEXTS[self]


_TEXTS = {
    State.OPEN: "待核",
    State.RELEASED: "已放行",
    State.DISMISSED: "已驳回",
    State.CORRECTED: "来源已更正",
}


def _of_source(state: State, *columns: str) -> Select[Any]:
    """The figures of the source called ``source`` that are in a state. Made once: every pull asks."""
    return select(*(table.c[name] for name in columns)).where(
        table.c.state == state.value, table.c.source == bindparam("source")
    )


_RELEASED = _of_source(State.RELEASED, "series", "subject", "period", "value")
_WAITING = _of_source(State.OPEN, "id", "series", "subject", "period").where(table.c.period != "")


class Undecidable(Exception):
    """What was asked for cannot be done with this figure; ``str()`` is for people."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A refused figure. ``period`` (ISO) is "" and ``value`` None where they could not be read.

    ``who`` and ``note`` are of the person who decided; nobody did where the source corrected itself.
    """

    id: int
    source: str
    series: str
    subject: str
    period: str
    reason: str
    text: str
    value: float | None
    unit: str
    cell: str
    document: str
    first_seen: datetime
    last_seen: datetime
    state: State
    who: str
    note: str
    decided_at: datetime | None
    status: Status


def keep(connection: Connection, source: str, pull_id: int, refusals: Collection[Refusal], at: datetime) -> None:
    """Keep the refused figures of a pull: new ones as open, known ones as they were decided on by a person."""
    met: dict[str, dict[str, Any]] = {}
    for refusal in list(refusals)[:KEPT]:
        row = _row(source, refusal)
        met.setdefault(row["key"], row)
    keys, known = list(met), set()
    for start in range(0, len(keys), _KEYS_ASKED):
        asked = table.c.key.in_(keys[start : start + _KEYS_ASKED])
        known |= set(connection.scalars(select(table.c.key).where(asked)))
        connection.execute(update(table).where(asked).values(last_seen=at))
        back = asked & (table.c.state == State.CORRECTED.value)
        connection.execute(update(table).where(back).values(state=State.OPEN.value, decided_at=None))
    undecided = {"state": State.OPEN.value, "who": "", "note": "", "decided_at": None}
    seen = {"pull_id": pull_id, "first_seen": at, "last_seen": at}
    fresh = [row | seen | undecided for key, row in met.items() if key not in known]
    if fresh:
        connection.execute(insert(table), fresh)


def correct(
    connection: Connection, source: str, stated: pd.DataFrame, refusals: Collection[Refusal], at: datetime
) -> None:
    """Close what waits although ``source`` now states something else for the same series, subject and period.

    ``stated`` are the figures of a pull (columns of ``connectors.observation``), ``refusals`` those not let in.
    """
    waiting = {row.id: row[1:] for row in connection.execute(_WAITING, {"source": source})}
    if not waiting:
        return
    series, subjects, days = (set(column) for column in zip(*waiting.values(), strict=True))
    concerned = stated["series"].isin(series) & stated["subject"].isin(subjects)
    concerned &= stated["period"].isin(pd.to_datetime(sorted(days)))
    rows = stated.loc[concerned, ["series", "subject", "period"]].itertuples(index=False)
    said = {(series, subject, f"{period:%Y-%m-%d}") for series, subject, period in rows}
    said -= {(refusal.series, refusal.subject, _day(refusal)) for refusal in refusals}
    done = [number for number, figure in waiting.items() if figure in said]
    for start in range(0, len(done), _KEYS_ASKED):
        closed = update(table).where(table.c.id.in_(done[start : start + _KEYS_ASKED]))
        connection.execute(closed.values(state=State.CORRECTED.value, decided_at=at))


class Doubted(NamedTuple):
    """What a figure that waits for a decision is of; ``period`` is its last day."""

    source: str
    series: str
    subject: str
    period: date


def doubted(connection: Connection, at: datetime) -> list[Doubted]:
    """What the figures are of that can be read, but hardly be right, and wait for a decision at ``at``."""
    c = table.c
    waits = [c.state == State.OPEN.value, c.reason.in_(_DOUBTS), c.first_seen <= at]
    rows = connection.execute(select(c.source, c.series, c.subject, c.period).where(*waits).distinct())
    return [Doubted(row.source, row.series, row.subject, date.fromisoformat(row.period)) for row in rows]


def released(connection: Connection, source: str) -> Counter[Figure]:
    """Series, subject, period and value of the figures of ``source`` that were let through, and how often each was."""
    return Counter(tuple(row) for row in connection.execute(_RELEASED, {"source": source}))


def opened(connection: Connection) -> list[Kept]:
    """Every figure that waits for a decision, by source, in the order of being met."""
    waiting = _joined().where(table.c.state == State.OPEN.value)
    return [_kept(row) for row in connection.execute(waiting.order_by(table.c.source, table.c.id))]


def settled(connection: Connection, most: int) -> list[Kept]:
    """The ``most`` figures that were decided on or corrected last, the latest first."""
    done = _joined().where(table.c.state != State.OPEN.value)
    return [_kept(row) for row in connection.execute(done.order_by(table.c.decided_at.desc(), table.c.id).limit(most))]


def counts(connection: Connection) -> dict[str, dict[str, int]]:
    """How many figures wait for a decision, by source and reason."""
    c = table.c
    query = select(c.source, c.reason, func.count()).where(c.state == State.OPEN.value).group_by(c.source, c.reason)
    found: dict[str, dict[str, int]] = {}
    for source, reason, count in connection.execute(query):
        found.setdefault(source, {})[reason] = count
    return found


def release(connection: Connection, number: int, who: str, note: str, at: datetime) -> Kept:
    """Let a figure through: it is stored as stated, known from ``at``, and not refused again. Raises Undecidable."""
    row = _open(connection, number)
    if (row.value is None and row.status is not Status.NIL) or not row.period:
        raise Undecidable(f"第{number}号没有可以入库的数值或期间，只能更正原件，或予驳回 (nothing_to_release)")
    period, value = date.fromisoformat(row.period), math.nan if row.value is None else row.value
    stated = Observation(row.series, row.subject, period, value, row.unit, None, row.cell, row.status)
    first = connection.scalar(select(table.c.pull_id).where(table.c.id == number))
    assert first is not None
    if append(connection, row.source, first, frame([stated]), at).refusals:
        raise Undecidable(f"第{number}号的计量单位“{row.unit}”与该序列已入库的不同，不能放行 (other_unit)")
    return _decide(connection, number, State.RELEASED, who, note, at)


def dismiss(connection: Connection, number: int, who: str, note: str, at: datetime) -> Kept:
    """Keep a figure out for good, and list it no longer. Raises Undecidable."""
    _open(connection, number)
    return _decide(connection, number, State.DISMISSED, who, note, at)


def _open(connection: Connection, number: int) -> Kept:
    row = connection.execute(_joined().where(table.c.id == number)).one_or_none()
    if row is None:
        raise Undecidable(f"没有第{number}号 (unknown_number)")
    found = _kept(row)
    if found.state is State.CORRECTED:
        raise Undecidable(f"第{number}号来源已自行更正，不必处理 (already_corrected)")
    if found.state is not State.OPEN:
        raise Undecidable(f"第{number}号已由{found.who}处理 (already_{found.state.value})：{found.note}")
    return found


def _decide(connection: Connection, number: int, state: State, who: str, note: str, at: datetime) -> Kept:
    values = {"state": state.value, "who": clean(who), "note": clean(note), "decided_at": at}
    connection.execute(update(table).where(table.c.id == number).values(**values))
    return _kept(connection.execute(_joined().where(table.c.id == number)).one())


def _row(source: str, refusal: Refusal) -> dict[str, Any]:
    """A figure keeps its key when its row moves within the document; where no figure can be told, its cell stands for it."""
    words = {name: clean(getattr(refusal, name)) for name in ("series", "subject", "text", "unit", "cell")}
    stated = {
        "source": source,
        **words,
        "period": _day(refusal),
        "reason": refusal.reason.value,
        "value": refusal.value,
        "status": refusal.status.value,
    }
    told = {name: stated[name] for name in stated if name != "cell" or not refusal.period}
    key = hashlib.sha256(json.dumps(told, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
    return stated | {"key": key}


def _day(refusal: Refusal) -> str:
    return refusal.period.isoformat() if refusal.period else ""


def _joined() -> Select[Any]:
    columns = [table.c[name] if name != "document" else pull.c.document for name in Kept.__slots__]
    return select(*columns).join(pull, pull.c.id == table.c.pull_id)


def _kept(row: Any) -> Kept:
    return replace(Kept(*row), state=State(row.state), status=Status(row.status))
