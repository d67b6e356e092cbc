"""``duban diff``: folders and git refs against each other, with what the stored figures make of the edit."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.monitor.cli.shell import typed

BOOK = """\
book: b
title: 方案
year: 2025
targets:
  - {id: jobs, name: 城镇新增就业, lead: 人力社保局, goal: at least 1200 人, measure: cumulative, source: f, levels: {yellow: behind 5%}}
  - {id: firms, name: 新增企业, lead: 甲局, goal: at least 1200 户, measure: cumulative, source: f, levels: {yellow: behind 5%}}
sources:
  f: {connector: table_file, path: f.csv, columns: {series: 指标, period: 期间, value: 数值}, known: 5 days after period}
"""
FIGURES = "指标,期间,数值\n城镇新增就业,2025-01,96\n城镇新增就业,2025-02,200\n城镇新增就业,2025-03,288\n新增企业,2025-01,100\n"


@pytest.fixture
def editions(tmp_path: Path) -> tuple[Path, Path]:
    for name, text in (("old", BOOK), ("new", BOOK.replace("behind 5%", "behind 3%"))):
        folder = tmp_path / name / "b"
        folder.mkdir(parents=True)
        (folder / "book.yaml").write_text(text, encoding="utf-8")
        (folder / "f.csv").write_text(FIGURES, encoding="utf-8")
    settings = {"books": f"{tmp_path}/old", "database": f"sqlite:///{tmp_path}/duban.db", "archive": None}
    settings["channels"] = {"folder": {"kind": "folder", "path": f"{tmp_path}/out"}}
    (tmp_path / "duban.yaml").write_text(json.dumps(settings), encoding="utf-8")
    return tmp_path / "old", tmp_path / "new"


def diff(folder: Path, old: object, new: object, *words: str, code: int = 0) -> str:
    done = typed("diff", str(old), str(new), "--config", str(folder / "duban.yaml"), *words)
    assert done.returncode == code, done.stderr
    return done.stdout


def test_an_edit_is_told_with_what_it_means_for_the_stored_figures(editions, tmp_path):
    told = diff(tmp_path, *editions)
    assert told.splitlines()[0] == "b：城镇新增就业等 2 个目标：黄色阈值由“落后应完成数超过5%”改为“落后应完成数超过3%”"
    assert told.endswith("没有数据库，未与历史数据核对\n")
    ticked = typed("tick", "--at", "2025-05-01", "--config", str(tmp_path / "duban.yaml"))
    assert ticked.returncode == 0, ticked.stderr
    assert "按 2025 年数据，城镇新增就业（b/jobs）将多提示 2 次" in diff(tmp_path, *editions)
    assert "按 2025 年数据，城镇新增就业（b/jobs）将少提示 2 次" in diff(tmp_path, *reversed(editions))
    found = json.loads(diff(tmp_path, *editions, "--json"))
    assert found["effects"] == [{"target": "b/jobs", "name": "城镇新增就业", "year": 2025, "more": 2}]
    assert [one["target"] for one in found["changes"]] == ["jobs", "firms"]


def test_the_same_books_have_no_difference(editions, tmp_path):
    assert diff(tmp_path, editions[0], editions[0] / "b") == "两者没有区别\n"
    ticked = typed("tick", "--at", "2025-05-01", "--config", str(tmp_path / "duban.yaml"))
    assert ticked.returncode == 0, ticked.stderr
    assert diff(tmp_path, editions[0], editions[0] / "b") == "两者没有区别\n", "a database makes none"


def test_an_edition_of_git_is_compared(editions, tmp_path, monkeypatch):
    monkeypatch.chdir(editions[0])
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "x"]):
        subprocess.run(["git", *words], check=True)
    assert "改为“落后应完成数超过3%”" in diff(tmp_path, "HEAD:b", editions[1] / "b")


@pytest.mark.parametrize(
    ("old", "says"), [("nowhere", "没有这个文件夹"), ("HEAD:nowhere", "git 中没有这个版本或文件夹")]
)
def test_what_is_not_there_is_said(editions, tmp_path, old, says):
    done = typed("diff", old, str(editions[1]), "--config", str(tmp_path / "duban.yaml"))
    assert done.returncode == 1
    assert says in done.stderr
