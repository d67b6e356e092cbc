"""What the stored figures say of the books in force."""

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import Engine

from connectors.strict import near
from monitor.clock import Clock
from monitor.config import Settings
from monitor.force import InForce
from monitor.store import database, observations, pulls
from monitor.store.database import reading
from monitor.watch import Watch
from rules import lint_history
from rules.calendar import period_ends
from rules.lint import Finding
from rules.target import Book


def existing(settings: Settings) -> Engine | None:
    """The database, if there is one already: looking makes none. Raises DatabaseError, also where it must be upgraded."""
    if not settings.has_database():
        return None
    engine = database.open_engine(settings.database_url())
    database.require_newest(engine)
    return engine


def findings(force: InForce) -> Iterator[Finding]:
    """Nothing where nothing is stored yet. Raises DatabaseError."""
    engine = existing(force.settings)
    if engine is None:
        return
    with reading(engine) as connection:
        asked = pulls.latest(connection)
        stated: dict[str, set[str]] = {}
        for group in observations.series(connection):
            stated.setdefault(group.source, set()).add(group.name)
    now = force.settings.clock or Clock.real()
    for book in force.books:
        answered = {
            source.name: stated.get(source.key, set())
            for source in book.sources.values()
            if source.key in asked and asked[source.key].last_success is not None
        }
        today = np.datetime64(now.astimezone(ZoneInfo(book.timezone)).date())
        for target in book.targets:
            if not (target.published.due(period_ends(book.year, target.every), book.workdays) < today).any():
                continue  # what is not due yet need not have come
            for read_by in sorted(book.roots(target.reads)):
                known = answered.get(read_by.source)
                if known is not None and read_by.series not in known:
                    words = f"来源 {read_by.source} 已读取，但从未有过序列 '{read_by.series}' (no such series){near(read_by.series, known)}"
                    yield Finding("D108", target.place, f"{target.name}：{words}")
    yield from _narrow(force.books, engine)


def _narrow(books: Sequence[Book], engine: Engine) -> Iterator[Finding]:
    watch = Watch(books)
    watch.load(engine, Clock.real())
    for panel in watch.panels:
        panel.renew()
        for one in lint_history.narrow(panel):
            who = f"{one.subject}{one.target.name}"
            yield Finding("D114", one.target.place, f"{who}：{one.words}")
