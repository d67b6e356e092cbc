"""Paths into a JSON answer: dotted steps, or JMESPath where steps do not suffice."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

ABSENT: Any = object()
"""What stands at a path that leads nowhere (null stands there as None)."""

_DOTTED = re.compile(r"[^\[\]{}()|&*@?`'\"!<>=,:\s.]+(?:\.[^\[\]{}()|&*@?`'\"!<>=,:\s.]+)*|")


@lru_cache(maxsize=4096)
def finder(path: str) -> Callable[[Any], Any]:
    """What finds ``path`` in a tree.

    A dotted path has keys and list indexes as its steps (``wds.0.code``; "" is
    the whole tree) and tells ABSENT from null. Everything else is JMESPath
    (``wds[?wdcode=='zb'] | [0].code``), in which both are None. Raises
    ValueError, in Chinese with the cure, for what is neither.
    """
    if _DOTTED.fullmatch(path):
        if path and "." not in path and not path.isdecimal():
            return lambda tree: tree.get(path, ABSENT) if isinstance(tree, dict) else ABSENT
        steps = path.split(".") if path else []
        return lambda tree: _walk(tree, steps)
    try:
        compiled = jmespath.compile(path)
    except JMESPathError as error:
        raise ValueError(
            f"看不懂路径 {path} (bad path): 请写成 data.rows.0，或 JMESPath；{str(error).splitlines()[0]}"
        ) from None

    def search(tree: Any) -> Any:
        try:
            return compiled.search(tree)
        except JMESPathError:  # a function that does not fit what stands there
            return ABSENT

    return search


def dig(tree: Any, path: str) -> Any:
    """What stands at ``path``, ABSENT where a dotted path leads nowhere."""
    return finder(path)(tree)


def json_path(path: str) -> str:
    """The place in words, as JSONPath has it: ``$.data[1].rows``."""
    if not _DOTTED.fullmatch(path):
        return f"${path}" if path.startswith("[") else f"$.{path}"
    return "$" + "".join(f"[{step}]" if step.isdecimal() else f".{step}" for step in path.split(".") if step)


def _walk(tree: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(tree, dict) and step in tree:
            tree = tree[step]
        elif isinstance(tree, list) and step.isdecimal() and int(step) < len(tree):
            tree = tree[int(step)]
        else:
            return ABSENT
    return tree
