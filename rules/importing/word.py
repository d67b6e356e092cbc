"""Word documents: paragraphs with their automatic numbers, tables with merged cells, text boxes and footnotes."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from rules.document import Invalid
from rules.importing.reading import Block, Line, Table, missing

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_CHINESE = (
    "chineseCounting",
    "chineseCountingThousand",
    "japaneseCounting",
    "ideographTraditional",
    "taiwaneseCounting",
)
_CIRCLED = ("decimalEnclosedCircle", "decimalEnclosedCircleChinese")


def blocks(path: Path) -> list[Block]:
    """Raises Invalid for a file that is no Word document."""
    try:
        import docx
        from docx.opc.exceptions import PackageNotFoundError
    except ImportError:
        raise missing(path, "python-docx") from None
    try:
        document = docx.Document(str(path))
    except (PackageNotFoundError, BadZipFile, KeyError, ValueError):
        raise Invalid([f"{path}: 不是完好的 Word 文件 (broken file); 请用 Word 或 WPS 重新另存为 DOCX"]) from None
    numbers = _Numbers(document)
    found = list(_body(document.element.body, numbers))
    for part in document.part.package.iter_parts():
        if re.search(r"/(footnotes|endnotes)\.xml$", str(part.partname)):
            element = getattr(part, "element", None)
            root = element if element is not None else _parse(part.blob)
            found += [block for note in root for block in _body(note, numbers)]
    return found


def _parse(blob: bytes) -> Any:
    from docx.oxml import parse_xml

    return parse_xml(blob)


def _body(parent: Any, numbers: "_Numbers") -> Iterator[Block]:
    for child in parent:
        if child.tag == f"{_W}p":
            text = numbers.before(child) + _text(child)
            if text.strip():
                yield from (Line(part.strip()) for part in text.split("\n") if part.strip())
            for box in _boxes(child):
                yield from _body(box, numbers)
        elif child.tag == f"{_W}tbl":
            yield _table(child, numbers)
        elif child.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}customXml", f"{_W}smartTag"):
            yield from _body(child, numbers)


def _text(paragraph: Any) -> str:
    """The visible words of a paragraph, without its text boxes, deletions and field codes."""
    parts = []
    for node in paragraph.iter(f"{_W}t", f"{_W}tab", f"{_W}br", f"{_W}cr", f"{_W}noBreakHyphen"):
        if any(a.tag in (f"{_W}txbxContent", f"{_W}del", f"{_W}tabs", _FALLBACK) for a in _above(node, paragraph)):
            continue
        tag = node.tag.removeprefix(_W)
        parts.append((node.text or "") if tag == "t" else {"tab": "\t", "noBreakHyphen": "-"}.get(tag, "\n"))
    return "".join(parts)


def _above(node: Any, top: Any) -> Iterator[Any]:
    while (node := node.getparent()) is not None and node is not top:
        yield node


def _boxes(paragraph: Any) -> Iterator[Any]:
    for box in paragraph.iter(f"{_W}txbxContent"):
        if not any(a.tag in (f"{_W}txbxContent", _FALLBACK) for a in _above(box, paragraph)):
            yield box


def _table(table: Any, numbers: "_Numbers") -> Table:
    rows: list[list[str | None]] = []
    for row in table.iter(f"{_W}tr"):
        if next(_above_of(row, f"{_W}tbl")) is not table:
            continue
        properties = row.find(f"{_W}trPr")
        before = None if properties is None else properties.find(f"{_W}gridBefore")
        cells: list[str | None] = [""] * int(before.get(f"{_W}val")) if before is not None else []
        for cell in row.iter(f"{_W}tc"):
            if next(_above_of(cell, f"{_W}tr")) is row:
                cells += _cell(cell, numbers)
        rows.append(cells)
    width = max(map(len, rows), default=0)
    return Table(tuple(tuple(row + [""] * (width - len(row))) for row in rows))


def _above_of(node: Any, tag: str) -> Iterator[Any]:
    return node.iterancestors(tag)  # type: ignore[no-any-return]


def _cell(cell: Any, numbers: "_Numbers") -> list[str | None]:
    """The cell's text, None where it is merged with the one above, and "" for each further column that it spans."""
    properties = cell.find(f"{_W}tcPr")
    span, merged = 1, False
    if properties is not None:
        wide, tall = properties.find(f"{_W}gridSpan"), properties.find(f"{_W}vMerge")
        span = int(wide.get(f"{_W}val")) if wide is not None else 1
        merged = tall is not None and tall.get(f"{_W}val") != "restart"
    lines = [
        block.text if isinstance(block, Line) else " ".join(c for row in block.rows for c in row if c)
        for block in _body(cell, numbers)
    ]
    text = "\n".join(lines)
    gone = merged and not text
    return [None if gone else text, *([None if gone else ""] * (span - 1))]


