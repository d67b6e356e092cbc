"""A change as the facts that a message is written from."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from alerts.alert import Change, Kind
from rules import wording
from rules.calendar import label
from rules.target import Book, Level, quantity
from rules.verdict import Reason, Verdict


@dataclass(frozen=True, slots=True)
class Notice:
    """What one message says. Plain text and numbers only: stored as JSON with the change, it never changes again.

    Numbers are in ``unit``, times are ISO 8601 in the book's time zone; ``""`` and
    None stand for what is not known. ``asked`` are the units that must act: the
    reporter where a figure is owed, else the lead. ``by`` tells by when the goal must be met,
    ``period`` is the period judged, ``status`` what is said of its figure (初步数), ``owed``
    the one whose figure is overdue, ``nil`` tells for which one there was nothing to report,
    ``mark`` must stand in every message (演示数据).
    """

    book: str
    book_title: str
    target: str
    subject: str
    name: str
    item: int | None
    section: str
    lead: tuple[str, ...]
    responsible: tuple[str, ...]
    asked: tuple[str, ...]
    supervisor: str
    kind: str
    event: str
    level: int
    previous_level: int
    reason: str
    period: str
    status: str
    owed: str
    nil: str
    unit: str
    goal: str
    goal_value: float | None
    by: str
    actual: float | None
    actual_text: str
    expected: float | None
    expected_text: str
    shortfall: float | None
    gap_text: str
    pace_text: str
    rule: str
    since: str
    at: str
    origin: str
    mark: str

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        # asdict copies what is immutable anyway, and takes eight times as long.
        return {name: getattr(self, name) for name in self.__slots__}

    @staticmethod
    def of(facts: dict[str, Any]) -> "Notice":
        """From JSON."""
        units = {name: tuple(facts[name]) for name in ("lead", "responsible", "asked")}
        return Notice(**{**facts, **units})


def notice(change: Change, verdict: Verdict, book: Book, origin: str = "") -> Notice:
    """The facts of ``change``, which ``verdict`` brought about. ``origin`` tells where the figure was read."""
    target, item = verdict.target, book.item(verdict.target.item)
    unit, local = target.goal.unit, ZoneInfo(book.timezone)
    return Notice(
        book=book.id,
        book_title=book.title,
        target=target.id,
        subject=verdict.subject,
        name=target.name,
        item=target.item,
        section=item.section if item else "",
        lead=target.lead,
        responsible=target.responsible,
        asked=target.reporter if change.identity.kind is Kind.DATA else target.lead,
        supervisor=book.supervisor,
        kind=change.identity.kind,
        event=change.event,
        level=change.level,
        previous_level=change.previous_level,
        reason=verdict.reason,
        period=label(target.every, verdict.period) if verdict.period else "",
        status=verdict.status.text,
        owed=label(target.every, verdict.owed) if verdict.owed else "",
        nil=wording.nil(verdict),
        unit=unit,
        goal=wording.goal(verdict),
        goal_value=verdict.goal,
        by=wording.deadline(target, book.year),
        actual=verdict.actual,
        actual_text="" if verdict.actual is None else quantity(verdict.actual, unit),
        expected=verdict.expected,
        expected_text="" if verdict.expected is None else quantity(verdict.expected, unit),
        shortfall=verdict.shortfall,
        gap_text=wording.gap(verdict),
        pace_text=wording.pace(verdict),
        rule=_rule(change, verdict),
        since=change.since.astimezone(local).isoformat(),
        at=change.at.astimezone(local).isoformat(),
        origin=origin,
        mark=book.mark(target),
    )


def _rule(change: Change, verdict: Verdict) -> str:
    """The rule that brought the change about, in words."""
    if change.identity.kind is Kind.DATA:
        return f"数据应于{wording.publication(verdict.target.published, verdict.target)}报送"
    if verdict.reason is Reason.GOAL_MISSED and change.level is Level.YELLOW:
        # At the end of the year any shortfall counts, however small; no threshold is needed for it.
        return "期满未达目标"
    levels = verdict.target.levels
    reached = levels.red if change.level is Level.RED else levels.yellow
    return wording.thresholds(reached or levels.red, verdict.target)
