"""Formulas: what they compute, beside pandas; what they never do; what is refused, and where."""

import ast
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.observation import NIL
from rules.calendar import Every, period_ends
from rules.formula import DEEPEST, LONGEST, NEVER, Figures, Floats, axis, evaluate, parse

YEARS, SUBJECTS, PERIODS = (2024, 2025), 3, 8  # quarters
ENDS = np.concatenate([period_ends(year, Every.QUARTER) for year in YEARS])
ALONG = axis(ENDS, Every.QUARTER)
NAMES = ("甲", "乙", "丙")


def computed(text: str, **inputs: Any) -> Floats:
    """The values of a formula over matrices (P, S)."""
    figures = {
        name: Figures(np.array(value, float), np.zeros(np.shape(value), np.int64)) for name, value in inputs.items()
    }
    return evaluate(parse(text), ALONG, figures).value


def column(*values: float) -> Floats:
    return np.array(values, dtype=float)[:, np.newaxis]


@dataclass(frozen=True)
class Tree:
    """A formula and what pandas makes of it; ``linear`` in its names."""

    text: str
    of: Callable[[dict[str, pd.DataFrame]], Any]
    linear: bool


def _finite(value: Any) -> Any:
    return value.where(np.isfinite(value)) if isinstance(value, pd.DataFrame) else value


def _mean(x: pd.DataFrame) -> pd.DataFrame:
    belongs = x.notna().cummax()
    mean = x.where(belongs, 0.0).sum(axis=1, skipna=False) / belongs.sum(axis=1).replace(0, np.nan)
    mean[(belongs & x.isna()).any(axis=1)] = np.nan
    return pd.DataFrame(dict.fromkeys(x.columns, mean))


def _yoy(x: pd.DataFrame) -> pd.DataFrame:
    before = x.shift(4)
    return (x / before.where(before > 0) - 1) * 100


ONE: dict[str, tuple[str, Callable[[Any], Any], bool]] = {
    "minus": ("-({})", lambda x: -x, True),
    "lag 1": ("lag({}, 1)", lambda x: x.shift(1), True),
    "lag 5": ("lag({}, 5)", lambda x: x.shift(5), True),
    "cumulative": ("cumulative({})", lambda x: x.groupby(x.index.year).cumsum(skipna=False), True),
    "mean": ("mean({})", _mean, True),
    "yoy": ("yoy({})", _yoy, False),
    "times": ("({}) * 2.5", lambda x: x * 2.5, True),
}
TWO: dict[str, tuple[str, Callable[[Any, Any], Any], bool]] = {
    "add": ("({} + {})", lambda x, y: x + y, True),
    "subtract": ("({} - {})", lambda x, y: x - y, True),
    "multiply": ("{} * {}", lambda x, y: x * y, False),
    "divide": ("({}) / ({})", lambda x, y: x / y.where(y != 0), False),
    "share": ("share({}, {})", lambda x, y: x / y.where(y != 0) * 100, False),
    "min": ("min({}, {})", lambda x, y: x.where((x <= y) | y.isna(), y).where(x.notna() & y.notna()), False),
    "max": ("max({}, {})", lambda x, y: x.where((x >= y) | y.isna(), y).where(x.notna() & y.notna()), False),
}

LEAVES = st.sampled_from(NAMES).map(lambda name: Tree(name, lambda frames: frames[name], linear=True))


def _one(pair: tuple[str, Tree]) -> Tree:
    (text, function, linear), inner = ONE[pair[0]], pair[1]
    return Tree(text.format(inner.text), lambda f: _finite(function(inner.of(f))), linear and inner.linear)


def _two(triple: tuple[str, Tree, Tree]) -> Tree:
    (text, function, linear), left, right = TWO[triple[0]], triple[1], triple[2]
    wrapped = (f"({left.text})", f"({right.text})")
    return Tree(
        text.format(*wrapped),
        lambda f: _finite(function(left.of(f), right.of(f))),
        linear and left.linear and right.linear,
    )


