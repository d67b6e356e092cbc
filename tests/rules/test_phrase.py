"""What an author may write as a goal, a threshold, a curve, a publication rule, and what is refused with which words."""

from collections.abc import Callable
from datetime import date, time, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rules import phrase
from rules.calendar import Publication
from rules.target import Against, Expect, Goal, Op, Schedule, Shape, Threshold
from rules.unit import KNOWN


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("at least 4500 人", Goal(Op.AT_LEAST, 4500, "人")),
        ("at least 4500人", Goal(Op.AT_LEAST, 4500, "人")),
        ("more than 4.5 亿元", Goal(Op.MORE_THAN, 4.5, "亿元")),
        ("at most 5.5 %", Goal(Op.AT_MOST, 5.5, "%")),
        ("at most 5.5%", Goal(Op.AT_MOST, 5.5, "%")),
        ("at most 3 位", Goal(Op.AT_MOST, 3, "位")),
        ("at most Ⅲ类", Goal(Op.AT_MOST, 3, "类")),
        ("less than 0.5 %", Goal(Op.LESS_THAN, 0.5, "%")),
        ("at least -2 %", Goal(Op.AT_LEAST, -2, "%")),
        ("exactly 12 个", Goal(Op.EXACTLY, 12, "个", upper=12)),
        ("between 7.5 and 8 %", Goal(Op.BETWEEN, 7.5, "%", upper=8)),
        ("about 5 % within 0.2", Goal(Op.ABOUT, 5, "%", tolerance=0.2)),
        ("done by 2025-09-30", Goal(Op.AT_LEAST, 100, "%", by=date(2025, 9, 30))),
        (
            "签约 by 2025-03-31, 开工 by 2025-06-30",
            Goal(Op.AT_LEAST, 2, "个阶段", stages=(("签约", date(2025, 3, 31)), ("开工", date(2025, 6, 30)))),
        ),
        ("开工 by 2025-03-31", Goal(Op.AT_LEAST, 1, "个阶段", stages=(("开工", date(2025, 3, 31)),))),
    ],
)
def test_a_goal_is_read(text: str, goal: Goal) -> None:
    assert phrase.goal(text) == goal


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("behind 5%", Threshold(Against.SHARE, 5, "", 1, "behind 5%")),
        ("behind 15% for 2", Threshold(Against.SHARE, 15, "", 2, "behind 15% for 2")),
        ("behind 5% for 366", Threshold(Against.SHARE, 5, "", 366, "behind 5% for 366")),
        ("behind 21.7 points", Threshold(Against.POINTS, 21.7, "", 1, "behind 21.7 points")),
        ("behind 1 point", Threshold(Against.POINTS, 1, "", 1, "behind 1 point")),
        ("behind 10 天", Threshold(Against.UNITS, 10, "天", 1, "behind 10 天")),
        ("below 6 %", Threshold(Against.BELOW, 6, "%", 1, "below 6 %")),
        ("below -1 %", Threshold(Against.BELOW, -1, "%", 1, "below -1 %")),
        ("above 5.5", Threshold(Against.ABOVE, 5.5, "", 1, "above 5.5")),
        ("any breach", Threshold(Against.UNITS, 0, "", 1, "any breach")),
        ("overdue", Threshold(Against.OVERDUE, 0, "", 1, "overdue")),
        ("period below 80%", Threshold(Against.PERIOD, 20, "", 1, "period below 80%")),
        ("period below 100% for 2", Threshold(Against.PERIOD, 0, "", 2, "period below 100% for 2")),
        ("behind average", Threshold(Against.AVERAGE, 0, "", 1, "behind average")),
        ("behind average for 3", Threshold(Against.AVERAGE, 0, "", 3, "behind average for 3")),
        ("behind 5% with outlook", Threshold(Against.OUTLOOK, 5, "", 1, "behind 5% with outlook")),
        ("late 30 days", Threshold(Against.LATE, 30, "天", 1, "late 30 days")),
        ("late 1 month", Threshold(Against.LATE, 1, "个月", 1, "late 1 month")),
        (
            "behind 10% narrowing to 5%",
            Threshold(Against.SHARE, 10, "", 1, "behind 10% narrowing to 5%", narrows_to=5),
        ),
        (
            "behind 10 人 narrowing to 0 人 for 2",
            Threshold(Against.UNITS, 10, "人", 2, "behind 10 人 narrowing to 0 人 for 2", narrows_to=0),
        ),
    ],
)
def test_a_threshold_is_read(text: str, threshold: Threshold) -> None:
    assert phrase.threshold(text) == threshold


