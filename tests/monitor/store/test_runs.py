from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Connection, Engine

from monitor.store import runs
from monitor.store.runs import Anchor, Run
from tests.monitor.store.samples import START, hours


def test_a_slot_is_taken_once(connection: Connection) -> None:
    assert runs.claim_slot(connection, "pull", START, START)
    assert not runs.claim_slot(connection, "pull", START, hours(1))
    assert runs.claim_slot(connection, "pull", hours(1), hours(1))
    assert runs.claim_slot(connection, "judge", START, START)


def test_a_slot_is_taken_by_one_of_many(engine: Engine) -> None:
    def claim(_: int) -> bool:
        with engine.begin() as connection:
            return runs.claim_slot(connection, "pull", START, START)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(claim, range(8))) == [False] * 7 + [True]


def test_the_last_run_of_a_job_tells_how_it_ended(connection: Connection) -> None:
    assert runs.last(connection, "pull") is None
    runs.claim_slot(connection, "pull", START, hours(0.1))
    assert runs.last(connection, "pull") == Run("pull", START, hours(0.1), None, "", "")
    runs.finish(connection, "pull", START, hours(0.2), "ok", "2 行新数据")
    runs.claim_slot(connection, "judge", hours(5), hours(5))
    assert runs.last(connection, "pull") == Run("pull", START, hours(0.1), hours(0.2), "ok", "2 行新数据")


def test_the_latest_slot_counts_not_the_latest_start(connection: Connection) -> None:
    runs.claim_slot(connection, "pull", hours(2), hours(2))
    runs.claim_slot(connection, "pull", hours(1), hours(3))
    found = runs.last(connection, "pull")
    assert found is not None
    assert found.slot == hours(2)


def test_a_slot_that_was_cut_off_can_be_taken_again(connection: Connection) -> None:
    for job in ("pull", "judge"):
        runs.claim_slot(connection, job, START, START)
    runs.finish(connection, "judge", START, START, "ok")
    assert runs.abandon(connection) == 1
    assert runs.claim_slot(connection, "pull", START, hours(1))
    assert not runs.claim_slot(connection, "judge", START, hours(1))


def test_a_reader_remembers_its_position(connection: Connection) -> None:
    assert runs.position(connection, "judge") == 0
    runs.advance(connection, "judge", 430_000)
    runs.advance(connection, "judge", 2**40)
    runs.advance(connection, "other", 7)
    assert runs.position(connection, "judge") == 2**40
    assert runs.position(connection, "other") == 7


def test_the_clock_keeps_its_first_anchor(connection: Connection) -> None:
    assert runs.clock(connection, START, hours(-1000)) == Anchor(START, hours(-1000))
    assert runs.clock(connection, hours(5), hours(5)) == Anchor(START, hours(-1000))
