"""From the start of the daemon to its first cycle: ``python -m tests.benchmarks.start --targets 430000 --years 5``.

A synthetic country in files, with nine months of figures and complete earlier years in a real store (kept in the folder
``--at``, if that is given, for the next time). Each start is a process of its own. Prints the seconds and the seconds
of CPU up to each step, and the memory of the process then and at most. With ``--grow`` one more start lives through
what follows: the last three months of the year are handed in, the books are read anew, a threshold and then a goal are
edited, the year turns, and three months of the next one are handed in.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from monitor.clock import Clock
from monitor.store import bulk
from monitor.store.database import migrate, open_engine
from monitor.store.tables import observation
from rules.calendar import period_ends
from rules.loader import load_books
from rules.panel import Panel
from rules.plan import Block, compile_plan
from tests.benchmarks.country import TARGETS, YEAR
from tests.benchmarks.storm import SOURCE, publish
from tests.servers.postgres import Postgres

_ROWS = 10_000  # the most that a body may hold unless the book says otherwise
AT = datetime(YEAR, 10, 20, 1, tzinfo=UTC)
_USUAL = (
    [{"goal": "at least 1200 亿元", "measure": "cumulative", "expect": "seasonal"}] * 6
    + [{"goal": "at least 5 %", "measure": "growth"}] * 2
    + [{"goal": "at least 80 %", "measure": "share"}, {"goal": "at most 40 %", "measure": "ceiling"}]
)


def write(folder: Path, counties: int, url: str) -> Path:
    """Books and settings of a country."""
    book = folder / "books" / "country"
    book.mkdir(parents=True)
    (book / "token").write_text("s3cret\n")
    names = [{"id": f"t{n:03d}", "name": f"指标{n:03d}", "lead": "统计局"} for n in range(TARGETS)]
    plan = {
        "book": "country",
        "title": "全国",
        "year": YEAR,
        "every": "month",
        "published": "15 workdays after period",
        "source": "push",
        "supervisor": "督查办",
        "subjects": "goals.csv",
        "sources": {"push": {"connector": "push", "token_file": "token"}},
        "targets": [name | _USUAL[n % len(_USUAL)] for n, name in enumerate(names)],
    }
    (book / "book.yaml").write_text(json.dumps(plan, ensure_ascii=False), encoding="utf-8")
    goals = [str(one["goal"]).split()[2] for one in _USUAL]
    rows = (f"县{c:04d},t{n:03d},{goals[n % len(goals)]}\n" for c in range(counties) for n in range(TARGETS))
    (book / "goals.csv").write_text("subject,target,goal\n" + "".join(rows), encoding="utf-8")
    settings = folder / "duban.yaml"
    written = {"books": str(folder / "books"), "database": url, "clock": AT.isoformat()}
    written |= {"archive": str(folder / "archive"), "cache": str(folder / "duban.cache")}
    settings.write_text(json.dumps(written), encoding="utf-8")
    return settings


def fill(url: str, block: Block, years: int) -> None:
    """Earlier years that ended a little below this year's goals, and then nine months as a source states them."""
    engine, rng = open_engine(url), np.random.default_rng(7)
    migrate(engine)
    series, at = np.arange(1, block.rows + 1).tolist(), AT if engine.dialect.name == "postgresql" else _micros(AT)
    for back in range(years, 0, -1):
        reached = np.zeros(block.rows)
        for month, end in enumerate(period_ends(YEAR - back, block.every).tolist(), start=1):
            reached += block.goal / 12 * (1 + 0.3 * np.sin(month)) * 0.96**back * rng.normal(1, 0.05, block.rows)
            day = end if engine.dialect.name == "postgresql" else end.toordinal() - datetime(1970, 1, 1).toordinal()  # noqa: DTZ001
            columns: bulk.Columns = {
                "series_id": series,
                "period": bulk.Same(day),
                "value": np.where(block.sums, reached, reached / month * 12).tolist(),
                "known_at": bulk.Same(at),
                "pull_id": bulk.Same(1),
                "cell": bulk.Same("第1行"),
            }
            with engine.begin() as connection:
                bulk.insert(connection, observation, block.rows, columns)
    publish(engine, block, range(1, 10), 1.1, AT)
    engine.dispose()


def _micros(at: datetime) -> int:
    return int(at.timestamp() * 1e6)


