"""Dotted paths into a JSON answer, and rules that such an answer must meet."""

import json
import re
from dataclasses import dataclass
from typing import Any

ABSENT: Any = object()
"""What stands at a path that leads nowhere (null stands there as None)."""

_RULE = re.compile(r"(\S+)\s*(==|!=)\s*(.+)")


def dig(tree: Any, path: str) -> Any:
    """What stands at ``path``: keys and list indexes joined by dots (``wds.0.code``); the whole tree for ""."""
    for step in path.split(".") if path else ():
        if isinstance(tree, dict) and step in tree:
            tree = tree[step]
        elif isinstance(tree, list) and step.isdecimal() and int(step) < len(tree):
            tree = tree[int(step)]
        else:
            return ABSENT
    return tree


def json_path(path: str) -> str:
    """The same path as JSONPath: ``$.data[1].rows``."""
    return "$" + "".join(f"[{step}]" if step.isdecimal() else f".{step}" for step in path.split(".") if step)


@dataclass(frozen=True, slots=True)
class Rule:
    """``path == literal`` or ``path != literal``; the literal is JSON, so 200 is not "200" and true is not 1."""

    text: str
    path: str
    equal: bool
    literal: Any

    @classmethod
    def of(cls, text: str) -> "Rule":
        """Raises ValueError, in Chinese with the cure, for what is no rule."""
        found = _RULE.fullmatch(text.strip())
        try:
            if found:
                return cls(text, found[1], found[2] == "==", json.loads(found[3]))
        except ValueError:
            pass
        raise ValueError(f'看不懂规则 {text} (bad rule): 请写成 returncode == 200 或 status == "ok"')

    def holds(self, tree: Any) -> bool:
        """Whether the answer meets the rule; a path that leads nowhere equals nothing."""
        found = dig(tree, self.path)
        same = (
            found is not ABSENT and found == self.literal and isinstance(found, bool) == isinstance(self.literal, bool)
        )
        return same is self.equal
