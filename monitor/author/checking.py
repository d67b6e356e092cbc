"""``duban check``: what is wrong with everything written, and what is right and still cannot be meant."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from monitor.author.junit import Case
from monitor.force import InForce, read
from monitor.route import objections
from rules import lint, loader
from rules.document import Invalid
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
    books = force.books
    by_history, unread = _by_history(force)
    more = [*_open_ends(force), *by_history]
    mine = {book.id: [one for one in more if _in(one, book)] for book in books}
    found = [one for one in more if not any(_in(one, book) for book in books)]
    for book in books:
        found += lint.findings(book, loader.read(book.folder), mine[book.id])
    return Checked(force.errors, tuple(found), books, unread)


def cases(found: Checked, *, strict: bool) -> list[Case]:
    """For a build server: one case a book, and one for each thing found; doubts fail where the check is ``strict``."""
    wrong = [Case("duban check", error.partition(": ")[0], failure=error) for error in found.errors]
    doubts = [
        Case("duban check", f"{one.code} {one.place}", failure=one.line if strict else "") for one in found.findings
    ]
    return [*(Case("duban check", book.id) for book in found.books), *wrong, *doubts]


def _in(finding: Finding, book: Book) -> bool:
    return Path(finding.place.rpartition(":")[0]).parent == book.folder


def _by_history(force: InForce) -> tuple[list[Finding], str]:
    """What the stored figures say of the books, or why they were not looked at."""
    if not force.settings.has_database():
        return [], ""
    from monitor.author import history  # what opens a database takes longer to load than a check to run
    from monitor.store.database import DatabaseError

    try:
        return [*history.findings(force)], ""
    except DatabaseError as error:
        return [], f"未与历史数据核对：{error}"


def _open_ends(force: InForce) -> Iterator[Finding]:
    """What the organisation leaves open, as findings."""
    for line in objections(force):
        place, _, words = line.partition(": ")
        yield Finding("D117" if "(reaches nobody)" in words else "D118", place, words)
