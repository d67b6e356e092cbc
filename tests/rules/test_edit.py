"""A rule in words, and what an edit of the book changed in it."""

import pytest

from rules import edit
from tests.rules.builders import judged

BEFORE = edit.of_pace(judged({9: 70}, levels={"yellow": "behind 5%", "red": "behind 15%"}))


def test_a_rule_in_words_is_all_that_a_figure_is_judged_by():
    assert BEFORE.splitlines() == [
        "年度目标：不低于100个",
        "计量方式：累计完成（个）",
        "进度安排：按时间均匀推进",
        "起判时点：首期起判",
        "黄色阈值：落后应完成数超过5%",
        "红色阈值：落后应完成数超过15%",
        "解除条件：不再达到预警阈值",
        "数据来源：未设",
    ]


@pytest.mark.parametrize(
    ("target", "text", "english"),
    [
        (
            {"levels": {"yellow": "behind 8%", "red": "behind 15%"}},
            ["黄色阈值由“落后应完成数超过5%”改为“落后应完成数超过8%”"],
            ["yellow threshold changed from 落后应完成数超过5% to 落后应完成数超过8%"],
        ),
        (
            {"levels": {"yellow": "behind 5%"}, "goal": "at least 90 个"},
            ["年度目标由“不低于100个”改为“不低于90个”", "红色阈值由“落后应完成数超过15%”改为“未设”"],
            ["goal changed from 不低于100个 to 不低于90个", "red threshold changed from 落后应完成数超过15% to 未设"],
        ),
        ({"levels": {"yellow": "behind 5%", "red": "behind 15%"}}, [], []),
    ],
)
def test_an_edit_is_told_condition_by_condition(target, text, english):
    if "red" not in target["levels"]:
        target = {**target, "levels": {**target["levels"], "red": "never"}}
    found = edit.edits(BEFORE, edit.of_pace(judged({9: 70}, **target)))
    assert ([one.text for one in found], [one.english for one in found]) == (text, english)


@pytest.mark.parametrize(
    ("target", "comparable"),
    [
        ({"levels": {"yellow": "behind 9%"}}, True),
        ({"goal": "at least 200 个"}, True),
        ({"goal": "at least 100 户"}, False),
        ({"measure": "level", "expect": "linear"}, False),
    ],
)
def test_figures_may_be_held_against_each_other_while_they_mean_the_same(target, comparable):
    assert edit.comparable(BEFORE, edit.of_pace(judged({9: 70}, **target))) is comparable


def test_the_rule_of_filing_is_its_due_day():
    assert edit.of_filing(judged({9: 70}, published="5 days after period")) == "报送时限：期末后5日内"
