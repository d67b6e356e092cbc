"""A book as tables that people fill in: a row a target, an item, a subject. Every cell is a text in the book's language."""

import csv
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Literal, NamedTuple

from rules import inherited, wording
from rules.inherited import LEVELS, Site
from rules.loader import Written
from rules.target import Book, Shape, Threshold

TARGETS, ITEMS, SUBJECTS = "目标", "事项", "对象目标"
SUBJECT = "subject"
Kind = Literal["identity", "open", "shown"]


class Column(NamedTuple):
    """A column: ``key`` as the book writes it, ``title`` as people read it.

    What is ``identity`` is said once, what is ``shown`` cannot be edited at all.
    """

    key: str
    title: str
    kind: Kind = "open"


class Table(NamedTuple):
    """Cells by row and column; ``own`` are the (row, column) that the row itself states, and does not inherit."""

    title: str
    columns: tuple[Column, ...]
    rows: dict[str, dict[str, str]]
    own: frozenset[tuple[str, str]]


_TARGET = (
    Column("id", "编号", "identity"),
    Column("item", "事项", "identity"),
    Column("name", "名称", "identity"),
    Column("words", "原话", "identity"),
    Column("measure", "指标种类", "identity"),
    Column("every", "频次", "identity"),
    Column("goal", "目标"),
    Column("meaning", "现行规定", "shown"),
    Column("expect", "进度曲线"),
    Column("published", "报送时限"),
    Column("yellow", "黄色阈值"),
    Column("red", "红色阈值"),
    Column("not before", "起判时点"),
    Column("clear", "解除条件"),
    Column("clear for", "解除期数"),
    Column("lead", "牵头单位"),
    Column("responsible", "责任单位"),
    Column("reporter", "报送单位"),
    Column("source", "来源", "identity"),
    Column("series", "序列", "identity"),
)
_ITEM = (
    Column("item", "事项", "identity"),
    Column("section", "章节", "identity"),
    Column("text", "原文", "identity"),
    Column("lead", "牵头单位"),
    Column("responsible", "责任单位"),
)
TITLES = {column.key: column.title for column in _TARGET}
OF_LEVELS = frozenset(LEVELS.values())
"""Columns that a book writes under ``levels``."""


def tables(book: Book, written: Written) -> dict[str, Table]:
    """The book's tables by title: of its targets, of its items and of its subjects, where it has any."""
    found = {}
    sites = {site.spec.id: site for site in inherited.sites(book, written)}
    cells = {key: _target(site, written) for key, site in sites.items()}
    own = {(key, column) for key, site in sites.items() for column in _own(site)}
    found[TARGETS] = Table(TARGETS, _TARGET, cells, frozenset(own))
    if written.items:
        rows = {
            str(item.item): {
                "item": str(item.item),
                "section": item.section,
                "text": item.text,
                "lead": "、".join(item.lead),
                "responsible": "、".join(item.responsible),
            }
            for item, _ in written.items
        }
        found[ITEMS] = Table(ITEMS, _ITEM, rows, frozenset((row, key) for row, cells in rows.items() for key in cells))
    if (path := subjects_file(written)) is not None:
        found[SUBJECTS] = _subjects(book, text_of(path, written))
    return found


def subjects_file(written: Written) -> Path | None:
    """The book's table of goals of subjects, if it has one."""
    return written.folder / written["subjects"] if written["subjects"] is not None else None


def text_of(path: Path, written: Written) -> str:
    """A file of the book, its line ends as they are."""
    if path in written.instead:
        return written.instead[path]
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def amount(value: float) -> str:
    """A number as a table of goals has it: no exponent, no zeros that say nothing."""
    text = format(Decimal(repr(float(value))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


class Line(NamedTuple):
    """A row of a table of goals: its fields by column, and the part of the text that it is."""

    fields: dict[str, str]
    start: int
    end: int


def lines(text: str) -> Iterator[Line]:
    """The rows of a table of goals, the header first, blank ones left out."""
    ends = [0]
    for line in StringIO(text, newline=""):
        ends.append(ends[-1] + len(line))
    reader = csv.reader(StringIO(text.removeprefix("\ufeff"), newline=""))
    first, header = 0, list[str]()
    for fields in reader:
        header = header or fields
        if any(fields):
            yield Line(dict(zip(header, fields, strict=False)), ends[first], ends[reader.line_num])
        first = reader.line_num


def _subjects(book: Book, text: str) -> Table:
    _, *given = lines(text)
    named = {line.fields["target"] for line in given}
    rows: dict[str, dict[str, str]] = {}
    for line in given:
        subject, goal = line.fields[SUBJECT], line.fields["goal"]
        rows.setdefault(subject, {SUBJECT: subject})[line.fields["target"]] = amount(float(goal)) if goal else ""
    columns = (
        Column(target.id, f"{target.name}（{target.goal.unit}） {target.id}")
        for target in book.targets
        if target.id in named
    )
    own = frozenset((row, key) for row, cells in rows.items() for key in cells)
    return Table(SUBJECTS, (Column(SUBJECT, "对象", "identity"), *columns), rows, own)


def _own(site: Site) -> Iterator[str]:
    """Columns that a target states itself."""
    yield from site.node.keys() & {key for key, _, kind in _TARGET if kind == "open"}
    yield from (word for key, word in LEVELS.items() if getattr(site.spec.levels, key) is not None)


def _target(site: Site, written: Written) -> dict[str, str]:
    spec, target, levels = site.spec, site.target, site.target.levels
    places = inherited.origins(site, written)
    clear = _several(levels.clear) or ("yellow" if places["clear"] else "")
    told = {
        "id": target.id,
        "item": "" if target.item is None else str(target.item),
        "name": target.name,
        "words": target.words,
        "measure": target.measure.value,
        "every": target.every.value,
        "goal": str((site.node.get("changes") or [site.node])[-1]["goal"]),
        "meaning": _meaning(site),
        "expect": "" if target.expect.shape is Shape.STAGES else target.expect.text,
        "published": target.published.text,
        "yellow": _several(levels.yellow) or "never",
        "red": _several(levels.red) or "never",
        "not before": f"{levels.not_before * 100:.12g}%" if levels.not_before else "",
        "clear": clear,
        "clear for": str(levels.clear_for) if places["clear_for"] else "",
        "lead": "、".join(target.lead),
        "responsible": "、".join(target.responsible),
        "reporter": "、".join(spec.reporter),
        "source": target.source or "",
        "series": target.series if target.series != target.name else "",
    }
    return {key: " ".join(text.split()) for key, text in told.items()}


def _several(thresholds: tuple[Threshold, ...]) -> str:
    return "；".join(one.text for one in thresholds)


def _meaning(site: Site) -> str:
    target = site.target
    rules = [
        wording.goals(target) or target.goal.text,
        f"黄色：{wording.thresholds(target.levels.yellow, target)}",
        f"红色：{wording.thresholds(target.levels.red, target)}",
    ]
    return "；".join(rules)
