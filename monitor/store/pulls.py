"""Every attempt to ask a source: when, with what outcome, how many figures came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CTE, Connection, bindparam, func, insert, select, update

from connectors.base import Failure
from connectors.observation import Reading
from monitor.store.appending import Appended
from monitor.store.tables import pull

_OPEN = ""
_IDS_ASKED = 1000
# Made once: putting a statement together takes longer than SQLite needs for it, and these are part of every pull.
_BEGIN = insert(pull).returning(pull.c.id)
_END = update(pull).where(pull.c.id == bindparam("pull_id"))


class Outcome(StrEnum):
    OK = "ok"
    FAILED = "failed"


_LAST_SUCCESS = (
    select(pull.c.id, pull.c.started_at, pull.c.digest)
    .where(pull.c.source == bindparam("source"), pull.c.outcome == Outcome.OK.value)
    .order_by(pull.c.id.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Pulled:
    """How one pull ended. ``reason`` and ``detail`` are "" unless it failed; the counts are 0 if it did."""

    outcome: Outcome
    reason: str = ""
    detail: str = ""
    rows_read: int = 0
    rows_new: int = 0
    rows_revised: int = 0
    rows_unchanged: int = 0
    rows_refused: int = 0

    @property
    def failed(self) -> bool:
        return self.outcome is Outcome.FAILED


@dataclass(frozen=True, slots=True)
class PullRecord:
    """Where a source stands. ``last_pull`` is when its last finished pull began, ``reason`` and ``detail`` are of that one.

    Document, digest and counts are of the last successful pull, which began at
    ``last_success`` (None, "" and 0 where there was none).
    """

    last_pull: datetime
    reason: str
    detail: str
    last_success: datetime | None
    document: str
    digest: str
    rows_read: int
    rows_new: int
    rows_revised: int
    rows_unchanged: int
    rows_refused: int


def begin(connection: Connection, source: str, at: datetime) -> int:
    """Write down that ``source`` (``book/source``) is about to be asked; returns the pull's id."""
    blank = {"outcome": _OPEN, "reason": "", "detail": "", "document": "", "digest": ""}
    counts = dict.fromkeys(("rows_read", "rows_new", "rows_revised", "rows_unchanged", "rows_refused"), 0)
    made = connection.execute(_BEGIN, {"source": source, "started_at": at, **blank, **counts})
    number: int = made.scalar_one()
    return number


def finish(
    connection: Connection, pull_id: int, at: datetime, reading: Reading, appended: Appended, refused: int
) -> Pulled:
    """Write down what a source answered. ``refused`` counts all refusals: the connector's, the pipeline's, the store's."""
    pulled = Pulled(
        Outcome.OK,
        rows_read=appended.read - len(appended.refusals) + refused,
        rows_new=appended.new,
        rows_revised=appended.revised,
        rows_unchanged=appended.unchanged,
        rows_refused=refused,
    )
    _end(connection, pull_id, at, pulled, clean(reading.document), reading.digest)
    return pulled


def fail(connection: Connection, pull_id: int, at: datetime, reason: Failure, detail: str) -> Pulled:
    """Write down that a source gave nothing, and why."""
    pulled = Pulled(Outcome.FAILED, reason=reason.value, detail=clean(detail))
    _end(connection, pull_id, at, pulled, "", "")
    return pulled


def latest(connection: Connection) -> dict[str, PullRecord]:
    """Where every source stands that was ever asked and answered or failed. Looks up a few rows, however many there are."""
    asked = _ends(connection)
    numbers = [number for _, *both in asked for number in both if number is not None]
    rows = {
        row.id: row
        for start in range(0, len(numbers), _IDS_ASKED)
        for row in connection.execute(select(pull).where(pull.c.id.in_(numbers[start : start + _IDS_ASKED])))
    }
    return {
        source: _record(rows[max(good or 0, failed or 0)], rows.get(good))
        for source, good, failed in asked
        if good or failed
    }


def last_ids(connection: Connection) -> list[int]:
    """The last good pull and the last failed one of every source."""
    return [number for _, *both in _ends(connection) for number in both if number is not None]


def last_success(connection: Connection, source: str) -> tuple[int, datetime] | None:
    """The pull in which a source last answered well, and when it began."""
    found = connection.execute(_LAST_SUCCESS, {"source": source}).one_or_none()
    return None if found is None else (found.id, found.started_at)


def last_digest(connection: Connection, source: str) -> str | None:
    """The digest of a source's last successful pull; None where there was none."""
    found = connection.execute(_LAST_SUCCESS, {"source": source}).one_or_none()
    return None if found is None else found.digest


def failing(connection: Connection) -> list[str]:
    """Sources (``book/source``) whose last finished pull gave nothing."""
    return [source for source, record in latest(connection).items() if record.reason]


def clean(text: str) -> str:
    """Foreign words as every database takes them: without NUL and broken surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _end(connection: Connection, pull_id: int, at: datetime, pulled: Pulled, document: str, digest: str) -> None:
    values = {name: getattr(pulled, name) for name in Pulled.__slots__}
    known = {"pull_id": pull_id, "finished_at": at, "document": document, "digest": digest}
    connection.execute(_END, known | values)


def _ends(connection: Connection) -> Sequence[Any]:
    """Every source with its last good pull and its last failed one, None where there was none."""
    sources = _sources()
    last = [
        select(func.max(pull.c.id))
        .where(pull.c.source == sources.c.source, pull.c.outcome == outcome)
        .scalar_subquery()
        for outcome in (Outcome.OK.value, Outcome.FAILED.value)
    ]
    return connection.execute(select(sources.c.source, *last).where(sources.c.source.is_not(None))).all()


def _sources() -> CTE:
    """The sources, one after the other along the index, and a NULL at the end."""
    first = select(func.min(pull.c.source).label("source")).cte("sources", recursive=True)
    following = select(func.min(pull.c.source)).where(pull.c.source > first.c.source).scalar_subquery()
    return first.union_all(select(following).where(first.c.source.is_not(None)))


def _record(last: Any, good: Any | None) -> PullRecord:
    return PullRecord(
        last_pull=last.started_at,
        reason=last.reason,
        detail=last.detail,
        last_success=good.started_at if good else None,
        document=good.document if good else "",
        digest=good.digest if good else "",
        rows_read=good.rows_read if good else 0,
        rows_new=good.rows_new if good else 0,
        rows_revised=good.rows_revised if good else 0,
        rows_unchanged=good.rows_unchanged if good else 0,
        rows_refused=good.rows_refused if good else 0,
    )
