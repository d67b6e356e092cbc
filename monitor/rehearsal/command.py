"""``duban rehearse``: from what is written on the command line to a report."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import Progress

from monitor import once
from monitor.app import open_store
from monitor.force import InForce
from monitor.rehearsal.difference import difference
from monitor.rehearsal.figures import Stock, from_file, from_sources
from monitor.rehearsal.gate import gate
from monitor.rehearsal.page import page
from monitor.rehearsal.replay import Played, Setting
from monitor.rehearsal.report import Finding, Trial, facts, show
from monitor.rehearsal.run import Progressing, rehearse, span
from monitor.rehearsal.score import Score
from monitor.rehearsal.sweep import Knob, knob, sweep, within
from rules.document import Invalid
from rules.loader import load_book
from rules.target import Book


class Asked(NamedTuple):
    """The options of the command line."""

    first: str | None = None
    last: str | None = None
    figures: Path | None = None
    to_date: bool = False
    against: Path | None = None
    sweep: str | None = None
    budget: float | None = None
    fail_if: Sequence[str] = ()
    html: Path | None = None
    as_json: bool = False


def command(force: InForce, asked: Asked) -> tuple[dict[str, Any], list[str]]:
    """Rehearse the one book in force, and show what came of it unless a script asks.

    Returns the facts, and the gates of ``fail_if`` that it did not pass. Raises Invalid.
    """
    (book,) = force.books
    gates = [gate(text) for text in asked.fail_if]
    tried = None if asked.sweep is None else knob(asked.sweep)
    if asked.budget is not None and tried is None:
        raise Invalid(["--budget 须与 --sweep 同用 (budget without sweep)"])
    if asked.against is not None and not asked.against.is_dir():
        raise Invalid([f"{asked.against}: 没有这个文件夹 (no such folder)；--against 应为另一册的文件夹"])
    old = None if asked.against is None else load_book(asked.against)
    engine, clock = open_store(force.settings)
    now = clock.now()
    stock = Stock(engine=engine)
    if asked.figures is not None:
        stock = from_file(asked.figures, book, to_date=asked.to_date)
    elif not stock.years(book):
        stock = from_sources(book, (feed for feed in force.feeds.values() if feed.book is book), now)
    setting = Setting(force.organisation, force.settings.quiet, force.crowds)
    days = span(book, stock, _day(asked.first, 0), _day(asked.last, 1))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        rehearsal = _Rehearsal(stock, setting, days, now, progress)
        score, played = rehearsal.of(book)
        before = None if old is None else rehearsal.of(old)
        trial = None if tried is None else rehearsal.tried(book, score, tried, asked.budget)
    failed = [one.text for one in gates if one.fails(score.metrics)]
    against = None if before is None else (before[0], difference(played, before[1]))
    finding = Finding(book, score, against, trial, failed)
    if not asked.as_json:
        minutes = {name: spec.options.get("per_minute") for name, spec in force.settings.channels.items()}
        show(finding, minutes)
    if asked.html is not None:
        asked.html.parent.mkdir(parents=True, exist_ok=True)
        asked.html.write_text(page(finding, played), encoding="utf-8")
    return facts(finding), failed


class _Rehearsal(NamedTuple):
    stock: Stock
    setting: Setting
    days: tuple[date, date]
    now: datetime
    progress: Progress

    def of(self, book: Book) -> tuple[Score, list[tuple[Book, Played]]]:
        """The book's score, and what was played."""
        return rehearse(book, self.stock, self.setting, self.days, self.now, self._told(f"推演 {book.id}"))

    def tried(self, book: Book, score: Score, tried: Knob, budget: float | None) -> Trial:
        """All values in columns, and of those the one that warns best within the budget."""
        written, points = sweep(book, self.stock, tried, self.days, self.now, self._told("试调"))
        per_change = score.messages / score.weeks / written.told if written.told and score.messages else None
        found = None
        if budget is not None:
            found = within(points, budget, per_change, lambda one: self.per_week(tried.turned(book, one.value)))
        return Trial(tried, points, per_change, budget, found)

    def per_week(self, book: Book) -> float:
        """Messages a week."""
        score, _ = self.of(book)
        return score.messages / score.weeks

    def _told(self, words: str) -> Progressing:
        task = self.progress.add_task(words, total=None)
        return lambda done, total: self.progress.update(task, completed=done, total=total)


def _day(text: str | None, end: int) -> date | None:
    """The first (0) or the last (1) day that is meant."""
    found = once.span(text, text, 0)
    return found and found[end]
