"""What should be true by the end of each period, curve by curve."""

import numpy as np
import pytest

from tests.rules.builders import a_block


def _expected(**target: str) -> list[float]:
    return [float(value) for value in a_block(target).expected[:, 0]]


@pytest.mark.parametrize(
    ("every", "expected"),
    [("quarter", [25, 50, 75, 100]), ("half", [50, 100]), ("year", [100])],
)
def test_a_plan_without_a_curve_is_due_in_equal_parts(every: str, expected: list[float]) -> None:
    assert _expected(every=every) == expected


def test_after_11_months_the_line_stands_at_91_7_percent() -> None:
    assert _expected(every="month")[10] == pytest.approx(91.7, abs=0.05)


def test_working_days_count_holidays_and_make_up_days() -> None:
    """Of the 248 working days of 2025, 19 lie in January and 19 in February: a day of a weekend is worked in each."""
    expected = _expected(every="month", expect="workdays", goal="at least 248 个")
    assert expected[:2] == pytest.approx([19, 38])
    assert expected[-1] == 248


def test_good_days_are_due_by_the_day_of_the_year() -> None:
    days = _expected(measure="good-days", goal="at least 325 天", every="day", counts="at most 100")
    months = _expected(measure="good-days", goal="at least 325 天", every="month")
    assert days[262] == pytest.approx(325 * 263 / 365)
    assert months[1] == pytest.approx(325 * 59 / 365)
    assert (days[-1], months[-1]) == (325, 325)


def test_a_held_goal_is_due_at_every_date() -> None:
    assert _expected(measure="growth", goal="at least 7 %", every="quarter") == [7, 7, 7, 7]


def test_a_path_leads_from_where_the_year_began_up_or_down_to_the_goal() -> None:
    assert _expected(measure="level", every="quarter", expect="path from 60") == [70, 80, 90, 100]
    falling = _expected(measure="level", goal="at most 0 亿元", every="quarter", expect="path from 6.8")
    assert falling == pytest.approx([5.1, 3.4, 1.7, 0])


def test_checkpoints_hold_on_their_days_and_straight_lines_join_them() -> None:
    expected = _expected(every="month", expect="checkpoints {2025-06-30: 40%, 2025-09-30: 100%}")
    assert expected[5] == pytest.approx(40)
    assert expected[2] == pytest.approx(40 * 90 / 181)
    assert expected[7] == pytest.approx(40 + 60 * 62 / 92)
    assert expected[8:] == [100, 100, 100, 100]


def test_each_subject_has_the_curve_of_its_own_goal() -> None:
    block = a_block({"every": "half"}, subjects="subject,target,goal\n甲县,t0,10\n乙县,t0,20\n丙县,t0,\n")
    curves = {block.target_at(row)[1]: block.expected[:, row].tolist() for row in range(block.rows)}
    assert curves["甲县"] == [5, 10]
    assert curves["乙县"] == [10, 20]
    assert np.isnan(curves["丙县"]).all()
