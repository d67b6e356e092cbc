"""Verdicts and rules in the words of an office, letter for letter."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from connectors.observation import Status
from rules import phrase, wording
from rules.calendar import Workdays
from rules.clearing import clearings
from rules.target import Level, Measure, number, quantity
from tests.rules.builders import a_block, a_panel, a_target, judged, verdicts

JOBS: dict[str, Any] = {"goal": "at least 4500 人"}
GROWTH: dict[str, Any] = {"measure": "growth", "goal": "at least 7 %", "every": "quarter"}
RATE: dict[str, Any] = {"measure": "growth", "goal": "between 7.5 and 8 %", "every": "quarter"}
STAGES: dict[str, Any] = {"measure": "milestone", "goal": "签约 by 2025-03-31, 开工 by 2025-06-30"}
DEBT: dict[str, Any] = {"measure": "level", "goal": "at most 0 亿元", "expect": "path from 6.8", "every": "quarter"}


@pytest.mark.parametrize(("reached", "words"), [(0, "“签约”之前"), (1, "“签约”阶段"), (2, "“开工”阶段")])
def test_a_figure_of_a_task_in_stages_is_the_stage_reached(reached: int, words: str) -> None:
    assert wording.actual(judged({5: reached}, **STAGES)) == words


def test_a_task_waits_for_its_deadline_and_then_owes_how_far_it_is() -> None:
    task = {"measure": "milestone", "goal": "done by 2025-09-30"}
    assert wording.reason(judged({}, at="2025-09-30", **task)) == "未到完成时限"
    late = judged({}, at="2025-10-01", **task)
    assert (wording.owed(late), wording.reason(late)) == ("完成情况", "到期无数据，应报完成情况")


def test_nothing_is_owed_towards_a_goal_that_is_not_set() -> None:
    found = judged({}, at="2025-05-01", goal="none yet")
    assert (found.owed, wording.reason(found)) == (None, "尚无目标值")


@pytest.mark.parametrize(
    ("target", "figures", "words"),
    [
        (JOBS, {9: 2175}, "比时序进度少1200人（低于应完成数35.56%）"),
        (JOBS, {9: 3600}, "比时序进度多225人（高于应完成数6.67%）"),
        (JOBS, {9: 3375}, "与预期持平"),
        (DEBT, {3: 2}, "比时序进度多0.3亿元（高于应完成数17.65%）"),
        (DEBT, {3: 1}, "比时序进度少0.7亿元（低于应完成数41.18%）"),
        ({"measure": "reduction", "goal": "at least 16 %", "every": "quarter"}, {3: 11}, "比时序进度少1个百分点"),
        (GROWTH, {1: 6.1}, "低于目标0.9个百分点"),
        (GROWTH, {1: 7.3}, "高于目标0.3个百分点"),
        (RATE, {1: 7.2}, "低于目标0.3个百分点"),
        (RATE, {1: 9}, "高于目标1个百分点"),
        (RATE, {1: 7.9}, "在目标范围内"),
        ({**GROWTH, "goal": "exactly 7 %"}, {1: 7.5}, "高于目标0.5个百分点"),
        ({**GROWTH, "goal": "exactly 7 %"}, {1: 6.5}, "低于目标0.5个百分点"),
        ({"goal": "exactly 8 座", "every": "half"}, {1: 9}, "比目标多1座"),
        ({"goal": "exactly 8 座", "every": "half"}, {1: 7}, "比时序进度多3座（高于应完成数75%）"),
        ({"goal": "between 80 and 90 座", "every": "half"}, {1: 30}, "比时序进度少10座（低于应完成数25%）"),
        ({"measure": "level", "goal": "at least 50 万亩"}, {1: 48}, "比目标少2万亩（低4%）"),
        ({"measure": "level", "goal": "exactly 8 座"}, {1: 9}, "比目标多1座"),
        ({"measure": "level", "goal": "at most 30 微克/立方米"}, {1: 33}, "比目标多3微克/立方米（高10%）"),
        ({**GROWTH, "goal": "more than 7 %"}, {1: 7}, "与预期持平，尚未超过"),
        ({"measure": "class", "goal": "at most Ⅲ类"}, {1: 6}, "比目标类别差3个类别"),
        ({"measure": "class", "goal": "at most Ⅲ类"}, {1: 2}, "比目标类别好1个类别"),
        ({"measure": "share", "goal": "at least 50 %", "expect": "path from 26"}, {6: 36}, "低于时序进度2个百分点"),
        ({"measure": "floor", "goal": "at least 12.6 万亩"}, {1: 12.5}, "低于红线0.1万亩"),
        ({"measure": "ceiling", "goal": "at most 5.5 %"}, {1: 5.8}, "高于红线0.3个百分点"),
        ({"measure": "ceiling", "goal": "at most 5.5 %"}, {1: 5}, "低于红线0.5个百分点"),
        ({"measure": "zero", "goal": "at most 0 起"}, {1: 2}, "高于红线2起"),
        ({"measure": "rank", "goal": "at most 3 位"}, {1: 5}, "比目标位次落后2个位次"),
        ({"measure": "rank", "goal": "at most 3 位"}, {1: 1}, "比目标位次靠前2个位次"),
        ({"measure": "milestone", "goal": "done by 2025-09-30"}, {1: 60}, "尚差40%"),
        ({"measure": "milestone", "goal": "done by 2025-09-30"}, {1: 100}, "已完成"),
        (STAGES, {5: 0}, "“签约”应于3月31日前完成，逾期61天"),
        (STAGES, {7: 1}, "已到“签约”；“开工”应于6月30日前完成，逾期31天"),
        (STAGES, {4: 1}, "已到“签约”；“开工”应于6月30日前完成"),
        (STAGES, {4: 2}, "已完成"),
    ],
)
def test_the_gap_is_told_in_the_unit_and_direction_of_the_target(
    target: dict[str, Any], figures: dict[int, float], words: str
) -> None:
    assert wording.gap(judged(figures, **target)) == words


COURSE = {year: {month: 300.0 * month for month in range(1, 13)} for year in range(2020, 2025)}


@pytest.mark.parametrize(
    ("target", "figures", "past", "words"),
    [
        (JOBS, {9: 3400}, {}, "往年数据不足（完整的有0年），暂不预测"),
        (JOBS, {9: 3400}, {2024: COURSE[2024]}, "往年数据不足（完整的有1年），暂不预测"),
        (JOBS, {9: 2700}, COURSE, "预计全年达到3590—3610人（八成把握），完成目标的可能性不足1%"),
        (
            {"goal": "at least 3000 人"},
            {9: 2700},
            COURSE,
            "预计全年达到3590—3610人（八成把握），完成目标的可能性超过99%",
        ),
        (JOBS, {12: 4400}, COURSE, ""),
        ({"measure": "rank", "goal": "at most 3 位"}, {9: 5}, {}, ""),
        ({**JOBS, "every": "year"}, {1: 4400}, {}, ""),
    ],
)
def test_where_the_year_will_land_is_told_with_its_chance(target, figures, past, words) -> None:
    at = "2026-01-20" if 12 in figures or target.get("every") == "year" else None
    assert wording.outlook(judged(figures, at, past=past, **target)) == words


def test_a_growth_rate_lands_at_a_rate() -> None:
    past = {year: {1: 5.0, 2: 5.2 + year % 3 / 10, 3: 5.1, 4: 5.4 + year % 2 / 5} for year in range(2019, 2025)}
    words = wording.outlook(judged({2: 5.0}, past=past, **{**GROWTH, "goal": "at least 5 %"}))
    assert words.startswith("预计全年为")
    assert "%（八成把握），完成目标的可能性" in words


def test_a_curve_that_cannot_be_read_from_earlier_years_says_what_stands_in() -> None:
    seasonal = {**JOBS, "expect": "seasonal"}
    assert wording.curve(judged({9: 3400}, **seasonal)) == "按往年同期进度推进（往年数据不足，暂按时间均匀推进）"
    assert wording.curve(judged({9: 3400}, past=COURSE, **seasonal)) == "按往年同期进度推进"


def test_what_a_figure_is_is_told_with_it() -> None:
    early = judged({8: 2175}, said={8: Status.PARTIAL, 9: Status.NIL}, at="2025-10-01", **JOBS)
    assert (wording.actual(early), wording.period(early)) == ("2175人（初步数）", "2025年8月，初步数")
    assert wording.reason(early) == "未达时序进度，2025年9月无报送事项"
    plain = judged({9: 3600}, **JOBS)
    assert (wording.actual(plain), wording.period(plain), wording.nil(plain)) == ("3600人", "2025年9月", "")
    nothing = judged({}, at="2025-02-01", said={1: Status.NIL}, **JOBS)
    assert (wording.actual(nothing), wording.period(nothing)) == ("", "")
    assert wording.reason(nothing) == "尚无数据，2025年1月无报送事项"


def test_no_gap_is_told_where_nothing_is_known() -> None:
    assert wording.gap(judged({}, at="2025-02-01")) == ""


@pytest.mark.parametrize(
    ("target", "figures", "words"),
    [
        (
            JOBS,
            {9: 2864},
            "此后每月需完成546人、每个工作日27人（前期月均318.22人、工作日均15.32人，余3个月、61个工作日）",
        ),
        (
            {**JOBS, "every": "quarter"},
            {3: 3000},
            "此后每季度需完成1500人、每个工作日25人（前期季度均1000人、工作日均16.04人，余1个季度、61个工作日）",
        ),
        (
            {**JOBS, "every": "half"},
            {1: 2000},
            "此后每半年需完成2500人、每个工作日20人（前期半年均2000人、工作日均16.67人，余1个半年、128个工作日）",
        ),
        (
            {"measure": "good-days", "goal": "at least 325 天", "every": "day", "counts": "at most 100"},
            dict.fromkeys(range(1, 264), 60),
            "余102天中需有62天优良，至多可差40天；全年可差40天，已差0天，为时序的0倍",
        ),
        (
            {"measure": "good-days", "goal": "at least 325 天", "every": "day"},
            {340: 318},
            "余25天中需有7天优良，至多可差18天；全年可差40天，已差22天，为时序的0.59倍",
        ),
        (
            {"measure": "good-days", "goal": "at least 325 天"},
            {9: 200},
            "余92天，已无法完成；全年可差40天，已差73天，为时序的2.44倍",
        ),
        ({"measure": "good-days", "goal": "at least 365 天"}, {1: 30}, "余334天，已无法完成；全年可差0天，已差1天"),
        (
            {"goal": "at least 10 亿元"},
            {9: 6.5},
            "此后每月需完成1.17亿元、每个工作日0.06亿元（前期月均0.72亿元、工作日均0.03亿元，余3个月、61个工作日）",
        ),
        ({"measure": "level", "goal": "at least 75 家"}, {9: 69}, "此后每月需完成2家（余3个月）"),
        (JOBS, {9: 4500}, ""),  # reached
        (JOBS, {12: 4000}, ""),  # nothing is left
        (GROWTH, {1: 6}, ""),
        (DEBT, {3: 2}, ""),
        ({"measure": "floor", "goal": "at least 12.6 万亩"}, {1: 12}, ""),
    ],
)
def test_the_pace_from_here_is_told_where_it_has_a_meaning(
    target: dict[str, Any], figures: dict[int, float], words: str
) -> None:
    assert wording.pace(judged(figures, **target)) == words


def test_the_pace_from_here_leads_to_the_goal_that_is_to_come() -> None:
    raised = {**JOBS, "changes": [{"from": "2025-07-01", "goal": "at least 5100 人", "why": "调整"}]}
    for figures, needed in (({6: 2100}, "500人"), ({9: 4500}, "200人")):
        assert wording.pace(judged(figures, **raised)).startswith(f"此后每月需完成{needed}、")


def test_the_working_days_of_the_book_are_counted() -> None:
    found = judged({11: 4180}, **JOBS)
    assert wording.pace(found).endswith("余1个月、23个工作日）")
    shorter = Workdays(holidays=tuple(date(2025, 12, day) for day in (29, 30, 31)))
    assert wording.pace(found, shorter).endswith("余1个月、20个工作日）")
    none_left = Workdays(holidays=tuple(date(2025, 12, day) for day in range(1, 32)))
    assert wording.pace(found, none_left).endswith("（前期月均380人，余1个月）")


@pytest.mark.parametrize(
    ("target", "figures", "words"),
    [
        (JOBS, {9: 2576}, "2025年10月累计不低于3563人"),
        ({**JOBS, "levels": {"yellow": "behind 200 人"}}, {9: 2576}, "2025年10月累计不低于3550人"),
        ({**JOBS, "levels": {"yellow": "behind 15%", "clear": "behind 3%"}}, {9: 2576}, "2025年10月累计不低于3638人"),
        ({**JOBS, "levels": {"yellow": "period below 80%", "red": "never"}}, {9: 2576}, "2025年10月累计不低于2876人"),
        ({**JOBS, "every": "quarter"}, {3: 2576}, "2025年四季度累计不低于4500人"),
        ({"goal": "at least 10 亿元"}, {9: 6.5}, "2025年10月累计不低于7.92亿元"),
        ({**GROWTH, "every": "quarter", "goal": "more than 6 %"}, {1: 5}, "2025年二季度高于6%"),
        ({**GROWTH, "every": "quarter", "goal": "between 7.5 and 8 %"}, {1: 6.1}, "2025年二季度在7.5—8%之间"),
        (DEBT, {2: 9}, "2025年三季度不超过1.78亿元"),
        ({"measure": "ceiling", "goal": "less than 5.5 %"}, {3: 9}, "2025年4月低于5.5%"),
        ({"measure": "rank", "goal": "at most 3 位"}, {3: 9}, "2025年4月进入前3位"),
        ({"measure": "class", "goal": "at most Ⅲ类"}, {3: 4}, "2025年4月达到或优于Ⅲ类"),
        ({**JOBS, "levels": {"yellow": "probability below 30%", "red": "never"}}, {9: 2576}, ""),
        (JOBS, {12: 4000}, ""),  # no period is left
        ({"measure": "good-days", "goal": "at least 325 天", "every": "day"}, {264: 180}, ""),
        ({"measure": "milestone", "goal": "开工 by 2025-03-31", "every": "month"}, {4: 0}, ""),
    ],
)
def test_the_figure_that_solves_an_alert_is_told_on_the_safe_side(
    target: dict[str, Any], figures: dict[int, float], words: str
) -> None:
    assert wording.enough(judged(figures, **target)) == words


def test_no_figure_solves_what_was_never_judged() -> None:
    panel = a_panel(a_block(JOBS), {})
    assert clearings(panel, np.array([0]), panel.latest) == [None]


def test_no_pace_is_told_without_a_figure() -> None:
    assert wording.pace(judged({}, at="2025-02-01", **JOBS)) == ""


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        ("at least 4500 人", "不低于4500人"),
        ("more than 4.5 亿元", "超过4.5亿元"),
        ("at most 5.5 %", "不超过5.5%"),
        ("less than 5.5 %", "低于5.5%"),
        ("exactly 3 个", "等于3个"),
        ("between 7.5 and 8 %", "7.5—8%"),
        ("about 5 % within 0.2", "5%左右（容差0.2个百分点）"),
        ("at most 3 位", "保持前3位"),
        ("at most Ⅲ类", "达到或优于Ⅲ类"),
        ("done by 2025-09-30", "2025年9月30日前完成"),
        ("签约 by 2025-03-31, 开工 by 2025-06-30", "2025年3月31日前签约、2025年6月30日前开工"),
    ],
)
def test_a_goal_reads_as_an_office_writes_it(goal: str, words: str) -> None:
    assert phrase.goal(goal).text == words


def test_the_goal_told_is_that_of_the_subject() -> None:
    block = a_block(JOBS, subjects="subject,target,goal\n甲县,t0,120\n乙县,t0,\n")
    told = {verdict.subject: wording.goal(verdict) for verdict in verdicts(a_panel(block), date(2025, 2, 1))}
    assert told == {"甲县": "不低于120人", "乙县": "未定"}


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (JOBS, "2025年底"),
        (GROWTH, "2025年全年"),
        ({"measure": "milestone", "goal": "done by 2025-09-30"}, "2025年9月30日"),
        (STAGES, "2025年6月30日"),
    ],
)
def test_a_deadline_is_the_day_of_a_milestone_or_the_end_of_the_year(target: dict[str, Any], words: str) -> None:
    assert wording.deadline(a_target(**target), 2025) == words


@pytest.mark.parametrize(
    ("figures", "at", "words"),
    [
        ({9: 3400}, "2025-10-10", "符合时序进度"),
        ({8: 3400}, "2025-11-30", "数据逾期未报，应报2025年10月"),
        ({}, "2025-03-10", "到期无数据，应报2025年1月"),
        ({9: 2000}, "2025-10-10", "未达时序进度，本期已达红色条件，待连续期数确认"),
    ],
)
def test_a_reason_says_what_is_owed_and_what_is_pending(figures: dict[int, float], at: str, words: str) -> None:
    levels = {"yellow": "behind 5%", "red": "behind 15% for 2"}
    assert wording.reason(judged(figures, at=at, levels=levels, **JOBS)) == words


@pytest.mark.parametrize(
    ("threshold", "goal", "words"),
    [
        ("behind 5%", "at least 9 人", "落后应完成数超过5%"),
        ("behind 15% for 2", "at least 9 人", "落后应完成数超过15%，连续2期"),
        ("behind 0%", "at least 9 人", "未达应完成数"),
        ("behind 0.5 points", "at least 9 %", "落后超过0.5个百分点"),
        ("behind 0 points", "at least 9 %", "未达时序进度"),
        ("behind 5 天", "at least 9 天", "落后超过5天"),
        ("behind 2 位", "at most 3 位", "落后超过2个位次"),
        ("behind 1 类", "at most Ⅲ类", "落后超过1类"),
        ("any breach", "at most 0 起", "未达目标即预警"),
        ("below 6 %", "at least 9 %", "低于6%"),
        ("above 5.5", "at most 5 %", "高于5.5%"),
        ("above 3 类", "at most Ⅲ类", "高于Ⅲ类"),
        ("behind 10% narrowing to 5%", "at least 9 人", "落后应完成数超过10%（至年底收窄为5%）"),
        ("behind 9 points narrowing to 3 points", "at least 9 人", "落后超过9个百分点（至年底收窄为3个百分点）"),
        ("behind 9 人 narrowing to 0 人 for 2", "at least 9 人", "落后超过9人（至年底收窄为0人），连续2期"),
        ("behind 5% with outlook", "at least 9 人", "落后应完成数超过5%（年底预测有把握的从预测）"),
        ("behind 0% with outlook", "at least 9 人", "未达应完成数（年底预测有把握的从预测）"),
        ("period below 80%", "at least 9 人", "当期完成数低于当期应完成数的80%"),
        ("period below 100% for 2", "at least 9 人", "未完成当期任务，连续2期"),
        ("behind average", "at least 9 %", "低于各对象平均数"),
        ("behind average", "at most 5 %", "高于各对象平均数"),
        ("late 30 days", "at least 9 人", "应到阶段逾期满30天"),
        ("late 3 months", "at least 9 人", "应到阶段逾期满3个月"),
        ("overdue", "at least 9 人", "到最后时限仍未完成"),
    ],
)
def test_a_threshold_reads_as_a_rule(threshold: str, goal: str, words: str) -> None:
    measure = {"位": "rank", "类": "class", "起": "zero", "%": "reduction"}.get(goal[-1], "level")
    target = a_target(goal=goal, measure=measure if "at most 5" not in goal else "ceiling")
    assert wording.threshold(phrase.threshold(threshold), target) == words


def test_several_thresholds_read_as_one_rule() -> None:
    target = a_target(levels={"yellow": ["behind 10 points", "period below 80%"]})
    assert wording.thresholds(target.levels.yellow, target) == "落后超过10个百分点；或当期完成数低于当期应完成数的80%"


@pytest.mark.parametrize(("levels", "words"), [({}, ""), ({"not before": "25%"}, "全年时间过25%后起判")])
def test_the_beginning_of_judging_is_told_where_it_is_not_the_first_figure(levels: dict[str, str], words: str) -> None:
    assert wording.not_before(a_target(levels=levels)) == words


def test_who_is_ahead_of_the_plan_and_missed_another_yardstick_is_not_called_late() -> None:
    levels = {"yellow": ["behind 5%", "period below 80%"]}
    assert wording.reason(judged({1: 2000, 2: 2100}, levels=levels, **JOBS)) == "达到预警条件"
    assert wording.reason(judged({1: 0}, levels=levels, **JOBS)) == "未达时序进度"


def test_what_is_held_to_its_goal_all_year_is_behind_no_schedule() -> None:
    assert wording.reason(judged({1: 6.1}, **GROWTH)) == "未达目标要求"
    assert wording.reason(judged({1: 5}, measure="rank", goal="at most 3 位")) == "未达目标要求"
    share = {"measure": "share", "goal": "at least 50 %", "expect": "path from 26"}
    assert wording.reason(judged({6: 36}, **share)) == "未达时序进度"


def test_a_level_without_a_threshold_says_so() -> None:
    assert wording.thresholds((), a_target()) == "未设"


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ("linear", "按时间均匀推进"),
        ("workdays", "按工作日均匀推进"),
        ("hold", "全年任何时点均应达到目标"),
        ("path from 320", "自年初320个均匀推进至目标"),
        ("checkpoints {2025-06-30: 40%, 2025-12-31: 100%}", "按节点推进：6月30日前40%、12月31日前100%"),
    ],
)
def test_a_curve_reads_as_a_plan(expect: str, words: str) -> None:
    target = a_target(expect=expect)
    assert wording.shape(target.expect, target) == words


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("10 workdays after period", "期末后10个工作日内"),
        ("3 days after period", "期末后3日内"),
        ("day 15 of next month", "次月15日前"),
        ("day 28 of the month after next", "期末后第二个月28日前"),
        ("18 days after period, January with February", "期末后18日内（1月与2月合并）"),
        (
            "on 2025-04-16, 2025-07-15, 2025-10-20, 2026-01-19",
            "2025年4月16日、7月15日、10月20日、2026年1月19日",
        ),
    ],
)
def test_a_publication_rule_reads_as_a_deadline(rule: str, words: str) -> None:
    target = a_target(published=rule, every="quarter" if rule.startswith("on") else "month")
    assert wording.publication(target.published, target) == words


def test_the_curve_of_a_task_in_stages_is_its_stages() -> None:
    target = a_target(**STAGES)
    assert wording.shape(target.expect, target) == "按阶段推进：2025年3月31日前签约、2025年6月30日前开工"


def test_a_milestone_is_due_on_its_own_day() -> None:
    target = a_target(measure="milestone", goal="done by 2025-09-30")
    assert wording.publication(target.published, target) == "完成时限当日"


@pytest.mark.parametrize(
    ("value", "text"), [(4500.0, "4500"), (5.25, "5.25"), (5.2, "5.2"), (-0.001, "0"), (0.0, "0"), (-1.5, "-1.5")]
)
def test_a_number_has_at_most_two_decimals_and_no_trailing_zeros(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (4500, "人", "4500人"),
        (3, "类", "Ⅲ类"),
        (6, "类", "劣Ⅴ类"),
        (3.5, "类", "3.5类"),
        (3, "位", "第3位"),
        (5.2, "%", "5.2%"),
    ],
)
def test_a_figure_reads_with_its_unit(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_every_measure_and_level_has_words() -> None:
    assert set(wording.MEASURES) == set(Measure)
    assert [level.text for level in sorted(Level)] == ["未判定", "正常", "黄色", "红色"]


def test_on_a_path_the_plan_by_now_is_missed_and_not_yet_the_goal() -> None:
    share = {"goal": "at least 60 %", "measure": "share", "levels": {"yellow": "behind 0 points"}}
    on_a_path, held = a_target(**share, expect="path from 40"), a_target(**share)
    assert wording.thresholds(on_a_path.levels.yellow, on_a_path) == "未达时序进度"
    assert wording.thresholds(held.levels.yellow, held) == "未达目标"
