"""``duban rehearse``: from what is written on the command line to a report."""

from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from monitor.app import InForce, open_store
from monitor.once import span as days_of
from monitor.rehearsal.figures import Stock, from_file, from_sources
from monitor.rehearsal.replay import Setting
from monitor.rehearsal.report import facts, show
from monitor.rehearsal.run import rehearse, span


def command(
    force: InForce, first: str | None, last: str | None, figures: Path | None, *, to_date: bool, as_json: bool
) -> dict[str, Any]:
    """Rehearse the one book in force, show what came of it unless a script asks, and return it. Raises Invalid."""
    (book,) = force.watch.books
    engine, clock = open_store(force.settings)
    now = clock.now()
    stock = Stock(engine=engine)
    if figures is not None:
        stock = from_file(figures, book, to_date=to_date)
    elif not stock.years(book):
        stock = from_sources(book, (feed for feed in force.feeds.values() if feed.book is book), now)
    setting = Setting(force.organisation, force.settings.quiet)
    days = span(book, stock, _first(first), _last(last))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"推演 {book.id}", total=None)
        score, _ = rehearse(
            book, stock, setting, days, now, lambda done, total: progress.update(task, completed=done, total=total)
        )
    if not as_json:
        minutes = {name: (spec.model_extra or {}).get("per_minute") for name, spec in force.settings.channels.items()}
        show(book, score, minutes)
    return facts(book, score)


def _first(text: str | None) -> date | None:
    found = days_of(text, text, 0)
    return found and found[0]


def _last(text: str | None) -> date | None:
    found = days_of(text, text, 0)
    return found and found[1]
