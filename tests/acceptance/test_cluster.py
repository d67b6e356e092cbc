"""A daemon and the workers that ask and send for it, in processes of their own: killed, hanging, and coming back late."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import func, select

from alerts.alert import Kind
from monitor.store.database import open_engine, reading
from monitor.store.tables import alert, attempt, change, delivery, observation, pull, run
from tests.acceptance.running import ROOT, Running, letters, until
from tests.acceptance.test_takeover import TOLD

pytest.importorskip("procrastinate", reason="needs the extra duban[cluster]")

SOURCES = 6
HEAD = """\
book: county-2025
title: 某县2025年目标任务
year: 2025
supervisor: 督查办
every: month
published: 10 workdays after period
levels: {yellow: behind 5%, red: behind 15%}
sources:
"""


class Office:
    """Answers for every source and takes what is posted; holds on to the first request to the place ``held``.

    It is one whose sender lives: what a worker sent with its last breath may be read after its death.
    """

    def __init__(self, held):
        self.asked, self.posted, self.held = Counter(), set(), held
        self.let_go, self._turn = threading.Event(), threading.Lock()
        office = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                place = self.path.strip("/")
                office.asked[place] += 1
                late = office.hold(place, self.connection)
                self.answer(json.dumps([{"s": place, "p": "2025-09", "v": 999 if late else 500}]).encode())

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                office.posted |= {key for key, _ in letters(json.loads(body))}
                office.hold("hook", self.connection)
                self.answer(b"")

            def answer(self, body):
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # whoever asked is no more

            def log_message(self, *_): ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def hold(self, place, connection):
        """Whether this request was the one to be held."""
        with self._turn:
            if place != self.held or ended(connection):
                return False
            self.held = None
        return self.let_go.wait(120)

    def close(self):
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()


def ended(connection):
    """Whether the other end is closed."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


class Worker:
    """``duban worker`` in a process of its own."""

    def __init__(self, config, log):
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "monitor", "worker", "--config", str(config)],
                cwd=ROOT,
                stdout=file,
                stderr=file,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def says(self, words):
        until(lambda: words in self.log.read_text("utf-8"), what=f"{words} ({self.log})")

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


class Cluster:
    """A daemon, its workers and the office, on one PostgreSQL."""

    def __init__(self, folder, url, held):
        self.folder, self.office, self.engine = folder, Office(held), open_engine(url)
        names = [f"s{number:02d}" for number in range(SOURCES)]
        lines = [HEAD.rstrip()]
        for name in names:
            lines += [
                f"  {name}: {{connector: http_json, url: '{self.office.url}/{name}', timeout: 60, retries: 0,",
                "    fields: {series: s, period: p, value: v}, schedule: daily at 06:00}",
            ]
        lines.append("targets:")
        lines += [
            f"  - {{id: {name}, name: 指标{name}, lead: 某局, goal: at least 1200 个, measure: cumulative,"
            f" source: {{connector: {name}, series: {name}}}}}"
            for name in names
        ]
        book = folder / "books" / "county-2025"
        book.mkdir(parents=True)
        (book / "book.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.daemon = Running(
            folder,
            database=url,
            books=str(folder / "books"),
            clock="2025-10-27T09:00:00+08:00",
            executor="cluster",
            takeover=2,
            channels={"hook": {"kind": "webhook", "url": f"{self.office.url}/hook", "timeout": 60}},
        )
        self.workers = []

    def worker(self):
        self.workers.append(Worker(self.daemon.config, self.folder / f"worker{len(self.workers)}.log"))
        return self.workers[-1]

    def caught(self):
        """A worker in the midst of what the office holds, and another one, which does nothing before SIGCONT."""
        worker, other = self.worker(), self.worker()
        for one in (worker, other):  # a daemon does not wait for ever for a worker to begin
            one.says("action=waiting")
        other.process.send_signal(signal.SIGSTOP)
        self.daemon.start()
        until(lambda: self.office.held is None, what=f"the worker held ({worker.log})")
        return worker, other

    def done(self):
        """Wait until every figure is stored and judged and all that is owed was sent; every change was told once."""
        until(lambda: self._count(run, run.c.job.like("pull:%"), run.c.outcome == "ok") == SOURCES, what="every slot")
        until(lambda: self._count(alert, alert.c.kind == Kind.PACE.value) == SOURCES, what="every alert")
        until(lambda: self._count(delivery, delivery.c.status != "sent") == 0, what="every letter")
        # The one of each target, and of none that its figure is late.
        assert self._count(delivery) == self._count(change, change.c.event.in_(TOLD)) == SOURCES
        assert self._count(attempt, attempt.c.result == "sent") == SOURCES
        with reading(self.engine) as connection:
            assert self.office.posted == set(connection.scalars(select(delivery.c.key)))
            assert connection.scalars(select(observation.c.value)).all() == [500] * SOURCES

    def written(self):
        """All that a worker could have written, had it written anything."""
        return [self._count(table) for table in (pull, run, observation, attempt, delivery, change)]

    def _count(self, table, *which):
        with reading(self.engine) as connection:
            return connection.scalar(select(func.count()).select_from(table).where(*which))

    def close(self):
        for worker in self.workers:
            worker.end(signal.SIGKILL)
        self.daemon.__exit__()
        self.office.close()
        self.engine.dispose()


@pytest.fixture
def backend():
    return "postgresql"


@pytest.fixture
def clusters(tmp_path, database_url):
    made = []

    def make(held):
        made.append(Cluster(tmp_path, database_url, held))
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()


def test_nothing_is_lost_or_doubled_when_a_worker_is_killed_and_then_its_leader(clusters):
    cluster = clusters("s05")
    killed, other = cluster.caught()
    killed.end(signal.SIGKILL)
    cluster.office.held = "hook"
    other.process.send_signal(signal.SIGCONT)
    until(lambda: cluster.office.held is None, what=f"the other one held ({other.log})")
    cluster.daemon.kill()
    cluster.daemon.start()
    cluster.done()
    assert cluster.office.asked["s05"] > 1
    # The answer to the leader that is no more counts for nothing.
    before = cluster.written()
    cluster.office.let_go.set()
    other.says("action=too_late")
    assert cluster.written() == before
    assert other.end(signal.SIGTERM) == 0
    assert cluster.daemon.stop() == 0


def test_a_worker_that_hangs_while_it_sends_is_replaced_and_writes_nothing_when_it_wakes(clusters):
    cluster = clusters("hook")
    hanging, other = cluster.caught()
    hanging.process.send_signal(signal.SIGSTOP)
    other.process.send_signal(signal.SIGCONT)
    cluster.done()
    before = cluster.written()
    cluster.office.let_go.set()
    hanging.process.send_signal(signal.SIGCONT)
    hanging.says("action=too_late")
    assert cluster.written() == before
