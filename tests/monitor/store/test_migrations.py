"""A database that was in use at any earlier revision: whatever stands in it is still there, and read, at the newest."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Column, Connection, Engine, MetaData, Row, Table, event, insert, inspect, select, text
from sqlalchemy.types import JSON, Double, Integer, TypeEngine

from alerts.alert import NOTHING, Cause
from monitor.store import alerts, database, letters, observations, outbox, pulls, quarantine
from monitor.store.database import DatabaseError, _config, _keys_unchecked, _known, migrate, open_engine, reading
from monitor.store.moments import Day, Moment
from monitor.store.tables import metadata
from rules.target import Level
from tests.monitor.store.samples import hours

STEPS = sorted(_known())
EACH = 3
"""Rows in each table at each revision."""
ANEW = {"refusal"}
"""Tables that a migration takes away, with what was in them: the next pull of each source finds it again."""
ONE_ROW = {"alembic_version", "leader"}
"""Tables whose one row is the migrations' own."""
REFERRED = ["alert", "change", "delivery", *(table.name for table in metadata.sorted_tables), *ANEW]
"""The tables, each behind those that it refers to, or did once."""
AMENDED = {"notice", "judged"}
"""Columns that a migration writes anew."""
FACTS: dict[str, dict[str, Any]] = {
    "0001": {
        "kind": "pace",
        "event": "worsened",
        "level": 2,
        "previous_level": 1,
        "name": "城镇新增就业",
        "unit": "",
        "since": "2025-10-27T09:00:00+08:00",
        "at": "2025-10-27T09:00:00+08:00",
        "lead": ["人力社保局"],
        "responsible": [],
        "asked": [],
    },
    "0003": {"cause": "ordinary", "state": "firing", "judged": 2},
    "0005": {"labels": []},
}
"""What is told of a change, by the revision since which it is."""
WORDS: dict[tuple[str, str], Any] = {
    ("alert", "kind"): "pace",
    ("alert", "state"): "firing",
    ("change", "event"): "worsened",
    ("change", "state"): "firing",
    ("change", "cause"): "ordinary",
    ("pull", "outcome"): "ok",
    ("quarantine", "state"): "open",
    ("quarantine", "status"): "final",
    ("delivery", "status"): "queued",
    ("delivery", "bulletin"): None,
    ("attempt", "result"): "sent",
}
"""What the store can read; any other column takes anything."""
Contents = dict[str, dict[Any, dict[str, Any]]]
"""Rows by table and first column, without what migrations write anew."""


def fill(connection: Connection, step: str) -> None:
    """``EACH`` rows for every table there is: each refers to those of its own number."""
    first = STEPS.index(step) * EACH + 1
    facts = {name: fact for since, more in FACTS.items() if since <= step for name, fact in more.items()}
    for name in sorted(set(inspect(connection).get_table_names()) - ONE_ROW, key=REFERRED.index):
        stored = as_it_is(connection, name)
        rows = [
            {column.name: WORDS.get((name, column.name), sample(column, number, facts)) for column in stored.columns}
            for number in range(first, first + EACH)
        ]
        connection.execute(insert(stored), rows)


def as_it_is(connection: Connection, name: str) -> Table:
    """A table with the columns it has now, of the types that the store reads them by."""
    kinds: dict[str, TypeEngine[Any]] = {}
    if name in metadata.tables:
        kinds = {column.name: column.type for column in metadata.tables[name].columns}
    there = inspect(connection).get_columns(name)
    return Table(name, MetaData(), *(Column(c["name"], kinds.get(c["name"], c["type"])) for c in there))


def sample(column: Column[Any], number: int, facts: dict[str, Any]) -> Any:
    match column.type:
        case Moment():
            return hours(number)
        case Day():
            return date(2025, 9, 30)
        case JSON():
            return facts
        case Double():
            return number / 2
        case Integer():
            return 2 if column.name in ("level", "previous_level", "judged", "status") else number
        case _:
            return f"{column.name} {number}"


