"""The rules that offices have published, each in at most three lines of a book, judging cases of theirs."""

from datetime import date
from typing import Any

import pytest
import yaml

from rules.target import Level
from rules.verdict import Reason
from tests.rules.builders import a_block, a_panel, judged, verdicts

N, G, Y, R = sorted(Level)

XUANCHENG = "levels: {yellow: behind 0%, red: never}"
XUANCHENG_GROWTH = """
measure: growth
levels: {yellow: behind 0 points, red: never}
"""
YINCHUAN = "levels: {yellow: behind 10 points, red: behind 30 points}"
YINCHUAN_START = """
measure: milestone
goal: 开工 by 2025-03-31
levels: {yellow: late 1 month, red: late 3 months}
"""
SANYA = """
levels:
  yellow: [behind 0%, period below 100%]
  red: [behind 50%, period below 100% for 2]
"""
WUHAN = "levels: {yellow: behind 20%, red: behind 40%}"
TIANJIN = """
measure: growth
levels: {yellow: [behind 0 points, behind average], red: below 0 %}
"""
TIANJIN_BONDS = "levels: {yellow: behind 0%, red: behind 30%}"
XINHUANG = "levels: {yellow: period below 80%, red: period below 60%}"
GUANGYUAN = "levels: {yellow: behind 0% for 2, red: never}"
SUQIAN = """
expect: "checkpoints {2025-06-30: 60%, 2025-09-30: 100%}"
levels: {yellow: behind 0%, red: overdue}
"""
RULES = {name: text for name, text in globals().items() if name.isupper() and isinstance(text, str)}


def _written(rule: str) -> dict[str, Any]:
    keys: dict[str, Any] = yaml.safe_load(rule)
    return keys


@pytest.mark.parametrize("name", RULES)
def test_a_published_rule_takes_at_most_three_lines(name: str) -> None:
    assert len(RULES[name].strip().splitlines()) <= 3


@pytest.mark.parametrize(
    ("rule", "every", "figures", "level"),
    [
        # 宣城: behind is a share done below the elapsed months; 91.7 % after eleven
        (XUANCHENG, "month", {11: 91.7}, G),
        (XUANCHENG, "month", {11: 91.6}, Y),
        (XUANCHENG, "quarter", {1: 24.9}, Y),
        (XUANCHENG, "quarter", {2: 50}, G),
        (XUANCHENG, "year", {}, N),
        # 银川: 53.3 done at the end of the third quarter is 21.7 points behind the time schedule
        (YINCHUAN, "quarter", {3: 65}, G),
        (YINCHUAN, "quarter", {3: 53.3}, Y),
        (YINCHUAN, "quarter", {3: 45}, Y),
        (YINCHUAN, "quarter", {3: 44.9}, R),
        (YINCHUAN, "half", {1: 65.22}, G),
        # a start that was due on 31 March
        (YINCHUAN_START, "month", {3: 0}, G),
        (YINCHUAN_START, "month", {4: 0}, Y),
        (YINCHUAN_START, "month", {5: 0}, Y),
        (YINCHUAN_START, "month", {6: 0}, R),
        (YINCHUAN_START, "month", {6: 1}, G),
        # 三亚: up to and above 50 % below the planned progress; the month's task missed once and twice running
        (SANYA, "quarter", {2: 49}, Y),
        (SANYA, "quarter", {2: 25}, Y),
        (SANYA, "quarter", {2: 24.9}, R),
        (SANYA, "quarter", {1: 40, 2: 60}, Y),
        (SANYA, "quarter", {1: 40, 2: 60, 3: 80}, R),
        (SANYA, "quarter", {1: 40, 2: 60, 3: 85}, G),
        # 武汉: below 80 % and below 60 % of the schedule
        (WUHAN, "quarter", {3: 60}, G),
        (WUHAN, "quarter", {3: 59.9}, Y),
        (WUHAN, "quarter", {3: 45}, Y),
        (WUHAN, "quarter", {3: 44.9}, R),
        # 天津: bonds up to and above 30 % behind
        (TIANJIN_BONDS, "quarter", {2: 50}, G),
        (TIANJIN_BONDS, "quarter", {2: 35}, Y),
        (TIANJIN_BONDS, "quarter", {2: 34.9}, R),
        # 新晃: the month done below 80 % and below 60 %, whatever the year so far
        (XINHUANG, "quarter", {1: 90, 2: 110}, G),
        (XINHUANG, "quarter", {1: 90, 2: 109.9}, Y),
        (XINHUANG, "quarter", {1: 90, 2: 105}, Y),
        (XINHUANG, "quarter", {1: 90, 2: 104.9}, R),
        (XINHUANG, "quarter", {1: 0, 2: 25}, G),
        # 广元: slow once is noted, slow twice is told
        (GUANGYUAN, "quarter", {1: 20}, G),
        (GUANGYUAN, "quarter", {1: 20, 2: 40}, Y),
        # 宿迁: behind, and overdue
        (SUQIAN, "quarter", {2: 59}, Y),
        (SUQIAN, "quarter", {2: 0}, Y),
        (SUQIAN, "quarter", {3: 99}, R),
        (SUQIAN, "quarter", {3: 100}, G),
    ],
)
def test_a_published_rule_gives_its_level(rule: str, every: str, figures: dict[int, float], level: Level) -> None:
    at = None if figures else "2025-12-31"
    assert judged(figures, at=at, every=every, **_written(rule)).level is level