def _wider(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    one = st.tuples(st.sampled_from(sorted(ONE)), inner).map(_one)
    return one | st.tuples(st.sampled_from(sorted(TWO)), inner, inner).map(_two)


TREES = st.recursive(LEAVES, _wider, max_leaves=6).filter(lambda tree: len(tree.text) <= LONGEST)
CELLS = st.integers(-12, 40).map(float) | st.just(float("nan"))
MATRICES = st.lists(CELLS, min_size=PERIODS * SUBJECTS, max_size=PERIODS * SUBJECTS).map(
    lambda cells: np.array(cells).reshape(PERIODS, SUBJECTS)
)
INPUTS = st.fixed_dictionaries(dict.fromkeys(NAMES, MATRICES))


def frames(inputs: dict[str, Floats]) -> dict[str, pd.DataFrame]:
    return {name: pd.DataFrame(value, index=pd.DatetimeIndex(ENDS)) for name, value in inputs.items()}


@given(TREES, INPUTS)
@settings(max_examples=300, deadline=None)
def test_any_formula_says_what_pandas_says(tree: Tree, inputs: dict[str, Floats]) -> None:
    found = computed(tree.text, **inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = tree.of(frames(inputs)).to_numpy(float)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@given(TREES, INPUTS, st.permutations(range(SUBJECTS)))
@settings(deadline=None)
def test_the_order_of_subjects_does_not_matter(tree: Tree, inputs: dict[str, Floats], order: list[int]) -> None:
    turned = computed(tree.text, **{name: value[:, order] for name, value in inputs.items()})
    np.testing.assert_allclose(turned, computed(tree.text, **inputs)[:, order], rtol=1e-9, atol=1e-9)


@given(TREES.filter(lambda tree: tree.linear), INPUTS, INPUTS)
@settings(deadline=None)
def test_a_sum_of_what_is_known_is_the_sum_of_its_formulas(
    tree: Tree, left: dict[str, Floats], right: dict[str, Floats]
) -> None:
    # Who belongs to a mean follows from what is known: both have the same gaps.
    right = {name: np.where(np.isnan(left[name]), np.nan, np.nan_to_num(value)) for name, value in right.items()}
    both = computed(tree.text, **{name: 2 * left[name] - 3 * right[name] for name in NAMES})
    np.testing.assert_allclose(
        both, 2 * computed(tree.text, **left) - 3 * computed(tree.text, **right), rtol=1e-9, atol=1e-6
    )


@given(TREES, INPUTS, st.data())
@settings(deadline=None)
def test_a_figure_more_never_makes_another_one_unknown_but_for_a_mean(
    tree: Tree, inputs: dict[str, Floats], data: st.DataObject
) -> None:
    """What is missing is never taken for 0: with a gap filled no known figure changes."""
    if "mean" in tree.text:
        return
    name = data.draw(st.sampled_from(NAMES))
    filled = {**inputs, name: np.where(np.isnan(inputs[name]), 7.0, inputs[name])}
    before, after = computed(tree.text, **inputs), computed(tree.text, **filled)
    known = ~np.isnan(before)
    np.testing.assert_array_equal(before[known], after[known])


@given(TREES, INPUTS)
@settings(deadline=None)
def test_a_figure_is_known_since_no_earlier_than_what_it_needs(tree: Tree, inputs: dict[str, Floats]) -> None:
    """With what was known until a moment, exactly the figures known since then come out, unless one is missing."""
    rng = np.random.default_rng(1)
    since = {name: rng.integers(0, 4, value.shape) for name, value in inputs.items()}
    formula = parse(tree.text)
    if "mean" in tree.text:
        return
    whole = evaluate(formula, ALONG, {name: Figures(inputs[name], since[name]) for name in NAMES})
    for moment in range(4):
        then = {name: Figures(np.where(since[name] <= moment, inputs[name], np.nan), since[name]) for name in NAMES}
        known = evaluate(formula, ALONG, then).value
        np.testing.assert_array_equal(
            known[~np.isnan(whole.value)],
            np.where(whole.since <= moment, whole.value, np.nan)[~np.isnan(whole.value)],
        )


def test_nothing_is_divided_by_nothing() -> None:
    assert np.isnan(computed("甲 / 乙", 甲=column(*[1] * 8), 乙=column(*[0] * 8))).all()


def test_growth_is_against_the_same_period_of_the_year_before_and_none_against_a_loss() -> None:
    found = computed("yoy(甲)", 甲=column(100, 200, 0, -50, 110, 150, 30, 60))
    np.testing.assert_allclose(found[:, 0], [np.nan] * 4 + [10, -25, np.nan, np.nan])


def test_a_missing_quarter_leaves_the_rest_of_its_year_without_a_sum() -> None:
    found = computed("cumulative(甲)", 甲=column(1, np.nan, 3, 4, 5, 6, 7, 8))
    np.testing.assert_array_equal(found[:, 0], [1, np.nan, np.nan, np.nan, 5, 11, 18, 26])


def test_a_mean_waits_for_every_subject_that_has_stated_a_figure_before() -> None:
    figures = np.array([[1, 3, np.nan], [2, 4, np.nan], [3, np.nan, np.nan], [4, 6, 8], *[[1, 1, np.nan]] * 4])
    np.testing.assert_array_equal(computed("mean(甲)", 甲=figures)[:, 0], [2, 3, np.nan, 6, *[np.nan] * 4])
    assert (computed("甲 - mean(甲)", 甲=figures)[1] == [-1, 1, np.nan])[:2].all()


def test_the_like_of_a_day_is_that_of_the_calendar() -> None:
    ends = np.concatenate([period_ends(year, Every.DAY) for year in (2023, 2024, 2025)])
    along = axis(ends, Every.DAY)
    days = ends.astype(object).tolist()
    leap = days.index(np.datetime64("2024-02-29").item())
    assert along.year_ago[leap] == -1
    assert days[along.year_ago[leap + 1]].isoformat() == "2023-03-01"
    assert days[along.year_ago[-1]].isoformat() == "2024-12-31"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("第三产业增加值 / 地区生产总值 * 100", ("第三产业增加值", "地区生产总值")),
        ("Ⅲ类断面 / 断面", ("Ⅲ类断面", "断面")),  # not IIIs, as Python would have it
        ("filings.甲 + stats.甲 + 甲", ("filings.甲", "stats.甲", "甲")),
        ("'一般公共预算收入（同口径）' - 1", ("一般公共预算收入（同口径）",)),
        ("max(断面A,\n  断面B)", ("断面A", "断面B")),
        ("甲 + 甲", ("甲",)),
    ],
)
def test_names_are_read_as_written(text: str, names: tuple[str, ...]) -> None:
    assert parse(text).names == names


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "看不懂的公式 '' (bad formula)；应如 第三产业增加值"),
        ("甲 乙", "看不懂的公式 '甲 乙' (bad formula)"),
        ("甲 ÷ 乙", "第 3 字：看不懂的公式"),
        ("（甲）", "第 1 字：看不懂的公式"),
        ("1 + 2", "没有用到任何序列 (no series)"),
        ("甲 + sum(乙)", "第 5 字：没有函数 'sum' (unknown function)；可用: lag yoy"),
        ("甲 + yoy(乙, 1)", "第 5 字：yoy 的参数应为 1 个，而不是 2 个 (wrong arguments)"),
        ("max(甲)", "max 的参数应为至少 2 个，而不是 1 个"),
        ("lag(甲, 0)", "第 8 字：lag 的期数应为 1 至 366 的整数"),
        ("lag(甲, 乙)", "lag 的期数应为"),
        ("lag(甲, True)", "lag 的期数应为"),
        ("甲 ** 2", "第 1 字：公式中不能这样写 (bad formula)"),
        ("甲 // 2", "公式中不能这样写"),
        ("甲 if 乙 else 丙", "公式中不能这样写"),
        ("甲 > 乙", "公式中不能这样写"),
        ("甲.乙.丙", "公式中不能这样写"),
        ("甲[0]", "公式中不能这样写"),
        ("甲.乙()", "公式中不能这样写"),
        ("max(*甲, 乙)", "公式中不能这样写"),
        ("max(甲, 乙, key=丙)", "公式中不能这样写"),
        ("甲 + True", "只能是数、序列名称、运算与函数"),
        ("甲 + 1j", "只能是数、序列名称、运算与函数"),
        ("甲 * 1e999", "公式中不能这样写"),
        ("(lambda: 甲)()", "公式中不能这样写"),
        ("[甲 for 甲 in 乙]", "公式中不能这样写"),
        ("f'{甲}'", "公式中不能这样写"),
        ("'\\x41' + 甲", "第 2 字：公式中不能有反斜杠 (bad formula)"),
        ("甲 +" + "乙 +" * 200 + "丙", f"最多 {LONGEST} 字 (formula too long)"),
        ("-" * (DEEPEST + 1) + "甲", f"层次超过 {DEEPEST} 层 (formula too deep)"),
        ("(" * 240 + "甲" + ")" * 240, "(bad formula)"),
        ("甲 + \0", "(bad formula)"),
    ],
)
def test_what_is_no_formula_is_refused_with_its_place_and_cure(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"\(") as refusal:
        parse(text)
    assert says in str(refusal.value)


