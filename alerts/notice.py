"""A change as the facts that a message is written from."""

from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from alerts.alert import Alert, Cause, Change, Event, Kind, State
from connectors.observation import Status
from rules import edit, wording
from rules.calendar import Every, label
from rules.target import Book, Level, Target
from rules.verdict import Reason, Verdict


class Notice(Struct, frozen=True, omit_defaults=True, gc=False):
    """What one message says. Plain text and numbers only: stored as JSON with the change, it never changes again.

    Numbers are in ``unit``, times are ISO 8601 in the book's time zone; ``""`` and
    None stand for what is not known. ``asked`` are the units that must act: the
    reporter where a figure is owed, else the lead. ``probability`` (0-1) is that of meeting the goal,
    ``by`` tells by when it must be met, ``period`` is the period judged, ``status`` what is said of
    its figure (初步数), ``owed`` the one whose figure is overdue, ``nil`` tells for which one there
    was nothing to report,
    ``mark`` must stand in every message (演示数据).

    ``state``, ``level`` and ``previous_level`` are the alert's, ``judged`` is the level of ``period``: another one only
    in the correction of a past period. What is corrected: ``told_at``, ``told_level`` and ``told_actual``. ``edit``
    tells what was changed in the rule, ``clear_text`` when the alert is solved, where the book asks for more than
    that no level is reached, ``enough_text`` which figure of the next period solves it. A reminder and an escalation tell how long the alert has stood (``waited``), the
    latter whose ``attention`` it asks for. ``lines`` (标签：值) are all there is to say in a message that tells of no alert.
    A digest has ``told`` the alerts that it tells of; ``turn`` is what happened to such a one since the digest before.
    """

    kind: str
    event: str
    cause: str
    state: str
    level: int
    previous_level: int
    judged: int
    since: str
    at: str
    name: str
    book: str = ""
    book_title: str = ""
    target: str = ""
    subject: str = ""
    item: int | None = None
    section: str = ""
    lead: tuple[str, ...] = ()
    responsible: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    supervisor: str = ""
    reason: str = ""
    period: str = ""
    status: str = ""
    owed: str = ""
    nil: str = ""
    unit: str = ""
    goal: str = ""
    goal_value: float | None = None
    by: str = ""
    actual: float | None = None
    actual_text: str = ""
    expected: float | None = None
    expected_text: str = ""
    shortfall: float | None = None
    gap_text: str = ""
    pace_text: str = ""
    probability: float | None = None
    outlook_text: str = ""
    rule: str = ""
    origin: str = ""
    mark: str = ""
    told_at: str = ""
    told_level: int | None = None
    told_actual: float | None = None
    told_text: str = ""
    edit: str = ""
    clear_text: str = ""
    enough_text: str = ""
    labels: tuple[str, ...] = ()
    waited: str = ""
    attention: str = ""
    lines: tuple[str, ...] = ()
    turn: str = ""
    told: tuple["Notice", ...] = ()

    @property
    def json(self) -> bytes:
        """In UTF-8, without what is not known."""
        return _encoder.encode(self)

    def facts(self) -> dict[str, Any]:
        """By name, without what is not known."""
        known: dict[str, Any] = msgspec.to_builtins(self)
        return known

    @staticmethod
    def of(facts: dict[str, Any]) -> "Notice":
        """From what ``facts`` gave, when it was JSON in between."""
        return msgspec.convert(facts, Notice)


def read(texts: Iterable[str | bytes]) -> list[Notice]:
    """From JSON."""
    return list(map(_decoder.decode, texts))


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Notice)


def notice(change: Change, verdict: Verdict, book: Book, origin: str = "", before: Alert | None = None) -> Notice:
    """The facts of ``change``, which ``verdict`` brought about.

    ``origin`` tells where the figure was read; ``before`` is the alert as it was told, and what a correction takes back.
    """
    goal, probability = verdict.target.goal, verdict.probability
    # Of its own a notice has 14 facts: the keywords of a longer call are gathered in a dict first (Python 3.11).
    said = replace(
        _alike(
            book,
            verdict.target,
            change.identity.kind,
            change.event,
            change.cause,
            change.state,
            change.level,
            change.previous_level,
            change.judged,
            change.since,
            change.at,
            verdict.reason,
            verdict.period,
            verdict.status,
            wording.owed(verdict),
            wording.nil(verdict),
        ),
        subject=verdict.subject,
        goal=wording.goal(verdict),
        goal_value=verdict.goal,
        actual=verdict.actual,
        actual_text="" if verdict.actual is None else goal.figure(verdict.actual),
        expected=verdict.expected,
        expected_text="" if verdict.expected is None else goal.figure(verdict.expected),
        shortfall=verdict.shortfall,
        gap_text=wording.gap(verdict),
        pace_text=wording.pace(verdict, book.workdays),
        probability=probability,
        outlook_text="" if probability is None else wording.outlook(verdict),
        origin=origin,
        enough_text=wording.enough(verdict) if change.level == change.judged and change.state is State.FIRING else "",
    )
    if before is None:
        return said
    if change.event is Event.CORRECTED:
        told = before.basis.actual
        said = replace(
            said,
            told_at=_local(before.changed, book.timezone),
            told_level=before.level,
            told_actual=told,
            told_text="" if told is None else goal.figure(told),
        )
    return replace(said, edit=_edit(change, before)) if change.cause is Cause.RULE_EDITED else said


