"""``duban book``: a book goes out as a workbook, and what people edited in it comes back into the book's own files."""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile, ZipFile
from zoneinfo import ZoneInfo

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from connectors.strict import near
from monitor import config
from monitor.author import comparing
from monitor.author.book_sheet import HEAD, HIDDEN, Exported, opened, workbook
from monitor.clock import Clock
from rules import lint, phrase
from rules.difference import Difference, differences
from rules.document import Invalid
from rules.loader import Written, load_books, made, read
from rules.revise import Edit, Reason, recorded, revised
from rules.table import ITEMS, TARGETS, Column, Table, amount, tables
from rules.target import Book, Import

_MOST = 200 << 20  # bytes that a workbook may unpack to


class Signed(NamedTuple):
    """Who imports, and why."""

    by: str
    why: str


class Filled(NamedTuple):
    """A workbook as it came back: what it was made from, and by table the cells of each row with their places."""

    name: str
    exported: Exported
    tables: dict[str, dict[str, dict[str, str]]]
    places: dict[tuple[str, str], int]
    columns: dict[tuple[str, str], str]

    def cell(self, table: str, row: str, column: str) -> str:
        """``表.xlsx 目标!G12``."""
        place = f"{self.columns.get((table, column), 'A')}{self.places[table, row]}"
        return f"{self.name} {table}!{place}"


def export(settings: Path | None, book: str, file: Path) -> str:
    """Writes the book's workbook. Raises Invalid; a file that is there is never overwritten."""
    _, found, written = _found(settings, book)
    data = workbook(found, tables(found, written))
    try:
        with file.open("xb") as target:
            target.write(data)
    except FileExistsError:
        raise Invalid([f"{file}: 文件已存在 (already there)；请另写文件名，以免覆盖已填的表"]) from None
    except OSError as error:
        raise Invalid([f"{file}: 无法写入 (cannot write): {error.strerror}"]) from None
    return f"《{found.title}》已导出至 {file}；改好后以 duban book import {file} 查看改动"


def bring(
    settings: Path | None, file: Path, since: date | None, signed: Signed, *, write: bool, delete: bool
) -> dict[str, Any]:
    """What the workbook changes in its book: ``changes``, their ``effects`` and new ``doubts``; ``notes`` on what does not change.

    With ``write`` the files are written, and ``files`` names them. Raises Invalid, each error with its cell.
    """
    if (write and not (signed.by.strip() and signed.why.strip())) or (since and not signed.why.strip()):
        raise Invalid(["请以 --by 写明姓名，以 --why 写明缘由 (missing option)"])
    filled = _filled(file)
    books, old, written = _found(settings, filled.exported.book)
    before = tables(old, written)
    edits, gone, notes = _merged(filled, before)
    if gone and not delete:
        notes += [
            f"{table}：表中没有“{_named(before[table], row)}”，未删去；确要删去，请加 --delete" for table, row in gone
        ]
        gone = []
    texts = revised(written, edits, gone, Reason(signed.why, since))
    after = read(written.folder, texts)
    new = made(after)
    _verify(edits, tables(new, after), written.folder)
    found = [*differences([old], [new])]
    known = {(one.code, one.words) for one in lint.findings(old, written)}
    doubts = [one.line for one in lint.findings(new, after) if (one.code, one.words) not in known]
    if write and texts:
        if found:
            today = Clock.real().astimezone(ZoneInfo(new.timezone)).date()
            changed: dict[str, list[str]] = {}
            for one in found:
                changed.setdefault(one.target, []).append(one.words)
            entry = Import(today, signed.by, signed.why, {key: "；".join(words) for key, words in changed.items()})
            path, text = recorded(after, entry)
            texts[path] = text
            made(read(written.folder, texts))
        _write(texts)
    compared = comparing.effects([old], [new], found, books)
    return {
        "book": old.id,
        "changes": found,
        "effects": compared,
        "cells": len(edits),
        "doubts": doubts,
        "notes": notes,
        "files": [str(path) for path in texts] if write else [],
    }


def words(found: Mapping[str, Any], *, write: bool) -> str:
    """The same for people."""
    changes: Sequence[Difference] = found["changes"]
    lines = [*found["notes"]]
    if changes:
        lines.append(comparing.words(dict(found)))
    elif found["cells"]:
        lines.append(f"改动 {found['cells']} 格，只是写法不同，规定的内容不变")
    else:
        lines.append("表中没有改动")
    lines += [f"存疑：{one}" for one in found["doubts"]]
    if found["files"]:
        lines.append(f"已写入 {'、'.join(found['files'])}；请以 duban check 检查，再令守护进程重新读取")
    elif not write and found["cells"]:
        lines.append("以上尚未写入目标册；确认无误，请加 --write --by 姓名 --why 缘由")
    return "\n".join(lines)


