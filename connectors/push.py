"""The source kind ``push``: nobody is asked; whoever holds the token hands figures in at the daemon's web server."""

import csv
import hashlib
import hmac
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from msgspec import Meta, structs

from connectors.base import ConnectorError, Failure
from connectors.fields import Constants, Fields
from connectors.figures import reading
from connectors.json_rows import Page, page_cells, rows_of
from connectors.observation import Original, Query, Reading
from connectors.strict import Strict

FIELDS = Fields.__struct_fields__
"""What may be said of a figure: a key of its JSON object, or a column of the CSV."""
_MUST = ("series", "period", "value")
_SAID = ("series", "subject", "unit", "status")
_OBSERVATIONS = "observations"


class PushOptions(Constants):
    """Who may hand figures in, and how many at a time."""

    token_file: str | None = None  # file with the token, relative to the book
    token_env: str | None = None  # environment variable with the token
    max_bytes: Annotated[int, Meta(gt=0)] = 4 << 20  # of one body
    max_rows: Annotated[int, Meta(gt=0)] = 10_000  # figures in one body

    def __post_init__(self) -> None:
        if (self.token_file is None) is (self.token_env is None):
            raise ValueError("token_file 和 token_env 须有且只有一个 (exactly one token): 口令不写在册里")


class Push:
    """Tells who may hand in, and reads what was handed in. It is never asked for anything."""

    Options: ClassVar[type[Strict]] = PushOptions

    def __init__(self, options: PushOptions, folder: Path) -> None:
        self.options = options
        self._folder = folder

    def admits(self, token: str) -> bool:
        """Whether ``token`` is this source's, in a time that tells nothing of it. Raises ConnectorError MISCONFIGURED.

        The token is read anew, so that a changed one needs no restart.
        """
        return hmac.compare_digest(token.encode(), self._token().encode())

    def handed_in(self, body: bytes, *, table: bool) -> "Batch":
        """The figures of one body as a source: JSON, or CSV where it is a ``table``."""
        return Batch(self.options, body, table=table)

    def fetch(self, query: Query) -> Reading:  # noqa: ARG002  as every connector
        """Raises ConnectorError: there is nobody to ask."""
        raise ConnectorError(
            Failure.MISCONFIGURED, "数据由对方推送，不能拉取 (push only): POST /api/v1/observations", retryable=False
        )

    def _token(self) -> str:
        try:
            if self.options.token_env is not None:
                token = os.environ.get(self.options.token_env, "")
            else:
                token = (self._folder / (self.options.token_file or "")).read_text(encoding="utf-8")
        except (OSError, UnicodeError):
            token = ""
        if not (token := token.strip()):
            place = self.options.token_file or f"环境变量 {self.options.token_env}"
            raise ConnectorError(
                Failure.MISCONFIGURED, f"{place} 读不出口令 (no secret): 请检查文件、权限和内容", retryable=False
            )
        return token


class Batch:
    """One body that was handed in. ``Reading.digest`` is the SHA-256 of its bytes."""

    Options: ClassVar[type[Strict]] = PushOptions

    def __init__(self, options: PushOptions, body: bytes, *, table: bool) -> None:
        self._options = options
        self._body = body
        self._table = table
        self.digest = hashlib.sha256(body).hexdigest()

    def fetch(self, query: Query) -> Reading:
        """The figures. ConnectorError: BAD_ANSWER (no JSON or CSV, another shape, an unknown key), TOO_LARGE."""
        constants = {name: said for name in _SAID if (said := getattr(self._options, name)) is not None}
        rows = [{"value": None, **constants, **row} for row in self.rows()]
        stated = {*_MUST}.union(*rows)
        fields = Fields(**{field: field for field in FIELDS if field in stated})
        path = "" if self._table else _OBSERVATIONS
        cells = page_cells([Page(rows, None, None, {})], path, fields, None, {})
        cells = replace(cells, place=lambda _field, at: [self.place(row) for row in at.tolist()])
        document = f"push-{self.digest[:12]}.{'csv' if self._table else 'json'}"
        original = Original(document, self.digest, self._body)
        return structs.replace(reading(cells, self._options, query, document, self.digest), originals=(original,))

    def place(self, row: int) -> str:
        """How the cell of a row is called."""
        return f"第{row + 2}行" if self._table else f"$.{_OBSERVATIONS}[{row}]"

    def rows(self) -> list[dict[str, Any]]:
        """What is said of each figure, as found. Raises ConnectorError."""
        rows = self._of_table() if self._table else self._of_json()
        if len(rows) > self._options.max_rows:
            raise ConnectorError(
                Failure.TOO_LARGE,
                f"一次推送至多 {self._options.max_rows} 条，收到 {len(rows)} 条 (too many rows): 请分批推送",
                retryable=False,
            )
        for place, row in enumerate(rows):
            if not isinstance(row, dict):
                raise _bad(f"{self.place(place)} 不是对象 (wrong shape)")
            if unknown := [str(key) for key in row if key not in FIELDS]:
                raise _bad(f"{self.place(place)} 有不认识的键 '{unknown[0]}' (unknown key); 可用: {'、'.join(FIELDS)}")
        return rows

    def _of_json(self) -> list[Any]:
        try:
            tree = json.loads(self._body, parse_constant=str)
        except (ValueError, RecursionError):
            raise _bad("内容不是 JSON (invalid JSON)") from None
        return rows_of(tree, _OBSERVATIONS)

    def _of_table(self) -> list[dict[str, Any]]:
        try:
            lines = list(csv.reader(io.StringIO(self._body.decode("utf-8-sig"), newline=""), strict=True))
        except (UnicodeDecodeError, csv.Error):
            raise _bad("内容不是 UTF-8 的 CSV (invalid CSV)") from None
        header, *rows = lines or [[]]
        if len({*header}) < len(header):
            raise _bad("首行有同名的列 (duplicate column): 每列请只写一次")
        while rows and not rows[-1]:
            rows.pop()  # scripts end their text with an empty line
        for place, row in enumerate(rows):
            if len(row) != len(header):
                raise _bad(f"{self.place(place)}有 {len(row)} 格，表头有 {len(header)} 格 (torn row)")
        return [dict(zip(header, row, strict=True)) for row in rows]


def _bad(words: str) -> ConnectorError:
    return ConnectorError(Failure.BAD_ANSWER, words, retryable=False)
