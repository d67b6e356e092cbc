"""Tables of tasks: which column says what, merged cells, rows that are headings."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from rules.importing import duty
from rules.importing.doubt import Doubt
from rules.importing.duty import Duty, Role
from rules.importing.plain import NUMERAL, bare, plain
from rules.importing.reading import Table
from rules.importing.sentence import LEAST, LESS, MORE, MOST

Cell = str | None
Kind = Role | Literal["number", "task", "value", "growth", "measure", "section", "other"]
_NUMBER = re.compile(r"序号|编号|序|号|项目编号|任务编号")
_MEASURE = re.compile(r"(?:计量)?单位")
_SECTION = re.compile(r"类别|领域|板块|分类|方面|部分|章节|大类|任务分类|类型|专项")
_VALUE = re.compile(
    r"(?:20\d\d年|本年|全年|年度|预期|计划)*(?:目标值|目标数|计划数|任务数|指标值|计划值|目标|任务量|增速目标|预期目标|总量|绝对值)"
)
_GROWTH = re.compile(r"(?:预期|计划|目标|同比)*(?:增长|增速|增幅)(?:率|速度)?")
_TASK = re.compile(r"任务|内容|事项|目标|工作|项目|措施|指标|名称|实事|举措|要点|建议|行动")
_OTHER = re.compile(r"备注|进展|完成情况|落实情况|说明|联系电话|电话|季度|月份|评分|分值|权重|来源|依据")


@dataclass(frozen=True)
class Row:
    """A row of a table: a task with its duty, a heading, a continuation of the row above, or words that are none of these.

    ``beside`` is what its other columns say: 备注：…；一季度：….
    """

    kind: Literal["task", "heading", "more", "rest"]
    raw: str
    label: str = ""
    text: str = ""
    section: str = ""
    duty: Duty | None = None
    starred: bool = False
    beside: str = ""


def rows(table: Table) -> list[Row]:
    """Every cell of the table is in one of the rows. Without a header that names a task and a unit, all is rest."""
    header = _header(table)
    if header is None:
        return [Row("rest", _raw(row)) for row in table.rows if _raw(row)]
    first, last, kinds = header
    found = [Row("rest", _raw(row)) for row in table.rows[: last + 1] if _raw(row)]
    above: list[Cell] = [None] * len(kinds)
    title = [bare(c or "") for c in table.rows[last]]
    headers = zip(*table.rows[first : last + 1], strict=True)
    names = ["".join(dict.fromkeys(bare(cell or "") for cell in column)) for column in headers]
    for row in table.rows[last + 1 :]:
        raw = _raw(row)
        if not raw:
            continue
        if [bare(c or "") for c in row] == title or [bare(c or "") for c in row] == [
            bare(c or "") for c in table.rows[first]
        ]:
            found.append(Row("rest", raw))
            continue
        beside = "；".join(
            f"{name}：{cell}"
            for name, cell, kind in zip(names, row, kinds, strict=True)
            if kind == "other" and cell and cell.strip()
        )
        found.append(replace(_row(row, above, kinds, raw), beside=re.sub(r"\s+", " ", beside)))
        above = [cell if cell is not None else before for cell, before in zip(row, above, strict=True)]
    return found


def _raw(row: tuple[Cell, ...]) -> str:
    return " ".join(cell for cell in row if cell and cell.strip())


def kind_of(title: str) -> Kind | None:
    """What a column of this title holds."""
    flat = re.sub(r"\s|\(.*?\)", "", plain(title))
    if not flat:
        return None
    if _GROWTH.fullmatch(flat):
        return "growth"
    if role := duty.role_of(title):
        return role
    for pattern, kind in ((_NUMBER, "number"), (_MEASURE, "measure"), (_SECTION, "section"), (_VALUE, "value")):
        if pattern.fullmatch(flat):
            return kind  # type: ignore[return-value]
    if _OTHER.search(flat):
        return "other"
    return "task" if _TASK.search(flat) and len(flat) <= 16 else None


def _header(table: Table) -> tuple[int, int, list[Kind]] | None:
    """First and last header row, and the kind of each column."""
    for i, row in enumerate(table.rows[:6]):
        kinds: list[Kind | None] = [kind_of(cell or "") for cell in row]
        roles = [kind for kind in kinds if isinstance(kind, Role)]
        content = [kind for kind in kinds if kind in ("task", "value", "section")]
        named = sum(1 for cell in row if cell and cell.strip())
        if not roles or not content or sum(kind is not None for kind in kinds) * 2 < named:
            continue
        last = i
        while last + 1 < len(table.rows) and _still_header(table.rows[last + 1]):
            last += 1
            kinds = [
                kind_of(cell) or kind if cell else kind for cell, kind in zip(table.rows[last], kinds, strict=True)
            ]
        kinds = _spread(kinds, [tuple(table.rows[j]) for j in range(i, last + 1)])
        # What is said to grow behind last year's figure, and not behind the goal, has grown already.
        kinds = ["other" if k == "growth" and (n == 0 or kinds[n - 1] != "value") else k for n, k in enumerate(kinds)]
        if "task" not in kinds:
            kinds = ["task" if kind in ("value", "section") else kind for kind in kinds]
        return i, last, _categories(table, last, [kind or "other" for kind in kinds])
    return None


def _still_header(row: tuple[Cell, ...]) -> bool:
    cells = [cell for cell in row if cell and cell.strip()]
    return bool(cells) and all(kind_of(cell) is not None and len(cell) <= 12 for cell in cells)


def _spread(kinds: list[Kind | None], header: list[tuple[Cell, ...]]) -> list[Kind | None]:
    """A title over several columns says what each of them holds."""
    spread: list[Kind | None] = []
    for i, kind in enumerate(kinds):
        empty = all(not (row[i] or "").strip() for row in header)
        spread.append(spread[-1] if kind is None and empty and spread and isinstance(spread[-1], Role) else kind)
    return spread


def _categories(table: Table, last: int, kinds: list[Kind]) -> list[Kind]:
    """Of several columns of tasks, the first ones are headings where their cells are merged over rows."""
    tasks = [i for i, kind in enumerate(kinds) if kind == "task"]
    for i in tasks[:-1]:
        if any(row[i] is None and any(row[j] for j in tasks if j > i) for row in table.rows[last + 1 :]):
            kinds[i] = "section"
    return kinds


_CHAPTER = re.compile(rf"\(?{NUMERAL}\)?[、.]?")


def _row(row: tuple[Cell, ...], above: list[Cell], kinds: list[Kind], raw: str) -> Row:
    filled = [cell.strip() for cell in row if cell and cell.strip()]
    tasks = [
        (cell or "").strip() for cell, kind in zip(row, kinds, strict=True) if kind in ("task", "value", "measure")
    ]
    label = next(((cell or "").strip() for cell, kind in zip(row, kinds, strict=True) if kind == "number"), "")
    if len(filled) == 2 and len(row) > 2 and _CHAPTER.fullmatch(plain(label)) and "" not in tasks[:1]:
        return Row("heading", raw, text="".join(filled))
    if len(filled) == 1 and len(row) > 2 and not re.fullmatch(r"[\d.★]+", filled[0]):
        only = next(i for i, cell in enumerate(row) if cell and cell.strip())
        if only == 0 or kinds[only] == "section" or (kinds[only] == "task" and _bare_of_merges(row, only, kinds)):
            return Row("heading", raw, text=filled[0])
    text = _text(row, kinds)
    section = next(
        (
            (cell if cell is not None else before) or ""
            for cell, before, kind in zip(row, above, kinds, strict=True)
            if kind == "section"
        ),
        "",
    )
    stated = Duty()
    own = False
    for cell, before, kind in zip(row, above, kinds, strict=True):
        if isinstance(kind, Role):
            said = cell if cell is not None else before
            own = own or (kind is not Role.DEADLINE and bool(cell and cell.strip()))
            if said and said.strip():
                stated.add(duty.column(kind, said.strip()))
    if not any(tasks):
        return Row("more", raw, duty=stated if own else None)
    numbers = [i for i, kind in enumerate(kinds) if kind == "number"]
    merged = bool(numbers) and row[numbers[0]] is None and above[numbers[0]] is not None
    starred = bool(re.search("[★☆▲※*]", label + text[:2] + text[-2:]))
    if merged and not own:
        return Row("more", raw, text=text, duty=Duty(deadlines=stated.deadlines, words=stated.deadlines))
    if not stated.names:
        stated.doubts.add(Doubt.NO_LEAD)
    return Row("task", raw, re.sub(r"[★☆▲※*\s]", "", label), text, section.strip(), stated, starred)


def _bare_of_merges(row: tuple[Cell, ...], only: int, kinds: list[Kind]) -> bool:
    """Whether the other cells of a row are empty, rather than merged with those above."""
    return all(cell is not None for i, cell in enumerate(row) if i != only and isinstance(kinds[i], Role))


def _text(row: tuple[Cell, ...], kinds: list[Kind]) -> str:
    """The words of the task: its columns, and a figure with its unit, together."""
    text, said = "", ""
    measure = next(((cell or "").strip() for cell, kind in zip(row, kinds, strict=True) if kind == "measure"), "")
    used = False
    for cell, kind in zip(row, kinds, strict=True):
        words = re.sub(r"\s*\n\s*", "", (cell or "").strip())
        if kind == "task" and words:
            text += ("" if not text or text[-1] in "。；;：:，,、" else "：") + words
        elif kind == "value" and words and plain(words) not in ("—", "/"):
            said = _measured(words, measure)
            used |= said != words
            text += f"：{said}" if text and _SENTENCE.match(plain(words)) else said
        elif (
            kind == "growth" and text and (grown := re.fullmatch(r"(-?\d+(?:\.\d+)?)%?(左右|以上|以内)?", plain(words)))
        ):
            text += f"{'，' if said else ''}增长{grown[1]}%{grown[2] or ''}"
            used = True
    return text if used or not measure or not text else f"{text}（{measure}）"


_SENTENCE = re.compile(rf"(?!(?:{MORE}|{LEAST}|{MOST}|{LESS}|同比|增长|下降|约|[\s(])*\d)[^\d]+\d")
"""A figure that names its own object, rather than going on with that of the task."""


def _measured(words: str, measure: str) -> str:
    """The figure of a cell with its unit behind the number, where a column of its own names the unit."""
    number = re.match(r"[^\d]*\d[\d.,]*(?:\s*[—~-]\s*\d[\d.,]*)?(?=$|\(|及?以[上下内]|左右|上下)", plain(words))
    return f"{words[: number.end()]}{measure}{words[number.end() :]}" if number and measure else words
