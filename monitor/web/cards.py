"""One target on the page: everything that is said about it, as text."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from markupsafe import Markup

from monitor.web.chart import pace_chart
from monitor.web.rows import Span
from rules import wording
from rules.target import Book, Level, Measure
from rules.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Card:
    """A target of one subject. ``""`` stands for what is not known or does not apply; ``details`` are (title, text)."""

    anchor: str
    level: Level
    name: str
    item: int | None
    subject: str
    lead: str
    mark: str
    goal: str
    actual: str
    period: str
    expected: str
    gap: str
    pace: str
    outlook: str
    reason: str
    chart: Markup
    details: tuple[tuple[str, str], ...]


def card(book: Book, span: Span, row: int, today: date) -> Card:
    """The card of one row."""
    verdict = span.verdict(row)
    target = verdict.target
    return Card(
        anchor=anchor(book.id, target.id, verdict.subject),
        level=verdict.level,
        name=target.name,
        item=target.item,
        subject=verdict.subject,
        lead="、".join(target.lead),
        mark=book.mark(target),
        goal=wording.goal(verdict),
        actual="" if verdict.actual is None else target.goal.figure(verdict.actual),
        period=wording.period(verdict),
        expected="" if verdict.expected is None else target.goal.figure(verdict.expected),
        gap=wording.gap(verdict),
        pace=wording.pace(verdict, book.workdays),
        outlook=wording.outlook(verdict),
        reason=wording.reason(verdict),
        chart=_chart(span, row, verdict, today),
        details=_details(book, verdict),
    )


def anchor(book: str, target: str, subject: str) -> str:
    """Where the card stands on the page."""
    return "/".join(part for part in (book, target, subject) if part)


def _chart(span: Span, row: int, verdict: Verdict, today: date) -> Markup:
    """No chart for a task, nor for a figure that comes once a year: there is no course to draw."""
    panel = span.judged.panel
    if verdict.target.measure is Measure.MILESTONE or len(panel.block.ends) < 2:
        return Markup()
    goal = np.nan if verdict.goal is None else verdict.goal
    landing = None if verdict.low is None or verdict.high is None else (verdict.low, verdict.high)
    drawn = pace_chart(
        panel.block.ends,
        panel.expected[:, row],
        panel.values[:, row],
        goal,
        today,
        verdict.level,
        verdict.status.text,
        landing,
    )
    return Markup(drawn)  # noqa: S704  numbers and escaped words only


def _details(book: Book, verdict: Verdict) -> tuple[tuple[str, str], ...]:
    """What a reader asks next: the plan's words, who answers, and by which rule it is judged."""
    target, item = verdict.target, book.item(verdict.target.item)
    said = [
        ("原文", item.text if item else target.words),
        ("责任单位", "、".join(target.responsible)),
    ]
    if target.goal.by is None:
        said += [
            ("口径", wording.MEASURES[target.measure]),
            ("目标调整", wording.goals(target)),
            ("计划曲线", wording.curve(verdict)),
            ("黄色", wording.thresholds(target.levels.yellow, target)),
            ("红色", wording.thresholds(target.levels.red, target)),
            ("解除", wording.clearing(target)),
            ("解除所需", wording.enough(verdict)),
            ("起判时点", wording.not_before(target)),
            ("报送时限", wording.publication(target.published, target)),
            ("数据来源", wording.source(book, target)),
        ]
    return tuple((title, text) for title, text in said if text)
