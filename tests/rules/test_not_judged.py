"""When nothing can be said, the verdict says why, and is never green."""

from datetime import date
from typing import Any

import pytest

from connectors.observation import Status
from rules.target import Level
from rules.verdict import Outcome, Reason, Verdict
from tests.rules.builders import a_block, a_panel, judged, verdicts

MONTHLY: dict[str, Any] = {"every": "month", "published": "10 workdays after period"}  # September is due on 2025-10-21
NODE: dict[str, Any] = {"measure": "milestone", "goal": "done by 2025-09-30"}


@pytest.mark.parametrize(
    ("at", "reason", "owed"),
    [
        ("2025-10-01", Reason.ON_SCHEDULE, None),
        ("2025-10-21", Reason.ON_SCHEDULE, None),  # the due day itself is not late
        ("2025-10-22", Reason.LATE, date(2025, 9, 30)),
        ("2025-11-15", Reason.LATE, date(2025, 10, 31)),  # the newest figure that is owed
    ],
)
def test_a_figure_is_late_from_the_day_after_its_due_day(at: str, reason: Reason, owed: date | None) -> None:
    verdict = judged({8: 70}, at=at, **MONTHLY)
    assert (verdict.reason, verdict.owed, verdict.period) == (reason, owed, date(2025, 8, 31))


@pytest.mark.parametrize(
    ("at", "reason"),
    [("2025-01-01", Reason.NOT_DUE), ("2025-02-17", Reason.NOT_DUE), ("2025-02-18", Reason.NO_DATA)],
)
def test_a_target_that_never_had_a_figure_waits_and_then_has_no_data(at: str, reason: Reason) -> None:
    verdict = judged({}, at=at, **MONTHLY)
    assert (verdict.reason, verdict.period, verdict.actual) == (reason, None, None)


@pytest.mark.parametrize(
    ("at", "reason"),
    [("2025-12-30", Reason.ANNUAL_ONLY), ("2026-01-10", Reason.ANNUAL_ONLY), ("2026-01-11", Reason.NO_DATA)],
)
def test_an_annual_target_is_not_judged_within_the_year(at: str, reason: Reason) -> None:
    assert judged({}, at=at, every="year", published="10 days after period").reason is reason


def test_nothing_to_report_settles_a_period_and_leaves_the_last_figure_to_judge_by() -> None:
    verdict = judged({8: 40}, at="2025-10-22", said={9: Status.NIL}, **MONTHLY)
    assert (verdict.reason, verdict.owed, verdict.nil) == (Reason.BEHIND_SCHEDULE, None, date(2025, 9, 30))
    assert (verdict.period, verdict.actual) == (date(2025, 8, 31), 40)
    after = judged({8: 40}, at="2025-11-15", said={9: Status.NIL}, **MONTHLY)
    assert (after.reason, after.owed) == (Reason.LATE, date(2025, 10, 31))


def test_a_target_that_never_had_anything_but_nil_reports_is_not_judged_and_owes_nothing() -> None:
    for at, reason, owed in (("2025-02-18", Reason.NIL, None), ("2025-03-15", Reason.LATE, date(2025, 2, 28))):
        verdict = judged({}, at=at, said={1: Status.NIL}, **MONTHLY)
        assert (verdict.reason, verdict.owed, verdict.actual) == (reason, owed, None)
        assert verdict.level is Level.NOT_JUDGED


def test_nothing_to_report_is_no_zero_even_where_no_event_is_the_goal() -> None:
    verdict = judged({}, at="2025-02-18", said={1: Status.NIL}, measure="zero", goal="at most 0 起", **MONTHLY)
    assert (verdict.outcome, verdict.actual) == (Outcome.NOT_JUDGED, None)


def test_a_figure_that_comes_after_a_nil_report_is_judged_as_ever() -> None:
    verdict = judged({9: 80}, said={8: Status.NIL}, **MONTHLY)
    assert (verdict.reason, verdict.nil) == (Reason.ON_SCHEDULE, None)


