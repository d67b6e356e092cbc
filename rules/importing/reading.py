"""A document as its blocks: lines of text and tables, in reading order, nothing left out."""

from dataclasses import dataclass
from pathlib import Path

from rules.document import Invalid

_ENCODINGS = ("utf-8-sig", "gb18030")


@dataclass(frozen=True)
class Line:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of cells, all of one length. None is a cell that is merged with the one above it."""

    rows: tuple[tuple[str | None, ...], ...]


Block = Line | Table


def read(path: Path) -> list[Block]:
    """The blocks of a TXT, DOCX or PDF file. Raises Invalid, with the cure, for one that cannot be read."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise Invalid([f"{path}: 没有这个文件 (no such file)；请核对文件名"]) from None
    except OSError as error:
        raise Invalid([f"{path}: 无法读取 (cannot read): {error.strerror}"]) from None
    kind = path.suffix.lower()
    if kind in (".txt", ".md", ""):
        blocks = _lines(path, raw)
    elif kind == ".docx":
        from rules.importing import word

        blocks = word.blocks(path)
    elif kind == ".pdf":
        from rules.importing import pages

        blocks = pages.blocks(path)
    else:
        raise Invalid([f"{path}: 不认识的文件种类 '{kind}' (unknown kind); 请另存为 DOCX、PDF 或 TXT"])
    if not any(isinstance(block, Table) or block.text.strip() for block in blocks):
        raise Invalid([f"{path}: 没有文字 (no text); 扫描件请先作文字识别，或另存为 TXT"])
    return blocks


def words(blocks: list[Block]) -> str:
    """All text of the document, in order; the law is that none of it is lost."""
    return "\n".join(
        block.text if isinstance(block, Line) else "\n".join("\t".join(c or "" for c in row) for row in block.rows)
        for block in blocks
    )


def missing(path: Path, package: str) -> Invalid:
    """The refusal where the library for this kind of file is not installed."""
    return Invalid([f"{path}: 读取此种文件须另装 {package} (missing extra); 请执行 pip install duban[plans]"])


def _lines(path: Path, raw: bytes) -> list[Block]:
    """The lines of a text file; runs of lines with tabs are tables."""
    encodings = ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else _ENCODINGS
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return _tabulated(text.splitlines())
    raise Invalid([f"{path}: 看不出编码 (unknown encoding); 请另存为 UTF-8"])


def _tabulated(lines: list[str]) -> list[Block]:
    blocks: list[Block] = []
    run: list[list[str]] = []
    for line in [*lines, ""]:
        cells = line.split("\t")
        if len(cells) > 2 or (run and len(cells) > 1):
            run.append([cell.strip() for cell in cells])
            continue
        if len(run) > 1:
            width = max(map(len, run))
            blocks.append(Table(tuple(tuple(row + [""] * (width - len(row))) for row in run)))
        else:
            blocks += [Line(" ".join(row)) for row in run]
        run = []
        if line.strip():
            blocks.append(Line(line.strip()))
    return blocks
