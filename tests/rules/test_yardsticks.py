"""Yardsticks beside the plain ones: several at once, the period's own task, narrowing margins, stages, lateness."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from rules.calendar import Every, period_ends
from rules.formula import Figures, axis, evaluate, parse
from rules.judging import judge
from rules.target import Level
from rules.unit import conversion
from rules.verdict import Reason
from tests.rules.builders import a_block, a_panel, judged, put, verdicts

N, G, Y, R = sorted(Level)
PROJECT: dict[str, Any] = {
    "measure": "milestone",
    "goal": "谋划 by 2025-01-31, 签约 by 2025-03-31, 开工 by 2025-06-30, 投产 by 2025-11-10",
    "levels": {"yellow": "any breach", "red": "late 30 days"},
}


def _levels(yellow: str | list[str], red: str | list[str] = "never", **more: str) -> dict[str, Any]:
    return {"every": "quarter", "levels": {"yellow": yellow, "red": red, **more}}


@pytest.mark.parametrize(
    ("figures", "level"),
    [
        ({1: 25, 2: 50}, G),
        ({1: 60, 2: 79.9}, Y),  # ahead of the plan, but this quarter's task is not done
        ({1: 10, 2: 39.9}, Y),  # this quarter's task is done, but the year is behind
        ({1: 10, 2: 40}, G),
        ({1: 25, 3: 65}, G),  # a quarter without a figure: two quarters' task, 40 of 50
        ({1: 25, 3: 64.9}, Y),
        ({1: 19.9}, Y),
    ],
)
def test_any_of_several_thresholds_reaches_the_level(figures: dict[int, float], level: Level) -> None:
    # Ten points behind at the most, and four fifths of each quarter's task.
    target = _levels(["behind 10 points", "period below 80%"])
    assert judged(figures, at="2025-10-01", published="366 days after period", **target).level is level


def test_each_of_several_thresholds_counts_its_own_periods() -> None:
    """Behind in the second quarter, its own task missed in the third: neither twice running."""
    target = _levels(["behind 10 points for 2", "period below 80% for 2"])
    assert judged({1: 25, 2: 39, 3: 75}, **target).level is G
    assert judged({1: 25, 2: 39, 3: 55}, **target).level is Y


def test_a_path_that_begins_above_nothing_has_its_first_task_from_there() -> None:
    target = {"measure": "level", "expect": "path from 60", **_levels("period below 80%")}
    assert [judged({1: value}, **target).level for value in (68, 67.9)] == [G, Y]


@pytest.mark.parametrize(
    ("quarter", "allowed"),
    [(1, 25 * 0.175), (2, 50 * 0.15), (3, 75 * 0.125), (4, 100 * 0.1)],
)
def test_a_margin_narrows_in_a_straight_line(quarter: int, allowed: float) -> None:
    target = _levels("never", "behind 20% narrowing to 10%")
    within, beyond = (judged({quarter: 25 * quarter - allowed + off}, **target).level for off in (0.01, -0.01))
    assert within is (G if quarter < 4 else Y)  # what is missing at the end of the year is always told
    assert beyond is R


@pytest.mark.parametrize(("unit", "allowed"), [("points", 15), ("个", 15)])
def test_points_and_amounts_narrow_too(unit: str, allowed: float) -> None:
    target = _levels(f"behind 20 {unit} narrowing to 10 {unit}")
    assert [judged({2: 50 - allowed + off}, **target).level for off in (0, -0.01)] == [G, Y]


@pytest.mark.parametrize(
    ("month", "reason"),
    [(1, Reason.TOO_EARLY), (2, Reason.TOO_EARLY), (3, Reason.BEHIND_SCHEDULE), (12, Reason.GOAL_MISSED)],
)
def test_nothing_is_judged_before_its_part_of_the_year_is_over(month: int, reason: Reason) -> None:
    verdict = judged({month: 0}, levels={"not before": "25%"})
    assert verdict.reason is reason
    assert (verdict.level is N) == (reason is Reason.TOO_EARLY)


def test_a_figure_that_is_owed_is_owed_before_anything_is_judged() -> None:
    assert judged({1: 0}, at="2025-03-31", levels={"not before": "50%"}).reason is Reason.LATE


def test_a_period_that_is_not_judged_does_not_count_towards_several() -> None:
    target = {"levels": {"yellow": "behind 5% for 2", "red": "never", "not before": "25%"}}
    assert [judged(dict.fromkeys(range(1, n + 1), 0.0), **target).level for n in (3, 4)] == [G, Y]


@pytest.mark.parametrize(
    ("month", "reached", "level"),
    [
        (1, 1, G),
        (1, 0, Y),
        (2, 0, Y),  # 谋划 was due 28 days ago
        (3, 0, R),
        (3, 1, Y),  # 签约 is due on this very day
        (3, 2, G),
        (6, 2, Y),
        (6, 1, R),  # it is the oldest missed stage that counts
        (7, 2, R),
        (10, 3, G),
        (11, 3, Y),
        (12, 3, R),
        (12, 4, G),
        (4, 4, G),
    ],
)
def test_a_task_in_stages_is_behind_when_a_stage_is_missed(month: int, reached: float, level: Level) -> None:
    assert judged({month: reached}, **PROJECT).level is level


def test_a_task_in_stages_expects_the_number_of_stages_that_are_due() -> None:
    assert a_block(PROJECT).expected[:, 0].tolist() == [1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4]


def test_months_of_lateness_are_those_of_the_calendar() -> None:
    target = {"measure": "milestone", "goal": "开工 by 2025-01-31", "levels": {"red": "late 1 month"}}
    assert judged({1: 0}, **target).level is G
    assert judged({2: 0}, **target).level is R  # 28 February


def test_a_goal_is_overdue_from_its_own_last_day_on() -> None:
    nodes = {"expect": "checkpoints {2025-05-15: 100%}", **_levels("never", "overdue"), "every": "month"}
    assert [judged({month: 99.0}, **nodes).level for month in (4, 5, 6)] == [G, R, R]
    assert [judged({quarter: 0.0}, **_levels("never", "overdue")).level for quarter in (3, 4)] == [G, R]


@pytest.mark.parametrize(
    ("measure", "goal", "figure", "level"),
    [
        (
            "reduction",
            "at least 3 %",
            1.01,
            G,
        ),  # half a point less than the 1.5 of by now is 0.5, not 0.5 % of the goal
        ("reduction", "at least 3 %", 0.99, Y),
        ("cumulative", "at least 92 %", 45.51, G),
        ("cumulative", "at least 92 %", 45.49, Y),
        ("cumulative", "at least 200 个", 99.01, G),
        ("cumulative", "at least 200 个", 98.99, Y),
    ],
)
def test_points_of_what_is_in_percent_are_its_own_and_of_anything_else_of_the_goal(
    measure: str, goal: str, figure: float, level: Level
) -> None:
    assert judged({2: figure}, measure=measure, goal=goal, **_levels("behind 0.5 points")).level is level


def test_rows_are_picked_out_of_any_block_alike() -> None:
    """Rows with and without further thresholds, judged whole and in part."""
    plain: dict[str, Any] = {"every": "quarter"}
    block = a_block(
        plain, _levels(["behind 5%", "period below 80%"]), plain, _levels(["behind 99%", "period below 80%"])
    )
    panel = a_panel(block, *[{1: 60, 2: 70}] * 4)
    assert judge(panel, date(2025, 7, 1)).level.tolist() == [G, Y, G, Y]
    for rows in ([3], [0], [2, 3], [3, 1, 0]):
        levels = judge(panel, date(2025, 7, 1), rows=np.array(rows)).level
        assert levels.tolist() == [[G, Y, G, Y][row] for row in rows]


def test_an_average_follows_every_new_figure() -> None:
    table = "subject,target,goal\n" + "".join(f"{n}县,t0,50\n" for n in range(2))
    panel = a_panel(a_block(_levels("behind average"), subjects=table), {1: 20}, {1: 20})
    assert judge(panel, date(2025, 4, 1)).level.tolist() == [G, G]
    put(panel, {(1, 1): 30})
    assert judge(panel, date(2025, 4, 1)).level.tolist() == [Y, G]


def test_fewer_than_the_average_is_behind_only_where_more_is_better() -> None:
    table = "subject,target,goal\n" + "".join(f"{n}县,t0,50\n" for n in range(2))
    target = {**_levels("behind average"), "goal": "at most 50 个"}
    panel = a_panel(a_block(target, subjects=table), {1: 10}, {1: 12})
    assert judge(panel, date(2025, 4, 1)).level.tolist() == [G, Y]


def test_a_goal_to_be_surpassed_asks_no_more_than_the_period_s_own_task_and_the_average() -> None:
    target = {**_levels(["period below 100%", "behind average"]), "goal": "more than 100 个"}
    table = "subject,target,goal\n" + "".join(f"{n}县,t0,100\n" for n in range(2))
    panel = a_panel(a_block(target, subjects=table), {1: 25}, {1: 25})
    assert judge(panel, date(2025, 4, 1)).level.tolist() == [G, G]


@pytest.mark.parametrize("yardstick", ["period below 80%", "behind 10% narrowing to 5%", "overdue"])
def test_a_yearly_target_without_a_figure_is_left_alone_by_every_yardstick(yardstick: str) -> None:
    target = {"every": "year", "levels": {"yellow": yardstick}}
    assert judged({}, at="2025-06-01", **target).reason is Reason.ANNUAL_ONLY


# Words of plans that are easily misread


@pytest.mark.parametrize(("growth", "level"), [(7.5, G), (8, G), (7.4, Y), (8.1, Y), (6.4, R)])
def test_a_range_is_missed_on_either_side(growth: float, level: Level) -> None:
    assert judged({1: growth}, goal="between 7.5 and 8 %", measure="growth").level is level


@pytest.mark.parametrize(("growth", "level"), [(5, G), (4.8, G), (4.7, Y), (9, G), (3.7, R)])
def test_about_forgives_its_tolerance_below(growth: float, level: Level) -> None:
    assert judged({1: growth}, goal="about 5 % within 0.2", measure="growth").level is level


@pytest.mark.parametrize(("month", "sum_", "level"), [(1, 95, G), (1, 94, Y), (6, 570, G), (6, 560, Y), (12, 1140, G)])
def test_about_forgives_of_a_running_sum_only_the_part_of_what_is_due(month: int, sum_: float, level: Level) -> None:
    about = {"goal": "about 1200 人 within 60", "levels": {"yellow": "behind 0%", "red": "behind 50%"}}
    assert judged({month: sum_}, **about).level is level


@pytest.mark.parametrize(("index", "level"), [(103.5, G), (102.1, G), (103.6, Y), (104.6, R)])
def test_an_index_within_103_5_is_growth_of_at_most_3_5_percent(index: float, level: Level) -> None:
    found = conversion("上年=100", "%")
    assert found is not None
    growth = index * found[0] + found[1]
    assert judged({1: growth}, goal="at most 3.5 %", measure="growth").level is level


@pytest.mark.parametrize(("rank", "level"), [(3, G), (1, G), (4, Y)])
def test_who_shares_a_rank_has_the_better_one(rank: float, level: Level) -> None:
    """Two thirds of a list are both stated as 3: the figure is the source's, nothing is counted here."""
    table = "subject,target,goal\n甲县,t0,3\n乙县,t0,3\n"
    block = a_block({"goal": "at most 3 位", "measure": "rank", "every": "quarter"}, subjects=table)
    panel = a_panel(block, {1: rank}, {1: rank})
    assert [verdict.level for verdict in verdicts(panel, date(2025, 4, 1))] == [level, level]


@pytest.mark.parametrize(("sections", "level"), [((3, 3), G), ((2, 3), G), ((2, 4), R), ((2, np.nan), N)])
def test_of_several_sections_all_must_reach_their_class(sections: tuple[float, float], level: Level) -> None:
    inputs = {
        name: Figures(np.full((1, 1), value), np.zeros((1, 1), np.int64))
        for name, value in zip(("断面A", "断面B"), sections, strict=True)
    }
    along = axis(period_ends(2025, Every.YEAR), Every.YEAR)
    worst = float(evaluate(parse("max(断面A, 断面B)"), along, inputs).value[0, 0])
    verdict = judged({1: worst}, at="2025-04-02", goal="at most Ⅲ类", measure="class", every="quarter")
    assert verdict.level is level