def _found(settings: Path | None, name: str) -> tuple[config.Settings, Book, Written]:
    """The settings, the book and what is written in it."""
    loaded = config.load(settings)
    library = load_books(loaded.books)
    book = next((one for one in library.books if one.id == name), None)
    if book is None:
        known = [one.id for one in library.books]
        raise Invalid([f"没有名为 '{name}' 的目标册，或其中有误 (unknown book){near(name, known)}", *library.errors])
    return loaded, book, read(book.folder)


def _filled(file: Path) -> Filled:
    """The workbook as it came back. Raises Invalid for a file that is no workbook of a book, and for a cell with a formula."""
    try:
        data = file.read_bytes()
        with ZipFile(BytesIO(data)) as archive:
            if sum(part.file_size for part in archive.infolist()) > _MOST:
                raise Invalid([f"{file}: 解压后超过 {_MOST >> 20} MB (too large)"])
        found = load_workbook(BytesIO(data))
        exported = opened(str(row[0]) for row in found[HIDDEN].iter_rows(max_col=1, values_only=True) if row[0])
    except OSError as error:
        raise Invalid([f"{file}: 无法读取 (cannot read): {error.strerror}"]) from None
    except (BadZipFile, InvalidFileException, KeyError, ValueError, EOFError):
        words = "不是 duban book export 所生成的工作簿，或其登记信息被改动 (not an exported book)；请重新导出后再改"
        raise Invalid([f"{file}: {words}"]) from None
    filled = Filled(file.name, exported, {}, {}, {})
    errors: list[str] = []
    for title in exported.tables:
        if title not in found.sheetnames:
            errors.append(f"{file}: 缺少工作表“{title}” (missing sheet)；请勿删改，重新导出后再改")
            continue
        filled.tables[title] = {}
        _rows(found[title], title, filled, errors)
    if errors:
        raise Invalid(errors)
    return filled


def _rows(sheet: Any, title: str, filled: Filled, errors: list[str]) -> None:
    """The rows of a sheet join ``filled``, what is wrong joins ``errors``."""
    rows = sheet.iter_rows(min_row=HEAD)
    heads = next(rows, ())
    titles = {" ".join(str(cell.value).split()): cell.column for cell in heads if cell.value is not None}
    columns = {key: titles[head] for head, key in filled.exported.columns[title].items() if head in titles}
    missing = [head for head in filled.exported.columns[title] if head not in titles]
    if missing:
        place = f"{filled.name} {title}!A{HEAD}"
        errors.append(f"{place}: 标题行缺少列 {'、'.join(missing)} (missing column)；请勿改动标题行")
        return
    filled.columns.update({(title, key): get_column_letter(number) for key, number in columns.items()})
    errors += [
        f"{filled.name} {title}!{merged.coord}: 是合并的单元格 (merged cells)；请取消合并，逐格填写"
        for merged in sheet.merged_cells.ranges
        if merged.min_row > HEAD
    ]
    first = next(iter(columns))
    for row in rows:
        by_column = {cell.column: cell for cell in row if cell.value is not None}
        cells = {}
        for key, number in columns.items():
            cell = by_column.get(number)
            if cell is not None and cell.data_type == "f":
                errors.append(f"{filled.name} {title}!{cell.coordinate}: 是公式 (formula)；请改填文字或数")
            cells[key] = "" if cell is None else _text(cell)
        if not any(cells.values()):
            continue
        number = next(iter(by_column.values())).row
        if not cells[first]:
            errors.append(f"{filled.name} {title}!A{number}: 没有编号 (missing id)；新增的请写明，不要的请清空整行")
        elif cells[first] in filled.tables[title]:
            errors.append(f"{filled.name} {title}!A{number}: '{cells[first]}' 重复 (duplicate row)")
        else:
            filled.tables[title][cells[first]] = cells
            filled.places[title, cells[first]] = number


def _text(cell: Any) -> str:
    """A cell as a text of the book's language."""
    value = cell.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{amount(round(value * 100, 9))}%" if "%" in cell.number_format else amount(value)
    if isinstance(value, date):
        return value.isoformat()[:10]
    return " ".join(str(value).split())


