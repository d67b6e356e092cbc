"""From a figure handed in to the web hook: ``python -m tests.benchmarks.latency --targets 430000``.

The real daemon (books from files, its web server, its threads, its store) stands over a synthetic country all of whose
targets have figures. One figure after the other is handed in over HTTP and turns its target red; a web hook in a
process of its own notes when it hears of it. Prints the seconds from the request's begin to the hook's.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import requests

from monitor.store.database import migrate, open_engine
from rules.loader import load_books
from rules.plan import compile_plan
from tests.benchmarks.country import TARGETS
from tests.benchmarks.storm import hook, publish

AT = datetime(2025, 10, 20, 1, tzinfo=UTC)


def _write(folder: Path, counties: int, port: int, url: str) -> Path:
    book = folder / "books" / "country"
    book.mkdir(parents=True)
    (book / "token").write_text("s3cret\n")
    targets = [{"id": f"t{n:03d}", "name": f"指标{n:03d}", "lead": "统计局"} for n in range(TARGETS)]
    usual = {"goal": "at least 1200 个", "measure": "level"}
    plan = {
        "book": "country",
        "title": "全国",
        "year": 2025,
        "every": "month",
        "published": "15 workdays after period",
        "source": "push",
        "supervisor": "督查办",
        "subjects": "goals.csv",
        "levels": {"yellow": "behind 5%", "red": "behind 15%"},
        "sources": {"push": {"connector": "push", "token_file": "token"}},
        "targets": [target | usual for target in targets],
    }
    (book / "book.yaml").write_text(json.dumps(plan, ensure_ascii=False), encoding="utf-8")
    rows = (f"县{c:04d},t{n:03d},1200\n" for c in range(counties) for n in range(TARGETS))
    (book / "goals.csv").write_text("subject,target,goal\n" + "".join(rows), encoding="utf-8")
    settings = folder / "duban.yaml"
    channels = {"hook": {"kind": "webhook", "url": url}}
    written = {
        "books": str(folder / "books"),
        "database": f"sqlite:///{folder}/duban.db",
        "clock": AT.isoformat(),
        "listen": f"127.0.0.1:{port}",
        "channels": channels,
    }
    settings.write_text(json.dumps(written), encoding="utf-8")
    return settings


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(address: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            if requests.get(f"{address}/-/ready", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise SystemExit("the daemon ended")


def main() -> None:
    """Write, fill, start, hand in, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=430_000)
    parser.add_argument("--figures", type=int, default=30)
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between figures")
    given = parser.parse_args()
    os.environ["NO_PROXY"] = "*"
    with tempfile.TemporaryDirectory() as name, hook() as (url, heard):
        folder, port = Path(name), _free_port()
        settings, address = _write(folder, round(given.targets / TARGETS), port, url), f"http://127.0.0.1:{port}"
        (block,) = compile_plan(load_books(folder / "books")[0])
        engine = open_engine(f"sqlite:///{folder}/duban.db")
        migrate(engine)
        publish(engine, block, range(1, 10), 1.1, AT)
        engine.dispose()
        started = time.monotonic()
        process = subprocess.Popen([sys.executable, "-m", "monitor", "run", "--config", str(settings)])
        try:
            _ready(address, process)
            print(f"{block.rows:,} targets, ready after {time.monotonic() - started:.1f} s", flush=True)
            taken = [_told(address, heard, number, given.pause) for number in range(given.figures)]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    print(f"change to hook: median {statistics.median(taken):.2f} s, worst {max(taken):.2f} s, of {len(taken)}")


def _told(address: str, heard: Connection, number: int, pause: float) -> float:
    time.sleep(pause)
    row = {"series": f"指标{number:03d}", "subject": "县0001", "period": "2025-09", "value": 500, "unit": "个"}
    headers, started = {"Authorization": "Bearer s3cret"}, time.monotonic()
    answer = requests.post(f"{address}/api/v1/observations", json={"observations": [row]}, headers=headers, timeout=60)
    answer.raise_for_status()
    if not heard.poll(60):
        raise SystemExit(f"nothing was told: {answer.text}")
    return float(heard.recv()) - started


if __name__ == "__main__":
    main()
