"""A third party's connector: built, installed, held to the contract and used by duban, as its author would."""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path

import pytest

from connectors import registry
from tests.monitor.cli.shell import typed

ROOT = Path(__file__).parents[2]
EXAMPLE = Path(__file__).parent / "plugin_example"
PAGE = (ROOT / "connectors" / "README.md").read_text("utf-8")
BOOK = """\
book: bureau-2025
title: 某局2025年目标任务
year: 2025
published: 10 workdays after period
sources:
  bureau: {connector: lines, path: figures.txt}
targets:
  - id: jobs
    name: 城镇新增就业
    lead: 人力社保局
    goal: at least 1200 人
    measure: cumulative
    every: month
    source: bureau
subjects: goals.csv
"""


def town(folder):
    """Settings, a book of one county, and its figures."""
    book = folder / "books" / "bureau-2025"
    book.mkdir(parents=True)
    (book / "book.yaml").write_text(BOOK, encoding="utf-8")
    (book / "goals.csv").write_text("subject,target,goal\n甲县,jobs,1200\n", encoding="utf-8")
    (book / "figures.txt").write_text("城镇新增就业|甲县|2025-09|300|人|2025-10-12|\n", encoding="utf-8")
    settings = folder / "duban.yaml"
    settings.write_text(f"books: {folder}/books\ndatabase: sqlite:///{folder}/duban.db\n", encoding="utf-8")
    return settings


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the installed package, and the environment of a process that finds it."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip"] if find_spec("pip") else ["uv", "pip"]
    run(
        [
            *pip,
            "install",
            "--no-deps",
            "--no-build-isolation",
            "--target",
            str(folder / "site"),
            str(folder / "source"),
        ],
        folder,
        os.environ | {"VIRTUAL_ENV": sys.prefix},
    )
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder / "site"), str(ROOT)])}


def run(command, folder, environment):
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_duban_runs_with_the_connector(installed, tmp_path):
    duban = [sys.executable, "-m", "monitor", "tick", "--at", "2025-10-31", "--config", str(town(tmp_path))]
    said = run(duban, tmp_path, installed)
    assert "新增 1" in said
    assert "300" in said


def test_without_the_package_the_kind_is_unknown(tmp_path):
    done = typed("check", "--config", str(town(tmp_path)))
    assert done.returncode == 1
    assert "没有名为 lines 的连接器" in done.stdout


@pytest.mark.parametrize("module", ["no_such_module", "json"])
def test_a_package_that_cannot_be_used_keeps_only_its_own_sources_out(tmp_path, monkeypatch, module):
    point = EntryPoint("lines", f"{module}:Lines", "duban.connectors")
    monkeypatch.setattr(registry, "_known", lambda: {"lines": point})
    done = typed("check", "--config", str(town(tmp_path)))
    assert done.returncode == 1
    assert "连接器 lines 不能启用 (broken connector)" in done.stdout


def test_its_author_can_hold_it_to_the_contract(installed, tmp_path):
    shutil.copy(EXAMPLE / "test_duban_lines.py", tmp_path)
    assert "passed" in run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."], tmp_path, installed)


@pytest.mark.parametrize("name", ["duban_lines.py", "pyproject.toml", "test_duban_lines.py"])
def test_the_page_shows_the_example_as_it_is(name):
    blocks = re.findall(r"```(?:python|toml)\n(.*?)```", PAGE, re.DOTALL)
    assert (EXAMPLE / name).read_text("utf-8") in blocks