def test_an_annual_figure_is_left_out_of_the_schedule_as_in_xuancheng() -> None:
    assert judged({}, at="2025-12-31", every="year", **_written(XUANCHENG)).reason is Reason.ANNUAL_ONLY


@pytest.mark.parametrize("quarter", [1, 2, 3, 4])
def test_growth_of_6_1_against_7_is_0_9_below_as_in_xuancheng(quarter: int) -> None:
    verdict = judged({quarter: 6.1}, every="quarter", goal="at least 7 %", **_written(XUANCHENG_GROWTH))
    assert verdict.level is Y
    assert verdict.shortfall == pytest.approx(0.9)


def test_growth_is_held_against_the_plan_and_the_average_as_in_tianjin() -> None:
    """The average of the four is 4.5: 和平 reaches its own plan and stays below it; 东丽 without a figure counts nowhere."""
    plans = {"和平": 3, "河东": 5, "南开": 9, "红桥": 2, "东丽": 6}
    growth = {"和平": 4, "河东": 6, "南开": 8.1, "红桥": -0.1}
    table = "subject,target,goal\n" + "".join(f"{subject},t0,{plan}\n" for subject, plan in plans.items())
    block = a_block({"goal": "at least 5 %", "every": "quarter", **_written(TIANJIN)}, subjects=table)
    subjects = [block.target_at(row)[1] for row in range(block.rows)]
    panel = a_panel(block, *({1: growth[subject]} if subject in growth else {} for subject in subjects))
    found = {verdict.subject: verdict.level for verdict in verdicts(panel, date(2025, 4, 20))}
    assert found == {"和平": Y, "河东": G, "南开": Y, "红桥": R, "东丽": N}


@pytest.mark.parametrize(
    ("name", "goal", "done", "ahead"),
    [
        ("引进世界500强、中国500强、上市公司或行业龙头企业投资项目", "at least 3 个", 3 + 1 + 2, 4.5),
        ("投资10亿元以上项目", "at least 10 个", 25, 20),
        ("亿元以上项目", "at least 100 个", 107, 57),
        ("新开工亿元以上产业项目", "at least 100 个", 80, 30),
    ],
)
def test_the_half_year_of_xianning_was_ahead_of_schedule(name: str, goal: str, done: float, ahead: float) -> None:
    """Figures of the notice on the first half of 2021, 咸宁市政府政务督查室:
    http://xianning.gov.cn/xxgk/xxgkml/qtzdgknr/zwdc/202201/t20220110_2498525.shtml.
    """
    verdict = judged({1: done}, name=name, goal=goal, every="half")
    assert verdict.level is G
    assert verdict.shortfall == pytest.approx(-ahead)
