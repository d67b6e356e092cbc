"""Why a target stands as it does, in words."""

from datetime import date

import pytest

from connectors.observation import Status
from monitor.explain import explanation
from monitor.snapshot import Judged
from monitor.store.observations import Vintage
from monitor.watch import Watch
from rules.judging import judge
from tests.builders import AT
from tests.rules.builders import a_book, put


def explained(figures, vintages=(), sources=None, **target):
    watch = Watch([a_book(target, sources=sources)])
    (panel,) = watch.panels
    put(panel, {(0, period): value for period, value in figures.items()})
    return explanation(watch, Judged(panel, judge(panel, AT.date())), 0, vintages, AT)


def test_every_version_of_a_figure_is_listed_with_what_it_is():
    def vintage(month, value, status):
        return Vintage(date(2025, month, 30), value, "个", AT, "B2", "九月.xlsx", AT, status)

    versions = [vintage(6, 40.0, Status.PARTIAL), vintage(6, 40.0, Status.FINAL), vintage(9, None, Status.NIL)]
    lines = [line.split() for line in explained({6: 40}, versions).splitlines() if "九月.xlsx" in line]
    assert [line[:4] for line in lines] == [
        ["2025年6月", "40个", "初步数", "40个"],
        ["2025年6月", "40个", "40个", "50个"],
        ["2025年9月", "无", "无报送事项", "75个"],
    ]


@pytest.mark.parametrize(
    ("figures", "target", "conclusion"),
    [
        ({}, {"published": "366 days after period"}, "未到报送时间"),
        ({9: 80}, {}, "正常：符合时序进度"),
        (
            {9: 50},
            {"levels": {"yellow": "behind 90%", "red": "behind 15% for 2"}},
            "正常：符合时序进度（已触及红色阈值，尚未满连续期数）",
        ),
    ],
)
def test_the_conclusion_tells_a_level_that_is_pending_and_no_other(figures, target, conclusion):
    assert f"结论      {conclusion}\n" in explained(figures, **target)


def test_the_reporter_is_named_where_it_is_not_the_lead():
    assert "报送单位  统计局\n" in explained({9: 80}, reporter="统计局")
    assert "报送单位" not in explained({9: 80}, reporter="人力社保局")


CHANGED = {
    "goal": "at least 100 个",
    "changes": [{"from": "2025-07-01", "goal": "at least 120 个", "why": "区委会议调整"}],
}


def test_a_changed_goal_is_told_as_it_was_in_force_and_all_of_them_with_their_reason():
    told = explained({9: 80}, **CHANGED)
    assert "目标      不低于120个\n" in told
    assert "目标调整  不低于100个；自2025年7月1日起不低于120个（区委会议调整）\n" in told
    assert "目标调整" not in explained({9: 80})


def test_what_a_goal_leans_on_is_named_with_its_source():
    target = {"measure": "growth", "goal": "at least the figure of 全市平均增速", "source": "filings"}
    told = explained({9: 5}, sources={"filings": {"connector": "table_file"}}, **target)
    assert "目标      不低于全市平均增速\n" in told
    assert "结论      对照数据未到\n" in told
    assert "数据来源  filings: 指标；对照 filings: 全市平均增速\n" in told
    assert "进度曲线  各期均与全市平均增速的同期数相比 (expect: hold)\n" in told


def test_every_period_shown_has_a_conclusion_of_its_own():
    watch = Watch([a_book({"levels": {"yellow": "behind 5%", "red": "behind 15% for 2"}})])
    (panel,) = watch.panels
    figures = {6: 50, 7: 40, 8: 50, 9: 80}
    put(panel, {(0, period): value for period, value in figures.items()})
    vintages = [
        Vintage(panel.block.ends[period - 1].item(), value, "个", AT, "第2行", "figures.csv", AT, Status.FINAL)
        for period, value in figures.items()
    ]
    page = explanation(watch, Judged(panel, judge(panel, AT.date())), 0, vintages, AT)
    shown = [line.split() for line in page.splitlines() if line.endswith("第2行")]
    assert [(line[0], line[4]) for line in shown] == [
        ("2025年6月", "正常"),
        ("2025年7月", "黄色"),
        ("2025年8月", "红色"),
        ("2025年9月", "正常"),
    ]
