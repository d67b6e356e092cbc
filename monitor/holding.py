"""Silences as people order them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from alerts.suppression import Silence
from monitor.app import InForce
from monitor.clock import Clock, parse_moment
from monitor.store import silences
from monitor.store.database import reading
from rules.document import Invalid, near
from rules.target import Level


def ordered(force: InForce, engine: Engine, clock: Clock, wanted: Mapping[str, str]) -> int:
    """Store a silence, of book, target, unit, level, until, who and reason as written; returns its id. Raises Invalid."""
    books = {book.id: book for book in force.watch.books}
    if wanted["book"] not in books:
        raise Invalid([f"没有名为 '{wanted['book']}' 的目标册 (unknown book){near(wanted['book'], books)}"])
    book = books[wanted["book"]]
    targets = [target.id for target in book.targets]
    if wanted["target"] and wanted["target"] not in targets:
        raise Invalid([f"{book.id} 中没有目标 '{wanted['target']}' (unknown target){near(wanted['target'], targets)}"])
    units = {unit for target in book.targets for unit in (*target.lead, *target.reporter)}
    if wanted["unit"] and wanted["unit"] not in units:
        said = f"{book.id} 中没有目标须由 '{wanted['unit']}' 处置 (unknown unit){near(wanted['unit'], units)}"
        raise Invalid([f"{said}；单位请按方案的写法"])
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
    made = Silence(0, book.id, wanted["target"], wanted["unit"], level, until, wanted["who"], wanted["reason"])
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
            "target": one.target,
            "unit": one.unit,
            "level": one.level.name.lower(),
            "until": one.until.astimezone().isoformat(timespec="seconds"),
            "by": one.who,
            "reason": one.reason,
        }
        for one in found
    ]
