"""Two daemons on one database: one leads, the other follows it whatever becomes of it, and nothing is lost or doubled."""

import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import func, select, text

from alerts.alert import Event, State
from monitor.store.database import open_engine, reading
from monitor.store.tables import alert, change, delivery, leader, observation, run
from tests.acceptance.books import figures, town
from tests.acceptance.running import Receiver, Running, until

TARGETS = 20
TOLD = [event.value for event in Event if event.told]
UNHURRIED = "45 workdays after period"  # no month is late while the ones before it are played
MONTHS = (("2025-07", "2025-08-10", 700), ("2025-08", "2025-09-10", 800), ("2025-09", "2025-10-15", 900))


class Pair:
    """Two daemons over one book and one database; the figures they watch, and who hears of it."""

    def __init__(self, folder, database_url, takeover):
        self.url, self.engine = database_url, open_engine(database_url)
        self.book = town(folder / "books", TARGETS, UNHURRIED)
        self.receiver = Receiver(delay=0.005)
        self._rows, self._news = [], 0
        self.news()
        self.daemons = []
        for name in ("first", "second"):
            (folder / name).mkdir()
            daemon = Running(
                folder / name,
                database=database_url,
                books=str(folder / "books"),
                clock="2025-10-27T09:00:00+08:00",
                takeover=takeover,
                channels={"hook": {"kind": "webhook", "url": self.receiver.url}},
            )
            self.daemons.append(daemon)

    def news(self):
        """The next month, three times at most: half of the targets fall behind, and the others recover."""
        period, known, full = MONTHS[self._news]
        self._rows += [(f"指标{i:03d}", period, full - 100 * ((i + self._news) % 2), known) for i in range(TARGETS)]
        self._news += 1
        figures(self.book, self._rows)

    def term(self):
        with reading(self.engine) as connection:
            return connection.scalar(select(leader.c.term))

    def told(self):
        """Wait until all that is owed has arrived; every change was made and told once."""
        until(lambda: self._stored() == self._news * TARGETS, what="every figure stored")
        behind = {f"t{i:03d}" for i in range(TARGETS) if (i + self._news) % 2 == 0}
        until(lambda: self._firing() == behind, what="every figure judged")
        until(lambda: self._statuses() == {"sent"}, what="every delivery sent")
        with reading(self.engine) as connection:
            owed = set(connection.scalars(select(delivery.c.key)))
            told = connection.scalar(select(func.count()).where(change.c.event.in_(TOLD)))
            steps = connection.execute(select(change.c.alert_id, change.c.at, change.c.event)).all()
        assert set(self.receiver.letters) == owed
        assert len(owed) == told
        assert len(steps) == len(set(steps))
        return told

    def stop_between_writes(self, daemon):
        """SIGSTOP; on SQLite not while it holds the database locked, for then nobody can write until it goes on."""
        while True:
            daemon.signal(signal.SIGSTOP)
            if not self.url.startswith("sqlite"):
                return
            database = sqlite3.connect(self.engine.url.database, timeout=0)
            try:
                database.execute("BEGIN IMMEDIATE")
                database.rollback()
            except sqlite3.OperationalError:
                daemon.signal(signal.SIGCONT)
                time.sleep(0.05)
            else:
                return
            finally:
                database.close()

    def _stored(self):
        with reading(self.engine) as connection:
            return connection.scalar(select(func.count()).select_from(observation))

    def _firing(self):
        with reading(self.engine) as connection:
            return set(connection.scalars(select(alert.c.target).where(alert.c.state == State.FIRING.value)))

    def _statuses(self):
        with reading(self.engine) as connection:
            return set(connection.scalars(select(delivery.c.status).distinct()))

    def close(self):
        for daemon in self.daemons:
            daemon.__exit__()
        self.receiver.close()
        self.engine.dispose()


@pytest.fixture
def pair(tmp_path, database_url):
    """One that is dead is replaced at once; a slow machine may keep a living one from its sign of life for seconds."""
    pair = Pair(tmp_path, database_url, takeover=30)
    yield pair
    pair.close()


@pytest.fixture
def impatient(tmp_path, database_url):
    pair = Pair(tmp_path, database_url, takeover=5)
    yield pair
    pair.close()


def leads(daemon):
    return "duban_leading 1.0" in daemon.get("/metrics")[1]


def stands_by(daemon):
    until(lambda: "备用" in daemon.get("/-/ready")[1], what=f"the stand-by ({daemon.log})")


def test_the_stand_by_is_alive_not_ready_and_says_who_leads(pair):
    first, second = pair.daemons
    first.start().ready()
    second.start()
    stands_by(second)
    assert second.get("/-/healthy")[0] == 200
    status, words = second.get("/-/ready")
    assert status == 503
    assert f":{first.process.pid}" in words
    status, page = second.get("/")
    assert status == 503
    assert f":{first.process.pid}" in page
    assert second.get("/metrics")[0] == 200
    assert not leads(second)
    assert second.get("/api/v1/targets")[0] == 503
    second.signal(signal.SIGHUP)  # what is written is read when it takes over
    assert second.stop() == 0
    assert first.get("/-/ready")[0] == 200


