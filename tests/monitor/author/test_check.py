"""What ``duban check`` says of books that are right: days that nobody knows yet, and what cannot be meant."""

import json
import subprocess
import sys

import pytest
from defusedxml.ElementTree import parse as parse_xml
from sqlalchemy import text

from monitor.store.database import migrate, open_engine, revision
from rules.calendar import PUBLISHED
from tests.monitor.cli.shell import typed

BOOK = """\
book: b
title: 方案
year: {year}
targets:
  - id: jobs
    name: 城镇新增就业
    lead: 人力社保局
    goal: at least 4500 人
    measure: cumulative
    published: 10 workdays after period
    source: filings
sources:
  filings: {{connector: table_file, path: ../../figures.csv, columns: {{series: 指标, period: 期间, value: 数值}}}}
"""
FIGURES = "指标,期间,数值\n城镇就业,2025-01,400\n"
DOUBTFUL = BOOK.format(year=2025).replace("cumulative", "cumulative\n    levels: {red: behind 1%}")


def check(folder, book, *words, code=0):
    (folder / "books" / "b").mkdir(parents=True, exist_ok=True)
    (folder / "books" / "b" / "book.yaml").write_text(book, encoding="utf-8")
    (folder / "figures.csv").write_text(FIGURES, encoding="utf-8")
    settings = {"books": f"{folder}/books", "database": f"sqlite:///{folder}/duban.db", "archive": None}
    settings["channels"] = {"folder": {"kind": "folder", "path": f"{folder}/alerts"}}
    (folder / "duban.yaml").write_text(json.dumps(settings), encoding="utf-8")
    done = typed("check", "--config", str(folder / "duban.yaml"), *words)
    assert done.returncode == code, done.stdout
    return done.stdout


def test_a_book_beyond_the_known_calendar_is_warned_of_until_it_names_its_holidays(tmp_path):
    year = PUBLISHED.known_until.year
    told = check(tmp_path, BOOK.format(year=year))
    assert f"b: 1 个目标的报送期限晚于 {PUBLISHED.known_until}" in told
    assert "b: 1 个目标，1 处疑点" in told
    assert len(json.loads(check(tmp_path, BOOK.format(year=year), "--json"))["warnings"]) == 1
    named = f"{BOOK.format(year=year)}holidays: [{year + 1}-01-01]\n"
    assert json.loads(check(tmp_path, named, "--json"))["warnings"] == []


def test_a_doubt_is_told_with_its_code_and_fails_a_strict_check_only(tmp_path):
    told = check(tmp_path, DOUBTFUL)
    assert f"{tmp_path}/books/b/book.yaml:10: 城镇新增就业：红色 'behind 1%' 不严于黄色 'behind 5%'" in told
    assert "[D105]" in told
    assert check(tmp_path, DOUBTFUL, "--strict", code=3) == told
    assert told.endswith("b: 1 个目标，1 处疑点\n")
    off = DOUBTFUL.replace("behind 1%}", "behind 1%}  # duban: off D105")
    assert check(tmp_path, off, "--strict") == "b: 1 个目标，无误\n"
    assert check(tmp_path, DOUBTFUL.replace("behind 1%", "soon"), "--strict", code=1).count("book.yaml:10: ") == 1


def test_doubts_have_a_form_for_scripts_and_one_for_build_servers(tmp_path):
    (found,) = json.loads(check(tmp_path, DOUBTFUL, "--json"))["findings"]
    assert found["code"] == "D105"
    assert found["place"] == f"{tmp_path}/books/b/book.yaml:10"
    report = tmp_path / "out" / "check.xml"
    for words, failures in (((), "0"), (("--strict",), "1")):
        check(tmp_path, DOUBTFUL, "--junit", str(report), *words, code=3 if words else 0)
        root = parse_xml(report).getroot()
        assert (root.get("tests"), root.get("failures")) == ("2", failures)
        assert [case.get("name") for case in root.iter("testcase")] == ["b", f"D105 {found['place']}"]


def test_where_figures_are_stored_a_series_that_never_came_is_found(tmp_path):
    book = BOOK.format(year=2025)
    assert "D108" not in check(tmp_path, book)
    assert not (tmp_path / "duban.db").exists()
    words = [sys.executable, "-m", "monitor", "tick", "--config", f"{tmp_path}/duban.yaml", "--at", "2025-03-01"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = check(tmp_path, book)
    assert (
        "城镇新增就业：来源 filings 已读取，但从未有过序列 '城镇新增就业' (no such series); 是否应为 '城镇就业'? [D108]"
        in told
    )
    assert "D108" not in check(
        tmp_path, book.replace("    source: filings", "    source: {connector: filings, series: 城镇就业}")
    )
    later = book.replace("measure: cumulative", "measure: cumulative\n    every: year")
    assert "D108" not in check(tmp_path, later.replace("year: 2025", "year: 2030"))  # nothing is due yet


def test_looking_at_an_older_database_does_not_upgrade_it(tmp_path):
    check(tmp_path, BOOK.format(year=2025))
    engine = open_engine(f"sqlite:///{tmp_path}/duban.db")
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    told = check(tmp_path, BOOK.format(year=2025))
    assert "未与历史数据核对：数据库结构为 0001，本版本为" in told
    assert "请先执行 duban db upgrade" in told
    assert revision(engine) == "0001"
    engine.dispose()


def test_a_goal_that_is_not_set_yet_is_listed_without_a_number(tmp_path):
    check(tmp_path, BOOK.format(year=2025).replace("at least 4500 人", "at least ? 人"))
    words = ["targets", "--book", "b", "--config", str(tmp_path / "duban.yaml"), "--json"]
    (row,) = json.loads(typed(*words).stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (row["value"], row["unit"], row["goal"]) == (None, "人", "未定")
