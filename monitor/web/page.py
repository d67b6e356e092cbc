"""The status page: a snapshot, laid out for reading. No script, nothing fetched from elsewhere."""

from base64 import b64encode
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from monitor.snapshot import Snapshot
from monitor.web.cards import Card, card
from monitor.web.lines import AlertLine, alert_lines, channel_lines, of_book, source_lines, waiting_lines
from monitor.web.rows import Span, counts, spans, worst
from rules.target import Book, Level, Measure

MOST_ROWS = 500
"""A book with more rows is summed up: nobody reads a page of thousands."""
WORST_ROWS = 50
LEVELS = (Level.GREEN, Level.YELLOW, Level.RED, Level.NOT_JUDGED)
"""In the order of the page."""

_TEMPLATES = Path(__file__).parent / "templates"
_STYLE = (_TEMPLATES / "style.css.j2").read_text(encoding="utf-8")
STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
"""For the Content-Security-Policy: this style sheet and no other."""
_HOME = ZoneInfo("Asia/Shanghai")


@dataclass(slots=True)
class Section:
    """A part of the plan. ``tasks`` are its milestones, told in short; ``open`` if anything in it needs attention."""

    title: str
    open: bool = False
    cards: list[Card] = field(default_factory=list)
    tasks: list[Card] = field(default_factory=list)

    @property
    def counts(self) -> dict[Level, int]:
        return counts(np.array([card.level for card in (*self.cards, *self.tasks)], dtype=np.int8))


@dataclass(frozen=True, slots=True)
class TargetLine:
    """One target over many subjects."""

    name: str
    lead: str
    counts: dict[Level, int]


@dataclass(frozen=True, slots=True)
class BookView:
    """A book as shown: by ``sections``, or as ``totals`` and the ``worst`` rows where it has too many."""

    book: Book
    marks: list[str]
    counts: dict[Level, int]
    rows: int
    alerts: list[AlertLine]
    open_alerts: int
    sections: list[Section]
    totals: list[TargetLine]
    worst: list[Card]


def render(snapshot: Snapshot | None, grafana: str | None = None) -> str:
    """Write the whole page. None stands for a daemon that has not finished its first cycle.

    Where the address of a ``grafana`` is given, the page links to its dashboards.
    """
    if snapshot is None:
        return waiting("正在启动", "尚未完成首轮判定，请稍后刷新本页。")
    return _JINJA.get_template("status.html.j2").render(
        snapshot=snapshot,
        grafana=grafana,
        zone=ZoneInfo(snapshot.books[0].timezone) if snapshot.books else _HOME,
        books=[_book(snapshot, book) for book in snapshot.books],
        sources=source_lines(snapshot),
        channels=channel_lines(snapshot),
        waiting=waiting_lines(snapshot),
    )


def waiting(title: str, words: str) -> str:
    """Write the page of a daemon that has nothing to show, and why."""
    return _JINJA.get_template("waiting.html.j2").render(title=title, words=words)


def moment(at: datetime | None, zone: tzinfo) -> str:
    """Date and time as people of ``zone`` write them."""
    if at is None:
        return "—"
    here = at.astimezone(zone)
    return f"{here.year}年{here.month}月{here.day}日 {here:%H:%M}"


def brief(at: datetime | None, zone: tzinfo, now: datetime) -> str:
    """The same without the year where that goes without saying."""
    words = moment(at, zone)
    return words.removeprefix(f"{now.astimezone(zone).year}年")


def asking(anchor: str) -> str:
    """What a dashboard is asked to show the target of a card."""
    names = ("var-book", "var-target", "var-subject")
    return urlencode(dict(zip(names, anchor.split("/", 2), strict=False)))


def _book(snapshot: Snapshot, book: Book) -> BookView:
    found, alerts = spans(snapshot, book), of_book(snapshot, book)
    today = snapshot.at.astimezone(ZoneInfo(book.timezone)).date()
    rows = sum(span.stop - span.start for span in found)
    whole = rows <= MOST_ROWS
    lines = alert_lines(alerts, book, found, trails=snapshot.trails, linked=whole)
    return BookView(
        book=book,
        marks=list(dict.fromkeys(source.mark for source in book.sources.values() if source.mark)),
        counts=counts(np.concatenate([span.levels for span in found] or [np.empty(0, np.int8)])),
        rows=rows,
        alerts=lines,
        open_alerts=len(alerts),
        sections=_sections(book, found, today, {line.anchor for line in lines}) if whole else [],
        totals=[] if whole else [TargetLine(s.target.name, "、".join(s.target.lead), counts(s.levels)) for s in found],
        worst=[] if whole else [card(book, span, row, today) for span, row in worst(found, WORST_ROWS)],
    )


def _sections(book: Book, found: Iterable[Span], today: date, alerted: Container[str]) -> list[Section]:
    """The plan's own sections in its own order; what belongs to none comes last. ``alerted`` are anchors of cards."""
    sections = {item.section: Section(item.section) for item in book.items}
    for span in found:
        item = book.item(span.target.item)
        title = item.section if item else ""
        section = sections.setdefault(title, Section(title or ("其他目标" if book.items else "全部目标")))
        shown = [card(book, span, row, today) for row in range(span.start, span.stop)]
        (section.tasks if span.target.measure is Measure.MILESTONE else section.cards).extend(shown)
        section.open |= any(one.level > Level.GREEN or one.anchor in alerted for one in shown)
    filled = [section for section in sections.values() if section.cards or section.tasks]
    if len(filled) == 1:
        filled[0].open = True
    return filled


def _jinja() -> Environment:
    jinja = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= {"moment": moment, "brief": brief, "asking": asking}
    jinja.globals |= {"LEVELS": LEVELS, "style": Markup(_STYLE)}  # noqa: S704  our own file
    return jinja


_JINJA = _jinja()
