"""Silences as people order them."""

from collections.abc import Mapping
from typing import Any

from alerts.suppression import Silence
from monitor.app import InForce, open_store
from monitor.clock import parse_moment
from monitor.config import Settings
from monitor.store import silences
from monitor.store.database import reading
from rules.document import Invalid, near
from rules.target import Level


def ordered(force: InForce, wanted: Mapping[str, str]) -> int:
    """Store a silence, of book, target, unit, level, until, who and reason as written; returns its id. Raises Invalid."""
    books = {book.id: book for book in force.watch.books}
    if wanted["book"] not in books:
        raise Invalid([f"没有名为 '{wanted['book']}' 的目标册 (unknown book){near(wanted['book'], books)}"])
    book = books[wanted["book"]]
    targets = [target.id for target in book.targets]
    if wanted["target"] and wanted["target"] not in targets:
        raise Invalid([f"{book.id} 中没有目标 '{wanted['target']}' (unknown target){near(wanted['target'], targets)}"])
    if not wanted["who"].strip() or not wanted["reason"].strip():
        raise Invalid(["处理人（--by）与理由（--reason）不能为空 (name_and_reason)"])
    level = {"yellow": Level.YELLOW, "red": Level.RED}.get(wanted["level"])
    if level is None:
        raise Invalid([f"--level 应为 yellow 或 red，而不是 '{wanted['level']}' (unknown word)"])
    engine, clock = open_store(force.settings)
    try:
        until = parse_moment(wanted["until"], book.timezone)
    except ValueError as error:
        raise Invalid([str(error)]) from None
    if until <= clock.now():
        raise Invalid([f"--until {wanted['until']} 已经过去 (over already)"])
    made = Silence(0, book.id, wanted["target"], wanted["unit"], level, until, wanted["who"], wanted["reason"])
    with engine.begin() as connection:
        return silences.add(connection, made, clock.now())


def ended(settings: Settings, number: int, who: str) -> None:
    """End a silence. Raises Invalid."""
    engine, clock = open_store(settings)
    with engine.begin() as connection:
        if not silences.end(connection, number, who, clock.now()):
            raise Invalid([f"没有生效中的第 {number} 号静默 (unknown silence)；见 duban silence list"])


def listed(settings: Settings) -> list[dict[str, Any]]:
    """The silences in force."""
    engine, clock = open_store(settings)
    with reading(engine) as connection:
        found = silences.in_force(connection, clock.now())
    return [
        {
            "id": one.id,
            "book": one.book,
            "target": one.target,
            "unit": one.unit,
            "level": one.level.name.lower(),
            "until": one.until.astimezone().isoformat(timespec="seconds"),
            "by": one.who,
            "reason": one.reason,
        }
        for one in found
    ]
