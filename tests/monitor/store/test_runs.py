from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Connection, Engine, select

from monitor.store import runs
from monitor.store.runs import Anchor
from monitor.store.tables import run
from tests.monitor.store.samples import START, hours


def test_a_slot_is_done_once(connection: Connection) -> None:
    assert runs.claim_slot(connection, "pull", START, START)
    runs.finish(connection, "pull", START, hours(0.1), "ok", "2 行新数据")
    assert not runs.claim_slot(connection, "pull", START, hours(1))
    assert runs.claim_slot(connection, "pull", hours(1), hours(1))
    assert runs.claim_slot(connection, "judge", START, START)
    ended = select(run.c.finished_at, run.c.outcome, run.c.detail).where(run.c.job == "pull", run.c.slot == START)
    assert connection.execute(ended).one() == (hours(0.1), "ok", "2 行新数据")


def test_a_slot_is_done_by_one_of_many(engine: Engine) -> None:
    def claim(_: int) -> bool:
        with engine.begin() as connection:
            done = runs.claim_slot(connection, "pull", START, START)
            if done:
                runs.finish(connection, "pull", START, START, "ok")
            return done

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(claim, range(8))) == [False] * 7 + [True]


def test_a_slot_that_was_cut_off_is_taken_again(connection: Connection) -> None:
    assert runs.claim_slot(connection, "pull", START, START)
    assert runs.claim_slot(connection, "pull", START, hours(1))
    assert connection.scalar(select(run.c.started_at)) == hours(1)


def test_a_slot_that_failed_may_be_made_up_for(connection: Connection) -> None:
    for hour, outcome in ((0, "failed"), (1, "failed"), (2, "ok")):
        assert runs.claim_slot(connection, "pull", START, hours(hour))
        runs.finish(connection, "pull", START, hours(hour), outcome)
    assert not runs.claim_slot(connection, "pull", START, hours(3))


def test_the_clock_keeps_its_first_anchor(connection: Connection) -> None:
    assert runs.clock(connection, START, hours(-1000)) == Anchor(START, hours(-1000))
    assert runs.clock(connection, hours(5), hours(5)) == Anchor(START, hours(-1000))
