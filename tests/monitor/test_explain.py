"""Why a target stands as it does, in words."""

import pytest

from monitor.explain import explanation
from monitor.snapshot import Judged
from monitor.watch import Watch
from rules.judging import judge
from tests.builders import AT
from tests.rules.builders import a_book, put


def explained(figures, **target):
    watch = Watch([a_book(target)])
    (panel,) = watch.panels
    put(panel, {(0, period): value for period, value in figures.items()})
    return explanation(watch, Judged(panel, judge(panel, AT.date())), 0, (), AT)


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
