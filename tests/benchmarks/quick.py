"""Commands of a rule author from the shell: ``python -m tests.benchmarks.quick``, on a quiet machine.

Each command is a process of its own, its modules compiled; beside it stand the interpreter alone, ``import numpy``, that
with the libraries that no command that reads a book can do without, and ``promtool test rules`` with a file of as many cases,
where DUBAN_TEST_BIN names its folder. All take turns, so that what else the machine does falls on all of them. Prints the median of the wall time, of the processor time (with one thread
for numpy, which else waits for work with all), and the wall time as a multiple of that of ``import numpy``.
"""

import argparse
import compileall
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NUMPY = "import numpy"
_LIBRARIES = "import numpy, yaml, msgspec"
_BOOK = """
book: small
title: 小册
year: 2025
supervisor: 督查办
targets:
  - {id: jobs, name: 城镇新增就业, lead: 人力社保局, goal: at least 4500 人, measure: cumulative}
  - {id: gdp, name: 地区生产总值增速, lead: 发展改革局, goal: at least 5 %, measure: growth, every: quarter}
  - {id: road, name: 道路通车, lead: 建设局, goal: done by 2025-09-30, measure: milestone}
"""
_CASE = """
cases:
  - name: 落后
    target: jobs
    figures: {2025-01: 100, 2025-02: 200}
    expect: {2025-04-01: 红色}
"""
_RULES = """
groups:
  - name: small
    rules: [{alert: Behind, expr: jobs < 750, for: 2m}]
"""
_RULE_TEST = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - input_series: [{series: jobs, values: 100 200 200 200 200}]
    alert_rule_test: [{eval_time: 4m, alertname: Behind, exp_alerts: [{}]}]
"""


def commands(folder: Path) -> dict[str, Sequence[str | Path]]:
    """What is timed, and how it is called in ``folder``, which gets all that it reads."""
    files = {"books/small/book.yaml": _BOOK, "books/small/tests/jobs.yaml": _CASE}
    files |= {"rules.yml": _RULES, "rules.test.yml": _RULE_TEST}
    files |= {"duban.yaml": f"books: {folder / 'books'}\ndatabase: sqlite:///{folder / 'duban.db'}\n"}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    duban = (sys.executable, "-m", "monitor")
    found: dict[str, Sequence[str | Path]] = {
        "python -c pass": (sys.executable, "-c", "pass"),
        _NUMPY: (sys.executable, "-c", _NUMPY),
        "numpy, yaml, msgspec": (sys.executable, "-c", _LIBRARIES),
        "duban --help": (*duban, "--help"),
        "duban test, one case": (*duban, "test", "books/small"),
        "duban test, the shipped books": (*duban, "test", ROOT / "rules" / "books"),
        "duban check, the shipped books": (*duban, "check", "--config", ROOT / "deploy" / "example" / "duban.yaml"),
        "duban explain": (*duban, "explain", "small/jobs"),
    }
    if folder_of_promtool := os.environ.get("DUBAN_TEST_BIN"):
        found["promtool test, one case"] = (Path(folder_of_promtool) / "promtool", "test", "rules", "rules.test.yml")
    return found


def timed(command: Sequence[str | Path], folder: Path, environ: Mapping[str, str]) -> tuple[float, float]:
    """Seconds of wall and of processor time. Raises CalledProcessError."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Call all commands in turn, the first time unmeasured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=15)
    given = parser.parse_args()
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    for stage in ("connectors", "rules", "alerts", "monitor"):
        compileall.compile_dir(ROOT / stage, quiet=1)
    with tempfile.TemporaryDirectory() as name:
        called = commands(Path(name))
        took: dict[str, list[tuple[float, float]]] = {what: [] for what in called}
        for turn in range(given.times + 1):
            for what, command in called.items():
                one = timed(command, Path(name), environ)
                took[what] += [one] if turn else []
    unit = statistics.median(wall for wall, _ in took[_NUMPY])
    for what, each in took.items():
        wall, processor = (statistics.median(column) for column in zip(*each, strict=True))
        print(f"{what:32} {wall:6.3f} s wall {processor:6.3f} s of CPU {wall / unit:5.1f} × import numpy")


if __name__ == "__main__":
    main()