@given(st.text(alphabet="甲乙ab.,+-*/()[]{}'\"_1eE \n:=<>lagmxinyo@!%", max_size=40))
@settings(max_examples=300, deadline=None)
def test_whatever_is_written_is_a_formula_or_refused(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            formula = parse(text)
        except ValueError:
            return
    shape = np.ones((PERIODS, 1))
    inputs = {name: Figures(shape, shape.astype(np.int64)) for name in formula.names}
    assert np.shape(evaluate(formula, ALONG, inputs).value) == (PERIODS, 1)
    assert isinstance(ast.parse(formula.text, mode="eval"), ast.Expression)


def test_a_number_alone_was_always_known() -> None:
    found = evaluate(parse("甲 + 1"), ALONG, {"甲": Figures(np.ones((PERIODS, 1)), np.full((PERIODS, 1), 5))})
    assert (found.since == 5).all()
    assert (found.since > NEVER).all()


def states(text: str, **inputs: list[int]) -> list[int]:
    """The status of a formula over columns of codes of ``STATUSES``."""
    figures = {
        name: Figures(
            np.where(column(*codes) == NIL, np.nan, 1.0),
            np.zeros((PERIODS, 1), np.int64),
            np.array(codes, np.int8)[:, np.newaxis],
        )
        for name, codes in inputs.items()
    }
    return [int(code) for code in evaluate(parse(text), ALONG, figures).status[:, 0]]


def test_a_result_is_as_final_as_the_least_final_of_what_it_is_made_of() -> None:
    a, b = [0, 1, 2, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 1, 0, 0]
    assert states("甲 + 乙 * 2", 甲=a, 乙=b) == [0, 1, 2, 1, 0, 1, 0, 0]
    assert states("lag(甲, 1)", 甲=a) == [0, 0, 1, 1, 0, 0, 0, 0]
    assert states("cumulative(甲)", 甲=b) == [0, 0, 0, 1, 0, 1, 1, 1]
    assert states("yoy(甲)", 甲=a) == [0, 1, 2, 0, 0, 1, 1, 0]
    assert states("mean(甲)", 甲=b) == b


def test_who_stated_nothing_since_the_year_before_last_no_longer_belongs_to_the_mean() -> None:
    ends = np.concatenate([period_ends(year, Every.QUARTER) for year in (2023, 2024, 2025)])
    value = np.ones((12, 2))
    value[:, 1] = 3.0
    value[4:, 1] = np.nan
    figures = {"甲": Figures(value, np.zeros((12, 2), np.int64))}
    mean = evaluate(parse("mean(甲)"), axis(ends, Every.QUARTER), figures).value[:, 0]
    np.testing.assert_array_equal(mean, [2.0] * 4 + [np.nan] * 4 + [1.0] * 4)