def contents(connection: Connection) -> Contents:
    found = {}
    for name in inspect(connection).get_table_names():
        rows = connection.execute(select(as_it_is(connection, name))).all()
        found[name] = {row[0]: left(row) for row in rows}
        assert len(found[name]) == len(rows)
    return found


def left(row: Row[Any]) -> dict[str, Any]:
    return {name: value for name, value in row._mapping.items() if name not in AMENDED}


@pytest.mark.parametrize("stops", [STEPS[:-1], STEPS[:1]], ids=["step by step", "at once"])
def test_nothing_that_was_stored_at_an_earlier_revision_is_lost(database_url: str, stops: list[str]) -> None:
    engine = open_engine(database_url)
    before: Contents = {}
    for step in stops:
        with engine.connect() as connection, _keys_unchecked(connection), connection.begin():
            command.upgrade(_config(connection), step)
            nothing_lost(before, contents(connection))
            fill(connection, step)
            before = contents(connection)
    migrate(engine)
    with reading(engine) as connection:
        nothing_lost(before, contents(connection))
        if engine.dialect.name == "sqlite":
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        the_store_reads_it(connection, len(stops) * EACH)
    engine.dispose()


def nothing_lost(before: Contents, now: Contents) -> None:
    assert before.keys() - now.keys() <= ANEW
    for name in before.keys() & now.keys() - ONE_ROW:
        assert before[name].keys() == now[name].keys(), name
        for key, row in before[name].items():
            assert row == {column: now[name][key][column] for column in row}, name


def the_store_reads_it(connection: Connection, rows: int) -> None:
    """Of each kind as many as were stored, by what the daemon reads them with."""
    figures = observations.since(connection, 0, hours(1000))
    assert len(figures.id) == rows
    assert set(figures.status[:EACH].tolist()) == {0}  # stored before there were states: final
    assert len(list(observations.series(connection))) == rows
    assert len(pulls.latest(connection)) == rows
    assert len(quarantine.opened(connection)) == rows - EACH  # there is none at the first revision
    assert [found.notice.lead for found in alerts.open_alerts(connection)] == [("人力社保局",)] * rows
    histories = [step for _, steps in alerts.histories(connection) for step in steps]
    assert len(histories) == rows
    _, change, said = histories[0]
    assert (change.cause, change.judged, change.basis, change.corrects) == (Cause.ORDINARY, Level.RED, NOTHING, None)
    assert (said.cause, said.state, said.judged) == ("ordinary", "firing", 2)
    assert outbox.counts(connection)["queued"] == rows
    assert sum(len(one.tries) for one in letters.sendings(connection)) == rows


@pytest.fixture
def earlier(database_url: str) -> Iterator[tuple[Engine, Contents]]:
    """A filled database of the first revision, and what is in it."""
    engine = open_engine(database_url)
    with engine.begin() as connection:
        command.upgrade(_config(connection), STEPS[0])
        fill(connection, STEPS[0])
        before = contents(connection)
    yield engine, before
    engine.dispose()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_long_look_at_a_table_puts_a_migration_off_and_nobody_waits_behind_it(
    earlier: tuple[Engine, Contents], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, before = earlier
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.2)
    with reading(engine) as connection:
        connection.execute(text("SELECT FROM delivery"))  # as a backup does for hours
        with pytest.raises(DatabaseError, match=r"正被其他会话使用.*\(database_busy\)"):
            migrate(engine)
        assert contents(connection) == before
    assert migrate(engine) == STEPS[-1]


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_migration_that_is_cut_off_has_done_nothing(earlier: tuple[Engine, Contents]) -> None:
    engine, before = earlier
    cut = []

    @event.listens_for(engine, "before_cursor_execute")
    def end(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if "CREATE TABLE silence" in statement and not cut:
            cut.append(connection.scalar(text("SELECT pg_backend_pid()")))
            with open_engine(engine.url.render_as_string(hide_password=False)).connect() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": cut[0]})

    with pytest.raises(DatabaseError, match="database_unreachable"):
        migrate(engine)
    assert cut
    with reading(engine) as connection:
        assert contents(connection) == before
    assert migrate(engine) == STEPS[-1]
