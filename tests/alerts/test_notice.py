"""The facts of a message: all that it must say, as plain JSON that never changes again."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from alerts.alert import Alert, Identity, Kind, State
from alerts.lifecycle import advance
from alerts.notice import Notice, notice
from rules.plan import compile_plan
from rules.target import Level
from tests.rules.builders import a_book, a_panel, verdicts

NOW = datetime(2025, 10, 22, 1, 30, tzinfo=UTC)
JOBS: dict[str, Any] = {
    "item": 6,
    "name": "城镇新增就业",
    "goal": "at least 4500 人",
    "lead": "人力社保局",
    "responsible": "相关部门及镇街",
    "published": "10 workdays after period",
    "levels": {"red": "behind 15%"},
}
ITEM = {"item": 6, "section": "一、主要预期目标", "text": "城镇新增就业4500人以上。", "lead": "人力社保局"}


def a_notice(
    figures: dict[int, float],
    at: str | None = None,
    kind: Kind = Kind.PACE,
    stood: Level = Level.GREEN,
    **target: Any,
) -> Notice:
    """The notice of the change that these figures bring to an alert that stood at a level."""
    book = a_book(
        {**JOBS, "source": "filings", **target},
        items=[ITEM],
        sources={"filings": {"connector": "table_file", "mark": "演示数据"}},
        supervisor="督查办",
    )
    alert = Alert(Identity("b", "t0", "", kind), State.FIRING, stood, NOW, NOW) if stood else None
    (block,) = compile_plan([book])
    newest = block.ends[max(figures, default=1) - 1].item()
    (verdict,) = verdicts(a_panel(block, figures), date.fromisoformat(at) if at else newest + timedelta(days=1))
    _, change = advance(kind, alert, verdict, NOW)
    assert change is not None
    return notice(change, verdict, book, origin="演示数据.csv 第12行")


def test_a_notice_says_what_by_when_how_far_whose_and_why() -> None:
    said = a_notice({9: 2864})
    assert (said.name, said.item, said.section, said.book_title) == ("城镇新增就业", 6, "一、主要预期目标", "方案")
    assert (said.goal, said.by, said.period) == ("不低于4500人", "2025年底", "2025年9月")
    assert (said.actual_text, said.expected_text) == ("2864人", "3375人")
    assert said.gap_text == "比时序进度少511人（低于应完成数15.14%）"
    assert (
        said.pace_text
        == "此后每月需完成546人、每个工作日27人（前期月均318.22人、工作日均15.32人，余3个月、61个工作日）"
    )
    assert (said.lead, said.responsible, said.supervisor) == (("人力社保局",), ("相关部门", "镇街"), "督查办")
    assert (said.kind, said.event, said.reason) == ("pace", "fired", "behind_schedule")
    assert (said.level, said.previous_level, said.rule) == (2, 0, "落后应完成数超过15%")
    assert (said.mark, said.origin) == ("演示数据", "演示数据.csv 第12行")


def test_times_are_those_of_the_place() -> None:
    said = a_notice({9: 2864})
    assert (said.at, said.since) == ("2025-10-22T09:30:00+08:00", "2025-10-22T09:30:00+08:00")


@pytest.mark.parametrize(
    ("figures", "stood", "rule"),
    [
        ({9: 3000}, Level.GREEN, "落后应完成数超过5%"),
        ({9: 3000}, Level.RED, "落后应完成数超过5%"),
        ({9: 2000}, Level.YELLOW, "落后应完成数超过15%"),
        ({9: 4000}, Level.YELLOW, "落后应完成数超过5%"),
        ({12: 4499}, Level.GREEN, "期满未达目标"),
    ],
    ids=["fired", "eased", "worsened", "resolved", "missed at the end"],
)
def test_the_rule_told_is_the_one_that_moved_the_alert(figures: dict[int, float], stood: Level, rule: str) -> None:
    assert a_notice(figures, stood=stood).rule == rule


def test_a_notice_about_data_says_which_figure_is_owed_and_since_when_it_was_due() -> None:
    said = a_notice({8: 2864}, at="2025-10-22", kind=Kind.DATA)
    assert (said.kind, said.reason, said.level) == ("data", "late", 1)
    assert (said.owed, said.period) == ("2025年9月", "2025年8月")
    assert said.rule == "数据应于期末后10个工作日内报送"


def test_the_reporter_is_asked_for_a_figure_and_the_lead_for_its_pace() -> None:
    owed = a_notice({8: 2864}, at="2025-10-22", kind=Kind.DATA, reporter="统计局")
    behind = a_notice({9: 2864}, reporter="统计局")
    assert (owed.asked, owed.lead) == (("统计局",), ("人力社保局",))
    assert behind.asked == ("人力社保局",)


def test_the_lead_is_asked_for_a_figure_where_nobody_else_reports_it() -> None:
    assert a_notice({8: 2864}, at="2025-10-22", kind=Kind.DATA).asked == ("人力社保局",)


def test_what_is_not_known_is_left_empty() -> None:
    said = a_notice({}, at="2025-10-22", kind=Kind.DATA)
    assert (said.actual, said.expected, said.shortfall) == (None, None, None)
    assert (said.actual_text, said.expected_text, said.gap_text, said.pace_text, said.period) == ("", "", "", "", "")


@pytest.mark.parametrize(
    "said",
    [a_notice({9: 2864}), a_notice({}, at="2025-10-22", kind=Kind.DATA)],
    ids=["with figures", "without figures"],
)
def test_a_notice_comes_back_from_json_as_it_went(said: Notice) -> None:
    assert Notice.of(json.loads(json.dumps(said.facts(), allow_nan=False))) == said
