"""A leader that nobody works for, and a worker whose files differ from the leader's."""

import asyncio
import json
import os
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime
from itertools import pairwise
from types import SimpleNamespace

import psycopg
import pytest
from msgspec import convert, to_builtins

from alerts.channels.base import Letter
from alerts.channels.limits import Limit, Slots
from alerts.delivery import Attempt
from connectors.base import ConnectorError, Failure
from connectors.observation import Query
from monitor import cluster
from monitor.cluster import Cluster, _Worker
from monitor.doctor import Health, examine
from monitor.force import read
from monitor.store import errands
from monitor.store.database import migrate, open_engine
from rules.document import Invalid
from tests.acceptance.running import until
from tests.alerts.builders import letter

pytest.importorskip("procrastinate", reason="needs the extra duban[cluster]")

AT = datetime(2025, 10, 27, 1, tzinfo=UTC)
QUESTION = Query(AT, date(2025, 1, 1), date(2025, 12, 31), ("就业",), "b")
LETTER = letter()
BOOK = """\
book: b
title: 册
year: 2025
supervisor: 督查办
every: month
levels: {yellow: behind 5%}
sources:
  net: {connector: http_json, url: 'http://127.0.0.1:1/x', retries: 0, fields: {series: s, period: p, value: v}}
targets:
  - {id: t, name: 就业, lead: 某局, goal: at least 10 个, measure: cumulative, source: {connector: net, series: 就业}}
"""


@pytest.fixture
def backend():
    return "postgresql"


@pytest.fixture
def config(tmp_path, migrated_url):
    (tmp_path / "books" / "b").mkdir(parents=True)
    (tmp_path / "books" / "b" / "book.yaml").write_text(BOOK, encoding="utf-8")
    settings = {
        "database": migrated_url,
        "books": str(tmp_path / "books"),
        "executor": "cluster",
        "channels": {"hook": {"kind": "webhook", "url": "http://127.0.0.1:1/hook", "timeout": 1}},
    }
    path = tmp_path / "duban.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


@pytest.fixture
def leading(config, engine):
    """The leader's side, and what it has in force."""
    force = read(config)
    found = Cluster(SimpleNamespace(engine=engine, force=force))
    yield found, force
    found.close()


def asked(found, work):
    """What a worker is asked by ``work``, as it stands in the database."""
    questions = []
    found._ask = lambda question: questions.append(json.loads(json.dumps(question))) or {"attempts": [], "spent": []}
    work()
    return questions[0]


def test_where_no_worker_takes_it_up_a_source_fails_and_a_letter_stays(leading, monkeypatch):
    found, force = leading
    monkeypatch.setattr(cluster, "_UNTAKEN", 0.0)
    with pytest.raises(ConnectorError, match="no worker") as failed:
        found.fetch(force.feeds["b/net"], QUESTION)
    assert failed.value.reason is Failure.UNREACHABLE
    assert found.send("hook", force.channels["hook"], [LETTER]) == []
    with found._daemon.engine.begin() as connection:
        assert errands.put_again(connection, 9.0) == []


def test_a_leader_begins_with_an_empty_slate(engine):
    errands.prepare(engine)
    with engine.begin() as connection:
        errand = errands.put(connection, "?")
        assert errands.question(connection, errand) == "?"
    errands.prepare(engine)
    with engine.begin() as connection:
        assert not errands.answer(connection, errand, "late")
        assert errands.withdraw(connection, [errand]) == [errand]


def test_what_a_worker_had_for_long_when_it_died_waits_for_one_more_as_if_asked_just_now(leading, engine):
    found, _ = leading
    errands.prepare(engine)
    answer = Future()
    with engine.begin() as connection:
        errand = errands.put(connection, "?")
    found._asked[errand] = cluster._Asked(answer, 0.0)
    for again in (True, False):
        with engine.begin() as connection:
            connection.execute(errands._HERE)
            dead = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES ('2025-01-01') RETURNING id"
            taken = "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s"
            connection.exec_driver_sql(taken, (connection.exec_driver_sql(dead).scalar_one(),))
        found._took_up = 0.0
        found._look()
        assert answer.done() is not again
        with engine.begin() as connection:
            assert errands.question(connection, errand) == ("?" if again else None)
        if again:
            assert found._asked[errand].since > 0.0
            found._asked[errand] = found._asked[errand]._replace(since=0.0)
    with pytest.raises(cluster.Untaken):
        answer.result()


def test_the_doctor_says_whether_anybody_works(config, engine):
    def told():
        return [(one.health, one.words) for one in examine(config) if one.part == "分担"]

    nobody = [(Health.ILL, "没有 worker 受理，拉取与投递都在等待")]
    assert told() == nobody
    errands.prepare(engine)
    assert told() == nobody
    with engine.begin() as connection:
        at = "INSERT INTO duban_queue.procrastinate_workers (last_heartbeat) VALUES (now() - interval '%s seconds')"
        connection.exec_driver_sql(at % 1)
        connection.exec_driver_sql(at % 60)
    assert told() == [(Health.WELL, "1 个 worker 正在受理")]


