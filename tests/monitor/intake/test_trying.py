"""``duban connector try``: what a source would bring, before anything is stored."""

import json

import pytest

from tests.monitor.cli.shell import typed

BOOK = """\
book: b
title: 方案
year: 2025
targets:
  - {id: jobs, name: 就业, lead: 人力社保局, goal: at least 4500 人, measure: cumulative, source: filings}
sources:
  filings:
    connector: table_file
    path: 表.csv
    columns: {series: 指标, period: 期间, value: 数值, unit: 单位, known: 发布}
  api: {connector: http_json, url: "http://127.0.0.1:9/", fields: {period: p, value: v}, series: 就业, retries: 0}
  wrong: {connector: table_file, path: 表.csv, colums: {}}
"""
ROWS = """\
指标,期间,数值,单位,发布,备注
就业,2025-08,"3,000",人,2025-09-10,
就业,2025-09,约3500,人,2025-10-10,
就业,2025-10,3600,亿元,2025-11-10,
[收入],2025-09,8,元,2025-10-10,
就业,2024-09,8,人,2024-10-10,
"""


@pytest.fixture
def duban(tmp_path, monkeypatch):
    folder = tmp_path / "books" / "b"
    folder.mkdir(parents=True)
    (folder / "book.yaml").write_text(BOOK, encoding="utf-8")
    (folder / "表.csv").write_text(ROWS, encoding="utf-8")
    config = f"books: {tmp_path}/books\ndatabase: sqlite:///{tmp_path}/duban.db\narchive: {tmp_path}/archive\n"
    (tmp_path / "duban.yaml").write_text(config, encoding="utf-8")

    def run(*words, width="200"):
        monkeypatch.setenv("COLUMNS", width)
        return typed("connector", "try", *words, "--config", tmp_path / "duban.yaml", "--at", "2025-12-01")

    return run


def test_every_cell_is_shown_with_what_was_read_there(duban):
    done = duban("b/filings")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "第2行" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        "第2行", "就业", "", "2025-08-31", "3000", "人", "", "2025-09-10T00:00+08:00",
    ]  # fmt: skip
    assert "[收入]" in done.stdout


def test_refusals_are_shown_with_their_cure_those_of_the_book_too(duban):
    told = duban("b/filings").stdout
    assert "拒收 2 处" in told
    assert "约3500" in told
    assert "请填写数字，无数据请留空" in told
    assert "计量单位或对象与目标不符 (wrong_dimension)" in told
    assert "不在所问期间 1" in told
    assert "未取的列：备注" in told
    assert "没有目标读取的序列：[收入]" in told


def test_a_script_reads_the_same(duban):
    facts = json.loads(duban("b/filings", "--json").stdout)
    assert [(row["cell"], row["value"], row["unit"]) for row in facts["figures"]] == [
        ("第2行", 3000.0, "人"),
        ("第5行", 8.0, "元"),
    ]
    assert [(row["cell"], row["reason"]) for row in facts["refused"]] == [
        ("第3行", "not_a_number"),
        ("第4行", "wrong_dimension"),
    ]
    assert facts["left_out"] == {"outside": 1}
    assert (facts["unread"], facts["unasked"]) == (["备注"], ["[收入]"])


def test_what_a_source_says_of_a_figure_is_shown_and_nothing_to_report_is_no_number(duban, tmp_path):
    rows = "指标,期间,数值,单位,发布\n就业,2025-08,无,人,2025-09-10\n"
    (tmp_path / "books" / "b" / "表.csv").write_text(rows, encoding="utf-8")
    assert "无报送事项" in duban("b/filings").stdout
    (figure,) = json.loads(duban("b/filings", "--json").stdout)["figures"]
    assert (figure["value"], figure["status"]) == (None, "nil")


def test_no_word_is_cut_off_where_the_window_is_narrow(duban):
    told = duban("b/filings", width="60").stdout
    assert "…" not in told.partition("拒收")[2]


def test_the_rows_shown_can_be_few_and_the_counts_stay(duban):
    told = duban("b/filings", "--limit", "1").stdout
    assert "读到 2 个数值" in told
    assert "第5行" not in told


def test_nothing_is_stored_or_kept(duban, tmp_path):
    duban("b/filings")
    assert {path.name for path in tmp_path.iterdir()} == {"books", "duban.yaml"}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("b/filing", "是否应为 'filings'"),
        ("b", "有: filings、api、wrong"),
        ("c/filings", "没有名为 'c' 的目标册"),
        ("b/api", "(unreachable)"),
        ("b/wrong", "colums"),
    ],
)
def test_what_cannot_be_tried_is_told_with_a_cure(duban, source, words):
    done = duban(source)
    assert done.returncode == 1
    assert words in done.stderr


def test_a_connector_that_crashes_is_told_as_a_pull_would(duban, monkeypatch):
    monkeypatch.setattr("connectors.table_file.TableFile.fetch", lambda *_: 1 / 0)
    done = duban("b/filings")
    assert done.returncode == 1
    assert "连接器 table_file 出错: ZeroDivisionError: division by zero (internal)" in done.stderr