def test_one_that_cannot_listen_never_leads(pair):
    daemon = pair.daemons[0]
    with socket.create_server(("127.0.0.1", daemon.port)):
        assert daemon.start().process.wait(timeout=90) == 1
    assert "cannot listen" in daemon.log.read_text("utf-8")
    assert pair.term() == 0


def test_a_leader_that_is_killed_is_followed_and_nothing_is_lost_or_doubled(pair):
    leading, stand_by = pair.daemons
    leading.start().ready()
    stand_by.start()
    took = []
    for _ in range(2):
        stands_by(stand_by)
        pair.news()
        time.sleep(0.3)  # somewhere in the midst of it
        killed = time.monotonic()
        leading.kill()
        until(lambda stand_by=stand_by: leads(stand_by), what="the stand-by leading")
        took.append(time.monotonic() - killed)
        stand_by.ready()
        leading, stand_by = stand_by, leading.start()
    print("took over after", [f"{seconds:.2f} s" for seconds in took])
    stand_by.kill()
    assert pair.told() >= TARGETS // 2
    assert pair.term() == 3
    assert leading.stop() == 0


def test_a_leader_that_hangs_is_ousted_writes_nothing_when_it_wakes_and_ends(impatient):
    pair = impatient
    leading, stand_by = pair.daemons
    leading.start().ready()
    stand_by.start()
    for _ in range(2):
        stands_by(stand_by)
        pair.news()
        pair.stop_between_writes(leading)
        until(lambda stand_by=stand_by: leads(stand_by), what="the stand-by leading")
        stand_by.ready()
        leading.signal(signal.SIGCONT)
        assert leading.process.wait(timeout=90) == 1
        assert "action=lead_lost" in leading.log.read_text("utf-8")
        leading, stand_by = stand_by, leading.start()
    stand_by.kill()
    assert pair.told() >= TARGETS // 2
    assert pair.term() == 3
    assert leading.stop() == 0


def test_a_leader_that_is_asked_to_end_hands_over(pair):
    leading, stand_by = pair.daemons
    leading.start().ready()
    stand_by.start()
    stands_by(stand_by)
    assert leading.stop() == 0
    ended = time.monotonic()
    until(lambda: leads(stand_by), what="the stand-by leading")
    print(f"took over {time.monotonic() - ended:.2f} s after the end")
    stand_by.ready()
    assert pair.told()
    with reading(pair.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(run).where(run.c.finished_at.is_(None))) <= 1


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_leader_whose_sessions_are_cut_leads_on_or_is_followed(pair):
    leading, stand_by = pair.daemons
    leading.start().ready()
    stand_by.start()
    stands_by(stand_by)
    pair.news()
    with pair.engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
                " AND pid <> pg_backend_pid()"
            )
        )
    # The stand-by looks more often than the leader does, but either may be first.
    until(lambda: pair.term() == 2 or "action=beat_again" in leading.log.read_text("utf-8"), what="a leader")
    pair.news()
    if pair.term() == 2:
        stand_by.ready()
        assert leading.process.wait(timeout=90) == 1
    assert pair.told() >= TARGETS // 2


class Office:
    """A source over HTTP that counts who asks, and may let them wait."""

    def __init__(self):
        self.asked, self.answering = Counter(), threading.Event()
        office = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.strip("/")
                office.asked[name] += 1
                if name == "slow":
                    office.answering.wait(60)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b'[{"s": "x", "p": "2025-09", "v": 1}]')

            def log_message(self, *_): ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self.answering.set()
        self._server.shutdown()
        self._server.server_close()


def test_a_slot_that_a_leader_did_not_finish_is_done_by_the_next_and_a_finished_one_is_not(pair):
    office = Office()
    text = (pair.book / "book.yaml").read_text("utf-8")
    for index, name in enumerate(("quick", "slow")):
        text = text.replace(f"    name: 指标{index:03d}\n", f"    name: 指标{index:03d}\n    source: {name}\n")
        text = text.replace(
            "sources:\n",
            f"sources:\n  {name}:\n    connector: http_json\n    url: {office.url}/{name}\n    timeout: 60\n"
            "    fields: {series: s, period: p, value: v}\n    schedule: daily at 06:00\n",
            1,
        )
    (pair.book / "book.yaml").write_text(text, encoding="utf-8")
    first, second = pair.daemons
    first.start().ready()
    second.start()
    stands_by(second)
    until(lambda: office.asked["slow"] == 1 and _ended(pair, "pull:town-2025/quick"), what="both asked")
    first.kill()
    until(lambda: office.asked["slow"] == 2, what="the slow one asked again")
    office.answering.set()
    until(lambda: _ended(pair, "pull:town-2025/slow"), what="the slow one's answer")
    assert office.asked == {"quick": 1, "slow": 2}
    office.close()


def _ended(pair, job):
    with reading(pair.engine) as connection:
        return connection.scalar(select(run.c.finished_at).where(run.c.job == job))
