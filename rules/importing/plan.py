"""A plan as understood: each item with its units, times and promised numbers, and how sure each guess is."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rules.document import Invalid
from rules.importing import deadline
from rules.importing.commitment import Commitment, Left, findings
from rules.importing.deadline import Deadline
from rules.importing.doubt import Doubt, Guess
from rules.importing.marker import marker
from rules.importing.outline import Heading, Item, Outline, Rest, outline
from rules.importing.plain import plain
from rules.importing.reading import Block, read

_TITLE = re.compile(r"分解|分工|任务|重点工作|实事|工作报告|目标|要点|清单|方案")


@dataclass(frozen=True)
class Entry(Guess):
    """An item as understood. ``doubts`` are those of its units."""

    item: Item
    lead: tuple[str, ...]
    responsible: tuple[str, ...]
    doubts: frozenset[Doubt]
    commitments: tuple[Commitment, ...]
    left: tuple[Left, ...]
    deadlines: tuple[Deadline, ...]
    untimely: bool
    """Whether a deadline is not in the year, or cannot be read."""


@dataclass(frozen=True)
class Plan:
    """A document as understood. ``loose`` are promised numbers in words that belong to no item."""

    title: str
    year: int
    outline: Outline
    entries: tuple[Entry, ...]
    loose: tuple[Commitment, ...]


def import_plan(path: Path, year: int | None = None) -> Plan:
    """The plan in a file. Raises Invalid for one that cannot be read, has no items, or names no year."""
    return understand(read(path), str(path), year)


def understand(blocks: list[Block], name: str, year: int | None = None) -> Plan:
    """The plan in the blocks of the document ``name``."""
    found = outline(blocks)
    if not found.items:
        raise Invalid([f"{name}: 没有找到事项 (no items); 事项应有编号，或写明牵头单位、责任单位"])
    title = _title(found) or Path(name).stem
    of = year or _year(title, found)
    if of is None:
        raise Invalid([f"{name}: 看不出是哪一年的方案 (no year); 请写明 --year，如 --year 2025"])
    loose = [
        one
        for part in found.parts
        if isinstance(part, Heading | Rest) and not re.search("的通知$|的意见$", part.text)
        for one in findings(part.text, of).commitments
    ]
    return Plan(title, of, found, tuple(_entry(item, found.first_leads, of) for item in found.items), tuple(loose))


def _entry(item: Item, first_leads: bool, year: int) -> Entry:
    lead, responsible, doubts = item.duty.settled(first_leads)
    promised = findings(item.text, year)
    times = [one for words in item.duty.deadlines for one in deadline.read(words, year)]
    if not item.duty.deadlines:
        times = deadline.within(item.text, year)
    untimely = any(one.day is not None and one.day.year != year for one in times) or bool(
        item.duty.deadlines and not times
    )
    return Entry(
        item,
        lead,
        responsible,
        frozenset(doubts),
        tuple(promised.commitments),
        tuple(promised.left),
        tuple(times),
        untimely,
    )


def _before(found: Outline) -> list[str]:
    """Unnumbered lines ahead of the first item."""
    lines = []
    for part in found.parts:
        if isinstance(part, Item):
            break
        lines.append(part.text)
    return lines


def _title(found: Outline) -> str:
    """The last line ahead of the items that names a plan; the line it continues belongs to it."""
    lines = [line.strip() for line in _before(found)]
    likely = [
        line
        for line in lines
        if 6 <= len(line) <= 60
        and _TITLE.search(line)
        and marker(line) is None
        and not re.search(r"[。；;:：,，]$|^附件\d*[:：]|^序号", plain(line))
    ]
    dated = [line for line in likely if re.search(r"20\d\d", line)]
    return re.sub(r"^.*?关于(?:印发|下达)|的(?:通知|通报)$", "", (dated or likely or [""])[-1])


def _year(title: str, found: Outline) -> int | None:
    for text in (title, *_before(found)):
        if years := re.findall(r"(20\d\d)\s*年", plain(text)):
            return int(Counter(years).most_common(1)[0][0])
    issued = [y for text in _before(found) for y in re.findall(r"\((20\d\d)\)\s*\d+号", plain(text))]
    return int(issued[0]) if issued else None
