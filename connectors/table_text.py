"""Reads CSV, TSV and TXT files by columns."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from io import BytesIO, StringIO
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from connectors.base import ConnectorError, Failure
from connectors.figures import Column, Rows
from connectors.number import MISSING
from connectors.table_layout import HEAD, Cell, Head, Header, Wanted, letter, nearest_header
from connectors.table_sheet import Table

_ENCODINGS = ("utf-8-sig", "gb18030")
_DELIMITERS = (",", ";", "\t")
_TAB_COMMA = "\t,"
_PIECE = 1 << 16  # bytes that are looked at together: they stay in the processor's cache
_ROWS = 1 << 16  # rows that are split into cells together: what that takes is used again for the next
_BREAK = ord("\n")
_ONE = "\x1f"  # stands for a delimiter of two characters, which the C parser does not read


class Text:
    """A text file, split by the delimiter under which most of what is wanted is found. ``torn`` rows exist here."""

    name = ""
    merged = ()

    def __init__(
        self, data: bytes, wanted: Wanted, document: str, *, delimiter: str | None, encoding: str | None
    ) -> None:
        """Raises ConnectorError (BAD_ANSWER) for bytes that are no text and quotes that do not close."""
        self._document = document
        utf8 = _utf8(data, (encoding,) if encoding else _ENCODINGS, document)
        if b"\n" not in utf8:  # as the CSV of a Macintosh ends its lines
            utf8 = utf8.replace(b"\r", b"\n")
        splits = [_split(utf8, one, document, wanted) for one in ([delimiter] if delimiter else _delimiters(utf8))]
        self._split = splits[0] if len(splits) == 1 else min(splits, key=lambda split: _lacks(split, wanted))
        self.head: Head = self._split.head

    def table(self, header: Header, fields: dict[str, int], figures: Sequence[int]) -> Table:
        """The columns below ``header`` by the C parser: fields as categories, values as numbers where all are."""
        try:
            return self._table(header, fields, figures)
        except (csv.Error, pd.errors.ParserError) as error:
            raise _broken(self._document, error) from None

    def _table(self, header: Header, fields: dict[str, int], figures: Sequence[int]) -> Table:
        _, ends, utf8, delimiter = self._split
        above = sum(line <= header.last for line, _ in self.head)
        begins = ends[above - 1] if above else 0
        written = max((len(cells) for line, cells in self.head if line >= header.first), default=0)
        width = max(header.width or written, *fields.values(), *figures, 0)
        beyond = [str(place) for place in range(width, max(width, written) + 1)]
        labels, values = {str(place) for place in fields.values()}, [str(place) for place in figures]
        titles = delimiter.join(str(place) for place in range(max(width, written) + 1))
        rows = _Rows(f"{titles}\n".encode(), memoryview(utf8)[begins:])
        texts = {*labels, *beyond}
        with pd.read_csv(  # type: ignore[call-overload]  # of a file it only asks for pieces
            rows,
            sep=delimiter,
            usecols=[*{*texts, *values}],
            dtype=dict.fromkeys(texts, "category"),
            keep_default_na=False,
            na_values={place: list(MISSING) for place in values},
            skip_blank_lines=False,
            low_memory=False,
            chunksize=_ROWS,
        ) as chunks:
            frames = list(chunks)
        torn = np.zeros(sum(map(len, frames)), dtype=bool)
        for column in (_column(frames, place) for place in beyond):
            torn |= np.array([content.strip() != "" for content in column.contents], dtype=bool)[column.codes]
        started = self.head[above - 1][0] if above else 0

        def place(positions: Rows, lines: NDArray[np.int64]) -> list[str]:
            if len(figures) == 1:
                return [f"第{line}行" for line in lines.tolist()]
            return [f"第{line}行{letter(at)}列" for at, line in zip(positions.tolist(), lines.tolist(), strict=True)]

        return Table(
            fields={field: _column(frames, str(place)) for field, place in fields.items()},
            figures=[_numbers_or_texts([frame[at] for frame in frames]) for at in values],
            line=started + _lines(utf8, begins, len(torn), delimiter, rows.breaks),
            torn=torn,
            place=place,
        )


def _delimiters(utf8: bytes) -> Sequence[str]:
    """What may part the cells: what stands in the first lines; TAB and comma together where no TAB stands without a comma."""
    if b"\t" in utf8 and utf8.count(b"\t") == utf8.count(_TAB_COMMA.encode()):
        return (_TAB_COMMA,)
    first = b"".join(islice(BytesIO(utf8), HEAD)).decode()
    return [one for one in _DELIMITERS if one in first] or _DELIMITERS[:1]


class _Split(NamedTuple):
    """The first rows, the offset behind each, the text and its delimiter."""

    head: Head
    ends: list[int]
    utf8: bytes
    delimiter: str


def _split(utf8: bytes, delimiter: str, document: str, wanted: Wanted) -> _Split:
    if len(delimiter) > 1:
        utf8, delimiter = utf8.replace(delimiter.encode(), _ONE.encode()), _ONE
    read, head, ends = 0, [], []

    def lines() -> Iterator[str]:
        nonlocal read
        while read < len(utf8):
            start, read = read, utf8.find(b"\n", read) + 1 or len(utf8)
            yield utf8[start:read].decode()

    reader = csv.reader(lines(), delimiter=delimiter)
    try:
        for row in reader:
            head.append((reader.line_num, [Cell(text) for text in row]))
            ends.append(read)
            if len(head) >= max(HEAD, wanted.header[1] if wanted.header else 0):
                break
    except csv.Error as error:
        raise _broken(document, error) from None
    return _Split(head, ends, utf8, delimiter)


def _broken(document: str, error: Exception) -> ConnectorError:
    words = f"{document} 不是完好的表格 (broken table): {error}；请检查引号是否成对"
    return ConnectorError(Failure.BAD_ANSWER, words, retryable=False)


def _utf8(data: bytes, encodings: tuple[str, ...], document: str) -> bytes:
    """The same text in UTF-8, which the C parser reads."""
    for encoding in encodings:
        try:
            utf8 = _checked(data) if encoding == "utf-8-sig" else data.decode(encoding).encode()
        except UnicodeError:
            continue
        if b"\0" not in utf8:
            return utf8
    raise ConnectorError(
        Failure.BAD_ANSWER,
        f"{document} 不是 {' 或 '.join(encodings)} 文本 (undecodable): 请另存为 CSV UTF-8，或用 encoding 指明编码",
        retryable=False,
    )


def _checked(utf8: bytes) -> bytes:
    """``utf8`` without its mark. Decoded in pieces, which stay in the processor's cache, since nobody needs the text."""
    decoder, view = codecs.getincrementaldecoder("utf-8")(), memoryview(utf8)
    for start in range(0, len(utf8), _PIECE):
        decoder.decode(view[start : start + _PIECE])
    decoder.decode(b"", final=True)
    return utf8.removeprefix(codecs.BOM_UTF8)


