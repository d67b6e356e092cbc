"""The lead: one at a time, taken over when its holder is gone or hangs, and no writing without it."""

import threading
import time
from collections.abc import Callable, Iterator
from unittest.mock import Mock

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import OperationalError

from monitor.store import pulls
from monitor.store.database import open_engine, reading
from monitor.store.leader import Leader, NotLeading, leadership
from monitor.store.tables import pull
from tests.monitor.store.samples import START


@pytest.fixture
def process(migrated_url: str) -> Iterator[Callable[..., tuple[Engine, Leader]]]:
    """Makes what a process of its own would have: an engine and a part in the lead."""
    made: list[tuple[Engine, Leader]] = []

    def make(patience: float = 60.0, lost: Callable[[], object] = lambda: None) -> tuple[Engine, Leader]:
        engine = open_engine(migrated_url)
        made.append((engine, Leader(engine, patience, lost)))
        return made[-1]

    yield make
    for engine, leader in made:
        leader.release()
        engine.dispose()


def write(engine: Engine) -> None:
    with engine.begin() as connection:
        pulls.begin(connection, "b/s", START)


def written(engine: Engine) -> int:
    with reading(engine) as connection:
        return len(connection.execute(select(pull.c.id)).all())


def until_taken(leader: Leader) -> None:
    deadline = time.monotonic() + 20
    while not leader.take():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def hang(leader: Leader) -> None:
    """As a process does that is stopped: its lock stays, its signs of life end."""
    leader._over.set()
    assert leader._beating is not None
    leader._beating.join()


def test_one_leads_and_the_others_only_read(process) -> None:
    engine, leader = process()
    other, stand_by = process()
    assert leader.take()
    assert not stand_by.take()
    assert (leader.leading, stand_by.leading) == (True, False)
    write(engine)
    with pytest.raises(NotLeading):
        write(other)
    assert written(other) == 1
    assert stand_by.holder == leader._seat.look().holder != ""


def test_without_the_lead_nothing_is_written_and_the_engine_stays_usable(process) -> None:
    engine, leader = process()
    for _ in range(30):  # more often than there are connections in the pool
        with pytest.raises(NotLeading):
            write(engine)
    assert leader.take()
    write(engine)
    assert written(engine) == 1


def test_whoever_lets_go_is_followed_at_once_and_writes_no_more(process) -> None:
    engine, leader = process()
    other, stand_by = process()
    leader.take()
    leader.release()
    assert stand_by.take()
    write(other)
    with pytest.raises(NotLeading):
        write(engine)
    assert not leader.take()
    assert not leader.deposed


def test_a_leader_that_hangs_is_ousted_and_cannot_write_when_it_wakes(process) -> None:
    lost = threading.Event()
    engine, leader = process(lost=lost.set)
    other, stand_by = process(patience=0.2)
    leader.take()
    hang(leader)
    assert not stand_by.take()
    until_taken(stand_by)
    write(other)
    for _ in range(2):
        with pytest.raises(NotLeading):
            write(engine)
    assert leader.deposed
    assert lost.is_set()
    assert written(other) == 1


def test_a_leader_that_lives_is_not_ousted(process, monkeypatch) -> None:
    monkeypatch.setattr("monitor.store.leader._BEAT_EVERY", 0.01)
    engine, leader = process()
    _, stand_by = process(patience=5)
    leader.take()
    while leader._seat.look().beat < 20:
        assert not stand_by.take()
    stand_by._seen_at -= 10  # however long ago that one was seen
    before = leader._seat.look().beat
    while leader._seat.look().beat == before:
        pass
    assert not stand_by.take()
    write(engine)


