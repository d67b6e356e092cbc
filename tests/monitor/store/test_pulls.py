from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, event, insert, text

from connectors.base import Failure
from connectors.observation import Reading
from monitor.store import pulls
from monitor.store.observations import append
from monitor.store.pulls import Outcome, Pulled
from monitor.store.tables import pull
from tests.monitor.store.samples import SOURCE, START, hours, reading

ROWS = reading(("城镇新增就业", "", date(2025, 9, 30), 3150.0), ("新增注册", "", date(2025, 9, 30), 12.0))


def _succeed(connection: Connection, at, refused: int = 0, document: str = "九月.xlsx") -> Pulled:
    pull_id = pulls.begin(connection, SOURCE, at)
    appended = append(connection, SOURCE, pull_id, ROWS, at)
    answer = Reading(ROWS, (), document, "d" * 64)
    return pulls.finish(connection, pull_id, at, answer, appended, refused)


def test_a_source_never_asked_stands_nowhere(connection: Connection) -> None:
    assert pulls.latest(connection) == {}


def test_a_pull_that_was_cut_off_changes_nothing(connection: Connection) -> None:
    pulls.begin(connection, SOURCE, START)
    assert pulls.latest(connection) == {}


def test_a_successful_pull_counts_every_row(connection: Connection) -> None:
    assert _succeed(connection, START, 1) == Pulled(Outcome.OK, rows_read=3, rows_new=2, rows_refused=1)
    assert _succeed(connection, hours(1)) == Pulled(Outcome.OK, rows_read=2, rows_unchanged=2)
    found = pulls.latest(connection)[SOURCE]
    assert (found.last_pull, found.last_success, found.document, found.digest) == (
        hours(1),
        hours(1),
        "九月.xlsx",
        "d" * 64,
    )
    assert (found.rows_read, found.rows_new, found.rows_unchanged, found.rows_refused) == (2, 0, 2, 0)


def test_a_failed_pull_keeps_the_last_success_in_sight(connection: Connection) -> None:
    _succeed(connection, START)
    failed = pulls.fail(
        connection, pulls.begin(connection, SOURCE, hours(1)), hours(1), Failure.TIMEOUT, "10 秒没有回答"
    )
    assert failed == Pulled(Outcome.FAILED, "timeout", "10 秒没有回答")
    found = pulls.latest(connection)[SOURCE]
    assert (found.last_pull, found.last_success) == (hours(1), START)
    assert (found.reason, found.detail, found.rows_new) == ("timeout", "10 秒没有回答", 2)
    _succeed(connection, hours(2))
    assert pulls.latest(connection)[SOURCE].reason == ""


def test_a_source_that_only_failed_has_no_success(connection: Connection) -> None:
    pulls.fail(connection, pulls.begin(connection, SOURCE, START), START, Failure.NOT_FOUND, "没有这个文件")
    found = pulls.latest(connection)[SOURCE]
    assert (found.last_success, found.document, found.rows_read) == (None, "", 0)


def test_sources_stand_side_by_side(connection: Connection) -> None:
    _succeed(connection, START)
    pulls.fail(connection, pulls.begin(connection, "b/x", hours(1)), hours(1), Failure.DENIED, "")
    assert {source: found.reason for source, found in pulls.latest(connection).items()} == {SOURCE: "", "b/x": "denied"}


def test_where_sources_stand_is_looked_up_and_not_searched_for(engine: Engine) -> None:
    """A table of all pulls grows without end; each cycle asks it."""
    with engine.begin() as connection:
        blank = {"reason": "", "detail": "", "document": "", "digest": "", "rows_read": 0, "rows_new": 0}
        blank |= {"rows_revised": 0, "rows_unchanged": 0, "rows_refused": 0}
        rows = [
            {"source": f"b/s{n % 7}", "started_at": hours(n), "outcome": "failed" if n % 10 == 9 else "ok", **blank}
            for n in range(7000)
        ]
        connection.execute(insert(pull), rows)
        if engine.dialect.name == "postgresql":
            connection.execute(text("ANALYZE pull"))
    asked: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda *said: asked.append(said[2:4]))
    with engine.begin() as connection:
        found = pulls.latest(connection)
        said = list(asked)
        how = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
        plan = "\n".join(
            str(line)
            for statement, parameters in said
            if "pull" in statement
            for line in connection.exec_driver_sql(how + statement, parameters)
        )
    assert {source: record.last_pull for source, record in found.items()} == {
        f"b/s{n % 7}": hours(n) for n in range(6993, 7000)
    }
    assert "Seq Scan on pull" not in plan
    assert "SCAN pull" not in plan.replace("SCAN pull USING COVERING INDEX", "")
