"""Rules that a JSON answer must meet: a small language of comparisons, and nothing else that could run."""

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from connectors.json_path import ABSENT

_Test: TypeAlias = Callable[[Any], bool]
_Operand: TypeAlias = Callable[[Any], Any]

_WORDS = {"true": True, "false": False, "null": None}
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """``returncode == 200``, ``code in [0, "0"]``, ``status == "ok" and not data.status == "error"``.

    Paths are keys joined by dots, with indexes and odd keys in brackets
    (``[0].data["a-b"]``). 200 is not "200", true is not 1. A path that leads
    nowhere is null, and is neither more nor less than anything.
    """

    text: str
    _test: _Test = field(repr=False, compare=False)

    @classmethod
    def of(cls, text: str) -> "Rule":
        """Raises ValueError, in Chinese with the cure, for what is no rule."""
        try:
            return cls(text, _test(ast.parse(text.strip(), mode="eval").body))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise ValueError(
                f'看不懂规则 {text} (bad rule): 请写成 returncode == 200 或 status == "ok" and data.status != "error"'
            ) from None

    def holds(self, tree: Any) -> bool:
        """Whether ``tree`` meets the rule."""
        return self._test(tree)


def _test(node: ast.expr) -> _Test:
    if isinstance(node, ast.BoolOp):
        tests = [_test(value) for value in node.values]
        every = all if isinstance(node.op, ast.And) else any
        return lambda tree: every(test(tree) for test in tests)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _test(node.operand)
        return lambda tree: not inner(tree)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        (op,) = node.ops
        left, right = _operand(node.left), _operand(node.comparators[0])
        return _comparison(op, left, right, listed=isinstance(node.comparators[0], ast.List))
    raise ValueError(ast.dump(node))


def _comparison(op: ast.cmpop, left: _Operand, right: _Operand, *, listed: bool) -> _Test:
    if isinstance(op, ast.Eq | ast.NotEq):
        wanted = isinstance(op, ast.Eq)
        return lambda tree: _same(left(tree), right(tree)) is wanted
    if isinstance(op, ast.In | ast.NotIn) and listed:
        wanted = isinstance(op, ast.In)
        return lambda tree: any(_same(left(tree), one) for one in right(tree)) is wanted
    order = _ORDER.get(type(op))
    if order is None:
        raise ValueError(ast.dump(op))
    return lambda tree: _ordered(order, left(tree), right(tree))


def _operand(node: ast.expr) -> _Operand:
    if isinstance(node, ast.Name) and node.id in _WORDS:
        word = _WORDS[node.id]
        return lambda _: word
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float):
        value = node.value
        return lambda _: value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        negative = -_number(node.operand.value)
        return lambda _: negative
    if isinstance(node, ast.List):
        values = [_operand(value) for value in node.elts]
        return lambda tree: [value(tree) for value in values]
    steps = _steps(node)
    return lambda tree: _walk(tree, steps)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(value)
    return value


def _steps(node: ast.expr) -> list[str | int]:
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.List) and len(node.elts) == 1:  # [0].code begins at the top
        return [_step(node.elts[0])]
    if isinstance(node, ast.Attribute):
        return [*_steps(node.value), node.attr]
    if isinstance(node, ast.Subscript):
        return [*_steps(node.value), _step(node.slice)]
    raise ValueError(ast.dump(node))


def _step(node: ast.expr) -> str | int:
    step = node.value if isinstance(node, ast.Constant) else None
    if isinstance(step, str | int) and not isinstance(step, bool):
        return step
    raise ValueError(ast.dump(node))


def _walk(tree: Any, steps: list[str | int]) -> Any:
    for step in steps:
        key = isinstance(tree, dict) and step in tree
        place = isinstance(tree, list) and isinstance(step, int) and step < len(tree)
        if not (key or place):
            return ABSENT
        tree = tree[step]
    return tree


def _same(left: Any, right: Any) -> bool:
    left, right = (None if value is ABSENT else value for value in (left, right))
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _ordered(order: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    for kind in (str, int | float):
        if all(isinstance(value, kind) and not isinstance(value, bool) for value in (left, right)):
            return order(left, right)
    return False
