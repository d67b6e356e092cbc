"""PostgreSQL restarts, and connections are cut, while the daemon pulls, judges and delivers: it goes on by itself."""

import random
import threading
import time

import psycopg
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from monitor.store.database import open_engine, reading
from monitor.store.tables import change, delivery, leader, observation, run
from tests.acceptance.books import figures, town
from tests.acceptance.running import Receiver, Running, until
from tests.acceptance.test_takeover import MONTHS, TOLD, UNHURRIED
from tests.servers.postgres import Postgres

TARGETS, CUTS = 60, 300


@pytest.fixture
def server():
    """A PostgreSQL of one's own: it is stopped and started."""
    with Postgres() as server:
        yield server


@pytest.fixture
def url(server):
    """A database that loses nothing it has acknowledged, as one in earnest."""
    name = server.create()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = on')
    return server.url(name)


@pytest.fixture
def receiver():
    receiver = Receiver(delay=0.02)
    yield receiver
    receiver.close()


def running(folder, url, receiver):
    return Running(
        folder,
        database=url,
        books=str(folder / "books"),
        clock="2025-10-27T09:00:00+08:00",
        channels={"hook": {"kind": "webhook", "url": receiver.url}},
    )


def news(folder):
    """Half of the targets fall behind, then recover while the others fall, and once more."""
    rows = []
    for number, (period, known, full) in enumerate(MONTHS):
        rows += [(f"指标{i:03d}", period, full - 100 * ((i + number) % 2), known) for i in range(TARGETS)]
        figures(folder, rows)
        yield


def all_told(engine, receiver):
    """Every figure is stored once, every change made once, and told once, without even a repetition."""

    def settled():
        with reading(engine) as connection:
            return set(connection.scalars(select(delivery.c.status).distinct())) == {"sent"}

    until(settled, what="every delivery sent")
    with reading(engine) as connection:
        owed = set(connection.scalars(select(delivery.c.key)))
        changes = told(connection)
        steps = connection.execute(select(change.c.alert_id, change.c.at, change.c.event)).all()

    assert len(steps) == len(set(steps))
    assert set(receiver.letters) == owed
    assert len(owed) == changes == (2 * len(MONTHS) - 1) * TARGETS // 2


def told(connection):
    return connection.scalar(select(func.count()).where(change.c.event.in_(TOLD)))


def taken_in(engine, months):
    """Wait until this many months are judged: two that came together would be judged as the later alone."""

    def judged():
        try:
            with reading(engine) as connection:
                stored = connection.scalar(select(func.count()).select_from(observation))
                return stored == months * TARGETS and told(connection) >= (2 * months - 1) * TARGETS // 2
        except DBAPIError:  # this session was cut, too
            return False

    until(judged, what=f"{months} months stored and judged")


def test_restarts_of_the_server_in_the_midst_of_everything_lose_and_double_nothing(server, url, receiver, tmp_path):
    dice = random.Random("restart")
    folder = town(tmp_path / "books", TARGETS, UNHURRIED)
    months = news(folder)
    next(months)
    engine = open_engine(url)
    with running(tmp_path, url, receiver) as daemon:
        taken_in(engine, 1)
        for number, _ in enumerate(months, 2):
            for _ in range(2):
                time.sleep(dice.uniform(0.1, 0.8))
                server.kill()
                time.sleep(dice.uniform(0, 0.5))
                server.start()
            taken_in(engine, number)
        began = time.monotonic()
        until(lambda: cycled(daemon), what="a cycle after the restart")
        print(f"judging again {time.monotonic() - began:.1f} s after the last restart")
        all_told(engine, receiver)
        assert receiver.repeats == 0
        assert daemon.get("/-/ready")[0] == 200
        assert daemon.stop() == 0
    with reading(engine) as connection:
        assert connection.scalar(select(leader.c.term)) == 1
        assert connection.scalar(select(func.count()).select_from(run).where(run.c.finished_at.is_(None))) <= 1
    engine.dispose()


def cycled(daemon):
    """Whether there was a cycle since this was first asked."""
    (line,) = [
        line for line in daemon.get("/metrics")[1].splitlines() if line.startswith('duban_cycles_total{outcome="ok"}')
    ]
    count = float(line.rsplit(" ", 1)[1])
    daemon.cycles = getattr(daemon, "cycles", count)
    return count > daemon.cycles


def test_connections_that_are_cut_at_random_lose_and_double_nothing(server, url, receiver, tmp_path):
    folder = town(tmp_path / "books", TARGETS, UNHURRIED)
    months = news(folder)
    next(months)
    engine = open_engine(url)
    stop = threading.Event()
    with running(tmp_path, url, receiver) as daemon:
        cutting = threading.Thread(target=cut, args=(server.url("postgres"), stop))
        cutting.start()
        try:
            taken_in(engine, 1)
            for number, _ in enumerate(months, 2):
                time.sleep(1)
                taken_in(engine, number)
        finally:
            stop.set()
            cutting.join()
        all_told(engine, receiver)
        assert receiver.repeats == 0
        assert daemon.stop() == 0
    with reading(engine) as connection:
        assert connection.scalar(select(leader.c.term)) == 1
    engine.dispose()


def cut(url, stop):
    """End one session after the other, whichever comes; not for ever, or a slow machine never gets through."""
    dice = random.Random("cut")
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(CUTS):
            if stop.wait(dice.uniform(0.02, 0.2)):
                return
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
            )
