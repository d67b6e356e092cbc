"""What was changed between two editions of a book, in words."""

import pytest

from rules.alerting import calls
from rules.difference import differences
from tests.rules.builders import a_block, a_book, a_panel

JOBS = {"name": "城镇新增就业", "goal": "at least 4500 人"}


def said(old, new):
    return [f"{one.target}：{one.words}" for one in differences([old], [new])]


def edited(**changes):
    return said(a_book(JOBS), a_book(JOBS | changes))


def test_the_same_book_has_no_differences():
    assert edited() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"levels": {"yellow": "behind 3%"}}, "黄色阈值由“落后应完成数超过5%”改为“落后应完成数超过3%”"),
        ({"goal": "at least 5000 人"}, "年度目标由“不低于4500人”改为“不低于5000人”"),
        ({"expect": "workdays"}, "进度安排由“按时间均匀推进”改为“按工作日均匀推进”"),
        ({"published": "5 days after period"}, "报送时限由“期末后15个工作日内”改为“期末后5日内”"),
        ({"every": "quarter"}, "频次由“逐月”改为“逐季”"),
        ({"lead": "甲局、乙局"}, "牵头单位由“人力社保局”改为“甲局、乙局”"),
        ({"reporter": "统计局"}, "报送单位由“人力社保局”改为“统计局”"),
        ({"labels": "民生实事"}, "标签由“未设”改为“民生实事”"),
        (
            {"changes": [{"from": "2025-07-01", "goal": "at least 5000 人", "why": "调整"}]},
            "年度目标由“不低于4500人”改为“不低于4500人；自2025年7月1日起不低于5000人（调整）”",
        ),
    ],
)
def test_an_edit_of_a_target_is_told_once(changes, words):
    assert edited(**changes) == [f"t0：{words}"]


def test_targets_that_come_and_go_are_told():
    assert said(a_book(JOBS), a_book({**JOBS, "id": "jobs"})) == [
        "jobs：新增，不低于4500人，牵头单位人力社保局",
        "t0：删去，已有的预警将撤销",
    ]


def test_books_that_come_and_go_are_told():
    book = a_book(JOBS)
    assert [one.words for one in differences([], [book])] == ["新增目标册《方案》"]
    assert [one.words for one in differences([book], [])] == ["删去目标册《方案》"]


def test_what_a_whole_book_says_is_told_as_its_own():
    sources = {"f": {"connector": "push", "token_env": "X"}}
    old = a_book(JOBS, sources=sources)
    new = a_book(JOBS, supervisor="督查室", holidays=["2025-12-31"], sources={"f": {**sources["f"], "token_env": "Y"}})
    assert said(old, new) == [
        "：督办部门由“督查办”改为“督查室”",
        "：放假日由“未设”改为“2025-12-31”",
        "：来源 f 的 token_env由“X”改为“Y”",
    ]


@pytest.mark.parametrize("table", ["甲县,t0,{}\n乙县,t0,800\n", "乙县,t0,800\n甲县,t0,{}\n"])
def test_goals_of_subjects_are_told_by_name(table):
    table = f"subject,target,goal\n{table}"
    old, new = (a_book(JOBS, subjects=table.format(goal)) for goal in (1200, 1500))
    assert said(old, new) == ["t0：对象表的目标：甲县 1200→1500"]


def test_a_call_is_a_level_worse_than_before():
    def count(figures, **target):
        return calls(a_panel(a_block({"goal": "at least 120 个", **target}), figures)).tolist()

    assert count({1: 10, 2: 18, 3: 20, 4: 40, 5: 45}) == [3]  # yellow, red, green, yellow
    assert count({1: 10, 3: 20, 4: 21}) == [1]
    assert count({}) == [0]
    assert count({1: 10, 2: 18}, levels={"not before": "50%"}) == [0]