class _Rows:
    """Bytes to be split under ``titles``, read piece by piece; counts the line ``breaks`` that passed.

    Not a BytesIO: pandas would decode what that gives, to encode it again.
    """

    def __init__(self, titles: bytes, utf8: memoryview) -> None:
        self._titles, self._utf8, self.breaks = titles, utf8, 0

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes at most."""
        titles, self._titles = self._titles, b""
        piece, self._utf8 = self._utf8[: size - len(titles)], self._utf8[size - len(titles) :]
        self.breaks += int(np.count_nonzero(np.frombuffer(piece, dtype=np.uint8) == _BREAK))
        return b"".join((titles, piece))

    def __iter__(self) -> Iterator[bytes]:
        return iter(())  # pandas asks whether there is one


def _lacks(split: _Split, wanted: Wanted) -> tuple[int, int]:
    """How little of what is wanted stands in the first rows: least under the right delimiter."""
    header = nearest_header(split.head, wanted, ())
    return len(header.missing), -header.width


def _column(frames: Sequence[pd.DataFrame], place: str) -> Column:
    contents: dict[str, int] = {}
    codes = []
    for cells in (frame[place].cat for frame in frames):
        known = [contents.setdefault(text, len(contents)) for text in cells.categories]
        found = cells.codes.to_numpy()
        if (found < 0).any():  # rows that end early have no cell here
            known.append(contents.setdefault("", len(contents)))
        codes.append(np.array(known, dtype=np.intp)[found])
    return Column(list(contents), np.concatenate(codes))


def _numbers_or_texts(cells: Sequence["pd.Series[Any]"]) -> NDArray[np.generic]:
    """Numbers where all of the rows that were split together are; words as they stand there."""
    parts = [
        part.to_numpy()
        if part.dtype.kind in "iuf"
        else part.astype(object).map(str, na_action="ignore").to_numpy(dtype=object)
        for part in cells
    ]
    return np.concatenate(parts)


def _lines(utf8: bytes, begins: int, rows: int, delimiter: str, breaks: int) -> NDArray[np.int64]:
    """The line of each row, counted from the header; only line breaks inside quotes make it differ from 1, 2, 3..."""
    if rows == breaks + (len(utf8) > begins and not utf8.endswith(b"\n")):
        return np.arange(1, rows + 1)
    reader = csv.reader(StringIO(utf8[begins:].decode(), newline=""), delimiter=delimiter)
    ends = [0, *(reader.line_num for _ in reader)]
    if len(ends) != rows + 1:
        raise csv.Error("quotes do not close")
    return np.array(ends[:-1], dtype=np.int64) + 1