def test_a_preliminary_figure_is_judged_as_any_other_and_said_to_be_one() -> None:
    early, final = (judged({9: 50}, said={9: status}, **MONTHLY) for status in (Status.PARTIAL, Status.FINAL))
    assert (early.reason, early.level, early.shortfall) == (final.reason, final.level, final.shortfall)
    assert (early.status, final.status) == (Status.PARTIAL, Status.FINAL)
    assert judged({9: 50, 10: 60}, said={9: Status.PARTIAL}, **MONTHLY).status is Status.FINAL


def test_a_source_that_does_not_answer_makes_nobody_late() -> None:
    assert judged({8: 70}, at="2025-10-22", failed=True, **MONTHLY).reason is Reason.FAILED
    assert judged({}, at="2025-10-22", failed=True, **MONTHLY).reason is Reason.FAILED


@pytest.mark.parametrize(
    ("at", "doubted", "reason"),
    [
        ("2025-10-22", 9, Reason.IN_DOUBT),
        ("2025-10-22", 8, Reason.LATE),  # of a period that was in time
        ("2025-10-21", 9, Reason.ON_SCHEDULE),
        ("2025-11-15", 9, Reason.LATE),  # October is owed by now
    ],
)
def test_nobody_is_late_with_a_figure_that_waits_for_a_decision(at: str, doubted: int, reason: Reason) -> None:
    for failed in (False, True):
        told = Reason.FAILED if failed and reason is Reason.LATE else reason
        assert judged({8: 70}, at=at, doubted=doubted, failed=failed, **MONTHLY).reason is told


def test_a_figure_that_came_before_the_source_failed_is_still_judged() -> None:
    assert judged({9: 70}, at="2025-10-22", failed=True, **MONTHLY).reason is Reason.BEHIND_SCHEDULE


def test_a_target_without_a_goal_is_neither_judged_nor_late() -> None:
    block = a_block(MONTHLY, subjects="subject,target,goal\n甲县,t0,\n")
    for panel in (a_panel(block), a_panel(block, {1: 5})):
        (verdict,) = verdicts(panel, date(2025, 12, 1))
        assert (verdict.reason, verdict.level) == (Reason.NO_GOAL, Level.NOT_JUDGED)


@pytest.mark.parametrize(
    ("done", "at", "reason", "level"),
    [
        (None, "2025-09-30", Reason.NOT_DUE, Level.NOT_JUDGED),
        (None, "2025-10-01", Reason.NO_DATA, Level.NOT_JUDGED),
        (60, "2025-09-30", Reason.NOT_DUE, Level.NOT_JUDGED),
        (60, "2025-10-01", Reason.GOAL_MISSED, Level.RED),
        (100, "2025-06-01", Reason.ON_SCHEDULE, Level.GREEN),
        (100, "2025-10-01", Reason.ON_SCHEDULE, Level.GREEN),
    ],
)
def test_a_milestone_is_open_until_its_day_has_passed(
    done: float | None, at: str, reason: Reason, level: Level
) -> None:
    verdict = judged({} if done is None else {1: done}, at=at, **NODE)
    assert (verdict.reason, verdict.level) == (reason, level)


@pytest.mark.parametrize(
    "verdict",
    [
        judged({}, at="2025-01-01"),
        judged({}, at="2025-12-01"),
        judged({1: 0, 2: 0}, at="2025-12-01", levels={"red": "behind 5% for 3"}),
        judged({1: float("nan")}, at="2025-02-01"),
    ],
    ids=["not due", "no data", "late", "a figure that is no number"],
)
def test_what_is_not_judged_has_no_colour_and_nothing_pending(verdict: Verdict) -> None:
    assert verdict.outcome is Outcome.NOT_JUDGED
    assert verdict.level is Level.NOT_JUDGED
    assert verdict.pending is Level.GREEN
    assert not verdict.judged