def test_patience_begins_anew_when_the_database_was_away(process, monkeypatch) -> None:
    _, leader = process()
    _, stand_by = process(patience=5)
    leader.take()
    hang(leader)
    assert not stand_by.take()
    stand_by._seen_at -= 10
    away = OperationalError("SELECT", None, Exception("server closed the connection"))
    with monkeypatch.context() as patched:
        patched.setattr(stand_by._seat, "look", Mock(side_effect=away))
        with pytest.raises(OperationalError):
            stand_by.take()
    assert not stand_by.take()
    assert leader._seat.look().term == 1


def test_every_term_has_a_number_of_its_own_and_one_lock_file_is_left(process, backend, tmp_path) -> None:
    for term in range(1, 5):
        _, leader = process()
        assert leader.take()
        assert leader._seat.look()[:2] == (term, 0)
        leader.release()
    if backend == "sqlite":
        assert [path.name for path in tmp_path.glob("*.lock*")] == ["duban.db.lock-4"]


def test_of_many_that_start_together_one_leads(process) -> None:
    everybody = [process() for _ in range(6)]
    begin = threading.Barrier(len(everybody))

    def start(leader: Leader) -> None:
        begin.wait()
        leader.take()

    threads = [threading.Thread(target=start, args=(leader,)) for _, leader in everybody]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(leader.leading for _, leader in everybody) == 1
    leading = next(leader for _, leader in everybody if leader.leading)
    assert leading._seat.look().term == leading._term


def test_a_term_is_not_ended_under_a_transaction_that_began_in_it(process) -> None:
    engine, leader = process()
    other, stand_by = process()
    leader.take()
    taking = threading.Thread(target=until_taken, args=(stand_by,))
    with engine.begin() as connection:
        pulls.begin(connection, "b/s", START)
        leader._seat.close()  # the lock is gone, the transaction is not
        taking.start()
        taking.join(0.3)
        assert not stand_by.leading
    taking.join()
    assert written(other) == 1
    with pytest.raises(NotLeading):
        write(engine)


def test_a_command_leads_for_as_long_as_it_works(engine: Engine, migrated_url: str) -> None:
    other = open_engine(migrated_url)
    with leadership(engine) as leading:
        assert leading
        write(engine)
        with leadership(other) as second:
            assert not second
            with pytest.raises(NotLeading):
                write(other)
        write(other)  # after its block it is what it was
    with leadership(other) as leading:
        assert leading
    assert written(engine) == 2
    other.dispose()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_the_next_one_need_not_wait_until_the_server_sees_that_the_session_is_closed(process, monkeypatch) -> None:
    _, leader = process()
    _, stand_by = process()
    leader.take()
    with monkeypatch.context() as patched:
        patched.setattr(leader._seat._session, "close", lambda: None)
        leader.release()
    assert stand_by.take()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_leader_whose_session_was_cut_goes_on_if_nobody_took_over(process) -> None:
    engine, leader = process()
    leader.take()
    with engine.begin() as connection:
        connection.execute(text(_OTHERS))
    deadline = time.monotonic() + 10
    before = leader._seat._session
    while leader._seat._session is before or leader._seat._session is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    write(engine)
    assert leader.leading
    _, stand_by = process()
    assert not stand_by.take()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_leader_whose_session_was_cut_stands_back_if_somebody_did(process) -> None:
    lost = threading.Event()
    engine, leader = process(lost=lost.set)
    other, stand_by = process()
    leader.take()
    with reading(other) as connection:
        connection.execute(text(_OTHERS))
    until_taken(stand_by)
    assert lost.wait(10)
    assert leader.deposed
    with pytest.raises(NotLeading):
        write(engine)
    write(other)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_transaction_of_an_ousted_leader_that_hangs_is_ended(process) -> None:
    engine, leader = process()
    other, stand_by = process(patience=0.2)
    leader.take()
    hang(leader)
    with engine.connect() as connection:
        pulls.begin(connection, "b/s", START)
        until_taken(stand_by)
        with pytest.raises(OperationalError, match="terminating connection"):
            connection.execute(select(pull.c.id))
    write(other)
    assert written(other) == 1


_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
