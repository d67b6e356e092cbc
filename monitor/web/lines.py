"""Open alerts and sources, as lines of the status page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.alert import Event, Identity, Kind
from alerts.delivery import Result, Sending, Status
from alerts.suppression import Reason
from connectors.base import Failure
from connectors.observation import Refused
from monitor.snapshot import TRAILS, OpenAlert, Snapshot, SourceHealth, Trail, foremost
from monitor.web.cards import anchor
from monitor.web.rows import Span, row_of
from rules import wording
from rules.feed import DEAD
from rules.target import Book, Level

_KINDS = {Kind.PACE: "进度", Kind.DATA: "数据"}
_CHANGES = 10
"""Changes shown, the latest ones."""
_REFUSED = {reason.value: reason.said for reason in Refused}
_FAILURES = {
    Failure.NOT_FOUND: "找不到文件或地址",
    Failure.UNREACHABLE: "无法连接",
    Failure.TLS: "证书或加密有误",
    Failure.TIMEOUT: "超时未答",
    Failure.DENIED: "拒绝访问",
    Failure.RATE_LIMITED: "超过访问频次",
    Failure.FORBIDDEN_ADDRESS: "地址不得访问",
    Failure.BAD_ANSWER: "内容无法读取",
    Failure.TOO_LARGE: "内容过大",
    Failure.MISCONFIGURED: "配置有误",
    Failure.INCOMPLETE: "文件尚未写完",
    Failure.INTERNAL: "内部错误",
}


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An open alert. ``anchor`` is "" where its card is not on the page, ``told`` None while nobody was told.

    ``past`` are its changes and the messages about them, each with its moment.
    """

    level: Level
    state: str
    name: str
    subject: str
    anchor: str
    said: str
    lead: str
    since: datetime
    told: datetime | None
    mark: str
    past: tuple[tuple[datetime, str], ...]


def alert_lines(
    alerts: Sequence[OpenAlert], book: Book, found: Sequence[Span], *, trails: Mapping[Identity, Trail], linked: bool
) -> list[AlertLine]:
    """The alerts that matter most, each with its past."""
    by_id = {span.target.id: span for span in found}
    return [
        _line(item, book, by_id.get(item.alert.identity.target), trails.get(item.alert.identity), linked=linked)
        for item in foremost(alerts, TRAILS)
    ]


def of_book(snapshot: Snapshot, book: Book) -> list[OpenAlert]:
    """Its open alerts."""
    return [item for item in snapshot.alerts if item.alert.identity.book == book.id]


def _line(item: OpenAlert, book: Book, span: Span | None, trail: Trail | None, *, linked: bool) -> AlertLine:
    alert, notice, identity = item.alert, item.notice, item.alert.identity
    return AlertLine(
        level=alert.level,
        state=_KINDS[identity.kind] + alert.state.text,
        name=notice.name,
        subject=identity.subject,
        anchor=anchor(book.id, identity.target, identity.subject) if linked and span is not None else "",
        said=_said(item, span),
        lead="、".join(notice.lead),
        since=alert.since,
        told=datetime.fromisoformat(notice.at) if Event(notice.event).told else None,
        mark=notice.mark,
        past=() if trail is None else tuple(_past(trail)),
    )


def _past(trail: Trail) -> Iterator[tuple[datetime, str]]:
    """Each change and what became of the messages about it."""
    for number, change, notice in trail.changes[-_CHANGES:]:
        facts = (notice.period, notice.actual_text, notice.gap_text or notice.owed, notice.edit)
        yield change.at, f"{change.event.text}（{change.level.text}）：{'，'.join(filter(None, facts))}"
        for one in trail.sendings:
            if one.change_id == number:
                last = one.tries[-1] if one.tries else None
                failed = (
                    f"：{last.result.text}，{last.answer}" if last is not None and one.status is not Status.SENT else ""
                )
                at = one.finished_at or (last.at if last is not None else change.at)
                yield at, f"致{one.receiver}（{one.channel}）{_became(one)}{failed}"


def _became(one: Sending) -> str:
    """What became of a message; why it was not sent at once."""
    if not one.suppressed:
        return one.status.text
    why = Reason(one.suppressed).text
    return f"{one.status.text}（{why}）" if one.status is not Status.SUPPRESSED else why


def waiting_lines(snapshot: Snapshot) -> list[tuple[str, int]]:
    """Why messages wait, and how many."""
    return [(reason.text, count) for reason, count in snapshot.waiting.items() if count]


def channel_lines(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Channels that rest, and why."""
    return [(name, Result(why).text) for name, why in snapshot.resting.items() if why]


def _said(item: OpenAlert, span: Span | None) -> str:
    """How things stand now; the words of the last change where the target left the book."""
    identity = item.alert.identity
    row = None if span is None else row_of(span, identity.subject)
    if span is None or row is None:
        return item.notice.gap_text
    verdict = span.verdict(row)
    if identity.kind is Kind.DATA:
        return wording.reason(verdict)
    gap = "，".join(filter(None, (wording.gap(verdict), verdict.status.text)))
    return gap if verdict.judged else "；".join(filter(None, (gap, wording.reason(verdict))))


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A source and, in words, how it is and what was refused. ``well`` is None before its first pull."""

    source: SourceHealth
    book: str
    well: bool | None
    said: str
    detail: str
    refused: str


def failure(reason: str) -> str:
    """Why a pull failed, in words."""
    return _FAILURES[Failure(reason)] if reason in set(Failure) else reason


def source_lines(snapshot: Snapshot) -> list[SourceLine]:
    """The sources of all books; failed ones first."""
    titles = {book.id: book.title for book in snapshot.books}
    lines = [_source(source, titles.get(source.book, source.book)) for source in snapshot.sources]
    return sorted(lines, key=lambda line: line.well is not False)


def _source(source: SourceHealth, book: str) -> SourceLine:
    refused = "、".join(f"{_REFUSED.get(reason, reason)} {count}" for reason, count in source.quarantined.items())
    if source.last_pull is None:
        return SourceLine(source, book, None, "尚未读取", "", refused)
    if source.stale_periods >= DEAD:
        said = f"有答复，但已{source.stale_periods}期没有新数据"
        return SourceLine(source, book, well=False, said=said, detail="", refused=refused)
    if not source.reason:
        return SourceLine(source, book, well=True, said="正常", detail="", refused=refused)
    return SourceLine(
        source,
        book,
        well=False,
        said=failure(source.reason),
        detail=source.detail,
        refused=refused,
    )
