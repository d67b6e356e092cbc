"""The source kind ``table_file``: CSV, TSV, TXT, XLSX or XLS files, described by a short mapping of their layout."""

import fnmatch
import hashlib
import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from msgspec.structs import asdict, replace

from connectors.base import ConnectorError, Failure, Options
from connectors.drop_folder import dropped, incomplete, is_pattern, read, read_each, together
from connectors.fields import Constants
from connectors.figures import reading
from connectors.observation import Original, Query, Reading
from connectors.strict import Strict
from connectors.table_cells import FIELDS, Figures, Layout
from connectors.table_layout import HEAD, Header, Wanted, find_header
from connectors.table_sheet import Sheet, broken_workbook
from connectors.table_text import Text

_TEXTS = (".csv", ".tsv", ".txt")
_SHEETS = (".xlsx", ".xlsm", ".xls")
_HEADER = re.compile(r"(\d+)(?:-(\d+))?")
Name = Literal["series", "subject", "unit", "known", "status", "period", "year"]
CellName = Annotated[str, Meta(pattern=r"^[A-Z]{1,3}[1-9]\d*$", description="应如 B2")]


class Columns(Options):
    """The column in which each field of a figure stands: its header, ``上级/下级``, or ``C列``."""

    value: str | None = None
    series: str | None = None
    subject: str | None = None
    unit: str | None = None
    known: str | None = None
    status: str | None = None
    period: str | None = None
    year: str | None = None


class Said(Options):
    """What is said of one column of figures alone."""

    series: str = ""
    subject: str = ""
    unit: str = ""
    period: str = ""


def _table(path: str) -> str:
    if not fnmatch.filter(_TEXTS + _SHEETS, Path(path).suffix.lower()):
        raise ValueError(f"不会读 {path} (unknown suffix): 请用 {'、'.join(_TEXTS + _SHEETS)}")
    return path


def _codec(encoding: str) -> str:
    try:
        "".encode(encoding)
    except LookupError:
        raise ValueError(f"没有编码 {encoding} (unknown encoding): 如 utf-8、gb18030") from None
    return encoding


def _rows(header: int | str) -> int | str:
    found = _HEADER.fullmatch(str(header))
    if not found or not int(found[1]) <= int(found[2] or found[1]) <= HEAD:
        raise ValueError(
            f"看不懂 header: {header} (bad header rows); 请写前 {HEAD} 行内的行号，如 3、2-4，没有表头写 0"
        )
    return header


class TableOptions(Constants):
    """A table: long (``columns.value``), one column per series (``values``), or with fields in header rows (``across``)."""

    path: Annotated[str, _table]  # the file, relative to the configuration, or a pattern such as files/*.xlsx
    columns: Columns = Columns()  # field -> column
    values: dict[str, str | Said] = {}  # column -> series, or all that is said of it
    across: dict[Name, Annotated[int, Meta(ge=1)]] = {}  # field -> row of the header
    above: dict[Name, CellName] = {}  # field -> cell above the table
    fill: list[Name] = []  # columns whose blank cells repeat the one above
    skip: list[str] = []  # columns (with across) and labels of rows that are left out
    dates: Literal["month", "quarter", "year"] | None = None  # what a date stands for
    to_date: str | None = None  # added to a series over January to a month
    sheet: str | None = None  # workbook: the sheet; default: the first
    title: Annotated[str, Meta(min_length=1)] | None = None
    """Workbook: of several tables on a sheet the one under this text."""
    until: Annotated[str, Meta(min_length=1)] | None = None  # workbook: the text at which the next table begins
    header: Annotated[int | str, _rows] | None = None
    """Rows of the header (2, 2-3; 0: none); default: the first that holds all columns."""
    delimiter: Annotated[str, Meta(min_length=1, max_length=2)] | None = None  # default: , ; TAB or TAB+comma
    encoding: Annotated[str, _codec] | None = None  # default: utf-8-sig, then gb18030
    max_mb: Annotated[int, Meta(ge=1)] = 200
    """Megabytes of a file, and of what a workbook unpacks to; reading takes four times that."""

    def __post_init__(self) -> None:
        self._the_value_has_one_source()
        self._each_field_has_one_source()
        self._rows_and_columns_agree()

    def _the_value_has_one_source(self) -> None:
        if self.columns.value is not None and (self.values or self.across):
            raise ValueError("columns.value 与 values、across 不能并用 (given twice): 一行一个数值用前者")
        if self.columns.value is None and not (self.values or self.across):
            raise ValueError("数值列须用 columns.value、values 或 across 之一指明 (no source of the value)")

    def _each_field_has_one_source(self) -> None:
        stated = {name: self._sources(name) for name in FIELDS}
        twice = [name for name, sources in stated.items() if sources > 1]
        if twice:
            raise ValueError(f"{twice[0]} 既是常量又有来源，或有几个来源 (given twice): 请只留一个")
        alone = {
            name for name in FIELDS if self.values and all(getattr(one, name, "") for one in self._said().values())
        }
        if bool(stated["series"]) == ("series" in alone) and not (self.across and stated["series"]):
            raise ValueError(
                "序列名须有且只有一个来源 (exactly one source of the series): 常量 series、series 列、across 或 values"
            )
        if not (stated["period"] or "period" in alone):
            raise ValueError("期间须有来源 (no source of the period): columns、across、above 或 values 里的 period")

    def _rows_and_columns_agree(self) -> None:
        unknown = [name for name in self.fill if getattr(self.columns, name) is None]
        if unknown:
            raise ValueError(f"fill 里的 {'、'.join(unknown)} 不是列 (not a column): 只能写 columns 里的字段")
        rows = self._rows()
        if rows is None and not self._titles():
            raise ValueError("只用列号时须写 header (header rows needed): 表头所在行，没有表头写 0")
        outside = [row for row in self.across.values() if rows and not rows[0] <= row <= rows[1]]
        if outside:
            raise ValueError(f"across 的第{outside[0]}行不在表头之内 (outside the header): 请改 header 或行号")

    def _sources(self, name: str) -> int:
        """How many places state the field."""
        constant = name != "period" and getattr(self, name) is not None
        return sum([constant, getattr(self.columns, name) is not None, name in self.across, name in self.above])

    def _said(self) -> dict[str, Said]:
        return {name: Said(series=said) if isinstance(said, str) else said for name, said in self.values.items()}

    def _titles(self) -> list[str]:
        names = [*(name for name in asdict(self.columns).values() if name), *self.values]
        return [name for name in names if not re.fullmatch(r"[A-Za-z]{1,3}列", name)]

    def _rows(self) -> tuple[int, int] | None:
        if self.header is not None:
            found = _HEADER.fullmatch(str(self.header))
            assert found
            first, last = int(found[1]), int(found[2] or found[1])
            return (1, 0) if last == 0 else (first, last)
        return (min(self.across.values()), max(self.across.values())) if self.across else None

    def _across(self) -> dict[str, int]:
        return {str(name): row for name, row in self.across.items()}

    def wanted(self) -> Wanted:
        """The columns to look for."""
        fields = {name: title for name, title in asdict(self.columns).items() if title is not None and name != "value"}
        values = [self.columns.value] if self.columns.value is not None else list(self.values)
        return Wanted(fields, values, self._across(), self._rows())

    def layout(self, header: Header) -> Layout:
        """How the table lies under its header."""
        said = {header.find(name)[0]: asdict(one) for name, one in self._said().items()}
        return Layout(
            across=self._across(),
            above={str(name): cell for name, cell in self.above.items()},
            alone=said,
            fill=self.fill,
            skip=self.skip,
            dates=self.dates,
            to_date=self.to_date,
            unit=self.unit or "",
        )


