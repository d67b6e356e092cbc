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


def explained(figures, vintages=(), **target):
    watch = Watch([a_book(target)])
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
