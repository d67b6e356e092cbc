"""Many rows at once: whatever they hold, and whatever they have in common, the table has it afterwards."""

from typing import Any

import pytest
from sqlalchemy import Connection, select

from monitor.store import bulk, moments
from monitor.store.tables import pull, run
from tests.monitor.store.samples import START, hours

COUNTS = [1, 63, 64, 130]
"""On SQLite rows go in by blocks of 64, and the rest one by one."""
AWKWARD = ["", "甲\t乙", "一行\n又一行\r", r"\N", "C:\\t\\n", "“引号”'\""]


def runs(connection: Connection, slots: list[int], outcome: str) -> list[tuple[Any, ...]]:
    at = moments.column(map(hours, slots), connection.dialect.name)
    columns: bulk.Columns = {
        "job": bulk.Same("judge"),
        "slot": at,
        "started_at": at,
        "outcome": [outcome] * len(slots),
        "detail": [f"{outcome} {slot}" for slot in slots],
    }
    return bulk.upsert(connection, run, len(slots), columns, ["job", "slot"], ["detail", "job"])


@pytest.mark.parametrize("count", COUNTS)
def test_texts_are_stored_as_they_are_many_or_all_the_same_written_or_in_bytes(
    connection: Connection, count: int
) -> None:
    connection.begin()
    p = pull.c
    for texts in (AWKWARD, *([text] for text in AWKWARD)):
        cells = [texts[place % len(texts)] for place in range(count)]
        often = [None if place % 3 == 0 else hours(place) for place in range(count)]
        columns: bulk.Columns = {
            "source": bulk.Same(str(texts)),
            "started_at": moments.column([START] * count, connection.dialect.name),
            "finished_at": moments.column(often, connection.dialect.name),
            "outcome": cells,
            "reason": [cell.encode() for cell in cells],
            "detail": [f"{cell} {place}".encode() for place, cell in enumerate(cells)],
            **dict.fromkeys(("document", "digest"), [""] * count),
            **dict.fromkeys(("rows_read", "rows_new", "rows_revised", "rows_unchanged", "rows_refused"), bulk.Same(0)),
        }
        bulk.insert(connection, pull, count, columns)
        mine = select(p.outcome, p.reason, p.detail, p.started_at, p.finished_at).where(p.source == str(texts))
        assert connection.execute(mine.order_by(p.id)).all() == [
            (cell, cell, f"{cell} {place}", START, often[place]) for place, cell in enumerate(cells)
        ]


@pytest.mark.parametrize("count", COUNTS)
def test_rows_that_are_there_already_are_written_over_and_the_others_added(connection: Connection, count: int) -> None:
    connection.begin()
    first, both = list(range(count)), list(range(count // 2, count + 70))
    assert sorted(runs(connection, first, "ok")) == sorted((f"ok {slot}", "judge") for slot in first)
    assert sorted(runs(connection, both, "late")) == sorted((f"late {slot}", "judge") for slot in both)
    found = connection.execute(select(run.c.slot, run.c.outcome, run.c.detail).order_by(run.c.slot)).all()
    wanted = dict.fromkeys(first, "ok") | dict.fromkeys(both, "late")
    assert found == [(hours(slot), outcome, f"{outcome} {slot}") for slot, outcome in wanted.items()]
