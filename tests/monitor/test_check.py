"""What ``duban check`` says of books that are right, but count days that nobody knows yet."""

import json

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from rules.calendar import PUBLISHED

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
"""


def check(folder, book, *words):
    (folder / "books" / "b").mkdir(parents=True, exist_ok=True)
    (folder / "books" / "b" / "book.yaml").write_text(book, encoding="utf-8")
    (folder / "duban.yaml").write_text(f"books: {folder}/books\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["check", "--config", str(folder / "duban.yaml"), *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_book_beyond_the_known_calendar_is_warned_of_until_it_names_its_holidays(tmp_path):
    year = PUBLISHED.known_until.year
    told = check(tmp_path, BOOK.format(year=year))
    assert f"b: 1 个目标的报送期限晚于 {PUBLISHED.known_until}" in told
    assert "b: 1 个目标，无误" in told
    assert len(json.loads(check(tmp_path, BOOK.format(year=year), "--json"))["warnings"]) == 1
    named = f"{BOOK.format(year=year)}holidays: [{year + 1}-01-01]\n"
    assert json.loads(check(tmp_path, named, "--json"))["warnings"] == []


def test_a_goal_that_is_not_set_yet_is_listed_without_a_number(tmp_path):
    check(tmp_path, BOOK.format(year=2025).replace("at least 4500 人", "at least ? 人"))
    words = ["targets", "--book", "b", "--config", str(tmp_path / "duban.yaml"), "--json"]
    (row,) = json.loads(
        CliRunner().invoke(app, words).output, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")
    )
    assert (row["value"], row["unit"], row["goal"]) == (None, "人", "未定")