def _merged(filled: Filled, before: Mapping[str, Table]) -> tuple[list[Edit], list[tuple[str, str]], list[str]]:
    """What was edited, the rows that are gone, and notes. Raises Invalid where the book has been edited otherwise since."""
    edits: list[Edit] = []
    gone: list[tuple[str, str]] = []
    notes: list[str] = []
    errors: list[str] = []
    for title, rows in filled.exported.tables.items():
        if title not in before:
            errors.append(f"{filled.name} {title}!A1: 目标册中已没有此表 (no such table)；请重新导出后再改")
            continue
        table = before[title]
        if table.rows != rows:
            notes.append(f"{title}：目标册在导出之后已有改动；表中未改的各格以现在的目标册为准")
        for row, cells in filled.tables[title].items():
            edits += _of_row(filled, table, row, cells, notes, errors)
        missing = [row for row in rows if row not in filled.tables[title] and row in table.rows]
        if title == ITEMS:
            notes += [f"{title}：表中没有第 {row} 项，未删去；事项请在 YAML 中增删" for row in missing]
        else:
            gone += [(title, row) for row in missing]
    if errors:
        raise Invalid(errors)
    return edits, gone, notes


def _of_row(
    filled: Filled, table: Table, row: str, cells: Mapping[str, str], notes: list[str], errors: list[str]
) -> Iterator[Edit]:
    """Edits of one row: what differs both from what was exported and from what the book has now."""
    was, now = filled.exported.tables[table.title].get(row), table.rows.get(row)
    if was is None:
        yield from _added(filled, table, row, cells, errors)
        return
    for column in table.columns:
        text, first = cells.get(column.key, ""), " ".join(was.get(column.key, "").split())
        current = " ".join((now or {}).get(column.key, "").split())
        if column.kind == "shown" or text == first:
            continue
        place = filled.cell(table.title, row, column.key)
        if wrong := _conflict(column, first, text, None if now is None else current):
            errors.append(f"{place}: {wrong}")
        elif not text and (row, column.key) not in table.own:
            notes.append(f"{place}: 清空的是继承的规定，不起作用；要改动请写明")
        elif text != current:
            yield Edit(table.title, row, column.key, text, place)


def _conflict(column: Column, first: str, text: str, current: str | None) -> str:
    """Why a cell that was exported as ``first`` cannot become ``text``; ``current`` is None where its row has left the book."""
    if current is None:
        return "改动的一行已从目标册中删去 (conflict)；请重新导出后再改"
    if column.kind == "identity":
        return f"{column.title}由“{first}”改为“{text}”：识别列不能在表中改动 (fixed column)；请改 YAML，或恢复原样"
    if current not in (first, text):
        return (
            f"{column.title}导出时为“{first}”，表中改为“{text}”，目标册已另改为“{current}” (conflict)；请重新导出后再改"
        )
    return ""


def _added(filled: Filled, table: Table, row: str, cells: Mapping[str, str], errors: list[str]) -> Iterator[Edit]:
    """The cells of a row that was not exported."""
    first = table.columns[0].key
    place = filled.cell(table.title, row, first)
    stated = {key: text for key, text in cells.items() if text and (key != first or table.title == TARGETS)}
    if row in table.rows:
        errors.append(f"{place}: '{row}' 在导出之后已列入目标册 (already there)；请重新导出后再改")
    elif not stated:
        errors.append(f"{place}: '{row}' 没有写明一个目标 (empty row)；请填写，或清空整行")
    else:
        yield from (
            Edit(table.title, row, key, text, filled.cell(table.title, row, key)) for key, text in stated.items()
        )


def _named(table: Table, row: str) -> str:
    name = table.rows[row].get("name", "")
    return f"{name}（{row}）" if name else row


def _verify(edits: Sequence[Edit], after: Mapping[str, Table], written: Path) -> None:
    """Every edited cell reads as it was filled in, now that the files say so. Raises Invalid."""
    errors = [
        f"{one.cell}: 写入 {written} 后读出的不是“{one.text}” (not as written)；请在 YAML 中修改"
        for one in edits
        if one.text and _meant(one.column, after[one.table].rows[one.row][one.column]) != _meant(one.column, one.text)
    ]
    if errors:
        raise Invalid(errors)


def _meant(column: str, text: str) -> tuple[str, ...]:
    """A cell without the ways in which the same can be written."""
    if column in ("lead", "responsible", "reporter"):
        return phrase.units(text)
    return tuple(part.strip() for part in re.split("[；;]", text) if part.strip())


def _write(texts: Mapping[Path, str]) -> None:
    """All files or none that can be helped: each is complete beside the old one before the first takes its place."""
    ready: list[tuple[Path, Path]] = []
    try:
        for path, text in texts.items():
            place = path.resolve()
            new = place.with_name(f".{place.name}.new")
            new.write_text(text, encoding="utf-8", newline="")
            if place.exists():
                shutil.copymode(place, new)
            ready.append((new, place))
        for new, place in ready:
            new.replace(place)
    except OSError as error:
        for new, _ in ready:
            new.unlink(missing_ok=True)
        raise Invalid([f"{error.filename}: 无法写入 (cannot write): {error.strerror}"]) from None
