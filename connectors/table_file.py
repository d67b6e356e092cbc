"""The source kind ``table_file``: a CSV, TSV, TXT or XLSX file, described by a short mapping of its columns."""

import codecs
import hashlib
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from connectors.base import ConnectorError, Failure
from connectors.fields import Constants, Fields
from connectors.figures import reading
from connectors.observation import Query, Reading
from connectors.table_layout import Wanted
from connectors.table_sheet import sheet_cells
from connectors.table_text import text_cells

_TEXTS = (".csv", ".tsv", ".txt")
_SHEETS = (".xlsx",)


class TableOptions(Constants):
    """A table, long (``columns.value``) or with one column per series (``values``: column header -> series)."""

    path: str = Field(description="the file, relative to the configuration")
    columns: Fields = Field(description="field -> column header")
    values: dict[str, str] = Field(default={}, description="column header -> series")
    sheet: str | None = Field(default=None, description="XLSX: the sheet; default: the first")
    header: int | None = Field(default=None, ge=1, description="row of the header; default: first with all columns")
    delimiter: str | None = Field(default=None, min_length=1, max_length=1, description="default: one of , ; TAB")
    encoding: str | None = Field(default=None, description="default: utf-8-sig, then gb18030")

    @field_validator("path")
    @classmethod
    def _path_is_a_table(cls, path: str) -> str:
        if Path(path).suffix.lower() not in _TEXTS + _SHEETS:
            raise ValueError(f"不会读 {path} (unknown suffix): 请用 {'、'.join(_TEXTS + _SHEETS)}")
        return path

    @field_validator("encoding")
    @classmethod
    def _encoding_exists(cls, encoding: str | None) -> str | None:
        try:
            codecs.lookup(encoding or "utf-8")
        except LookupError:
            raise ValueError(f"没有编码 {encoding} (unknown encoding): 如 utf-8、gb18030") from None
        return encoding

    @model_validator(mode="after")
    def _one_source_per_field(self) -> Self:
        if (self.columns.value is None) != bool(self.values):
            raise ValueError("数值列须用 columns.value 或 values 之一指明 (exactly one source of the value)")
        return self.agree_with(self.columns, named_elsewhere=bool(self.values))

    def wanted(self) -> Wanted:
        """The columns to look for."""
        fields = {field: title for field, title in self.columns.mapped().items() if field != "value"}
        return Wanted(fields, self.values if self.columns.value is None else {self.columns.value: None})


class TableFile:
    """Reads the file anew at each fetch. ``Reading.digest`` is the SHA-256 of the file."""

    Options: ClassVar[type[BaseModel]] = TableOptions

    def __init__(self, options: TableOptions, folder: Path) -> None:
        self._options = options
        self._path = folder / options.path

    def fetch(self, query: Query) -> Reading:
        """The figures of the file. ConnectorError: NOT_FOUND, DENIED, UNREACHABLE, MISCONFIGURED or BAD_ANSWER."""
        options, document = self._options, self._options.path
        data = self._bytes()
        if self._path.suffix.lower() in _SHEETS:
            cells = sheet_cells(data, options.wanted(), document, header=options.header, sheet=options.sheet)
        else:
            cells = text_cells(
                data,
                options.wanted(),
                document,
                header=options.header,
                delimiter=options.delimiter,
                encoding=options.encoding,
            )
        return reading(cells, options, query, document, hashlib.sha256(data).hexdigest())

    def _bytes(self) -> bytes:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            reason, words, cure = Failure.NOT_FOUND, "没有文件 (no such file)", "请放入该文件，或改 path"
        except (IsADirectoryError, NotADirectoryError):
            reason, words, cure = Failure.NOT_FOUND, "不是文件 (not a file)", "请在 path 里写文件名"
        except PermissionError:
            reason, words, cure = Failure.DENIED, "不许读取 (permission denied)", "请给运行用户读权限"
        except OSError as error:
            reason, words, cure = Failure.UNREACHABLE, f"读不出 ({error.strerror})", "请检查磁盘或共享目录"
        raise ConnectorError(
            reason, f"{self._path}: {words}; {cure}", retryable=reason is Failure.UNREACHABLE
        ) from None
