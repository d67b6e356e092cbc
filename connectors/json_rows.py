"""From the rows of JSON answers to cells."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from connectors.base import ConnectorError, Failure
from connectors.fields import Fields
from connectors.figures import Cells, Column, Rows, objects
from connectors.http_template import Codes
from connectors.json_path import ABSENT, finder, json_path
from connectors.json_rule import Rule

_PLAIN = {str, int, float}
_MUST = ("period", "series", "subject")


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: its rows, what the request says of them (None: nothing), and what each must repeat, path -> words."""

    rows: list[Any]
    series: str | None
    subject: str | None
    echo: Mapping[str, str]


def rows_of(tree: Any, path: str) -> list[Any]:
    """The list at ``path``. Raises ConnectorError BAD_ANSWER where there is none."""
    rows = finder(path)(tree)
    if not isinstance(rows, list):
        raise _wrong_shape(f"{json_path(path)} 不是列表", tree)
    return rows


def page_cells(pages: Sequence[Page], path: str, fields: Fields, has: Rule | None, codes: Codes) -> Cells:
    """The figures of all pages, each called ``$.data.rows[3]``, with ``第2个答复`` before it where there are several.

    A row for which ``has`` does not hold states no figure, whatever its value.
    Names are those of the books where ``codes`` knows what the source calls
    them. Raises ConnectorError BAD_ANSWER where a path leads nowhere in every row;
    but a status is often stated of single figures only.
    """
    rows = [row for page in pages for row in page.rows]
    found = {field: _cells(rows, place, field) for field, place in fields.mapped().items()}
    values = found.pop("value")
    if has is not None:
        values = [value if has.holds(row) else "" for value, row in zip(values, rows, strict=True)]
    for field, known in codes.items():
        if field in found:
            names = {code: name for name, code in known.items()}
            found[field] = [names.get(str(content), content) for content in found[field]]
    lengths = [len(page.rows) for page in pages]
    for field in ("series", "subject"):
        if any(getattr(page, field) is not None for page in pages):
            found[field] = np.repeat(objects([getattr(page, field) or "" for page in pages]), lengths).tolist()
    starts = np.concatenate([[0], np.cumsum(lengths)])

    def place(_field: str, at: Rows) -> list[str]:
        of = np.searchsorted(starts, at, side="right") - 1
        head = [f"第{page + 1}个答复 " if len(pages) > 1 else "" for page in of.tolist()]
        return [f"{h}{json_path(path)}[{row}]" for h, row in zip(head, (at - starts[of]).tolist(), strict=True)]

    return Cells(
        value=objects(values),
        line=np.arange(len(rows)),
        torn=np.zeros(len(rows), dtype=bool),
        place=place,
        notes_below=False,
        strange=Column.of([_strange(row, page.echo) for page in pages for row in page.rows])
        if any(page.echo for page in pages)
        else None,
        **{field: Column.of(cells) for field, cells in found.items()},
    )


def _strange(row: Any, echo: Mapping[str, str]) -> str:
    """What the row says of another dimension than was asked for, "" where it repeats all."""
    for path, wanted in echo.items():
        content = _content(finder(path)(row))
        if str(content) != wanted:
            return f"{path} 为 {content or '空'}，应为 {wanted}"
    return ""


def _cells(rows: list[Any], path: str, field: str) -> list[Any]:
    find = finder(path)
    found = [find(row) for row in rows]
    nowhere = field != "status" and all(content is ABSENT or (content is None and field in _MUST) for content in found)
    if rows and nowhere:
        raise _wrong_shape(f"各行都没有 {path}", rows[0])
    return found if set(map(type, found)) <= _PLAIN else [_content(content) for content in found]


def _content(content: Any) -> Any:
    if content is None or content is ABSENT:
        return ""
    if isinstance(content, str) or (isinstance(content, int | float) and not isinstance(content, bool)):
        return content
    return json.dumps(content, ensure_ascii=False)


def _wrong_shape(words: str, seen: Any) -> ConnectorError:
    there = "、".join(map(str, seen)) if isinstance(seen, dict) else type(seen).__name__
    return ConnectorError(
        Failure.BAD_ANSWER, f"答复的结构不符 (wrong shape): {words}；那里有: {there[:200]}", retryable=False
    )
