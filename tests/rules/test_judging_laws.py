"""What holds for all targets and figures: the judge in columns says what a plain judge says, and obeys its laws."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import judging
from rules.judging import judge, verdict
from rules.target import Measure
from rules.verdict import Verdicts
from tests.rules.builders import a_block, a_panel
from tests.rules.naive import NAIVE_MEASURES, Answer, NaiveJudge

Target = dict[str, Any]

_AMOUNT = st.integers(-40, 480).map(lambda quarters: quarters / 4)
_UNIT = {"growth": "%", "share": "%", "reduction": "%", "rank": "位", "class": "类", "ceiling": "%", "floor": "亩"}
_OPS = {"floor": ["at least"], "ceiling": ["at most"], "zero": ["at most"], "rank": ["at most"]}
_FREE = ["at least", "more than", "at most", "less than", "exactly", "between", "about"]
_EVERY = ["month", "quarter", "half", "year"]
_PUBLISHED = ["10 workdays after period", "0 days after period", "45 days after period", "day 5 of next month"]
_CHECKPOINTS = "checkpoints {2025-04-10: 20%, 2025-09-30: 20%, 2025-12-31: 100%}"


@st.composite
def _targets(draw: st.DrawFn, every: str) -> Target:
    measures = [*NAIVE_MEASURES] if every == "year" else [m for m in NAIVE_MEASURES if m is not Measure.MILESTONE]
    measure = str(draw(st.sampled_from(measures)))
    if measure == "milestone":
        return {"measure": measure, "goal": draw(st.sampled_from(["done by 2025-05-31", "done by 2025-12-31"]))}
    unit = _UNIT.get(measure, "个")
    op, value = draw(st.sampled_from(_OPS.get(measure, _FREE))), draw(_AMOUNT)
    goal = {"between": f"between {value} and {value + 5} {unit}", "about": f"about {value} {unit} within 2"}
    curves = ["linear", "hold", "path from 20", "path from -3"]
    curves += [] if op in ("at most", "less than") else [_CHECKPOINTS]
    amounts = [f"behind {n} {unit}" for n in (0, 2.5, 10)] if unit != "%" else ["behind 0 points", "behind 2.5 points"]
    amounts += ["below 12", "above 80", "any breach"]
    amounts += ["behind 0%", "behind 10%", "behind 25%"] if measure in ("cumulative", "level", "reduction") else []
    threshold = st.tuples(st.sampled_from(amounts), st.sampled_from(["", "", " for 2", " for 3"]))
    level = threshold.map(lambda t: t[0] if t[0] == "any breach" else "".join(t))
    return {
        "measure": measure,
        "goal": goal.get(op, f"{op} {value} {unit}"),
        "every": every,
        "published": draw(st.sampled_from(_PUBLISHED)),
        "levels": draw(st.fixed_dictionaries({}, optional={"yellow": level, "red": level})),
        **draw(st.fixed_dictionaries({}, optional={"expect": st.sampled_from(curves)})),
    }


_PERIODS = {"month": 12, "quarter": 4, "half": 2, "year": 1}


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[list[Target], list[dict[int, float]], date]:
    every = draw(st.sampled_from(_EVERY))
    targets = draw(st.lists(_targets(every), min_size=1, max_size=5))
    known = st.dictionaries(st.integers(1, _PERIODS[every]), _AMOUNT, max_size=8)
    figures = draw(st.lists(known, min_size=len(targets), max_size=len(targets)))
    return targets, figures, draw(st.dates(date(2025, 1, 1), date(2026, 3, 1)))


def _equal(left: Verdicts, right: Verdicts) -> None:
    for column in fields(Verdicts):
        np.testing.assert_array_equal(getattr(left, column.name), getattr(right, column.name), err_msg=column.name)


def _rows(verdicts: Verdicts, rows: Sequence[int]) -> Verdicts:
    return Verdicts(*(getattr(verdicts, column.name)[list(rows)] for column in fields(Verdicts)))


@given(_worlds())
@settings(max_examples=150, deadline=None)
def test_the_judge_in_columns_says_what_the_plain_judge_says(
    world: tuple[list[Target], list[dict[int, float]], date],
) -> None:
    targets, figures, today = world
    block = a_block(*targets)
    panel = a_panel(block, *figures)
    columns = judge(panel, today)
    for row, known in enumerate(figures):
        found = verdict(panel, columns, row, row)
        assert Answer(found.reason, found.level, found.pending) == NaiveJudge.of(block, row, known).answer(today), (
            targets[row]
        )


@given(_worlds(), st.data(), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_rows_are_judged_alike_in_any_order_and_company_and_in_chunks_of_any_size(
    world: tuple[list[Target], list[dict[int, float]], date], data: st.DataObject, chunk: int
) -> None:
    targets, figures, today = world
    panel = a_panel(a_block(*targets), *figures)
    some = data.draw(st.lists(st.sampled_from(range(len(targets))), unique=True))
    failed = np.array(data.draw(st.lists(st.booleans(), min_size=len(targets), max_size=len(targets))))
    whole = judge(panel, today, failed)
    _equal(judge(panel, today, failed, rows=np.array(some, dtype=np.int64)), _rows(whole, some))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "_CHUNK", chunk)
        _equal(judge(panel, today, failed), whole)
        _equal(judge(panel, today, failed, rows=np.array(some, dtype=np.int64)), _rows(whole, some))


@given(_worlds(), st.data())
@settings(max_examples=60, deadline=None)
def test_an_edit_of_one_target_changes_no_other_verdict(
    world: tuple[list[Target], list[dict[int, float]], date], data: st.DataObject
) -> None:
    targets, figures, today = world
    edited = data.draw(st.sampled_from(range(len(targets))))
    every = targets[edited].get("every", "year")
    others = [row for row in range(len(targets)) if row != edited]
    changed = [*targets[:edited], data.draw(_targets(every)), *targets[edited + 1 :]]
    before, after = (judge(a_panel(a_block(*written), *figures), today) for written in (targets, changed))
    _equal(_rows(before, others), _rows(after, others))


_MEASURES = ["cumulative", "level", "growth", "floor"]
_GOALS = {
    "cumulative": "at least 60 个",
    "level": "at least 60 个",
    "growth": "at least 6 %",
    "floor": "at least 60 亩",
}


@given(st.sampled_from(_MEASURES), st.lists(_AMOUNT, min_size=1, max_size=12), st.integers(0, 11), _AMOUNT.map(abs))
@settings(max_examples=60, deadline=None)
def test_more_never_worsens_a_target_of_at_least(measure: str, values: list[float], at: int, more: float) -> None:
    target = {"measure": measure, "goal": _GOALS[measure], "published": "366 days after period"}
    better = [value + more * (i == at % len(values)) for i, value in enumerate(values)]
    rows = [dict(enumerate(known, start=1)) for known in (values, better)]
    levels = judge(a_panel(a_block(target, target), *rows), date(2026, 1, 1)).level
    assert levels[1] <= levels[0]


@given(st.lists(st.integers(0, 4_000_000), min_size=1, max_size=12), st.integers(1, 5_000_000))
@settings(max_examples=60, deadline=None)
def test_the_unit_of_a_plan_does_not_matter(values: list[int], goal: int) -> None:
    """The same money in 万元 and in 亿元."""
    levels = {"yellow": "behind 100 万元", "red": "behind 20% for 2"}
    small, large = (
        {"goal": f"at least {g:f} {u}", "levels": levels} for g, u in ((goal, "万元"), (goal / 1e4, "亿元"))
    )
    rows = [dict(enumerate(known, start=1)) for known in (values, [value / 1e4 for value in values])]
    found = judge(a_panel(a_block(small, large), *rows), date(2025, 1, 1))
    assert found.level[0] == found.level[1]
    assert found.pending[0] == found.pending[1]
