"""What holds for all targets and figures: the judge in columns says what a plain judge says, and obeys its laws."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import judging
from rules.clearing import clearings
from rules.judging import judge, verdict
from rules.panel import Panel
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
    measure = str(draw(st.sampled_from(NAIVE_MEASURES)))
    if measure == "milestone":
        return draw(_milestones(every))
    unit = _UNIT.get(measure, "个")
    op, value = draw(st.sampled_from(_OPS.get(measure, _FREE))), draw(_AMOUNT)
    goal = {"between": f"between {value} and {value + 5} {unit}", "about": f"about {value} {unit} within 2"}
    curves = ["linear", "workdays", "hold", "path from 20", "path from -3"]
    curves += [] if op in ("at most", "less than") else [_CHECKPOINTS]
    expect = draw(st.sampled_from(["", *curves]))
    progress = measure in ("cumulative", "level", "reduction")
    held = expect == "hold" or (expect == "" and measure == "level")
    by_period = progress and not held and op not in ("at most", "less than")
    return {
        "measure": measure,
        "goal": goal.get(op, f"{op} {value} {unit}"),
        "every": every,
        "published": draw(st.sampled_from(_PUBLISHED)),
        "levels": draw(_levels(unit, progress=progress, by_period=by_period)),
        **({"expect": expect} if expect else {}),
    }


def _levels(unit: str, *, progress: bool, by_period: bool) -> st.SearchStrategy[dict[str, Any]]:
    own = "points" if unit == "%" else unit
    amounts = [f"behind {n} {own}" for n in (0, 2.5, 10)] + [f"behind 10 {own} narrowing to 2.5 {own}"]
    amounts += ["below 12", "above 80", "any breach", "overdue"]
    amounts += ["behind 0%", "behind 10%", "behind 25%", "behind 25% narrowing to 0%"] if progress else []
    amounts += ["period below 100%", "period below 75%"] if by_period else []
    return _some_levels(amounts)


def _some_levels(amounts: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these as levels, alone or several, some of them for several periods, some not before a part of the year."""
    threshold = st.tuples(st.sampled_from(amounts), st.sampled_from(["", "", " for 2", " for 3"])).map(
        lambda t: t[0] if t[0].startswith(("any", "late", "overdue")) else "".join(t)
    )
    level = threshold | st.just("never") | st.lists(threshold, min_size=1, max_size=3)
    not_before = st.sampled_from(["25%", "30%", "100%"])
    return st.fixed_dictionaries({}, optional={"yellow": level, "red": level, "not before": not_before})


@st.composite
def _milestones(draw: st.DrawFn, every: str) -> Target:
    stages = "签约 by 2025-01-31, 开工 by 2025-06-30, 投产 by 2025-11-10"
    single = ["done by 2025-05-31", "done by 2025-12-31"] if every == "year" else []
    goal = draw(st.sampled_from([*single, stages, "开工 by 2025-03-31"]))
    if goal in single:
        return {"measure": "milestone", "goal": goal}
    amounts = ["any breach", "overdue", "late 30 days", "late 1 month", "late 5 months", "behind 1 个阶段"]
    published = draw(st.sampled_from(_PUBLISHED))
    levels = draw(_some_levels(amounts))
    return {"measure": "milestone", "goal": goal, "every": every, "published": published, "levels": levels}


_PERIODS = {"month": 12, "quarter": 4, "half": 2, "year": 1}


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[list[Target], list[dict[int, float]], date]:
    every = draw(st.sampled_from(_EVERY))
    targets = draw(st.lists(_targets(every), min_size=1, max_size=5))
    known = st.dictionaries(st.integers(1, _PERIODS[every]), _AMOUNT, max_size=8)
    figures = draw(st.lists(known, min_size=len(targets), max_size=len(targets)))
    return targets, figures, draw(st.dates(date(2025, 1, 1), date(2026, 3, 1)))


def _equal(left: Verdicts, right: Verdicts) -> None:
    for column in Verdicts.__struct_fields__:
        np.testing.assert_array_equal(getattr(left, column), getattr(right, column), err_msg=column)


def _rows(verdicts: Verdicts, rows: Sequence[int]) -> Verdicts:
    return Verdicts(*(getattr(verdicts, column)[list(rows)] for column in Verdicts.__struct_fields__))


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


@given(
    st.sampled_from(["at least 50 个", "more than 50 个", "at most 50 个", "about 50 个 within 2"]),
    st.lists(st.dictionaries(st.integers(1, 4), _AMOUNT), min_size=1, max_size=5),
    st.sampled_from(["behind average", "behind average for 2", ["behind 10%", "behind average"]]),
)
@settings(max_examples=60, deadline=None)
def test_an_average_is_that_of_the_subjects_that_have_a_figure(
    goal: str, known: list[dict[int, float]], yellow: str | list[str]
) -> None:
    table = "subject,target,goal\n" + "".join(f"{n}县,t0,50\n" for n in range(len(known)))
    target = {"goal": goal, "every": "quarter", "published": "366 days after period"}
    # A second target lies behind the first, to be kept out of its average.
    block = a_block({**target, "levels": {"yellow": yellow}}, target, subjects=table)
    panel = a_panel(block, *known, *known[::-1])
    columns = judge(panel, date(2026, 1, 1))
    for row, figures in enumerate(known):
        found = verdict(panel, columns, row, row)
        plain = NaiveJudge.of(block, row, figures, tuple(known)).answer(date(2026, 1, 1))
        assert Answer(found.reason, found.level, found.pending) == plain


_MEASURES = ["cumulative", "level", "growth", "floor"]
_GOALS = {
    "cumulative": "at least 60 个",
    "level": "at least 60 个",
    "growth": "at least 6 %",
    "floor": "at least 60 亩",
}