@pytest.mark.parametrize(
    ("written", "texts"),
    [
        ("behind 5%", ["behind 5%"]),
        (["behind 5%", " period below 80% "], ["behind 5%", "period below 80%"]),
        ("never", []),
    ],
)
def test_a_level_has_one_threshold_or_several_or_none(written: Any, texts: list[str]) -> None:
    assert [threshold.text for threshold in phrase.thresholds(written)] == texts


def test_a_share_of_the_year_is_read() -> None:
    assert phrase.elapsed("25%") == 0.25


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("linear", Expect(Shape.LINEAR, "linear")),
        ("workdays", Expect(Shape.WORKDAYS, "workdays")),
        ("hold", Expect(Shape.HOLD, "hold")),
        ("path from 320", Expect(Shape.PATH, "path from 320", base=320)),
        ("path from -1.5", Expect(Shape.PATH, "path from -1.5", base=-1.5)),
        (
            "checkpoints {2025-06-30: 40%, 2025-12-31: 100%}",
            Expect(
                Shape.CHECKPOINTS,
                "checkpoints {2025-06-30: 40%, 2025-12-31: 100%}",
                points=((date(2025, 6, 30), 0.4), (date(2025, 12, 31), 1.0)),
            ),
        ),
    ],
)
def test_a_curve_is_read(text: str, expect: Expect) -> None:
    assert phrase.expect(text) == expect


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("10 workdays after period", Publication("10 workdays after period", workdays=10)),
        ("1 workday after period", Publication("1 workday after period", workdays=1)),
        ("0 days after period", Publication("0 days after period", days=0)),
        ("1 day after period", Publication("1 day after period", days=1)),
        ("day 15 of next month", Publication("day 15 of next month", day=15)),
        (
            "day 28 of the month after next",
            Publication("day 28 of the month after next", day=28, months=2),
        ),
        ("on 2026-02-28", Publication("on 2026-02-28", dates=(date(2026, 2, 28),))),
        (
            "on 2025-07-15,  2026-01-19",
            Publication("on 2025-07-15,  2026-01-19", dates=(date(2025, 7, 15), date(2026, 1, 19))),
        ),
        (
            "18 days after period, January with February",
            Publication("18 days after period, January with February", days=18, january_with_february=True),
        ),
    ],
)
def test_a_publication_rule_is_read(text: str, rule: Publication) -> None:
    assert phrase.published(text) == rule


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("every 10 minutes", Schedule("every 10 minutes", interval=timedelta(minutes=10))),
        ("every 1 hour", Schedule("every 1 hour", interval=timedelta(hours=1))),
        ("daily at 09:30", Schedule("daily at 09:30", at=time(9, 30))),
        ("weekdays at 09:30", Schedule("weekdays at 09:30", at=time(9, 30), workdays=True)),
        ("thursday, monday at 08:00", Schedule("thursday, monday at 08:00", at=time(8, 0), weekdays=(0, 3))),
        ("day 31 at 10:00", Schedule("day 31 at 10:00", at=time(10, 0), day=31)),
    ],
)
def test_a_schedule_is_read(text: str, schedule: Schedule) -> None:
    assert phrase.schedule(text) == schedule


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("every 10 minutes", "每10分钟"),
        ("every 120 minutes", "每2小时"),
        ("every 90 seconds", "每90秒"),
        ("daily at 09:30", "每日09:30"),
        ("weekdays at 09:30", "工作日09:30"),
        ("sunday, monday at 08:00", "每周一、周日08:00"),
        ("day 15 at 10:00", "每月15日10:00"),
    ],
)
def test_a_schedule_is_said_as_an_office_says_it(text: str, said: str) -> None:
    assert phrase.schedule(text).said == said


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (phrase.goal, "4500 人", "看不懂的目标 '4500 人'.*应如 at least 4500 人"),
        (phrase.goal, "about 5 %", "看不懂的目标.*about 5 % within 0.2"),
        (phrase.goal, "at least 人", "应为数值加计量单位"),
        (phrase.goal, "at least 4,500人", "'4,500人' 应为数值加计量单位"),
        (phrase.goal, "at least 5 furlongs", "未知的计量单位 'furlongs'.*可用: .*亿元"),
        (phrase.goal, "at least Ⅵ类", "应为数值加计量单位"),
        (phrase.goal, "between 8 and 7.5 %", "上限应大于下限"),
        (phrase.goal, "between 8 and 8 %", "上限应大于下限"),
        (phrase.goal, "about 5 % within -0.2", "within 后应为不小于 0 的数"),
        (phrase.goal, "done by 2025-02-30", "'2025-02-30' 不是日期"),
        (phrase.threshold, "5%", "看不懂的阈值 '5%'.*behind 5%"),
        (phrase.threshold, "behind 5", "缺少单位"),
        (phrase.threshold, "behind -5%", "behind 后应为不小于 0 的数"),
        (phrase.threshold, "behind -5% with outlook", "behind 后应为不小于 0 的数"),
        (phrase.threshold, "behind 5 furlongs", "未知的计量单位"),
        (phrase.threshold, "above 5 furlongs", "未知的计量单位"),
        (phrase.threshold, "behind 5% for 0", "for 后应为 1 至 366 的期数"),
        (phrase.threshold, "behind 5% for 367", "for 后应为 1 至 366 的期数"),
        (phrase.threshold, "behind 5% for two", "看不懂的阈值"),
        (phrase.threshold, "behind 5% narrowing to 10%", "narrowing to 后应为更小的数"),
        (phrase.threshold, "behind 10% narrowing to 5 points", "narrowing to 后应为更小的数，单位相同"),
        (phrase.threshold, "below 10 % narrowing to 5 %", "只有 behind 可以写 narrowing to"),
        (phrase.threshold, "period below 0%", "period below 后应为 0 至 100 的百分数"),
        (phrase.threshold, "period below 120%", "period below 后应为 0 至 100 的百分数"),
        (phrase.threshold, "late 0 days", "看不懂的阈值"),
        (phrase.threshold, "late 2 weeks", "看不懂的阈值.*late 30 days、late 1 month"),
        (phrase.threshold, "overdue for 2", "看不懂的阈值"),
        (phrase.thresholds, [], "应为一条阈值或若干条的列表"),
        (phrase.thresholds, 5, "应为一条阈值或若干条的列表，而不是 5"),
        (phrase.thresholds, ["behind 5%", "never"], "看不懂的阈值 'never'"),
        (phrase.elapsed, "25", "应为全年时间的百分数，如 25%"),
        (phrase.elapsed, "0%", "应为全年时间的百分数"),
        (phrase.elapsed, "101%", "应为全年时间的百分数"),
        (phrase.goal, "开工 by 2025-06-30, 签约 by 2025-03-31", "各阶段的日期应由早到晚"),
        (phrase.goal, "签约 by March", "'March' 不是日期"),
        (phrase.expect, "straight", "看不懂的进度曲线 'straight'.*linear"),
        (phrase.expect, "checkpoints {June: 40%}", "'June' 不是日期"),
        (phrase.expect, "checkpoints {2025-06-30 40%}", "节点 '2025-06-30 40%' 应如"),
        (phrase.expect, "checkpoints {2025-12-31: 100%, 2025-06-30: 40%}", "由早到晚"),
        (phrase.expect, "checkpoints {2025-06-30: 40%, 2025-06-30: 100%}", "由早到晚"),
        (phrase.expect, "checkpoints {2025-06-30: 60%, 2025-09-30: 40%, 2025-12-31: 100%}", "不得倒退"),
        (phrase.expect, "checkpoints {2025-06-30: -40%, 2025-12-31: 100%}", "不得倒退"),
        (phrase.expect, "checkpoints {2025-06-30: 40%, 2025-12-31: 80%}", "最后一个节点应为 100%"),
        (phrase.published, "soon", "看不懂的发布规则 'soon'.*10 workdays after period"),
        (phrase.published, "0 workdays after period", "看不懂的发布规则"),
        (phrase.published, "9999 days after period", "看不懂的发布规则"),
        (phrase.published, "day 0 of next month", "看不懂的发布规则"),
        (phrase.published, "day 32 of next month", "看不懂的发布规则"),
        (phrase.published, "day 32 of the month after next", "看不懂的发布规则"),
        (phrase.published, "day 5 of the month after", "看不懂的发布规则.*day 28 of the month after next"),
        (phrase.published, "on the 15th", "'the 15th' 不是日期"),
        (phrase.published, "on 2025-04-16,", "'' 不是日期"),
        (phrase.published, "on 2025-07-15, 2025-04-16", "由早到晚.*wrong order"),
        (phrase.published, "on 2025-04-16, 2025-04-16", "不得重复"),
        (phrase.published, "18 days after period, February with March", "看不懂的发布规则.*January with February"),
        (phrase.schedule, "every 0 minutes", "看不懂的拉取时间"),
        (phrase.schedule, "every 99999999999999 hours", "看不懂的拉取时间"),
        (phrase.schedule, "daily at 24:00", "看不懂的拉取时间"),
        (phrase.schedule, "day 32 at 10:00", "看不懂的拉取时间"),
        (phrase.schedule, "day 0 at 10:00", "看不懂的拉取时间"),
        (phrase.schedule, "1, 4 at 08:00", "monday, thursday at 08:00"),
        (phrase.schedule, "monday, monday at 08:00", "看不懂的拉取时间"),
        (phrase.schedule, "monday, daily at 08:00", "看不懂的拉取时间"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_way_to_write_it(
    read: Callable[[str], Any], text: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        read(text)


_WORDS = st.sampled_from(
    "at least|more than|at most|exactly|between|and|about|within|done by|behind|below|for|points|path from|checkpoints|by|late|months|narrowing to|period below|average"
    "|{|}|:|%|,|5|-3|0.2|9999999999999999999|４|人|亿元|Ⅲ类|类|2025-12-31|2025-99-99|workdays after period|day|of next month"
    "|of the month after next|on|, January with February"
    "|every|hours|daily at|09:30".split("|")
)


@given(st.one_of(st.text(), st.lists(_WORDS, max_size=8).map(" ".join)))
@example("at least " + "9" * 400 + " 人")
@example("checkpoints {,}")
def test_any_text_is_read_or_refused_and_never_crashes(text: str) -> None:
    for read in (phrase.goal, phrase.thresholds, phrase.elapsed, phrase.expect, phrase.published, phrase.schedule):
        try:
            read(text)
        except ValueError as refusal:
            assert str(refusal)  # noqa: PT017  any other error fails the test


_NUMBERS = st.decimals(-99999, 99999, places=2, allow_nan=False).map(lambda number: f"{number:f}")
_WORDS_OF = {Op.AT_LEAST: "at least", Op.MORE_THAN: "more than", Op.AT_MOST: "at most", Op.LESS_THAN: "less than"}


@given(st.sampled_from(sorted(_WORDS_OF)), _NUMBERS, st.sampled_from(KNOWN))
def test_every_number_in_every_known_unit_makes_a_goal(op: Op, number: str, unit: str) -> None:
    goal = phrase.goal(f"{_WORDS_OF[op]} {number} {unit}")
    assert (goal.op, goal.value, goal.unit) == (op, float(number), unit)


@given(st.lists(_NUMBERS, min_size=2, max_size=2, unique_by=float), st.sampled_from(KNOWN))
def test_a_range_keeps_both_its_ends(ends: list[str], unit: str) -> None:
    low, high = sorted(ends, key=float)
    goal = phrase.goal(f"between {low} and {high} {unit}")
    assert (goal.op, goal.value, goal.upper) == (Op.BETWEEN, float(low), float(high))


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("人力社保局", ("人力社保局",)),
        ("人力社保局、财政局", ("人力社保局", "财政局")),
        ("相关部门及镇街", ("相关部门", "镇街")),
        (" 、 ", ()),
    ],
)
def test_a_list_of_units_is_split_as_offices_write_it(text: str, units: tuple[str, ...]) -> None:
    assert phrase.units(text) == units