class _Numbers:
    """Automatic numbers of paragraphs, which Word does not store as text."""

    def __init__(self, document: Any) -> None:
        self._levels: dict[str, dict[int, tuple[str, str, int]]] = {}
        self._counts: dict[str, dict[int, int]] = defaultdict(dict)
        self._styles = {style.style_id: style.element for style in document.styles}
        self._abstract: dict[str, str] = {}
        try:
            root = document.part.numbering_part.element
        except (KeyError, NotImplementedError):
            return
        for abstract in root.iter(f"{_W}abstractNum"):
            self._levels[abstract.get(f"{_W}abstractNumId")] = {
                int(level.get(f"{_W}ilvl")): (
                    _value(level, "numFmt", "decimal"),
                    _value(level, "lvlText", ""),
                    int(_value(level, "start", "1")),
                )
                for level in abstract.iter(f"{_W}lvl")
            }
        for number in root.iter(f"{_W}num"):
            self._abstract[number.get(f"{_W}numId")] = _value(number, "abstractNumId", "")

    def before(self, paragraph: Any) -> str:
        """The number that Word shows before this paragraph, counted on; "" for none."""
        number, level = self._of(paragraph)
        abstract = self._abstract.get(number, "")
        levels = self._levels.get(abstract, {})
        if level not in levels:
            return ""
        counts = self._counts[abstract]
        counts[level] = counts.get(level, levels[level][2] - 1) + 1
        for deeper in [one for one in counts if one > level]:
            del counts[deeper]
        shown = levels[level][1]
        if levels[level][0] == "bullet":
            return ""
        return re.sub(
            r"%(\d)",
            lambda m: _numeral(counts.get(int(m[1]) - 1, 1), levels.get(int(m[1]) - 1, ("decimal", "", 1))[0]),
            shown,
        )

    def _of(self, paragraph: Any) -> tuple[str, int]:
        """Which list and level the paragraph, or its style, belongs to."""
        properties = paragraph.find(f"{_W}pPr")
        seen: set[str] = set()
        while properties is not None:
            numbered = properties.find(f"{_W}numPr")
            if numbered is not None:
                return _value(numbered, "numId", ""), int(_value(numbered, "ilvl", "0"))
            style = _value(properties, "pStyle", "")
            if style in seen or style not in self._styles:
                break
            seen.add(style)
            properties = self._styles[style].find(f"{_W}pPr")
        return "", 0


def _value(element: Any, name: str, default: str) -> str:
    found = element.find(f"{_W}{name}")
    return default if found is None else found.get(f"{_W}val", default)


def _numeral(value: int, style: str) -> str:
    if style in _CIRCLED and 1 <= value <= 20:
        return chr(0x245F + value)
    if style not in _CHINESE or not 1 <= value < 100:
        return str(value)
    tens, digit = divmod(value, 10)
    digits = "〇一二三四五六七八九"
    return (f"{digits[tens] if tens > 1 else ''}十" if tens else "") + (digits[digit] if digit else "")
