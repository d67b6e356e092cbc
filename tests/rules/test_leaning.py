"""Goals that lean on another series, goals that are not set yet, goals that were changed within the year."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rules import wording
from rules.calendar import Every
from rules.derived import Series
from rules.document import Invalid
from rules.loader import load_book
from rules.panel import Panel
from rules.target import Level, Op
from rules.verdict import OWED, Reason, Verdict
from tests.rules.builders import a_block, a_book, a_panel, a_target, judged, remember, verdicts

N, G, Y, R = sorted(Level)
SOURCES = {"filings": {"connector": "table_file"}, "stats": {"connector": "table_file"}}
AVERAGE: dict[str, Any] = {
    "name": "规上工业增加值增速",
    "measure": "growth",
    "goal": "at least the figure of 全市平均增速",
    "every": "quarter",
    "source": "filings",
    "published": "15 days after period",
}


def leaning(
    figures: Mapping[int, float], reference: Mapping[int, float], at: str = "2025-10-10", **keys: Any
) -> Verdict:
    """The verdict on one target with these figures, and those of the series it leans on."""
    panel = a_panel(a_block({**AVERAGE, **keys}, sources=SOURCES), figures)
    lean(panel, reference)
    return verdicts(panel, date.fromisoformat(at))[0]


def lean(panel: Panel, reference: Mapping[int, float], row: int = 0) -> None:
    slots = np.array(list(reference), np.int64) - 1
    panel.lean(np.full(len(slots), row), slots, np.array(list(reference.values()), float))


def test_a_figure_is_compared_with_the_series_at_its_own_period() -> None:
    verdict = leaning({1: 6, 2: 5, 3: 5.5}, {1: 9, 2: 5, 3: 5.8, 4: 1})
    assert (verdict.level, verdict.expected, verdict.goal) == (Y, 5.8, 5.8)
    assert verdict.shortfall == pytest.approx(0.3)
    assert wording.goal(verdict) == "不低于全市平均增速（本期5.8%）"
    assert wording.gap(verdict) == "低于全市平均增速0.3个百分点"


@pytest.mark.parametrize(
    ("goal", "expected", "words"),
    [
        ("at least the figure of 全市平均增速 + 1 points", 6.8, "不低于全市平均增速加1个百分点（本期6.8%）"),
        ("more than the figure of 全市平均增速 - 0.5", 5.3, "超过全市平均增速减0.5个百分点（本期5.3%）"),
        ("at most the figure of stats.全市平均增速", 5.8, "不超过全市平均增速（本期5.8%）"),
    ],
)
def test_a_margin_is_added_to_the_series(goal: str, expected: float, words: str) -> None:
    verdict = leaning({3: 5.5}, {3: 5.8}, goal=goal)
    assert verdict.expected == pytest.approx(expected)
    assert wording.goal(verdict) == words


def test_a_series_that_must_be_surpassed_is_not_reached_by_being_equal() -> None:
    goals = ("at least the figure of 全市平均增速", "more than the figure of 全市平均增速")
    assert [leaning({3: 5.8}, {3: 5.8}, goal=goal).level for goal in goals] == [G, Y]


@pytest.mark.parametrize("reference", [{}, {2: 5.8}, {4: 5.8}])
def test_nothing_is_judged_before_the_series_is_known_and_nobody_owes_it(reference: dict[int, float]) -> None:
    verdict = leaning({3: -50}, reference, levels={"red": "below 0 %"})
    assert (verdict.reason, verdict.level, verdict.owed) == (Reason.NO_REFERENCE, N, None)
    assert verdict.reason not in OWED
    assert wording.goal(verdict) == "不低于全市平均增速"
    assert wording.reason(verdict) == "对照数据未到"


def test_an_own_figure_that_is_late_is_owed_whatever_the_series_says() -> None:
    assert leaning({2: 5}, {2: 6, 3: 6}, at="2025-10-17").reason is Reason.LATE
    assert leaning({2: 5}, {}, at="2025-10-17").reason is Reason.LATE


def test_a_period_whose_series_is_not_known_does_not_count_towards_several() -> None:
    levels = {"levels": {"yellow": "behind 0 points for 2", "red": "never"}}
    assert leaning({1: 5, 2: 5, 3: 5}, {1: 4, 3: 6}, **levels).level is G
    assert leaning({1: 5, 2: 5, 3: 5}, {1: 6, 3: 6}, **levels).level is Y
    assert leaning({1: 5, 2: 5, 3: 5}, {1: 4, 2: 6, 3: 6}, **levels).level is Y


def test_an_amount_leans_on_an_amount() -> None:
    keys = {"measure": "cumulative", "goal": "at least the figure of 计划数 in 亿元", "levels": {"yellow": "behind 5%"}}
    verdict = leaning({3: 80}, {3: 100}, **keys)
    assert verdict.level is R
    assert wording.gap(verdict) == "比计划数少20亿元（低20%）"
    assert wording.pace(verdict) == ""  # what the year asks is not known


def test_where_a_leaning_target_lands_is_not_foreseen_and_no_lack_of_years_is_blamed() -> None:
    panel = a_panel(a_block(AVERAGE, sources=SOURCES), {1: 6, 2: 5})
    lean(panel, {1: 6, 2: 5.5})
    remember(panel, {year: {1: 5 + year % 3, 2: 5.2, 3: 5.5, 4: 5.1} for year in range(2018, 2025)})
    (verdict,) = verdicts(panel, date(2025, 7, 10))
    assert (verdict.years, wording.outlook(verdict)) == (7, "")


@pytest.mark.parametrize(
    ("measure", "level"), [("growth", "probability below 30%"), ("reduction", "behind 5% with outlook")]
)
def test_a_threshold_that_would_need_such_a_forecast_is_refused(measure: str, level: str) -> None:
    with pytest.raises(Invalid, match="不作年底预测"):
        a_book({**AVERAGE, "measure": measure, "levels": {"yellow": level}}, sources=SOURCES)


@given(
    st.sampled_from(["at least", "more than", "at most", "less than"]),
    st.dictionaries(st.integers(1, 4), st.integers(-8, 8).map(lambda n: n / 2), max_size=4),
    st.integers(-6, 6).map(lambda n: n / 2),
    st.sampled_from(["behind 0 points", "behind 1 points for 2", "below 1 %", "behind 2 points narrowing to 1 points"]),
    st.dates(date(2025, 1, 1), date(2026, 2, 1)),
)
@settings(max_examples=60, deadline=None)
def test_a_series_that_always_says_the_same_is_a_goal_like_any_other(
    op: str, figures: dict[int, float], value: float, level: str, day: date
) -> None:
    keys: dict[str, Any] = {**AVERAGE, "levels": {"yellow": level, "red": "behind 2 points"}}
    plain = a_panel(a_block({**keys, "goal": f"{op} {value} %"}, sources=SOURCES), figures)
    leant = a_panel(a_block({**keys, "goal": f"{op} the figure of 全市 + 0.5"}, sources=SOURCES), figures)
    lean(leant, dict.fromkeys(range(1, 5), value - 0.5))
    (one,), (other,) = verdicts(plain, day), verdicts(leant, day)
    same = ("reason", "level", "pending", "period", "owed", "actual", "expected", "shortfall")
    assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]


def test_rows_that_lean_and_rows_that_do_not_lie_in_one_block() -> None:
    block = a_block({**AVERAGE, "goal": "at least 5 %"}, AVERAGE, sources=SOURCES)
    panel = a_panel(block, {3: 5.5}, {3: 5.5})
    lean(panel, {3: 6}, row=1)
    assert [verdict.level for verdict in verdicts(panel, date(2025, 10, 10))] == [G, Y]
    assert np.isnan(block.expected[:, 1]).all()  # the plan itself knows nothing of it


def test_what_a_goal_leans_on_is_looked_for_at_home_first() -> None:
    assert a_book(AVERAGE, sources=SOURCES).targets[0].leans_on == Series("filings", "全市平均增速")
    other = {**AVERAGE, "goal": "at least the figure of stats.全市平均增速"}
    (target,) = a_book(other, sources=SOURCES).targets
    assert (target.leans_on, target.goal.reference) == (Series("stats", "全市平均增速"), "全市平均增速")
    derived = [{"series": "全市平均增速", "unit": "%", "every": "quarter", "formula": "mean(规上工业增加值增速)"}]
    book = a_book({**AVERAGE, "source": "filings"}, sources=SOURCES, derived=derived, source="filings")
    assert book.targets[0].leans_on == Series("derived", "全市平均增速")
    assert book.read_from("filings") == {"规上工业增加值增速"}


# Goals that are not set yet


@pytest.mark.parametrize("goal", ["none yet", "at least ? 亿元"])
def test_a_goal_that_is_not_set_yet_is_listed_and_not_judged(goal: str) -> None:
    verdict = judged({9: 5}, goal=goal)
    assert (verdict.reason, verdict.level, verdict.actual, verdict.goal) == (Reason.NO_GOAL, N, 5, None)
    assert wording.goal(verdict) == "未定"
    assert wording.reason(verdict) == "尚无目标值"


def test_a_rate_without_a_goal_is_in_percent_all_the_same() -> None:
    assert a_target(goal="none yet", measure="growth").goal.unit == "%"
    assert a_target(goal="none yet").goal.unit == ""


# Goals that were changed within the year

CHANGED: dict[str, Any] = {
    "goal": "at least 4500 人",
    "changes": [{"from": "2025-07-01", "goal": "at least 6000 人", "why": "区委会议调整"}],
}


@pytest.mark.parametrize(
    ("month", "expected", "goal"), [(5, 1875, 4500), (6, 2250, 4500), (7, 3500, 6000), (12, 6000, 6000)]
)
def test_a_period_is_judged_by_the_goal_in_force_at_its_end(month: int, expected: float, goal: float) -> None:
    verdict = judged({month: 2000}, at="2025-12-31", published="366 days after period", **CHANGED)
    assert (verdict.expected, verdict.goal) == (expected, goal)
    assert wording.goal(verdict) == f"不低于{goal}人"


def test_all_goals_are_told_with_their_day_and_reason() -> None:
    assert wording.goals(a_target(**CHANGED)) == "不低于4500人；自2025年7月1日起不低于6000人（区委会议调整）"
    assert wording.goals(a_target()) == ""


def test_points_are_those_of_the_goal_in_force() -> None:
    levels = {"yellow": "behind 10 points", "red": "never"}
    assert [judged({6: value}, levels=levels, **CHANGED).level for value in (1800, 1799)] == [G, Y]
    assert [judged({7: value}, levels=levels, **CHANGED).level for value in (2900, 2899)] == [G, Y]


def test_a_changed_goal_adds_no_task_to_the_period_by_itself() -> None:
    levels = {"yellow": "period below 100%", "red": "never"}
    # 6000 / 12 = 500 a month, and not what the first half year would have had to bring by the new goal.
    assert [judged({6: 2250, 7: 2250 + more}, levels=levels, **CHANGED).level for more in (500, 499)] == [G, Y]


def test_a_goal_that_comes_within_the_year_is_judged_from_then_on() -> None:
    later = {**CHANGED, "goal": "none yet"}
    assert a_target(**later).goal.op is Op.AT_LEAST
    assert a_target(**later).goal.unit == "人"
    assert judged({6: 0}, **later).reason is Reason.NO_GOAL
    assert judged({7: 0}, **later).reason is Reason.BEHIND_SCHEDULE
    assert wording.goals(a_target(**later)) == "未定；自2025年7月1日起不低于6000人（区委会议调整）"
    twice = {"yellow": "behind 5% for 2", "red": "never"}
    assert [judged(dict.fromkeys(range(6, n), 0.0), levels=twice, **later).level for n in (8, 9)] == [G, Y]


@given(
    st.dictionaries(st.integers(1, 12), st.integers(0, 120).map(float), max_size=6),
    st.integers(1, 12),
    st.dates(date(2025, 1, 1), date(2026, 2, 1)),
)
@settings(max_examples=60, deadline=None)
def test_before_the_change_all_is_as_with_the_old_goal_and_after_it_as_with_the_new(
    figures: dict[int, float], month: int, day: date
) -> None:
    levels = {"yellow": ["behind 10 points", "behind 5%"], "red": "behind 20 points"}
    change = {"from": f"2025-{month:02d}-15", "goal": "at least 120 个", "why": "调整"}
    blocks = [
        a_block({"levels": levels, **keys})
        for keys in (
            {"goal": "at least 80 个", "changes": [change]},
            {"goal": "at least 80 个"},
            {"goal": "at least 120 个"},
        )
    ]
    changed, old, new = (verdicts(a_panel(block, figures), day)[0] for block in blocks)
    wanted = old if changed.period is None or changed.period.month < month else new
    told = replace(wanted, target=changed.target)
    assert changed == (told if wanted is new else replace(told, goal=changed.goal, clears=changed.clears))
    assert changed.goal == (wanted.goal if changed.period else 120)


def test_a_change_concerns_its_own_target_only() -> None:
    block = a_block({"goal": "at least 4500 人"}, CHANGED, {"goal": "at least 1 人"})
    panel = a_panel(block, *[{7: 2700}] * 3)
    assert [verdict.goal for verdict in verdicts(panel, date(2025, 8, 1))] == [4500, 6000, 1]
    np.testing.assert_array_equal(panel.goals(np.array([2, 1]), np.array([6, 0], np.int16)), [1, 4500])


# What is refused

BOOK = """\
book: b
title: 方案
year: 2025
sources: {filings: {connector: table_file}, stats: {connector: table_file}}
source: filings
derived:
  - {series: 三产占比, unit: "%", formula: 第三产业增加值 / 地区生产总值 * 100}
