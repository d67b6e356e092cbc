"""Why a target stands as it does, in words."""

import json
from datetime import date

import numpy as np
import pytest

from connectors.observation import Status
from monitor.explain import explanation
from monitor.snapshot import Judged
from monitor.store.observations import Vintage
from monitor.watch import Watch
from rules.judging import judge
from tests.builders import AT
from tests.monitor.cli.shell import typed
from tests.rules.builders import a_book, put


def explained(figures, vintages=(), sources=None, doubted=-1, **target):
    watch = Watch([a_book(target, sources=sources)])
    (panel,) = watch.panels
    put(panel, {(0, period): value for period, value in figures.items()})
    return explanation(
        watch, Judged(panel, judge(panel, AT.date(), doubted=np.array([doubted], np.int16))), 0, vintages, AT
    )


def test_every_version_of_a_figure_is_listed_with_what_it_is():
    def vintage(month, value, status):
        return Vintage(date(2025, month, 30), value, "个", AT, "B2", "九月.xlsx", status)

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


@pytest.mark.parametrize(
    ("doubted", "said"),
    [(-1, ["结论      数据逾期未报", "逾期未报  2025年9月"]), (8, ["结论      所报数据待核", "应报数据  2025年9月"])],
)
def test_nothing_is_called_late_that_waits_for_a_decision(doubted, said):
    told = explained({8: 70}, doubted=doubted, published="10 days after period").splitlines()
    assert [line for line in told if line.startswith(("结论", "逾期", "应报"))] == said


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
        Vintage(panel.block.ends[period - 1].item(), value, "个", AT, "第2行", "figures.csv", Status.FINAL)
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


def test_a_figure_is_told_with_how_often_it_was_revised():
    first, second = (
        Vintage(date(2025, 6, 30), value, "个", AT, "B2", "六月.xlsx", Status.FINAL) for value in (40.0, 41.0)
    )
    lines = [line.split() for line in explained({6: 41}, [first, second]).splitlines() if "六月.xlsx" in line]
    assert [line[5] for line in lines] == ["首报", "修订1"]


def test_every_setting_is_told_with_where_it_was_written_and_every_message_with_what_became_of_it(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "book.yaml").write_text(
        """\
book: b
title: 方案
year: 2025
levels: {yellow: behind 6%}
targets:
  - id: jobs
    name: 城镇新增就业
    lead: 人力社保局
    goal: at least 1200 人
    measure: cumulative
    source: f
sources:
  f: {connector: table_file, path: f.csv, columns: {series: 指标, period: 期间, value: 数值}, known: 5 days after period}
""",
        encoding="utf-8",
    )
    (tmp_path / "book" / "f.csv").write_text("指标,期间,数值\n城镇新增就业,2025-01,10\n", encoding="utf-8")
    settings = {"books": str(tmp_path), "database": f"sqlite:///{tmp_path}/d.db", "archive": None}
    settings["channels"] = {"folder": {"kind": "folder", "path": f"{tmp_path}/out"}}
    (tmp_path / "duban.yaml").write_text(json.dumps(settings), encoding="utf-8")
    words = ["--config", str(tmp_path / "duban.yaml"), "--at", "2025-02-10"]
    assert typed("tick", *words).returncode == 0
    told = typed("explain", "b/jobs", *words).stdout
    for line in (
        "目标      不低于1200人〔book.yaml:9〕",
        "黄色      落后应完成数超过6%〔book.yaml:4〕",
        "红色      落后应完成数超过15%〔缺省〕",
        "数据来源  f: 城镇新增就业〔book.yaml:11〕",
    ):
        assert f"{line}\n" in told
    assert "2025-02-10 23:59 进度告警（新的数据或时限）正常→红色：2025年1月；10人；比时序进度少90人" in told
    assert "    致人力社保局（folder）已送达 " in told
    assert told.endswith("人力社保局是该目标的牵头单位\n")
