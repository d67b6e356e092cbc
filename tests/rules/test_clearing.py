"""When an alert that stands is solved: a clear condition of its own, and for how many periods it must hold."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import edit, wording
from rules.document import Invalid
from rules.judging import judge
from rules.target import Level
from tests.rules.builders import a_block, a_book, a_panel, a_target, judged

G, Y = Level.GREEN, Level.YELLOW
STRICT = {"yellow": "behind 20%", "red": "never", "clear": "behind 10%"}


@pytest.mark.parametrize(("figure", "level", "keep"), [(19, Y, True), (21, G, True), (22.4, G, True), (22.5, G, False)])
def test_an_alert_is_kept_until_the_figure_is_better_than_the_clear_condition(figure, level, keep):
    found = judged({1: figure}, every="quarter", levels=STRICT)
    assert (found.level, found.keep) == (level, keep)


@pytest.mark.parametrize(
    ("figures", "keep"),
    [
        ({1: 25, 2: 50}, False),
        ({1: 15, 2: 50}, True),  # the first good quarter
        ({1: 15, 2: 50, 3: 75}, False),
        ({1: 15, 3: 75}, True),  # what was not published is no good quarter
        ({1: 50}, True),
        ({1: 15, 2: 50, 3: 61}, False),  # on the yellow threshold's good side
    ],
)
def test_the_yellow_threshold_must_have_been_kept_for_so_many_periods(figures, keep):
    levels = {"yellow": "behind 20%", "red": "never", "clear for": 2}
    assert judged(figures, every="quarter", published="366 days after period", levels=levels).keep is keep


def test_any_of_several_clear_conditions_keeps_an_alert():
    levels = {**STRICT, "clear": ["behind 10%", "period below 80%"]}
    assert judged({1: 30, 2: 47}, every="quarter", levels=levels).keep
    assert not judged({1: 30, 2: 50}, every="quarter", levels=levels).keep


def test_the_last_period_of_the_year_ends_what_waits_for_another_one():
    levels = {"yellow": "behind 20%", "red": "never", "clear for": 2}
    assert not judged({3: 50, 4: 100}, every="quarter", levels=levels).keep


def test_what_is_not_judged_keeps_nothing():
    assert not judged({1: 10}, at="2025-08-01", every="quarter", levels=STRICT).keep


def test_a_book_without_a_clear_condition_has_nothing_to_compute():
    assert a_block({}, {"measure": "growth", "goal": "at least 5 %"}).clear == ()


def test_a_target_may_go_back_to_what_its_book_departs_from():
    levels = {"clear": "behind 3%", "clear for": 2}
    own, usual = a_book({"id": "a"}, {"id": "b", "levels": {"clear": "yellow", "clear for": 1}}, levels=levels).targets
    assert [one.text for one in own.levels.keeping] == ["behind 3%"]
    assert usual.levels.keeping == ()


@given(st.lists(st.integers(0, 110), min_size=1, max_size=12), st.integers(1, 3))
def test_what_is_kept_in_columns_is_what_one_counts_by_hand(figures, periods):
    """Rows with a clear condition among rows without: kept unless the last so many figures are at most a tenth behind."""
    ours = {"measure": "share", "goal": "at least 100 %", "levels": {"yellow": "behind 20 points", "red": "never"}}
    strict = {**ours, "levels": {**ours["levels"], "clear": "behind 10 points", "clear for": periods}}
    block = a_block(ours, strict, ours)
    known = {number: float(value) for number, value in enumerate(figures, start=1)}
    found = judge(a_panel(block, known, known, known), block.ends[len(figures) - 1].item())
    good = len(figures) >= periods and all(value >= 90 for value in figures[-periods:])
    assert found.keep.tolist() == [False, not good and len(figures) < 12, False]
    plain = judge(a_panel(a_block(ours), known), block.ends[len(figures) - 1].item())
    assert np.array_equal(found.level, np.repeat(plain.level, 3))


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ({"yellow": "behind 5%", "clear": "behind 5%"}, "clear too loose"),
        ({"yellow": "behind 5%", "clear": "behind 8%"}, "clear too loose"),
        ({"yellow": "below 60 个", "clear": "below 50 个"}, "clear too loose"),
        ({"clear": "behind 3% for 2"}, "periods of clear"),
        ({"clear": "never"}, "never cleared"),
        ({"clear": "behind 3 points 万"}, "bad threshold"),
        ({"clear for": 0}, "应不小于 1"),
        ({"clear": "late 30 days"}, "late 只用于"),
    ],
)
def test_a_clear_condition_that_cannot_work_is_refused(levels: dict[str, Any], words: str):
    with pytest.raises(Invalid, match=words):
        a_target(levels=levels)


def test_a_target_of_one_period_cannot_wait_for_two():
    with pytest.raises(Invalid, match="one period"):
        a_target(every="year", levels={"clear for": 2})


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ({}, ""),
        ({"clear": "behind 3%"}, "无落后应完成数超过3%的情形"),
        ({"yellow": "behind 5% for 2", "clear for": 3}, "无落后应完成数超过5%的情形，连续3期"),
        (
            {"clear": ["behind 3%", "period below 90%"]},
            "无落后应完成数超过3%、当期完成数低于当期应完成数的90%的情形",
        ),
    ],
)
def test_the_clear_condition_in_words(levels, words):
    assert wording.clearing(a_target(levels=levels)) == words


def test_an_edit_of_the_clear_condition_is_told():
    before, now = (edit.of_pace(judged({9: 70}, levels=levels)) for levels in ({}, {"clear": "behind 3%"}))
    (found,) = edit.edits(before, now)
    assert found.text == "解除条件由“不再达到预警阈值”改为“无落后应完成数超过3%的情形”"
