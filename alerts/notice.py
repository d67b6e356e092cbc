"""A change as the facts that a message is written from."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from alerts.alert import Alert, Cause, Change, Event, Kind, State
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
    def text(self) -> str:
        """As JSON, without what is not known."""
        return _encoder.encode(self).decode()

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
    target = verdict.target
    unit, zone = target.goal.unit, book.timezone
    taken_back = before if change.event is Event.CORRECTED else None
    return Notice(
        book=book.id,
        book_title=book.title,
        target=target.id,
        subject=verdict.subject,
        name=target.name,
        item=target.item,
        section=section(book, target),
        lead=target.lead,
        responsible=target.responsible,
        asked=target.reporter if change.identity.kind is Kind.DATA else target.lead,
        supervisor=book.supervisor,
        kind=change.identity.kind,
        event=change.event,
        cause=change.cause,
        state=change.state,
        level=change.level,
        previous_level=change.previous_level,
        judged=change.judged,
        reason=verdict.reason,
        period=_period(verdict, change, zone),
        status=verdict.status.text,
        owed=wording.owed(verdict),
        nil=wording.nil(verdict),
        unit=unit,
        goal=wording.goal(verdict),
        goal_value=verdict.goal,
        by=wording.deadline(target, book.year),
        actual=verdict.actual,
        actual_text="" if verdict.actual is None else target.goal.figure(verdict.actual),
        expected=verdict.expected,
        expected_text="" if verdict.expected is None else target.goal.figure(verdict.expected),
        shortfall=verdict.shortfall,
        gap_text=wording.gap(verdict),
        pace_text=wording.pace(verdict, book.workdays),
        probability=verdict.probability,
        outlook_text="" if verdict.probability is None else wording.outlook(verdict),
        rule=_rule(change, verdict),
        since=_local(change.since, zone),
        at=_local(change.at, zone),
        origin=origin,
        mark=book.mark(target),
        told_at=_local(taken_back.changed, zone) if taken_back else "",
        told_level=taken_back.level if taken_back else None,
        told_actual=taken_back.basis.actual if taken_back else None,
        told_text=target.goal.figure(taken_back.basis.actual)
        if taken_back and taken_back.basis.actual is not None
        else "",
        edit=_edit(change, before),
        clear_text=_clear(change, verdict),
        enough_text=wording.enough(verdict) if change.state is State.FIRING and change.level == change.judged else "",
        labels=target.labels,
    )


def _period(verdict: Verdict, change: Change, zone: str) -> str:
    """Of what the figure speaks; of a task with a deadline, which has come so far by now, the day."""
    if verdict.period is None:
        return ""
    if verdict.target.goal.by is not None:
        return label(Every.DAY, change.at.astimezone(ZoneInfo(zone)).date())
    return label(verdict.target.every, verdict.period)


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


def _clear(change: Change, verdict: Verdict) -> str:
    """When the alert is solved, in words; the last period of a year solves whatever meets its goal."""
    last = verdict.period is not None and (verdict.period.month, verdict.period.day) == (12, 31)
    return "" if last or change.identity.kind is Kind.DATA else wording.clearing(verdict.target)


def _edit(change: Change, before: Alert | None) -> str:
    """What was changed in the rule since the alert was told, where that is the cause."""
    if before is None or change.cause is not Cause.RULE_EDITED:
        return ""
    return "，".join(found.text for found in edit.edits(before.basis.rule, change.basis.rule))


def _rule(change: Change, verdict: Verdict) -> str:
    """The rule that brought the change about, in words."""
    if change.identity.kind is Kind.DATA:
        return f"数据应于{wording.publication(verdict.target.published, verdict.target)}报送"
    if verdict.reason is Reason.GOAL_MISSED and change.judged is Level.YELLOW:
        # At the end of the year any shortfall counts, however small; no threshold is needed for it.
        return "期满未达目标"
    return _reached(verdict.target, change.judged)


@lru_cache(maxsize=4096)  # of one target, for all its subjects
def _reached(target: Target, level: Level) -> str:
    reached = target.levels.red if level is Level.RED else target.levels.yellow
    return wording.thresholds(reached or target.levels.red, target)


@lru_cache(maxsize=4096)  # thousands of alerts move in one moment
def _beside(at: datetime, written: str) -> str:
    """As ``_local``, in the offset that another moment is written in."""
    return at.astimezone(datetime.fromisoformat(written).tzinfo).isoformat()


@lru_cache(maxsize=4096)
def _local(at: datetime, timezone: str) -> str:
    return at.astimezone(ZoneInfo(timezone)).isoformat()
