"""Snapshots for tests: real books are compiled and judged, alerts come from the real life of an alert."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from msgspec.structs import replace

from alerts.alert import Kind
from alerts.lifecycle import advance
from alerts.notice import notice
from alerts.suppression import Reason
from monitor.snapshot import Judged, OpenAlert, Snapshot, SourceHealth
from rules.judging import judge, verdict
from rules.panel import Panel
from rules.plan import compile_plan
from rules.target import Book

AT = datetime(2025, 10, 27, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
PUBLISHED = np.datetime64("2025-10-20T01:00:00")

Figures = Mapping[tuple[str, str, str], Mapping[date, float]]
"""(book, target, subject) -> period end -> figure in the target's unit."""


def a_snapshot(*books: Book, figures: Figures | None = None, at: datetime = AT, **changes: Any) -> Snapshot:
    """The state after judging ``books`` at ``at``: alerts as fired in this cycle, no source asked yet."""
    judged = tuple(_judged(books, figures or {}, at))
    found = Snapshot(
        at=at,
        rehearsing=False,
        books=books,
        judged=judged,
        alerts=tuple(_alerts(books, judged, at)),
        trails={},
        sources=(),
        deliveries={},
        waiting=dict.fromkeys(Reason, 0),
        resting={},
        queues={},
        heartbeat=None,
        cycle_seconds=0.01,
        database_bytes=1 << 20,
        config_error="",
        config_loaded_at=at,
    )
    return replace(found, **changes)


def a_source(book: str = "b", name: str = "filings", **changes: Any) -> SourceHealth:
    """A source whose last pull went well."""
    well = SourceHealth(
        book=book,
        name=name,
        connector="table_file",
        mark="",
        schedule="每10分钟",
        last_pull=AT,
        last_success=AT,
        next_pull=None,
        reason="",
        detail="",
        rows_read=12,
        rows_new=3,
        rows_revised=2,
        rows_refused=1,
        stale_periods=0,
        quarantined={"jump": 1, "cumulative_fell": 2},
    )
    return replace(well, **changes)


def _judged(books: Sequence[Book], figures: Figures, at: datetime) -> Iterator[Judged]:
    for block in compile_plan(books):
        panel = Panel(block)
        rows, days, values = [], [], []
        for index, target in enumerate(block.targets):
            for subject, offset in block.subject_index[index].items():
                for end, value in figures.get((target.book, target.id, subject), {}).items():
                    rows.append(int(block.first_row[index]) + offset)
                    days.append(np.datetime64(end))
                    values.append(value)
        row, day, value = np.array(rows, np.int64), np.array(days, "datetime64[D]"), np.array(values, float)
        now = day >= np.datetime64(f"{block.year}-01-01")
        known = np.full(now.sum(), PUBLISHED, dtype="datetime64[s]")
        panel.put(row[now], np.searchsorted(block.ends, day[now]), value[now], known)
        panel.put_past(row, day, value)
        yield Judged(panel, judge(panel, at.astimezone(ZoneInfo(block.timezone)).date()))


def _alerts(books: Sequence[Book], judged: Sequence[Judged], at: datetime) -> Iterator[OpenAlert]:
    by_id = {book.id: book for book in books}
    for panel, verdicts in ((one.panel, one.verdicts) for one in judged):
        for row in range(panel.block.rows):
            found = verdict(panel, verdicts, row, row)
            for kind in Kind:
                alert, change = advance(kind, None, found, at)
                if alert is not None and change is not None:
                    yield OpenAlert(alert, notice(change, found, by_id[found.target.book]))
