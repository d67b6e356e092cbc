"""``duban check``: what is wrong with everything written, and what is right and still cannot be meant."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import Engine

from monitor.app import InForce, read
from monitor.author.junit import Case
from monitor.clock import Clock
from monitor.config import Settings
from monitor.route import objections
from monitor.store import database, observations, pulls
from monitor.store.database import DatabaseError, reading
from monitor.watch import Watch
from rules import lint, lint_history, loader
from rules.calendar import period_ends
from rules.document import Invalid, near
from rules.lint import Finding
from rules.target import Book


class Checked(NamedTuple):
    """``errors`` keep something out of force; ``findings`` are doubts. ``unread`` tells why the history was not looked at."""

    errors: tuple[str, ...]
    findings: tuple[Finding, ...]
    books: tuple[Book, ...]
    unread: str = ""

    def within(self, book: Book) -> int:
        """How many doubts there are about a book."""
        return sum(_in(one, book) for one in self.findings)


def checked(path: Path | None) -> Checked:
    """Everything that is written, looked through."""
    try:
        force = read(path)
    except Invalid as error:
        return Checked(error.errors, (), ())
    books = force.watch.books
    open_ends = [*_open_ends(force)]
    try:
        stored = existing(force.settings)
        by_history = [] if stored is None else [*_by_history(force, stored)]
        unread = ""
    except DatabaseError as error:
        by_history, unread = [], f"未与历史数据核对：{error}"
    more = [*open_ends, *by_history]
    mine = {book.id: [one for one in more if _in(one, book)] for book in books}
    found = [one for one in more if not any(_in(one, book) for book in books)]
    for book in books:
        found += lint.findings(book, loader.read(book.folder), mine[book.id])
    return Checked(force.errors, tuple(found), books, unread)


def existing(settings: Settings) -> Engine | None:
    """The database, if there is one already: looking makes none. Raises DatabaseError, also where it must be upgraded."""
    url = settings.database_url()
    file = re.fullmatch(r"sqlite(?:\+pysqlite)?:///(.+)", url)
    if file and not Path(file[1]).is_file():
        return None
    engine = database.open_engine(url)
    database.require_newest(engine)
    return engine


def cases(found: Checked, *, strict: bool) -> list[Case]:
    """For a build server: one case a book, and one for each thing found; doubts fail where the check is ``strict``."""
    wrong = [Case("duban check", error.partition(": ")[0], failure=error) for error in found.errors]
    doubts = [
        Case("duban check", f"{one.code} {one.place}", failure=one.line if strict else "") for one in found.findings
    ]
    return [*(Case("duban check", book.id) for book in found.books), *wrong, *doubts]


def _in(finding: Finding, book: Book) -> bool:
    return Path(finding.place.rpartition(":")[0]).parent == book.folder


def _open_ends(force: InForce) -> Iterator[Finding]:
    """What the organisation leaves open, as findings."""
    for line in objections(force):
        place, _, words = line.partition(": ")
        yield Finding("D117" if "(reaches nobody)" in words else "D118", place, words)


def _by_history(force: InForce, engine: Engine) -> Iterator[Finding]:
    """What the stored figures say of the books."""
    with reading(engine) as connection:
        asked = pulls.latest(connection)
        stated: dict[str, set[str]] = {}
        for group in observations.series(connection):
            stated.setdefault(group.source, set()).add(group.name)
    now = force.settings.clock or Clock.real()
    for book in force.watch.books:
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
    yield from _narrow(force.watch.books, engine)


def _narrow(books: Sequence[Book], engine: Engine) -> Iterator[Finding]:
    watch = Watch(books)
    watch.load(engine, Clock.real())
    for panel in watch.panels:
        panel.renew()
        for one in lint_history.narrow(panel):
            who = f"{one.subject}{one.target.name}"
            yield Finding("D114", one.target.place, f"{who}：{one.words}")