def test_the_doctor_says_why_a_cluster_cannot_be(config, tmp_path):
    settings = json.loads(config.read_text())
    store = open_engine(f"sqlite:///{tmp_path}/duban.db")
    migrate(store)
    store.dispose()
    config.write_text(json.dumps({**settings, "database": f"sqlite:///{tmp_path}/duban.db"}))
    (found,) = [one for one in examine(config) if one.part == "分担"]
    assert found.health is Health.ILL
    assert "needs postgresql" in found.words


def test_one_answer_is_taken_and_a_second_one_is_not(engine):
    errands.prepare(engine)
    with engine.begin() as connection:
        errand, other = errands.put(connection, "?"), errands.put(connection, "?")
        assert errands.answer(connection, errand, "first")
        assert not errands.answer(connection, errand, "second")
        assert errands.answered(connection, [errand, other]) == {errand: "first"}
        assert errands.answered(connection, [errand]) == {}


@pytest.mark.parametrize("answered", [True, False])
def test_what_the_database_took_without_living_to_say_so_keeps_nobody_waiting(leading, engine, monkeypatch, answered):
    """The transaction that takes an answer, or takes back a question, is committed, and the connection is cut."""
    found, force = leading
    commit, there = engine.dialect.do_commit, [0]

    def do_commit(connection):
        commit(connection)
        there.append(*connection.execute("SELECT count(*) FROM duban_queue.errand").fetchone())
        if there[-2:] == [1, 0]:
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(engine.dialect, "do_commit", do_commit)
    monkeypatch.setattr(cluster, "_UNTAKEN", 60.0 if answered else 0.0)
    asking = ThreadPoolExecutor(1).submit(found.fetch, force.feeds["b/net"], QUESTION)
    until(lambda: found._asked or asking.done(), what="a question")
    if answered:
        (errand,) = found._asked
        with engine.begin() as connection:
            assert errands.answer(connection, errand, '{"failure": "timeout", "detail": "慢", "retryable": true}')
    assert str(asking.exception(30)).startswith("慢" if answered else "0秒内没有")
    until(lambda: (1, 0) in pairwise(there), what="a transaction whose end nobody was told of")


def test_a_worker_gives_up_a_server_that_fell_silent_as_soon_as_the_daemon_does(engine):
    async def queue():
        connector = cluster._connector(engine)
        await connector.open_async()
        try:
            async with connector.pool.connection() as connection:
                return patience(connection)
        finally:
            await connector.close_async()

    with engine.connect() as connection:
        daemon = patience(connection.connection.driver_connection)
    assert asyncio.run(queue()) == daemon == (1, 5, 2, 3, 10_000)


def patience(connection):
    """What the kernel was asked to do where nothing is heard: keepalive, idle, interval, count; user timeout in ms."""
    options = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    with socket.socket(fileno=os.dup(connection.pgconn.socket)) as used:
        alive = used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        return alive, *(used.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in options)


def test_a_worker_does_what_is_written_on_both_hosts_alike(leading, config, engine):
    found, force = leading
    worker = _Worker(config, engine)
    question = asked(found, lambda: found.send("hook", force.channels["hook"], [LETTER]))
    assert convert(question["letters"], list[Letter]) == [LETTER]
    (attempt,) = convert(worker._sent(question)["attempts"], list[Attempt])
    assert attempt.result == "unreachable"
    source = {"source": "b/net", "digest": "another", "query": to_builtins(QUESTION)}
    said = worker._fetched(source)
    assert said["failure"] == "misconfigured"
    assert "b/net" in said["detail"]
    (attempt,) = convert(worker._sent(question | {"digest": "another"})["attempts"], list[Attempt])
    assert attempt.result == "misconfigured"


def test_a_worker_reads_its_files_anew_when_the_leader_has_others(leading, config, engine):
    found, force = leading
    worker = _Worker(config, engine)
    worker._sent(asked(found, lambda: found.send("hook", force.channels["hook"], [LETTER])))
    config.write_text(config.read_text().replace('"timeout": 1', '"timeout": 2'))
    force = found._daemon.force = read(config)
    question = asked(found, lambda: found.send("hook", force.channels["hook"], [LETTER]))
    (attempt,) = convert(worker._sent(question)["attempts"], list[Attempt])
    assert attempt.result == "unreachable"


def test_a_limit_counts_on_in_another_process():
    here, there = Slots(Limit(2, 60.0)), Slots(Limit(2, 60.0))
    assert here.take()
    there.resume(here.spent())
    assert there.take()
    here.resume(there.spent())
    assert not here.take()


def test_a_cluster_needs_postgresql(config, tmp_path):
    config.write_text(json.dumps(json.loads(config.read_text()) | {"database": f"sqlite:///{tmp_path}/x.db"}))
    with pytest.raises(Invalid, match="needs postgresql"):
        cluster.work(config)
