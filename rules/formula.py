"""A small language over series: what one figure is made of others. Read by ``ast``, computed in columns, never by ``eval``.

Names, numbers, ``+ - * /``, parentheses, and the functions of ``FUNCTIONS``; a name with other characters stands in
quotes. What is not known stays so: a figure that needs an unknown one, or divides by nothing, is NaN.
"""

import ast
import math
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from connectors.observation import FINAL, PARTIAL
from rules.calendar import Days, Every

LONGEST = 500
"""Characters of a formula."""
DEEPEST = 50
"""Functions and signs that lie inside each other."""
FARTHEST = 366
"""Periods that ``lag`` may look back."""
NEVER = np.iinfo(np.int64).min
"""Known since then: a number that stands in the formula itself."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


_PLAIN = np.full((1, 1), FINAL, np.int8)


class Figures(NamedTuple):
    """Figures over periods and subjects (P, S): ``value`` (NaN where not known), since when it is known (any clock).

    ``status`` is a place in ``STATUSES``; where it is nil there is nothing to report, and no value.
    """

    value: Floats
    since: Ints
    status: NDArray[np.int8] = _PLAIN

    def each(self, turn: Callable[[NDArray[Any]], NDArray[Any]]) -> "Figures":
        """The same with all columns turned alike."""
        return Figures(turn(self.value), turn(self.since), turn(self.status))


class Axis(NamedTuple):
    """The periods (P,), whole years of them without a gap: the year of each and where its like of a year ago lies (-1: nowhere)."""

    year: Ints
    year_ago: Ints


def axis(ends: Days, every: Every) -> Axis:
    """The axis of the period ends of whole years. The 29th of February has no like of a year ago."""
    year = ends.astype("datetime64[Y]").astype(np.int64)
    if every is Every.DAY:
        place = {day: i for i, day in enumerate(ends.astype(object).tolist())}
        ago = np.array([place.get(_year_before(day), -1) for day in place], dtype=np.int64)
    else:
        ago = np.arange(len(ends)) - len(ends) // len(np.unique(year))
    return Axis(year, np.maximum(ago, -1))


def _year_before(day: date) -> date | None:
    return None if (day.month, day.day) == (2, 29) else day.replace(year=day.year - 1)


class _Series(Struct, frozen=True):
    name: str


class _Number(Struct, frozen=True):
    value: float


class _Apply(Struct, frozen=True):
    function: str
    arguments: "tuple[_Node, ...]"
    periods: int = 0


_Node: TypeAlias = _Series | _Number | _Apply


class Formula(Struct, frozen=True):
    """A formula that was understood: its ``text``, the ``names`` it reads in order, and ``node`` to compute it by."""

    text: str
    names: tuple[str, ...]
    node: _Node


def evaluate(formula: Formula, along: Axis, inputs: Mapping[str, Figures]) -> Figures:
    """The figures of ``formula`` from those of its names, all (P, S) along one axis.

    A result is known since the latest of the figures that it is made of, and no more final than the least final of
    them. Of what is nil at its own period it is nil; of what is nil at another (``lag``, ``cumulative``) not known.
    """
    return _value(formula.node, along, inputs)


def parse(text: str) -> Formula:
    """``第三产业增加值 / 地区生产总值 * 100``. Raises ValueError with what is wrong, at which character, and the cure."""
    if len(text) > LONGEST:
        raise ValueError(f"公式长 {len(text)} 字，最多 {LONGEST} 字 (formula too long)；请分成几个推算序列")
    text = text.replace("\n", " ").strip()
    if "\\" in text:
        raise ValueError(f"第 {text.index(chr(92)) + 1} 字：公式中不能有反斜杠 (bad formula)")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise ValueError(
            f"{_at(text, getattr(error, 'offset', None))}看不懂的公式 '{text}' (bad formula)；{_CURE}"
        ) from None
    except (RecursionError, MemoryError):
        raise ValueError(f"公式层次太深 (formula too deep)；{_CURE}") from None
    reader = _Reader(text)
    node = reader.node(tree, 0)
    if not reader.names:
        raise ValueError(f"公式 '{text}' 没有用到任何序列 (no series)；{_CURE}")
    return Formula(text, tuple(dict.fromkeys(reader.names)), node)


_CURE = (
    "应如 第三产业增加值 / 地区生产总值 * 100、max(断面A, 断面B)；可用 + - * / 和括号（均为半角）、函数 "
    "lag yoy cumulative share mean min max；名称含其他字符的加引号"
)


def _at(text: str, offset: int | None) -> str:
    return f"第 {min(offset, len(text))} 字：" if offset else ""


class _Reader:
    """From the parser's tree to ours: whatever is not expected is refused."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode()
        self.names: list[str] = []

    def node(self, tree: ast.expr, depth: int) -> _Node:
        if depth > DEEPEST:
            raise self._wrong(tree, f"层次超过 {DEEPEST} 层 (formula too deep)；请分成几个推算序列")
        match tree:
            case ast.Name() | ast.Constant(value=str()):
                # As written: the parser makes Ⅲ an III, and a series is called by its own name.
                name = tree.value if isinstance(tree, ast.Constant) else self._written(tree)
                return self._series(str(name))
            case ast.Attribute(value=ast.Name()):
                return self._series(self._written(tree))
            case ast.Constant(value=bool() | None | complex() | bytes()):
                raise self._wrong(tree, "只能是数、序列名称、运算与函数 (bad formula)")
            case ast.Constant(value=int() | float() as value) if math.isfinite(value):
                return _Number(float(value))
            case ast.UnaryOp(op=ast.USub()):
                return _Apply("-1", (self.node(tree.operand, depth + 1),))
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div()):
                left, right = self.node(tree.left, depth + 1), self.node(tree.right, depth + 1)
                return _Apply(_OPERATORS[type(tree.op)], (left, right))
            case ast.Call(func=ast.Name(), keywords=[]):
                return self._call(tree, depth)
            case _:
                raise self._wrong(tree, f"公式中不能这样写 (bad formula)；{_CURE}")

    def _series(self, name: str) -> _Node:
        self.names.append(name)
        return _Series(name)

    def _call(self, tree: ast.Call, depth: int) -> _Node:
        name, arguments = self._written(tree.func), list(tree.args)
        if name not in FUNCTIONS:
            raise self._wrong(tree, f"没有函数 '{name}' (unknown function)；可用: {' '.join(FUNCTIONS)}")
        least, most = FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            wanted = f" {least} 个" if least == most else f"至少 {least} 个"
            raise self._wrong(tree, f"{name} 的参数应为{wanted}，而不是 {len(arguments)} 个 (wrong arguments)")
        periods = 0
        if name == "lag":
            periods = self._periods(arguments.pop())
        return _Apply(name, tuple(self.node(argument, depth + 1) for argument in arguments), periods)

    def _periods(self, tree: ast.expr) -> int:
        match tree:
            case ast.Constant(value=int(count)) if not isinstance(count, bool) and 1 <= count <= FARTHEST:
                return count
            case _:
                raise self._wrong(tree, f"lag 的期数应为 1 至 {FARTHEST} 的整数，如 lag(用电量, 1) (wrong arguments)")

    def _written(self, tree: ast.expr) -> str:
        return self._bytes[tree.col_offset : tree.end_col_offset].decode()

    def _wrong(self, tree: ast.expr, words: str) -> ValueError:
        # Columns count bytes; a reader counts characters.
        return ValueError(f"第 {len(self._bytes[: tree.col_offset].decode()) + 1} 字：{words}")


