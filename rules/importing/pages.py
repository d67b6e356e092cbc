"""PDF documents: wrapped lines put together to paragraphs, tables by their ruled lines."""

import re
from pathlib import Path
from typing import Any

from rules.document import Invalid
from rules.importing.duty import looks_like_unit
from rules.importing.marker import marker
from rules.importing.reading import Block, Line, Table, missing

_PAGE_NUMBER = re.compile(r"[\s\-—–－·第共/页]*\d{1,4}[\s\-—–－·页]*(?:共\s*\d+\s*页)?")
_NEW = re.compile(
    r"\s*[【\[(（]?\s*(?:[\u4e00-\u9fff]{2,4}(?:单位|部门|领导|科室|时限|时间|责任人))\s*[】\])）]?\s*[:：]"
)


def blocks(path: Path) -> list[Block]:
    """Raises Invalid for a file that is no PDF or is locked. Page numbers come last, as one line."""
    try:
        import pdfplumber
        from pdfplumber.utils.exceptions import PdfminerException
    except ImportError:
        raise missing(path, "pdfplumber") from None
    found: list[Block] = []
    numbers: list[str] = []
    try:
        with pdfplumber.open(path) as pdf:
            pages = [_page(page) for page in pdf.pages]
    except (PdfminerException, ValueError, KeyError, TypeError):
        raise Invalid([f"{path}: 不是完好的 PDF，或设有密码 (broken file); 请重新导出"]) from None
    right = max((line["x1"] for page in pages for line in page if isinstance(line, dict)), default=0.0)
    left = _left(pages)
    full = False
    for page in pages:
        for i, part in enumerate(page):
            if isinstance(part, Table):
                found.append(part)
                full = False
                continue
            text = part["text"].strip()
            if i in (0, len(page) - 1) and _PAGE_NUMBER.fullmatch(text):
                numbers.append(text)
                continue
            em = part["bottom"] - part["top"]
            indented = part["x0"] > left + em * 0.8
            previous = found[-1] if found else None
            begins = bool(_NEW.match(text)) or (
                marker(text) is not None and isinstance(previous, Line) and previous.text[-1:] in "。；;:：.、"
            )
            if full and not indented and not begins and isinstance(previous, Line):
                found[-1] = Line(_joined(previous.text, text))
            else:
                found.append(Line(text))
            full = part["x1"] > right - em * 2.2
    return [*_whole(found), *([Line(" ".join(numbers))] if numbers else [])]


def _joined(first: str, second: str) -> str:
    gap = " " if re.search(r"[A-Za-z]$", first) and re.match(r"[A-Za-z]", second) else ""
    return f"{first}{gap}{second}"


def _left(pages: list[list[Any]]) -> float:
    return min((line["x0"] for page in pages for line in page if isinstance(line, dict)), default=0.0)


def _page(page: Any) -> list[Any]:
    """Lines (as dicts of pdfplumber) and tables of a page from top to bottom."""
    tables = [table for table in page.find_tables() if len(table.rows) > 1 and len(table.rows[0].cells) > 1]
    rest = page
    for table in tables:
        box = table.bbox
        rest = rest.filter(lambda o, box=box: not _inside(o, box))
    lines = [line for line in rest.extract_text_lines(return_chars=False) if line["text"].strip()]
    placed: list[tuple[float, Any]] = [(line["top"], line) for line in lines]
    placed += [(table.bbox[1], _table(page, table)) for table in tables]
    return [part for _, part in sorted(placed, key=lambda one: one[0])]


def _inside(thing: dict[str, Any], box: tuple[float, float, float, float]) -> bool:
    if thing.get("object_type") != "char":
        return False
    x, y = (thing["x0"] + thing["x1"]) / 2, (thing["top"] + thing["bottom"]) / 2
    return bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])


def _table(page: Any, table: Any) -> Table:
    """Cells as text; None where a cell of a row above reaches down."""
    columns = [
        next((row.cells[j] for row in table.rows if row.cells[j]), None) for j in range(len(table.rows[0].cells))
    ]
    rows = []
    for row in table.rows:
        cells: list[str | None] = []
        for box, column in zip(row.cells, columns, strict=True):
            if box is not None:
                cells.append(_cell(page, box))
                continue
            middle = (column[0] + column[2]) / 2 if column else 0.0
            down = any(
                a <= middle <= c and top < row.bbox[1] - 1 < row.bbox[1] + 1 < end for a, top, c, end in table.cells
            )
            cells.append(None if down else "")
        rows.append(tuple(cells))
    return Table(tuple(rows))


def _cell(page: Any, box: tuple[float, float, float, float]) -> str:
    """The lines of a cell; one that fills its width goes on in the next, unless both are names of units."""
    text, full = "", False
    for line in page.crop(box, strict=False).extract_text_lines(return_chars=False):
        words = line["text"].strip()
        last = re.split("[、，,；;\n]", text)[-1]
        names = len(words) > 3 and looks_like_unit(last) and looks_like_unit(re.split("[、，,；;]", words)[0])
        text = _joined(text, words) if not text or (full and not names) else f"{text}\n{words}"
        full = line["x1"] - line["x0"] > box[2] - box[0] - 2.2 * (line["bottom"] - line["top"])
    return text


def _whole(found: list[Block]) -> list[Block]:
    """Tables that go on over the page are one table."""
    whole: list[Block] = []
    for block in found:
        last = whole[-1] if whole else None
        if isinstance(block, Table) and isinstance(last, Table) and len(last.rows[0]) == len(block.rows[0]):
            rows = block.rows[1:] if block.rows[0] == last.rows[0] else block.rows
            whole[-1] = Table(last.rows + rows)
        else:
            whole.append(block)
    return whole
