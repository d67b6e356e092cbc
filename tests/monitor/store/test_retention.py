"""What is forgotten, and what never is."""

from datetime import date

import pytest
from sqlalchemy import Engine, event, select, text
from sqlalchemy.exc import OperationalError

from connectors.base import Failure
from connectors.observation import Reading, Refusal, Refused
from monitor.store import pulls, quarantine, retention, runs
from monitor.store.database import open_engine
from monitor.store.observations import append
from monitor.store.tables import observation, pull, run
from tests.monitor.store.samples import hours, reading

JUMP = Refusal("B9", Refused.JUMP, "9000人", "城镇新增就业", "", date(2025, 8, 31), 9000.0, "人")


def asked(connection, source, at, value=None, failed=False, refused=None):
    """One pull, of one figure or a failure; returns its id."""
    number = pulls.begin(connection, source, at)
    if failed:
        pulls.fail(connection, number, at, Failure.TIMEOUT, "")
        return number
    rows = reading(("城镇新增就业", "", date(2025, 9, 30), value))
    appended = append(connection, source, number, rows, at)
    pulls.finish(connection, number, at, Reading(rows, (), "d", "d" * 64), appended, 0)
    if refused is not None:
        quarantine.keep(connection, source, number, [refused], at)
    return number


def test_only_pulls_that_brought_nothing_are_forgotten_and_never_the_last_of_a_source(engine: Engine) -> None:
    with engine.begin() as connection:
        new = asked(connection, "b/s", hours(0), 1.0)
        same = asked(connection, "b/s", hours(1), 1.0)
        revised = asked(connection, "b/s", hours(2), 2.0)
        timeout = asked(connection, "b/s", hours(3), failed=True)
        released = asked(connection, "b/s", hours(4), 2.0, refused=JUMP)
        quarantine.release(connection, 1, "王五", "属实", hours(4))
        cut_off = pulls.begin(connection, "b/s", hours(5))
        last_failed = asked(connection, "b/s", hours(6), failed=True)
        last = asked(connection, "b/s", hours(7), 2.0)
        other = asked(connection, "b/other", hours(0), failed=True)
        before = pulls.latest(connection)
    assert retention.forget(engine, hours(100))[0] == 3
    with engine.begin() as connection:
        left = set(connection.scalars(select(pull.c.id)))
        assert left == {new, revised, released, last_failed, last, other}
        assert set(connection.scalars(select(observation.c.pull_id))) == {new, revised, released}
        assert not left & {same, timeout, cut_off}
        assert pulls.latest(connection) == before
    assert retention.forget(engine, hours(100)) == (0, 0)


def test_what_is_kept_is_kept_for_its_time(engine: Engine) -> None:
    with engine.begin() as connection:
        for hour in range(4):
            asked(connection, "b/s", hours(hour), failed=True)
            runs.claim_slot(connection, "pull:b/s", hours(hour), hours(hour))
            runs.finish(connection, "pull:b/s", hours(hour), hours(hour), "failed")
        runs.claim_slot(connection, "pull:b/t", hours(0), hours(0))  # never finished: to be done again
        runs.answered(connection, "push:key", hours(0), "ok", "{}")
    assert retention.forget(engine, hours(2)) == (2, 2)
    with engine.begin() as connection:
        assert len(connection.execute(select(pull.c.id)).all()) == 2
        assert len(connection.execute(select(run.c.job)).all()) == 4
        assert quarantine.counts(connection) == {}


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_what_was_cut_off_while_it_was_forgotten_is_forgotten_the_next_time(engine: Engine, monkeypatch) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 1)
    with engine.begin() as connection:
        for hour in range(5):
            asked(connection, "b/s", hours(hour), failed=True)
    deleted = []

    @event.listens_for(engine, "before_cursor_execute")
    def cut(connection, _cursor, statement, *_):
        if statement.startswith("DELETE FROM pull"):
            deleted.append(connection.connection.driver_connection.info.backend_pid)
            if len(deleted) == 3:
                with open_engine(engine.url.render_as_string(hide_password=False)).connect() as other:
                    other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": deleted[-1]})

    with pytest.raises(OperationalError):
        retention.forget(engine, hours(100))
    assert retention.forget(engine, hours(100))[0] == 2
    with engine.begin() as connection:
        assert len(pulls.last_ids(connection)) == len(connection.execute(select(pull.c.id)).all()) == 1
