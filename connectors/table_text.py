"""Reads the wanted columns of a CSV, TSV or TXT file."""

import codecs
import csv
from collections.abc import Iterator
from io import BytesIO, StringIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from connectors.base import ConnectorError, Failure
from connectors.figures import Cells, Column, Rows
from connectors.number import MISSING
from connectors.table_layout import Header, Table, Wanted, cells_of, complete, find_header

_ENCODINGS = ("utf-8-sig", "gb18030")
_DELIMITERS = (",", ";", "\t")


def text_cells(
    data: bytes, wanted: Wanted, document: str, *, header: int | None, delimiter: str | None, encoding: str | None
) -> Cells:
    """The wanted cells of ``data``, each called 第N行 by its line in the file.

    Raises ConnectorError: MISCONFIGURED for a column that is not there,
    BAD_ANSWER for bytes that are no text and quotes that do not close.
    """
    text = _utf8(data, (encoding,) if encoding else _ENCODINGS, document)
    try:
        candidates = [_split(text, wanted, one, header) for one in ([delimiter] if delimiter else _DELIMITERS)]
        found, mark, body = min(candidates, key=lambda one: (len(one[0].missing), -one[0].width))
        return cells_of(_table(body, complete(found, document), mark, wanted), found, wanted)
    except (csv.Error, pd.errors.ParserError) as error:
        raise ConnectorError(
            Failure.BAD_ANSWER,
            f"{document} 不是完好的表格 (broken table): {error}；请检查引号是否成对",
            retryable=False,
        ) from None


def _utf8(data: bytes, encodings: tuple[str, ...], document: str) -> bytes:
    """The same text in UTF-8, which the C parser reads."""
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeError:
            continue
        utf8 = data.removeprefix(codecs.BOM_UTF8) if encoding == "utf-8-sig" else text.encode()
        if b"\0" not in utf8:
            return utf8
    raise ConnectorError(
        Failure.BAD_ANSWER,
        f"{document} 不是 {' 或 '.join(encodings)} 文本 (undecodable): 请另存为 CSV UTF-8，或用 encoding 指明编码",
        retryable=False,
    )


def _split(text: bytes, wanted: Wanted, delimiter: str, at: int | None) -> tuple[Header, str, bytes]:
    """The header under this delimiter, the delimiter, and the text below the header."""
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        while read < len(text):
            start, read = read, text.find(b"\n", read) + 1 or len(text)
            yield text[start:read].decode()

    reader = csv.reader(lines(), delimiter=delimiter)
    header = find_header(((reader.line_num, row) for row in reader), wanted.headers(), at)
    return header, delimiter, b"" if header.missing else text[read:]


def _table(body: bytes, header: Header, delimiter: str, wanted: Wanted) -> Table:
    """Columns by the C parser: fields as categories (each distinct text once), values as numbers where all are."""
    fields = {field: str(header.positions[title]) for field, title in wanted.fields.items()}
    values = [str(header.positions[title]) for title in wanted.figures]
    beyond = [str(place) for place in range(header.width, len(header.titles) + 1)]
    titles = delimiter.join(str(place) for place in range(len(header.titles) + 1))
    frame = pd.read_csv(
        BytesIO(titles.encode() + b"\n" + body),
        sep=delimiter,
        usecols=sorted({*fields.values(), *values, *beyond}),
        dtype=dict.fromkeys({*fields.values(), *beyond} - {*values}, "category"),
        keep_default_na=False,
        na_values={place: list(MISSING) for place in values},
        skip_blank_lines=False,
        low_memory=False,
    )
    torn = np.zeros(len(frame), dtype=bool)
    for column in (_column(frame[place]) for place in beyond):
        torn |= np.array([content.strip() != "" for content in column.contents], dtype=bool)[column.codes]
    return Table(
        fields={field: _column(frame[place]) for field, place in fields.items()},
        figures=[_numbers_or_texts(frame[place]) for place in values],
        line=header.line + _lines(body, len(frame), delimiter),
        torn=torn,
        place=_line_names,
    )


def _column(cells: "pd.Series[str]") -> Column:
    categories = cells.astype("category").cat
    return Column(list(categories.categories), categories.codes.to_numpy().astype(np.intp))


def _numbers_or_texts(cells: "pd.Series[float]") -> "NDArray[np.generic]":
    return (
        cells.to_numpy() if cells.dtype.kind in "iuf" else cells.astype(object).map(str, na_action="ignore").to_numpy()
    )


def _lines(body: bytes, rows: int, delimiter: str) -> NDArray[np.int64]:
    """The line of each row, counted from the header; only line breaks inside quotes make it differ from 1, 2, 3..."""
    if rows == body.count(b"\n") + (body != b"" and not body.endswith(b"\n")):
        return np.arange(1, rows + 1)
    reader = csv.reader(StringIO(body.decode(), newline=""), delimiter=delimiter)
    ends = [0, *(reader.line_num for _ in reader)]
    if len(ends) != rows + 1:
        raise csv.Error("quotes do not close")
    return np.array(ends[:-1], dtype=np.int64) + 1


def _line_names(_positions: Rows, lines: NDArray[np.int64]) -> list[str]:
    return [f"第{line}行" for line in lines.tolist()]
