"""Reads one sheet of an XLSX workbook in a stream: cells straight from the XML, as their number formats show them."""

import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from io import BytesIO
from typing import Any, Protocol
from xml.etree.ElementTree import ParseError
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from defusedxml import DefusedXmlException
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.numbers import BUILTIN_FORMATS
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils import column_index_from_string, range_boundaries
from openpyxl.utils.datetime import from_excel, from_ISO8601
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS

from connectors.base import ConnectorError, Failure
from connectors.table_layout import Cell, Merged
from connectors.table_sheet import Row, Sheet, broken_workbook, chosen, shown, sound

_CHUNK = 1 << 20
_REMEMBERED = 1 << 14
_MOST_MERGED = 100_000
_MOST_ROWS = 2**31
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^<>]*?ref="([A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7})"')
_ROW, _CELL, _VALUE, _FORMULA, _TEXT, _STRING, _PHONETIC = (
    f"{SHEET_MAIN_NS} {tag}" for tag in ("row", "c", "v", "f", "t", "si", "rPh")
)
_DIGITS = "0123456789"
_BROKEN = (
    BadZipFile, zlib.error, InvalidFileException, ParseError, expat.ExpatError, DefusedXmlException, KeyError, ValueError,
    TypeError, IndexError, AttributeError, OSError, EOFError, NotImplementedError,
)  # fmt: skip

_column = cache(column_index_from_string)
CellOf = Callable[[str, str, str], Cell]


def xlsx(data: bytes, document: str, sheet: str | None, most: int) -> Sheet:
    """The sheet (default: the first), which must not unpack to more than ``most`` bytes.

    Raises ConnectorError: MISCONFIGURED for a sheet that is not there,
    BAD_ANSWER for bytes that are no workbook, TOO_LARGE.
    """
    broken = broken_workbook(document)
    try:
        with ZipFile(BytesIO(data)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())  # zipfile never unpacks more than it says
        if unpacked > most:
            raise ConnectorError(
                Failure.TOO_LARGE,
                f"{document} 解压后 {unpacked / 2**20:.0f} MB，超过 {most >> 20} MB (too large); 请拆分文件，或加大 max_mb",
                retryable=False,
            )
        book = ExcelReader(BytesIO(data), read_only=True, data_only=True)
        book.read_manifest()
        book.read_workbook()
        apply_stylesheet(book.archive, book.wb)
        parts = {
            one.name: part.target
            for one, part in book.parser.find_sheets()
            if part.target in book.valid_files and "chartsheet" not in part.Type
        }
        name = chosen([*parts], sheet, document)
        merged = _merged(book.archive, parts[name], document)
        return Sheet(name, sound(_rows(book, parts[name]), _BROKEN, broken), merged)
    except _BROKEN:
        raise broken from None


class _Part(Protocol):
    """What takes in the XML of a part: the elements as they begin and end, and their ``words``."""

    words: list[str]

    def begin(self, tag: str, attributes: Mapping[str, str]) -> None: ...

    def end(self, tag: str) -> None: ...


def _read(archive: ZipFile, name: str, part: _Part) -> Iterator[None]:
    """Piece by piece, as often as something was read. Raises ValueError for entities, which may grow without end."""

    def refuse(*_: object) -> None:
        raise ValueError("a workbook declares no types")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = part.begin, part.end
    parser.CharacterDataHandler = part.words.append
    with archive.open(name) as source:
        while chunk := source.read(_CHUNK):
            parser.Parse(chunk, False)
            yield
    parser.Parse(b"", True)


