"""Every attempt to ask a source: when, with what outcome, how many figures came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, tuple_, update

from connectors.base import Failure
from connectors.observation import Reading
from monitor.store import bulk
from monitor.store.appending import Appended
from monitor.store.tables import pull

_OPEN = ""
# Made once: putting a statement together takes longer than SQLite needs for it, and these are part of every pull.
_BEGIN = insert(pull).returning(pull.c.id)
_END = update(pull).where(pull.c.id == bindparam("pull_id"))


class Outcome(StrEnum):
    OK = "ok"
    FAILED = "failed"


def _last_of_each() -> Select[Any]:
    """The last pull of each source with each outcome: from one to the next backward along the index, and a NULL at the end.

    Not by its maximum: for that a server may well go through all pulls of other sources since.
    """
    c, before = pull.c, pull.alias()
    ends = select(_backward(select(c.id), c).scalar_subquery().label("id")).cte("ends", recursive=True)
    less = tuple_(before.c.source, before.c.outcome) < tuple_(c.source, c.outcome)
    following = _backward(select(before.c.id).where(less), before.c).correlate(pull).scalar_subquery()
    ends = ends.union_all(select(following).select_from(ends).join(pull, c.id == ends.c.id))
    return select(ends.c.id)


def _backward(query: Select[Any], c: Any) -> Select[Any]:
    return query.order_by(c.source.desc(), c.outcome.desc(), c.id.desc()).limit(1)


_LAST = _last_of_each()
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
    ended = {(row.source, row.outcome): row for row in _ends(connection)}
    records = {}
    for source in sorted({source for source, _ in ended}):
        good, failed = (ended.get((source, outcome)) for outcome in Outcome)
        records[source] = _record(max(filter(None, (good, failed)), key=attrgetter("id")), good)
    return records


def last_ids(connection: Connection) -> list[int]:
    """The last good pull and the last failed one of every source."""
    return [row.id for row in _ends(connection)]


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


def _ends(connection: Connection) -> Sequence[Row[Any]]:
    """The last good pull and the last failed one of every source."""
    mine = bulk.among(connection, pull.c.id, filter(None, connection.scalars(_LAST)))
    return connection.execute(select(pull).where(mine, pull.c.outcome != _OPEN)).all()


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