class TableFile:
    """Reads the file, or all files of a pattern, anew at each fetch.

    ``Reading.digest`` is the SHA-256 of the file, or of the list of all files with theirs.
    """

    Options: ClassVar[type[Strict]] = TableOptions

    def __init__(self, options: TableOptions, folder: Path) -> None:
        self._options = options
        self._folder = folder

    def fetch(self, query: Query) -> Reading:
        """The figures. ConnectorError: NOT_FOUND, DENIED, UNREACHABLE, MISCONFIGURED, BAD_ANSWER, TOO_LARGE, INCOMPLETE."""
        path = self._options.path
        if not is_pattern(path):
            return self._read(self._folder / path, path, query)
        readings, failures = read_each(
            dropped(self._folder, path, _TEXTS + _SHEETS), lambda file: self._read(file, file.name, query)
        )
        if failures and not readings:
            raise failures[0][1]
        return together(readings, failures, f"{Path(path).parent.as_posix()}/")

    def _read(self, path: Path, document: str, query: Query) -> Reading:
        options = self._options
        data, fresh = read(path, options.max_mb << 20)
        try:
            answer = self._figures(data, path, document, query)
        except ConnectorError as error:
            if fresh and error.reason is Failure.BAD_ANSWER:
                raise incomplete(path) from None
            raise
        if fresh and path.suffix.lower() in _TEXTS and not data.endswith((b"\n", b"\r", b"\n\0", b"\r\0")):
            raise incomplete(path)  # the last figure may lack its last digits
        return answer

    def _figures(self, data: bytes, path: Path, document: str, query: Query) -> Reading:
        options, wanted, digest = self._options, self._options.wanted(), hashlib.sha256(data).hexdigest()
        sheet = self._sheet(data, wanted, document)
        where = f"{document} {sheet.name}".strip()
        header = find_header(sheet.head, wanted, sheet.merged, where)
        fields = {name: header.find(title)[0] for name, title in wanted.columns.items()}
        skipped = {place for name in options.skip for place in header.under(name)}
        if options.across:
            width = max(header.width, *(len(cells) for line, cells in sheet.head if line > header.last), 0)
            places = [place for place in range(width) if place not in {*fields.values(), *skipped}]
        else:
            places = [header.find(name)[0] for name in wanted.figures]
        table = sheet.table(header, fields, places)
        figures = Figures(table, sheet.head, header, fields, places, options.layout(header))
        asked = {*fields.values(), *places}
        return replace(
            reading(figures.cells(), options, query, document, digest, figures.left_out),
            unread=tuple(
                header.title(place) for place, titles in enumerate(header.paths) if titles and place not in asked
            ),
            originals=(Original(document, digest, path),),
        )

    def _sheet(self, data: bytes, wanted: Wanted, document: str) -> Sheet | Text:
        options = self._options
        between = options.title, options.until, document
        if data.startswith(b"PK"):
            from connectors.table_xlsx import xlsx  # what reads workbooks is large, and most sources are none

            return xlsx(data, document, options.sheet, options.max_mb << 20).between(*between)
        if data.startswith(b"\xd0\xcf\x11\xe0"):
            from connectors.table_xls import xls

            return xls(data, document, options.sheet).between(*between)
        if Path(document).suffix.lower() in _SHEETS:
            raise broken_workbook(document)
        if options.title or options.until:
            raise ConnectorError(
                Failure.MISCONFIGURED,
                f"{document} 是文本，不能用 title、until (not a workbook); 请每个表存一个文件",
                retryable=False,
            )
        return Text(data, wanted, document, delimiter=options.delimiter, encoding=options.encoding)
