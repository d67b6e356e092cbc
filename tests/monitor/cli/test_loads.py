"""What commands load: a small one stays quick, and a daemon small, only without what it does not use."""

import json
import subprocess
import sys

import pytest

_LOADED = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
_CASE = """
cases:
  - name: 落后
    target: jobs
    figures: {2025-01: 100, 2025-02: 200}
    expect:
      2025-04-01: 红色
"""
_BOOK = """
book: small
title: 小册
year: 2025
supervisor: 督查办
targets:
  - id: jobs
    name: 城镇新增就业
    lead: 人力社保局
    goal: at least 4500 人
    measure: cumulative
"""


def _loaded(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code + _LOADED, *arguments], check=True, capture_output=True, text=True
    )
    return set(json.loads(done.stderr.splitlines()[-1])), done.stdout


_COMMAND = "from monitor.cli import main\nmain()"


def test_the_help_needs_neither_figures_nor_a_store():
    loaded, said = _loaded(_COMMAND, "--help")
    assert "督办" in said
    assert not loaded & {
        "numpy",
        "pandas",
        "sqlalchemy",
        "yaml",
        "alembic",
        "openpyxl",
        "requests",
        "starlette",
    }


def test_what_is_loaded_is_not_looked_through_for_cycles_when_the_process_ends():
    _, said = _loaded("import atexit, gc, monitor\natexit._run_exitfuncs()\nprint(gc.get_freeze_count() > 1000)")
    assert said == "True\n"


def _written(tmp_path):
    """A book with a case, and settings that name a database which is not there yet."""
    files = {"books/small/book.yaml": _BOOK, "books/small/tests/jobs.yaml": _CASE}
    files |= {"duban.yaml": f"books: {tmp_path / 'books'}\ndatabase: sqlite:///{tmp_path / 'duban.db'}\n"}
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return str(tmp_path / "duban.yaml")


@pytest.mark.parametrize(
    ("command", "result"), [("test", "通过 1 项"), ("check", "small: 1 个目标"), ("targets", "jobs")]
)
def test_what_is_written_is_looked_through_without_frames_a_store_or_the_network(tmp_path, command, result):
    loaded, said = _loaded(_COMMAND, command, "--config", _written(tmp_path))
    assert result in said
    assert "numpy" in loaded
    assert not loaded & {
        "numpy.ma",
        "pandas",
        "sqlalchemy",
        "alembic",
        "openpyxl",
        "requests",
        "urllib3",
        "apscheduler",
        "prometheus_client",
        "rich",
        "xml",
    }
    assert command != "test" or "jinja2" not in loaded


@pytest.mark.parametrize("module", ["monitor.serve", "monitor.once"])
def test_who_asks_no_workbook_and_no_site_loads_nothing_that_reads_them(module):
    loaded, _ = _loaded(f"import {module}")
    assert "sqlalchemy" in loaded
    assert not loaded & {"openpyxl", "xlrd", "requests", "sdmx", "alembic", "rich"}
