"""``duban import-plan``: the draft it writes, what it says, and what it leaves alone."""

import json

from rules.loader import load_book
from tests.monitor.cli.shell import typed

PLAN = """\
某县2025年政府工作报告目标任务分解方案
一、经济
1.地区生产总值增长5.5%左右。（县发展改革局牵头，县统计局配合）
2.新建学校5所。
责任单位：县教育局、县财政局
完成时限：9月底前
3.研究低空经济。
责任单位：县交通局
完成时限：6月底前动工
4.迁建县医院。
责任单位：县卫生健康局
完成时限：明年7月
二、附则
本方案由县政府办公室解释。
"""


def run(*words):
    return typed("import-plan", *words)


def a_plan(folder):
    path = folder / "方案.txt"
    path.write_text(PLAN, encoding="utf-8")
    return path


def test_a_plan_becomes_a_draft_that_is_a_book_and_a_report(tmp_path):
    done = run(a_plan(tmp_path), "--out", tmp_path / "book", "--book", "county-2025")
    assert done.returncode == 0, done.stderr
    assert "事项 4 个" in done.stdout
    assert "第2项 牵头单位 县教育局：原文列了几个责任单位而未写明何者牵头" in done.stdout
    assert "第4项 时限：时限不在本年内，或看不懂。原文：“明年7月”" in done.stdout
    book = load_book(tmp_path / "book")
    assert (book.id, book.title, book.year) == ("county-2025", "某县2025年政府工作报告目标任务分解方案", 2025)
    goals = {target.id: target.goal.text for target in book.targets}
    assert goals == {
        "item-01": "5.5%左右（容差0.2个百分点）",
        "item-02": "不低于5所",
        "item-03": "2025年6月30日前动工",
        "task-04": "2025年12月31日前完成",
    }
    by_id = {target.id: target for target in book.targets}
    assert by_id["item-02"].expect.text == "checkpoints {2025-09-30: 100%}"
    assert by_id["item-01"].lead == ("县发展改革局",)
    written = (tmp_path / "book" / "book.yaml").read_text("utf-8")
    assert "# 存疑：时限不在本年内，或看不懂。原文：明年7月" in written
    assert "# 本方案由县政府办公室解释。" in written


def test_the_report_is_data_on_request(tmp_path):
    found = json.loads(run(a_plan(tmp_path), "--out", tmp_path / "book", "--json").stdout)
    assert found["draft"] == str(tmp_path / "book" / "book.yaml")
    assert found["counts"]["items"] == 4
    assert found["without_number"] == [3, 4]
    assert [(one["item"], one["words"]) for one in found["doubtful"]] == [
        (2, "责任单位：县教育局、县财政局 完成时限：9月底前"),
        (4, "明年7月"),
    ]


def test_a_book_that_is_there_is_never_overwritten(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "book.yaml").write_text("book: mine\n", encoding="utf-8")
    done = run(a_plan(tmp_path), "--out", tmp_path / "book")
    assert done.returncode == 1
    assert "already there" in done.stderr
    assert (tmp_path / "book" / "book.yaml").read_text("utf-8") == "book: mine\n"


def test_the_year_and_the_folder_have_defaults_and_a_year_can_be_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "plan.txt"
    path.write_text("1.新建学校5所。（县教育局负责）\n", encoding="utf-8")
    done = run(path, "--year", "2026")
    assert done.returncode == 0, done.stderr
    assert load_book(tmp_path / "plan-2026").year == 2026


def test_a_draft_whose_name_is_none_and_a_file_that_is_not_there_leave_nothing_behind(tmp_path):
    done = run(a_plan(tmp_path), "--out", tmp_path / "book", "--book", "册")
    assert "book: '册' 写法不对 (bad pattern); 应为小写字母、数字和连字符" in done.stderr
    assert not (tmp_path / "book").exists()
    assert "没有这个文件 (no such file)" in run(tmp_path / "没有.docx").stderr