_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_MANY = 100
FUNCTIONS = {
    "lag": (2, 2),
    "yoy": (1, 1),
    "cumulative": (1, 1),
    "share": (2, 2),
    "mean": (1, 1),
    "min": (2, _MANY),
    "max": (2, _MANY),
}
"""Functions and how many arguments they take, at least and at most."""


def _divide(a: Floats, b: Floats) -> Floats:
    return a / np.where(b == 0, np.nan, b)


def _growth(now: Floats, before: Floats) -> Floats:
    """Percent growth; none from nothing or from less: offices state none then."""
    return (_divide(now, np.where(before > 0, before, np.nan)) - 1) * 100


_EACH: dict[str, Callable[..., Floats]] = {
    "-1": np.negative,
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _divide,
    "share": lambda a, b: _divide(a, b) * 100,
    "yoy": _growth,
    "min": lambda *series: np.minimum.reduce(np.broadcast_arrays(*series)),
    "max": lambda *series: np.maximum.reduce(np.broadcast_arrays(*series)),
}
"""What is computed figure by figure."""


def _value(node: _Node, along: Axis, inputs: Mapping[str, Figures]) -> Figures:
    match node:
        case _Series(name):
            return inputs[name]
        case _Number(value):
            return Figures(np.full((1, 1), value), np.full((1, 1), NEVER))
        case _Apply(function, arguments, periods):
            made = [_value(argument, along, inputs) for argument in arguments]
            if function in ("lag", "cumulative", "mean", "yoy"):
                shape = (len(along.year), made[0].value.shape[1])
                made = [made[0].each(lambda column: np.broadcast_to(column, shape))]
            if function == "lag":
                return _moved(made[0], np.maximum(np.arange(len(along.year)) - periods, -1))
            if function == "cumulative":
                return _cumulative(made[0], along)
            if function == "mean":
                return _mean(made[0], along)
            if function == "yoy":
                made.append(_moved(made[0], along.year_ago))
            with np.errstate(all="ignore"):
                result = _EACH[function](*(one.value for one in made))
            since = np.maximum.reduce(np.broadcast_arrays(*(one.since for one in made)))
            status = np.maximum.reduce(np.broadcast_arrays(*(one.status for one in made)))
            return Figures(np.where(np.isfinite(result), result, np.nan), since, status)


