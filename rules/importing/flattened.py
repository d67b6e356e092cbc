"""Tables that came out of a web page one cell a line: put together again from the kinds of their lines."""

import re

from rules.importing import deadline, duty
from rules.importing.duty import Role
from rules.importing.plain import plain
from rules.importing.reading import Block, Line, Table
from rules.importing.tables import Kind, kind_of


def restored(blocks: list[Block]) -> list[Block]:
    """The blocks, with a table in place of each run of lines that begins with the titles of its columns."""
    found: list[Block] = []
    i = 0
    while i < len(blocks):
        titles = _titles(blocks, i)
        if titles:
            table, end = _table(blocks, i, titles)
            if len(table.rows) > 1:
                found.append(table)
                i = end
                continue
        found.append(blocks[i])
        i += 1
    return found


def _text(blocks: list[Block], i: int) -> str:
    block = blocks[i] if i < len(blocks) else None
    return block.text.strip() if isinstance(block, Line) else ""


def _titles(blocks: list[Block], i: int) -> list[str]:
    """Three or more lines from here that are titles of columns, a number's first, followed by the first number."""
    titles: list[str] = []
    while (text := _text(blocks, i + len(titles))) and kind_of(text) is not None and len(text) <= 12:
        titles.append(text)
    kinds = [kind_of(title) for title in titles]
    numbered = re.fullmatch(r"[★☆]?\d{1,3}", plain(_text(blocks, i + len(titles))))
    return (
        titles
        if len(titles) > 2 and kinds[0] == "number" and any(isinstance(k, Role) for k in kinds) and numbered
        else []
    )


def _table(blocks: list[Block], i: int, titles: list[str]) -> tuple[Table, int]:
    kinds = [kind_of(title) for title in titles]
    rows: list[tuple[str | None, ...]] = [tuple(titles)]
    i += len(titles)
    number = re.compile(r"[★☆]?\d{1,3}")
    while number.fullmatch(plain(_text(blocks, i))):
        label: str | None = _text(blocks, i)
        i += 1
        while True:
            taken, row = _record(blocks, i, kinds, label)
            if not taken:
                break
            rows.append(row)
            i += taken
            label = None
    return Table(tuple(rows)), i


def _record(
    blocks: list[Block], i: int, kinds: list[Kind | None], label: str | None
) -> tuple[int, tuple[str | None, ...]]:
    """One row from here: words of the task, then names of units, then a time; what is missing is merged with above."""
    lines: dict[int, list[str]] = {}
    taken, at = 0, 0
    while text := _text(blocks, i + taken):
        if re.fullmatch(r"[★☆]?\d{1,3}", plain(text)):
            break
        column = _column(text, kinds, at)
        if column is None or column < at:
            break
        lines.setdefault(column, []).append(text)
        at = column
        taken += 1
    beyond = any(isinstance(kinds[column], Role) for column in lines)
    if not lines or (label is None and not beyond):
        return 0, ()
    cells: list[str | None] = [
        "\n".join(lines[n]) if n in lines else (None if label is None else "") for n in range(len(kinds))
    ]
    cells[0] = label
    return taken, tuple(cells)


def _column(text: str, kinds: list[Kind | None], at: int) -> int | None:
    """The column, not before ``at``, whose kind of words these are."""
    for n in range(max(at, 1), len(kinds)):
        kind = kinds[n]
        if kind is Role.DEADLINE and deadline.read(text):
            return n
        if isinstance(kind, Role) and kind is not Role.DEADLINE and _names(text):
            return n
        if (
            kind in ("task", "value")
            and n == max(at, 1)
            and not (_names(text) or (len(text) < 12 and deadline.read(text)))
        ):
            return n
    return None


def _names(text: str) -> bool:
    names = duty.units(text)
    return (
        bool(names)
        and len(text) < 60
        and all(duty.looks_like_unit(name) for name in names)
        and not re.search("[。；;]", text)
    )