targets:
  - id: t
    name: 三产占比
    lead: 统计局
    goal: at least 50 %
    measure: share
    source: {connector: derived, series: 三产占比}
"""


def wrong(tmp_path: Path, *edits: tuple[str, str]) -> list[str]:
    text = BOOK
    for was, now in edits:
        assert text.count(was) == 1, was
        text = text.replace(was, now)
    (tmp_path / "book.yaml").write_text(text)
    with pytest.raises(Invalid) as refusal:
        load_book(tmp_path)
    return [error.replace(f"{tmp_path}/", "") for error in refusal.value.errors]


def test_the_book_that_the_wrong_ones_are_made_from_is_right(tmp_path: Path) -> None:
    (tmp_path / "book.yaml").write_text(BOOK)
    book = load_book(tmp_path)
    (one,) = book.derived
    assert one.inputs == (Series("filings", "第三产业增加值"), Series("filings", "地区生产总值"))
    assert one.every is Every.MONTH
    assert book.read_from("filings") == {"第三产业增加值", "地区生产总值"}
    assert book.roots(book.targets[0].reads) == set(one.inputs)


SHARE = '  - {series: 三产占比, unit: "%", formula: 第三产业增加值 / 地区生产总值 * 100}\n'


@pytest.mark.parametrize(
    ("was", "now", "line", "says"),
    [
        ("* 100}", "* ) 100}", 7, "formula: 第 20 字：看不懂的公式"),
        ('unit: "%", ', "", 7, "缺少必填项 'unit' (missing key)"),
        ('unit: "%", ', "unit: 成, ", 7, "unit: 未知的计量单位 '成'"),
        ("* 100}", "* 100, from: filing}", 7, "from: 没有名为 'filing' 的来源 (unknown source); 是否应为 'filings'?"),
        (
            "source: filings\n",
            "",
            6,
            "formula: 不知序列 '第三产业增加值' 出自哪个来源 (unknown series)；请写 from: 来源",
        ),
        ("地区生产总值 * 100}", "三产占比}", 7, "推算序列互为因果：三产占比 → 三产占比 (cycle)"),
        (SHARE, SHARE * 2, 8, "推算序列 '三产占比' 与 book.yaml:7 重复 (duplicate series)"),
        (
            "series: 三产占比}\n",
            "series: 三产比}\n",
            14,
            "没有推算序列 '三产比' (unknown series); 是否应为 '三产占比'?",
        ),
        ("* 100}", "* 100, every: quarter}", 9, "every: 推算序列 '三产占比' 每 quarter 一个数，目标不能每 month 判定"),
        ("filings: {connector: table_file}, ", "derived: {connector: table_file}, ", 4, "'derived' 是推算序列的专名"),
        ("at least 50 %", "at least the figure of 三产占比", 12, "目标不能与自己的序列 '三产占比' 对照"),
        (
            "at least 50 %",
            "at least the figure of derived.一产占比",
            12,
            "不知序列 'derived.一产占比' 出自哪个来源 (unknown series)",
        ),
        ("at least 50 %", "at least the figure of stats.一产 - -1", 12, "+ 或 - 后应为不小于 0 的数"),
        ("at least 50 %", "at least the figure of stats.一产 + 1 points in 亿元", 12, "以亿元计的目标没有百分点"),
    ],
)
def test_what_leans_wrongly_is_refused_at_its_line(tmp_path: Path, was: str, now: str, line: int, says: str) -> None:
    found = wrong(tmp_path, (was, now))
    assert any(error.startswith(f"book.yaml:{line}: ") and says in error for error in found), found


@pytest.mark.parametrize(
    ("goal", "more", "says"),
    [
        (
            "at least the figure of stats.x in 亿元",
            "measure: cumulative, expect: linear",
            "各期与同期数相比，不另写 expect",
        ),
        (
            "at least the figure of stats.x",
            "measure: cumulative",
            "请在末尾写明计量单位，如 at least the figure of x in 亿元 (missing unit)",
        ),
        (
            "at least the figure of stats.x in 亿元",
            "measure: cumulative, levels: {red: behind 5 points}",
            "没有全年目标值",
        ),
        (
            "at least 5 亿元",
            "measure: level, changes: [{from: 2026-07-01, goal: at least 6 亿元, why: x}]",
            "不在 2025 年内",
        ),
        ("at least 5 亿元", "measure: level, changes: [{from: 2025-07-01, goal: at most 6 亿元, why: x}]", "只改数值"),
        ("at least 5 亿元", "measure: level, changes: [{from: 2025-07-01, goal: at least 6 万元, why: x}]", "只改数值"),
        (
            "between 5 and 6 亿元",
            "measure: level, changes: [{from: 2025-07-01, goal: at least 6 亿元, why: x}]",
            "只用于",
        ),
        (
            "done by 2025-06-30",
            "measure: milestone, changes: [{from: 2025-06-01, goal: done by 2025-09-30, why: x}]",
            "只用于",
        ),
        (
            "at least 5 亿元",
            "measure: level, changes: [{from: 2025-07-01, goal: at least 6 亿元, why: x}, {from: 2025-07-01, goal: at least 7 亿元, why: x}]",
            "日期应由早到晚",
        ),
        ("at least 5 亿元", "measure: level, changes: [{from: 2025-07-01, goal: at least 6 亿元}]", "缺少必填项 'why'"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, goal: str, more: str, says: str) -> None:
    target = f"  - {{id: u, name: 甲, lead: 统计局, goal: {goal}, {more}}}\n"
    found = wrong(tmp_path, ("targets:\n", f"targets:\n{target}"))
    assert any(says in error for error in found), found


@pytest.mark.parametrize(
    ("header", "target", "says"),
    [
        ("subject,target,goal,from", {}, "subjects.csv:1: 对象表不能写 from 列 (changed goal)"),
        ("subject,target,goal", AVERAGE, "subjects.csv:2: goal: 't0' 与其他序列对照，不能写在对象表中 (leaning)"),
        ("subject,target,goal", CHANGED, "subjects.csv:2: goal: 't0' 有年中调整 changes，不能写在对象表中"),
    ],
)
def test_a_table_of_subjects_has_plain_goals_of_the_whole_year(header: str, target: dict[str, Any], says: str) -> None:
    with pytest.raises(Invalid, match="subjects.csv") as refusal:
        a_book(target, sources=SOURCES, subjects=f"{header}\n甲县,t0,5\n")
    assert any(says in error for error in refusal.value.errors), refusal.value.errors


def test_of_two_series_in_a_ring_both_are_named(tmp_path: Path) -> None:
    ring = '  - {series: 甲, unit: "%", formula: 乙 + 1}\n  - {series: 乙, unit: "%", formula: 甲 + 1}\n'
    assert any(
        "甲 → 乙 → 甲" in error or "乙 → 甲 → 乙" in error
        for error in wrong(tmp_path, ("derived:\n", f"derived:\n{ring}"))
    )