def _moved(figures: Figures, place: Ints) -> Figures:
    """Each period's figures taken from ``place``; none where that is -1."""
    there = (place >= 0)[:, np.newaxis]
    value, since = np.where(there, figures.value[place], np.nan), np.where(there, figures.since[place], NEVER)
    return Figures(value, since, np.where(there, _elsewhere(figures.status)[place], _PLAIN))


def _elsewhere(status: NDArray[np.int8]) -> NDArray[np.int8]:
    """As it counts at another period: nil says nothing of that."""
    return np.minimum(status, np.int8(PARTIAL))


def _cumulative(figures: Figures, along: Axis) -> Figures:
    """The sum of the year so far. A period that is not known leaves all that follow in its year unknown."""
    value, since, status = figures.each(np.empty_like)
    with np.errstate(all="ignore"):
        for year in np.unique(along.year):
            mine = along.year == year
            value[mine] = np.cumsum(figures.value[mine], axis=0)
            since[mine] = np.maximum.accumulate(figures.since[mine], axis=0)
            status[mine] = np.maximum.accumulate(_elsewhere(figures.status[mine]), axis=0)
    return Figures(np.where(np.isfinite(value), value, np.nan), since, status)


def _mean(figures: Figures, along: Axis) -> Figures:
    """The mean, for every subject, of all that stated a figure until then, this year or last; not known while one is missing."""
    known = ~np.isnan(figures.value)
    belongs = np.empty_like(known)
    for year in np.unique(along.year):
        mine, last = along.year == year, along.year == year - 1
        belongs[mine] = np.logical_or.accumulate(known[mine], axis=0) | known[last].any(axis=0)
    with np.errstate(all="ignore"):
        total = np.where(belongs, figures.value, 0.0).sum(axis=1, keepdims=True)
        value = _divide(total, belongs.sum(axis=1, keepdims=True).astype(np.float64))
    since = np.where(belongs, figures.since, NEVER).max(axis=1, keepdims=True)
    status = np.where(belongs, _elsewhere(figures.status), np.int8(FINAL)).max(axis=1, keepdims=True)
    found = Figures(np.where(np.isfinite(value), value, np.nan), since, status)
    return found.each(lambda column: np.broadcast_to(column, figures.value.shape))


def adds_up(formula: Formula) -> bool:
    """Whether it only adds series, each once: 甲 + 乙 + 丙."""

    def parts(node: _Node) -> list[str] | None:
        match node:
            case _Series(name):
                return [name]
            case _Apply("+", (left, right)):
                found = parts(left), parts(right)
                return None if found[0] is None or found[1] is None else [*found[0], *found[1]]
            case _:
                return None

    names = parts(formula.node)
    return names is not None and len(names) == len(set(names)) > 1