_YARDSTICKS: list[str | list[str]] = ["any breach", "overdue", "below 20", "behind 30 points narrowing to 0 points"]
_PROGRESS_YARDSTICKS: list[str | list[str]] = [
    "behind 20% narrowing to 5%",
    ["behind 10 points", "behind 5% for 2"],
    "period below 80%",
    ["behind 10 points", "period below 100% for 2"],
]


@given(
    st.sampled_from(_MEASURES),
    st.data(),
    st.lists(_AMOUNT, min_size=1, max_size=12),
    st.integers(0, 11),
    _AMOUNT.map(abs),
)
@settings(max_examples=150, deadline=None)
def test_more_never_worsens_a_target_of_at_least(
    measure: str, data: st.DataObject, values: list[float], at: int, more: float
) -> None:
    """More in one period; of a cumulative figure, which carries it on, more from that period on."""
    target = {"measure": measure, "goal": _GOALS[measure], "published": "366 days after period"}
    yardsticks = [] if measure == "floor" else _YARDSTICKS
    if measure == "cumulative":
        yardsticks = _PROGRESS_YARDSTICKS + _YARDSTICKS
    if yardsticks:
        level = st.sampled_from(yardsticks)
        target["levels"] = data.draw(st.fixed_dictionaries({}, optional={"yellow": level, "red": level}))
    at %= len(values)
    gains = [value + more * (i >= at if measure == "cumulative" else i == at) for i, value in enumerate(values)]
    rows = [dict(enumerate(known, start=1)) for known in (values, gains)]
    levels = judge(a_panel(a_block(target, target), *rows), date(2026, 1, 1)).level
    assert levels[1] <= levels[0]


@given(st.lists(_AMOUNT, min_size=2, max_size=5), _AMOUNT.map(abs))
@settings(max_examples=60, deadline=None)
def test_more_never_worsens_a_target_against_the_average_of_its_peers(values: list[float], more: float) -> None:
    table = "subject,target,goal\n" + "".join(f"{n}县,t0,50\n" for n in range(len(values)))
    block = a_block({"levels": {"yellow": "behind average", "red": "never"}, "every": "half"}, subjects=table)
    before, after = (
        judge(a_panel(block, *({1: value} for value in known)), date(2025, 7, 1)).level
        for known in (values, [values[0] + more, *values[1:]])
    )
    assert after[0] <= before[0]


@given(st.integers(0, 2), st.integers(1, 12))
def test_a_stage_more_never_worsens_a_task_in_stages(reached: int, month: int) -> None:
    goal = "签约 by 2025-01-31, 开工 by 2025-06-30, 投产 by 2025-11-10"
    target = {"measure": "milestone", "goal": goal, "levels": {"yellow": "any breach", "red": "late 2 months"}}
    levels = judge(a_panel(a_block(target, target), {month: reached}, {month: reached + 1}), date(2025, 1, 1)).level
    assert levels[1] <= levels[0]


@given(st.lists(st.integers(0, 4_000_000), min_size=1, max_size=12), st.integers(1, 5_000_000))
@settings(max_examples=60, deadline=None)
def test_the_unit_of_a_plan_does_not_matter(values: list[int], goal: int) -> None:
    """The same money in 万元 and in 亿元."""
    levels = {"yellow": ["behind 100 万元 narrowing to 20 万元", "period below 80%"], "red": "behind 20% for 2"}
    small, large = (
        {"goal": f"at least {g:f} {u}", "levels": levels} for g, u in ((goal, "万元"), (goal / 1e4, "亿元"))
    )
    rows = [dict(enumerate(known, start=1)) for known in (values, [value / 1e4 for value in values])]
    found = judge(a_panel(a_block(small, large), *rows), date(2025, 1, 1))
    assert found.level[0] == found.level[1]
    assert found.pending[0] == found.pending[1]


@given(_worlds())
@settings(max_examples=120, deadline=None)
def test_the_figure_that_clears_is_the_first_at_which_no_level_is_reached(
    world: tuple[list[Target], list[dict[int, float]], date],
) -> None:
    targets, figures, _ = world
    block = a_block(*targets)
    if len(block.ends) == 1:
        return
    later = date(2027, 1, 1)
    for row, known in enumerate(figures):
        panel = a_panel(
            block, *({} for _ in range(row)), {slot: known[slot] for slot in known if slot < len(block.ends)}
        )
        slot = panel.latest[[row]]
        (found,) = clearings(panel, np.array([row]), slot)
        if found is None:
            continue
        assert found.period == block.ends[slot[0] + 1].item()

        def levels(figure: float, row: int = row, slot: np.int16 = slot[0], panel: Panel = panel) -> tuple[int, int]:
            tried = panel.having(np.array([row]), np.array([slot + 1]), np.array([figure]))
            columns = judge(tried, later, rows=np.array([row]), slots=np.array([slot + 1], np.int16))
            return int(columns.level[0]), int(columns.pending[0])

        bounds = [one for one in (found.least, found.most) if one is not None]
        hair = 1e-6 * max(1.0, *map(abs, bounds), abs(float(block.goal[row])))
        for inside in bounds if len(bounds) == 1 else [sum(bounds) / 2]:
            assert levels(inside + (hair if found.least is not None else -hair) * (len(bounds) == 1)) <= (0, 0)
        too_early = block.judged_slot is not None and slot[0] + 1 < block.judged_slot[row]
        for bound, beyond in ((found.least, -hair), (found.most, hair)):
            if bound is not None and not too_early:
                assert max(levels(bound + beyond)) > 0