@lru_cache(maxsize=16)  # the subjects of a target come one after the other; books that were replaced are soon forgotten
def _alike(
    book: Book,
    target: Target,
    kind: Kind,
    event: Event,
    cause: Cause,
    state: State,
    level: Level,
    previous_level: Level,
    judged: Level,
    since: datetime,
    at: datetime,
    reason: Reason,
    period: date | None,
    status: Status,
    owed: str,
    nil: str,
) -> Notice:
    """What is said to all subjects of ``target`` whose alerts move alike at one moment, without any figure."""
    debt = kind is Kind.DATA
    # The last period of a year solves whatever meets its goal.
    last = period is not None and (period.month, period.day) == (12, 31)
    return Notice(
        book=book.id,
        book_title=book.title,
        target=target.id,
        name=target.name,
        item=target.item,
        section=section(book, target),
        lead=target.lead,
        responsible=target.responsible,
        asked=target.reporter if debt else target.lead,
        supervisor=book.supervisor,
        kind=kind.value,
        event=event.value,
        cause=cause.value,
        state=state.value,
        level=level.value,
        previous_level=previous_level.value,
        judged=judged.value,
        reason=reason.value,
        period=_period(target, period, at, book.timezone),
        status=status.text,
        owed=owed,
        nil=nil,
        unit=target.goal.unit,
        by=wording.deadline(target, book.year),
        rule=_rule(target, kind, judged, reason),
        since=_local(since, book.timezone),
        at=_local(at, book.timezone),
        mark=book.mark(target),
        clear_text="" if last or debt else wording.clearing(target),
        labels=target.labels,
    )


def _period(target: Target, period: date | None, at: datetime, zone: str) -> str:
    """Of what the figure speaks; of a task with a deadline, which has come so far by now, the day."""
    if period is None:
        return ""
    if target.goal.by is not None:
        return label(Every.DAY, at.astimezone(ZoneInfo(zone)).date())
    return label(target.every, period)


def section(book: Book, target: Target) -> str:
    """The section of the plan that a target belongs to, or ""."""
    item = book.item(target.item)
    return item.section if item else ""


def waiting(said: Notice, waited: str, attention: str) -> Notice:
    """The facts of an alert that goes on standing, so long, with whose attention is asked for."""
    return replace(said, waited=waited, attention=attention)


def restated(change: Change, last: Notice) -> Notice:
    """The facts of ``change``, which stands on no other figure than the one before it, told in ``last``."""
    return replace(
        last,
        event=change.event,
        cause=change.cause,
        state=change.state,
        level=change.level,
        previous_level=change.previous_level,
        judged=change.judged,
        at=_beside(change.at, last.at),
        told_at="",
        told_level=None,
        told_actual=None,
        told_text="",
        edit="",
        waited="",
        attention="",
    )


def _edit(change: Change, before: Alert) -> str:
    """What was changed in the rule since the alert was told."""
    return "，".join(found.text for found in edit.edits(before.basis.rule, change.basis.rule))


def _rule(target: Target, kind: Kind, level: Level, reason: Reason) -> str:
    """The rule that brought a change about, in words."""
    if kind is Kind.DATA:
        return f"数据应于{wording.publication(target.published, target)}报送"
    if reason is Reason.GOAL_MISSED and level is Level.YELLOW:
        # At the end of the year any shortfall counts, however small; no threshold is needed for it.
        return "期满未达目标"
    reached = target.levels.red if level is Level.RED else target.levels.yellow
    return wording.thresholds(reached or target.levels.red, target)


@lru_cache(maxsize=4096)  # thousands of alerts move in one moment
def _beside(at: datetime, written: str) -> str:
    """As ``_local``, in the offset that another moment is written in."""
    return at.astimezone(datetime.fromisoformat(written).tzinfo).isoformat()


@lru_cache(maxsize=4096)
def _local(at: datetime, timezone: str) -> str:
    return at.astimezone(ZoneInfo(timezone)).isoformat()
