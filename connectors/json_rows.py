"""From the rows of a JSON answer to cells."""

import json
from typing import Any

import numpy as np

from connectors.base import ConnectorError, Failure
from connectors.fields import Fields
from connectors.figures import Cells, Column, Rows, objects
from connectors.json_path import ABSENT, dig, json_path

_TRUE = (True, "1", "true", "True")


def row_cells(tree: Any, rows_path: str, fields: Fields, has: str | None) -> Cells:
    """The figures of the list at ``rows_path``, each called ``$.data.rows[3]``.

    A row whose ``has`` is not true states no figure, whatever its value.
    Raises ConnectorError BAD_ANSWER where there is no list, or where a path
    leads nowhere in every row; but a status is often stated of single figures only.
    """
    rows = dig(tree, rows_path)
    if not isinstance(rows, list):
        raise _wrong_shape(f"{json_path(rows_path)} 不是列表", tree)
    found = {field: _cells(rows, path, needed=field != "status") for field, path in fields.mapped().items()}
    values = found.pop("value")
    if has is not None:
        values = [value if flag in _TRUE else "" for value, flag in zip(values, _cells(rows, has), strict=True)]

    def place(_field: str, at: Rows) -> list[str]:
        return [f"{json_path(rows_path)}[{row}]" for row in at.tolist()]

    return Cells(
        value=objects(values),
        line=np.arange(len(rows)),
        torn=np.zeros(len(rows), dtype=bool),
        place=place,
        notes_below=False,
        **{field: Column.of(cells) for field, cells in found.items()},
    )


def _cells(rows: list[Any], path: str, *, needed: bool = True) -> list[Any]:
    found = [dig(row, path) for row in rows]
    if needed and rows and all(content is ABSENT for content in found):
        raise _wrong_shape(f"各行都没有 {path}", rows[0])
    return [_content(content) for content in found]


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
