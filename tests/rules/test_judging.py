"""Every measure at its green, its yellow and its red; the offices' own worked cases; levels that need several periods."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from rules.judging import judge
from rules.target import Level
from rules.verdict import Outcome, Reason
from tests.rules.builders import a_block, a_panel, judged, verdicts

G, Y, R = Level.GREEN, Level.YELLOW, Level.RED
UP: dict[str, Any] = {"every": "quarter"}
GROWTH: dict[str, Any] = {"measure": "growth", "goal": "at least 7 %", "every": "quarter"}
RATE: dict[str, Any] = {"measure": "share", "goal": "between 7.5 and 8 %", "every": "quarter"}
GDP: dict[str, Any] = {"measure": "growth", "goal": "about 5 % within 0.2", "every": "quarter"}
STOCK: dict[str, Any] = {"measure": "level", "expect": "path from 60", "every": "quarter"}
DEBT: dict[str, Any] = {"measure": "level", "goal": "at most 0 亿元", "expect": "path from 6.8", "every": "quarter"}
CUT: dict[str, Any] = {"measure": "reduction", "goal": "at least 16 %", "every": "quarter"}
NODES: dict[str, Any] = {
    "every": "quarter",
    "expect": "checkpoints {2025-03-31: 10%, 2025-09-30: 60%, 2025-12-31: 100%}",
}
FUEL: dict[str, Any] = {"measure": "cumulative", "goal": "at most 100 万吨", "every": "quarter"}


@pytest.mark.parametrize(
    ("target", "period", "value", "level"),
    [
        # cumulative: 75 expected at the end of the third quarter, 5 % of it is 3.75, 15 % is 11.25
        (UP, 3, 75, G),
        (UP, 3, 71.25, G),
        (UP, 3, 71.24, Y),
        (UP, 3, 63.75, Y),
        (UP, 3, 63.74, R),
        (FUEL, 3, 78.75, G),
        (FUEL, 3, 78.76, Y),
        (FUEL, 3, 86.26, R),
        # level on a path: 90 expected
        (STOCK, 3, 85.5, G),
        (STOCK, 3, 85.4, Y),
        (STOCK, 3, 76, R),
        (DEBT, 3, 1.7, G),
        (DEBT, 3, 1.8, Y),
        (DEBT, 3, 2, R),
        # reduction: twelve percent expected
        (CUT, 3, 11.4, G),
        (CUT, 3, 11.3, Y),
        (CUT, 3, 10.1, R),
        # growth: compared in points at any date
        (GROWTH, 1, 7, G),
        (GROWTH, 1, 6.9, Y),
        (GROWTH, 1, 6, Y),
        (GROWTH, 1, 5.9, R),
        # between: either end counts
        (RATE, 1, 7.5, G),
        (RATE, 1, 8, G),
        (RATE, 1, 7.4, Y),
        (RATE, 1, 8.1, Y),
        (RATE, 1, 9.1, R),
        # about: the tolerance is taken off every shortfall, more is not worse
        (GDP, 1, 4.8, G),
        (GDP, 1, 5.4, G),
        (GDP, 1, 4.7, Y),
        (GDP, 1, 3.8, Y),
        (GDP, 1, 3.7, R),
        # strict: 突破 is more than, reaching it is not enough
        ({**GROWTH, "goal": "more than 7 %"}, 1, 7, Y),
        ({**GROWTH, "goal": "more than 7 %"}, 1, 7.01, G),
        ({**GROWTH, "goal": "less than 7 %"}, 1, 7, Y),
        ({**GROWTH, "goal": "less than 7 %"}, 1, 6.99, G),
        ({**GROWTH, "goal": "exactly 7 %"}, 1, 7, G),
        ({**GROWTH, "goal": "exactly 7 %"}, 1, 7.1, Y),
        ({**GROWTH, "goal": "exactly 7 %"}, 1, 6.9, Y),
        # checkpoints
        (NODES, 1, 10, G),
        (NODES, 2, 33, Y),  # 34.86 expected half-way between 31 March and 30 September
        (NODES, 3, 50, R),
        # red lines: no yellow
        ({"measure": "floor", "goal": "at least 12.6 万亩"}, 1, 12.6, G),
        ({"measure": "floor", "goal": "at least 12.6 万亩"}, 1, 12.59, R),
        ({"measure": "ceiling", "goal": "at most 5.5 %"}, 1, 5.5, G),
        ({"measure": "ceiling", "goal": "at most 5.5 %"}, 1, 5.51, R),
        ({"measure": "class", "goal": "at most Ⅲ类"}, 1, 3, G),
        ({"measure": "class", "goal": "at most Ⅲ类"}, 1, 4, R),
        ({"measure": "zero", "goal": "at most 0 起"}, 1, 0, G),
        ({"measure": "zero", "goal": "at most 0 起"}, 1, 1, R),
        # rank: never red unless the author says so
        ({"measure": "rank", "goal": "at most 3 位"}, 1, 3, G),
        ({"measure": "rank", "goal": "at most 3 位"}, 1, 4, Y),
        ({"measure": "rank", "goal": "at most 3 位"}, 1, 9, Y),
        # below and above look at the figure alone
        ({**GROWTH, "levels": {"yellow": "below 6 %", "red": "below 5 %"}}, 1, 6, G),
        ({**GROWTH, "levels": {"yellow": "below 6 %", "red": "below 5 %"}}, 1, 5.9, Y),
        ({**GROWTH, "levels": {"yellow": "below 6 %", "red": "below 5 %"}}, 1, 4.9, R),
        ({**UP, "levels": {"yellow": "above 90", "red": "above 95"}}, 1, 91, Y),
        # thresholds are read in the unit of the target
        ({**UP, "goal": "at least 4 亿元", "levels": {"red": "behind 5000 万元"}}, 2, 1.5, Y),
        ({**UP, "goal": "at least 4 亿元", "levels": {"red": "behind 5000 万元"}}, 2, 1.49, R),
        # an index is growth, its points are percentage points
        ({**GROWTH, "goal": "at most 103.5 上年=100"}, 1, 103.5, G),
        ({**GROWTH, "goal": "at most 103.5 上年=100"}, 1, 104.5, Y),
        ({**GROWTH, "goal": "at most 103.5 上年=100"}, 1, 104.6, R),
    ],
)
def test_a_figure_has_its_level(target: dict[str, Any], period: int, value: float, level: Level) -> None:
    assert judged({period: value}, **target).level is level


@pytest.mark.parametrize(("points", "level"), [(21.6, Y), (21.7, G), (21.8, G)])
def test_53_percent_done_at_the_end_of_september_is_21_7_points_behind_and_no_more(points: float, level: Level) -> None:
    verdict = judged({3: 53.3}, every="quarter", levels={"yellow": f"behind {points} points", "red": "behind 99%"})
    assert verdict.shortfall == pytest.approx(21.7)
    assert verdict.level is level


def test_points_of_a_progress_measure_are_points_of_its_goal() -> None:
    levels = {"yellow": "behind 10 points", "red": "behind 30 points"}
    found = [judged({2: v}, every="quarter", goal="at least 4500 人", levels=levels).level for v in (1800, 1799, 899)]
    assert found == [G, Y, R]


def test_65_percent_done_at_mid_year_is_15_points_ahead() -> None:
    verdict = judged({6: 65.22})
    assert verdict.outcome is Outcome.ON_TRACK
    assert verdict.shortfall == pytest.approx(-15.22)


def test_growth_of_6_1_against_7_is_0_9_points_behind_at_any_date() -> None:
    for quarter in (1, 2, 3, 4):
        verdict = judged({quarter: 6.1}, **GROWTH)
        assert (verdict.expected, verdict.level) == (7, Y)
        assert verdict.shortfall == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("figures", "levels"),
    [
        ({1: 0, 2: 0, 3: 0}, (G, Y)),  # one period more is needed
        ({1: 0, 2: 0, 3: 0, 4: 0}, (Y, G)),
        ({1: 0, 2: 0, 4: 0, 6: 0}, (Y, G)),  # a month without a figure is no period
        ({1: 0, 2: 0, 3: 30, 4: 0}, (G, Y)),  # the streak is broken
        ({1: 0, 2: 0, 3: 0, 4: 40}, (G, G)),
        ({8: 0}, (G, Y)),
    ],
)
def test_a_level_for_several_periods_waits_until_they_are_complete(
    figures: dict[int, float], levels: tuple[Level, Level]
) -> None:
    verdict = judged(
        figures, published="180 days after period", levels={"yellow": "behind 5% for 4", "red": "behind 200%"}
    )
    assert (verdict.level, verdict.pending) == levels


def test_a_waiting_red_stands_beside_the_yellow_that_already_holds() -> None:
    levels = {"yellow": "behind 5%", "red": "behind 15% for 2"}
    first, second = judged({1: 0}, levels=levels), judged({1: 0, 2: 0}, levels=levels)
    assert (first.level, first.pending) == (Y, R)
    assert (second.level, second.pending) == (R, G)


def test_each_period_of_a_streak_is_compared_with_its_own_expectation() -> None:
    # 40 is ahead of the 25 of March and far behind the 50 of June.
    assert judged({1: 40, 2: 40}, every="quarter", levels={"red": "behind 15% for 2"}).level is Y


def test_a_streak_may_be_longer_than_127_periods() -> None:
    target: dict[str, Any] = {
        "every": "day",
        "measure": "good-days",
        "goal": "at least 325 天",
        "counts": "at most 100",
    }
    levels = {"yellow": "behind 5%", "red": "behind 5% for 200"}
    assert judged(dict.fromkeys(range(1, 200), 180.0), **target, levels=levels).level is Y
    assert judged(dict.fromkeys(range(1, 201), 180.0), **target, levels=levels).level is R


@pytest.mark.parametrize("measure", ["floor", "ceiling", "class", "zero"])
def test_a_broken_red_line_is_called_so(measure: str) -> None:
    goal = {"floor": "at least 9 亩", "ceiling": "at most 9 %", "class": "at most Ⅲ类", "zero": "at most 0 起"}[measure]
    verdict = judged({1: 8 if measure == "floor" else 10}, measure=measure, goal=goal)
    assert (verdict.outcome, verdict.reason) == (Outcome.BREACHED, Reason.LIMIT_BREACHED)


@pytest.mark.parametrize(
    ("value", "reason", "level"),
    [(100, Reason.ON_SCHEDULE, G), (99.9, Reason.GOAL_MISSED, Y), (80, Reason.GOAL_MISSED, R)],
)
def test_the_last_period_must_reach_the_goal_whatever_the_thresholds_forgive(
    value: float, reason: Reason, level: Level
) -> None:
    verdict = judged({12: value})
    assert (verdict.reason, verdict.level) == (reason, level)


def test_a_goal_to_be_surpassed_is_missed_when_only_reached() -> None:
    assert judged({12: 100}, goal="more than 100 个").reason is Reason.GOAL_MISSED


def test_good_days_are_counted_from_the_daily_figures_and_missing_days_are_neither() -> None:
    days = {day: 60.0 for day in range(1, 264) if day != 100} | {7: 100.0, 8: 100.1, 9: 250.0}
    verdict = judged(days, measure="good-days", goal="at least 325 天", every="day", counts="at most 100")
    assert verdict.actual == 260
    assert verdict.expected == pytest.approx(325 * 263 / 365)
    assert verdict.period == date(2025, 9, 20)


def test_a_figure_is_judged_at_its_own_period_however_late_it_is_published() -> None:
    verdict = judged({10: 83}, at="2025-11-20", published="day 15 of next month", every="month")
    assert (verdict.period, verdict.level) == (date(2025, 10, 31), G)
    assert verdict.expected == pytest.approx(100 * 10 / 12)


def test_every_subject_is_judged_by_its_own_goal() -> None:
    table = "subject,target,goal\n甲县,t0,100\n乙县,t0,200\n丙县,t0,\n"
    block = a_block({"every": "quarter"}, subjects=table)
    figures = {subject: {2: 55.0} for subject in ("甲县", "乙县", "丙县")}
    panel = a_panel(block, *(figures[block.target_at(row)[1]] for row in range(3)))
    found = {verdict.subject: verdict for verdict in verdicts(panel, date(2025, 7, 1))}
    assert (found["甲县"].level, found["甲县"].goal) == (G, 100)
    assert (found["乙县"].level, found["乙县"].goal) == (R, 200)
    assert (found["丙县"].reason, found["丙县"].level, found["丙县"].goal) == (Reason.NO_GOAL, Level.NOT_JUDGED, None)


def test_an_exact_goal_is_exact_for_each_subject() -> None:
    block = a_block({**GROWTH, "goal": "exactly 7 %"}, subjects="subject,target,goal\n甲县,t0,3\n")
    low, right, high = (verdicts(a_panel(block, {1: value}), date(2025, 4, 1))[0].level for value in (2.5, 3, 3.5))
    assert (low, right, high) == (Y, G, Y)


def test_an_earlier_period_is_judged_as_if_it_were_the_newest_and_nothing_owed():
    block = a_block({"levels": {"yellow": "behind 5%", "red": "behind 15% for 2"}}, {})
    panel = a_panel(block, {7: 40, 8: 40, 9: 90}, {8: 60})
    day = date(2025, 12, 20)
    rows, slots = np.array([0, 0, 0, 1]), np.array([6, 7, 8, 7], dtype=np.int16)
    found = judge(panel, day, rows=rows, slots=slots)
    assert found.level.tolist() == [1, 2, 0, 1]
    assert found.slot.tolist() == slots.tolist()
    assert found.owed.tolist() == [-1] * 4
    assert judge(panel, day).level.tolist() == [-1, -1]


def test_the_newest_period_named_is_judged_as_by_itself():
    block = a_block({}, {})
    panel = a_panel(block, {7: 40, 8: 40, 9: 90}, {9: 60})
    day = date(2025, 10, 1)
    rows = np.array([0, 1])
    named, plain = judge(panel, day, rows=rows, slots=panel.latest[rows]), judge(panel, day)
    for column in ("reason", "level", "pending", "slot", "owed", "actual", "expected", "shortfall"):
        assert getattr(named, column).tolist() == getattr(plain, column).tolist(), column
