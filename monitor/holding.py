"""Silences as people order them."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Engine

from alerts.notice import section
from alerts.suppression import Silence
from connectors.strict import near
from monitor.clock import Clock, parse_moment
from monitor.force import InForce
from monitor.store import silences
from monitor.store.database import reading
from rules.document import Invalid
from rules.target import Book, Level

PARTS = ("target", "subject", "section", "unit", "label")
"""What part of a book's messages a silence may be of."""


def ordered(force: InForce, engine: Engine, clock: Clock, wanted: Mapping[str, str]) -> int:
    """Store a silence of all that ``wanted`` has, as written; returns its id. Raises Invalid."""
    books = {book.id: book for book in force.books}
    if wanted["book"] not in books:
        raise Invalid([f"没有名为 '{wanted['book']}' 的目标册 (unknown book){near(wanted['book'], books)}"])
    book = books[wanted["book"]]
    for name, (what, known) in _known(book).items():
        if wanted[name] and wanted[name] not in known:
            said = f"{book.id} 中没有{what.format(wanted[name])} (unknown {name}){near(wanted[name], known)}"
            raise Invalid([f"{said}；单位请按方案的写法" if name == "unit" else said])
    if not wanted["who"].strip() or not wanted["reason"].strip():
        raise Invalid(["处理人（--by）与理由（--reason）不能为空 (name_and_reason)"])
    level = {"yellow": Level.YELLOW, "red": Level.RED}.get(wanted["level"])
    if level is None:
        raise Invalid([f"--level 应为 yellow 或 red，而不是 '{wanted['level']}' (unknown word)"])
    try:
        until = parse_moment(wanted["until"], book.timezone)
    except ValueError as error:
        raise Invalid([str(error)]) from None
    if until <= clock.now():
        raise Invalid([f"--until {wanted['until']} 已经过去 (over already)"])
    parts = {name: wanted[name] for name in PARTS}
    made = Silence(0, book.id, level, until, wanted["who"], wanted["reason"], **parts)
    with engine.begin() as connection:
        return silences.add(connection, made, clock.now())


def ended(engine: Engine, clock: Clock, number: int, who: str) -> None:
    """End a silence. Raises Invalid."""
    if not who.strip():
        raise Invalid(["处理人（--by）不能为空 (no name)"])
    with engine.begin() as connection:
        if not silences.end(connection, number, who, clock.now()):
            raise Invalid([f"没有生效中的第 {number} 号静默 (unknown silence)；见 duban silence list"])


def listed(engine: Engine, clock: Clock) -> list[dict[str, Any]]:
    """The silences in force."""
    with reading(engine) as connection:
        found = silences.in_force(connection, clock.now())
    return [
        {
            "id": one.id,
            "book": one.book,
            **{name: getattr(one, name) for name in PARTS},
            "level": one.level.name.lower(),
            "until": one.until.astimezone().isoformat(timespec="seconds"),
            "by": one.who,
            "reason": one.reason,
        }
        for one in found
    ]


def _known(book: Book) -> dict[str, tuple[str, Collection[str]]]:
    """Of each of ``PARTS`` how the error calls it, and what the book has of it."""
    targets = book.targets
    return {
        "target": ("目标 '{}'", [target.id for target in targets]),
        "subject": ("对象 '{}'", book.subjects),
        "section": ("目标属于章节 '{}'", {section(book, target) for target in targets}),
        "unit": ("目标须由 '{}' 处置", {unit for target in targets for unit in (*target.lead, *target.reporter)}),
        "label": ("目标带有标签 '{}'", {label for target in targets for label in target.labels}),
    }