class _Strings:
    """The texts that the cells of all sheets refer to by number; without their pronunciation."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.texts: list[str] = []
        self._said: list[str] = []
        self._pronounced = False

    def begin(self, tag: str, _: Mapping[str, str]) -> None:
        self.words.clear()
        if tag == _PHONETIC:
            self._pronounced = True

    def end(self, tag: str) -> None:
        if tag == _TEXT and not self._pronounced:
            self._said += self.words
        elif tag == _PHONETIC:
            self._pronounced = False
        elif tag == _STRING:
            self.texts.append("".join(self._said).replace("x005F_", ""))
            self._said.clear()


class _Rows:
    """The rows of a sheet, collected in ``rows``; contents are made into cells by ``cell_of``."""

    def __init__(self, cell_of: CellOf) -> None:
        self.words: list[str] = []
        self.rows: list[Row] = []
        self._cell_of = cell_of
        self._line, self._place = 0, -1
        self._cells: dict[int, Cell] = {}
        self._attributes: Mapping[str, str] = {}
        self._said: list[str] = []
        self._value: str | None = None
        self._formula: str | None = None
        self._pronounced = False

    def begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.words.clear()
        if tag == _CELL:
            self._attributes, self._value, self._formula = attributes, None, None
            self._said.clear()
        elif tag == _ROW:
            line = float(attributes.get("r", self._line + 1))
            if not 0 < line < _MOST_ROWS:
                raise ValueError("no such row")
            self._line = int(line)
            self._place, self._cells = -1, {}
        elif tag == _PHONETIC:
            self._pronounced = True

    def end(self, tag: str) -> None:
        if tag == _VALUE:
            self._value = "".join(self.words)
        elif tag == _CELL:
            self._end_of_cell(self._attributes)
        elif tag == _TEXT and not self._pronounced:
            self._said += self.words
        elif tag == _FORMULA:
            self._formula = "".join(self.words)
        elif tag == _ROW:
            self.rows.append((self._line, self._cells))
        elif tag == _PHONETIC:
            self._pronounced = False

    def _end_of_cell(self, attributes: Mapping[str, str]) -> None:
        name, kind, content = attributes.get("r"), attributes.get("t", "n"), self._value
        self._place = place = _column(name.rstrip(_DIGITS)) - 1 if name else self._place + 1
        if kind == "inlineStr":
            content = "".join(self._said)
        elif not content and self._formula is not None and kind != "str":
            kind, content = "str", f"={self._formula}"  # it was never computed; one that gives no words says "str"
        if content:
            self._cells[place] = self._cell_of(content, kind, attributes.get("s", "0"))


def _rows(book: Any, name: str) -> Iterator[Row]:
    strings = _Strings()
    shared = book.package.find(SHARED_STRINGS)
    for _ in _read(book.archive, shared.PartName[1:], strings) if shared else ():
        pass
    part = _Rows(_cell_of(book.wb, strings.texts))
    for _ in _read(book.archive, name, part):
        yield from part.rows
        part.rows.clear()


def _cell_of(book: Any, strings: Sequence[str]) -> CellOf:
    """What makes a cell of its content, its type and its style as they are written. Labels, which recur, are made once."""

    @cache
    def shown_by(style: int) -> str:
        number = book._cell_styles[style].numFmtId  # noqa: SLF001
        own = book._number_formats[number - 164] if number >= 164 else "General"  # noqa: SLF001
        return shown(BUILTIN_FORMATS.get(number) or own)

    @lru_cache(maxsize=_REMEMBERED)
    def cell_of(content: str, kind: str, style: str) -> Cell:
        shape = int(style)
        form = shown_by(shape)
        match kind:
            case "n":
                number = float(content) if {*content} & {*".eE"} else int(content)
                if shape not in book._date_formats:  # noqa: SLF001
                    return Cell(number, form)
                try:
                    return Cell(from_excel(number, book.epoch, shape in book._timedelta_formats), form)  # noqa: SLF001
                except (OverflowError, ValueError):
                    return Cell("#VALUE!", form)
            case "s":
                return Cell(strings[int(content)], form)
            case "b":
                return Cell(str(bool(int(content))), form)
            case "d":
                return Cell(from_ISO8601(content), form)
            case _:
                return Cell(content, form)

    return cell_of


def _merged(archive: ZipFile, name: str, document: str) -> list[Merged]:
    """Merged cells stand behind the rows of a sheet, but are needed to read its header."""
    found: list[Merged] = []
    with archive.open(name) as source:
        kept = b""
        while chunk := source.read(_CHUNK):
            text = kept + chunk
            end = 0
            for match in _MERGED.finditer(text):
                left, top, right, bottom = range_boundaries(match[1].decode())
                found.append(Merged(top, left - 1, bottom, right - 1))
                end = match.end()
            if len(found) > _MOST_MERGED:
                raise ConnectorError(
                    Failure.TOO_LARGE,
                    f"{document} 合并单元格多于 {_MOST_MERGED} 处 (too many merged cells); 请取消合并",
                    retryable=False,
                )
            kept = text[max(end, len(text) - 256) :]
    return found