def handed_in(panel: Panel, number: int) -> Iterator[bytes]:
    """One month as it is handed in: a CSV of each few counties, all that they owe, a tenth better than expected."""
    block, counties = panel.block, panel.block.subjects[0]
    at_once = _ROWS // len(block.targets)
    for first in range(0, len(counties), at_once):
        some = np.arange(first, min(first + at_once, len(counties)))
        rows = (block.first_row[:-1, None] + some).ravel()
        values = panel.expected[number - 1, rows] * np.where(block.sign[rows] > 0, 1.1, 0.9)
        said = zip(((one, c) for one in block.targets for c in some.tolist()), values.tolist(), strict=True)
        lines = [f"{one.series},{counties[c]},{block.ends[number - 1]},{v!r},{one.goal.unit}\n" for (one, c), v in said]
        yield ("series,subject,period,value,unit\n" + "".join(lines)).encode()


def _step(name: str) -> None:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    most, now = (int(status.split(f"{key}:")[1].split()[0]) / 1024 for key in ("VmHWM", "VmRSS"))
    took = time.time() - _begun()
    print(
        f"  {name:22} {took:7.2f} s {time.process_time():7.2f} s of CPU {now:6.0f} MiB, at most {most:6.0f} MiB",
        flush=True,
    )
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # at most since the step before


def grow(settings: Path) -> None:
    """In a process of its own: months of figures, edits of the books, and the turn of the year."""
    from monitor.app import Daemon
    from monitor.intake.pushing import Inbox
    from monitor.serve import for_much_data

    for_much_data()
    daemon = Daemon(settings)
    daemon.judge()
    _step("first cycle")
    inbox, book = Inbox(daemon, lambda: None), settings.parent / "books" / "country"

    def hand_in(year: int, number: int) -> None:
        daemon.clock = Clock(datetime(year, number, 20, tzinfo=UTC) + timedelta(days=20), Clock.real())
        for body in handed_in(daemon.force.watch.panels[0], number):
            inbox.receive(daemon.force.feeds[SOURCE], body, "", table=True)
            daemon.judge()
        _step(f"{year}-{number:02d}")

    def edit(name: str, before: str, after: str, file: str = "book.yaml") -> None:
        text = (book / file).read_text("utf-8")
        assert before in text
        (book / file).write_text(text.replace(before, after), "utf-8")
        assert not daemon.reload()
        _step(name)

    for number in (10, 11, 12):
        hand_in(YEAR, number)
    edit("read anew", "", "")
    edit("a threshold edited", '"supervisor"', '"levels": {"red": "behind 20%"}, "supervisor"')
    edit("a goal edited", "县0000,t000,1200", "县0000,t000,1201", "goals.csv")
    edit("the year's turn", f'"year": {YEAR}', f'"year": {YEAR + 1}')
    for number in (1, 2, 3):
        hand_in(YEAR + 1, number)
    daemon.close()
    _step("closed")


def start(settings: Path) -> None:
    """In a process of its own: each step with its time."""
    from monitor.app import Daemon
    from monitor.serve import for_much_data

    for_much_data()
    _step("imported")
    daemon = Daemon(settings)
    _step("loaded")
    daemon.judge()
    _step("first cycle")
    for _ in range(3):
        daemon.judge()
    _step("3 cycles on")
    daemon.close()
    _step("closed")


def _begun() -> float:
    """When this process began (seconds since 1970)."""
    ticks = int(Path("/proc/self/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[19])
    up = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    return time.time() - up + ticks / 100


def main() -> None:
    """Write, fill, start twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=430_000)
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--at", type=Path, help="folder that keeps books and store")
    parser.add_argument("--postgresql", action="store_true", help="a server of its own, gone at the end; not with --at")
    parser.add_argument("--starts", type=int, default=2)
    parser.add_argument("--grow", action="store_true", help="what is in --at is of the next year afterwards")
    parser.add_argument("--settings", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.settings:
        (grow if given.grow else start)(given.settings)
        return
    with tempfile.TemporaryDirectory() as name, Postgres() if given.postgresql else nullcontext() as server:
        folder = given.at or Path(name)
        settings = folder / "duban.yaml"
        url = server.url(server.create()) if server else f"sqlite:///{folder}/duban.db"
        if not settings.exists():
            written = write(folder, round(given.targets / TARGETS), url)
            (block,) = compile_plan(load_books(folder / "books")[0])
            fill(url, block, given.years)
            settings = written
        for _ in range(given.starts):
            subprocess.run([sys.executable, "-m", "tests.benchmarks.start", "--settings", settings], check=True)
            print()
        if given.grow:
            again = [sys.executable, "-m", "tests.benchmarks.start", "--grow", "--settings", settings]
            subprocess.run(again, check=True)


if __name__ == "__main__":
    main()
