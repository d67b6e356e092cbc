"""Many targets turn red at once: ``python -m tests.benchmarks.storm --targets 20000``.

A synthetic country over a real store and a real web hook on loopback (a process of its own). The figures of a month
arrive, one cycle judges them and saves alerts with their messages, the sender carries these to the hook. Prints the
seconds of both: without reminders and escalations, with the usual ones, with these as people would be told (a crowd goes
as one digest at once), and with what is not told at once told
together next morning (``awoken`` has the seconds that it takes to make the letters). Beside it, on SQLite, the limit: the
seconds that the same rows alone take, without anything that leads to them.
"""

import argparse
import asyncio
import cProfile
import multiprocessing
import re
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from alerts.channels.webhook import Webhook, WebhookOptions
from alerts.circuit import Circuit
from alerts.organisation import Organisation
from alerts.suppression import NO_CROWDS
from connectors.strict import read
from monitor import pipeline
from monitor.clock import Clock
from monitor.serve import for_much_data
from monitor.store import observations, outbox, pulls
from monitor.store.database import migrate, open_engine, reading
from monitor.watch import Watch
from rules.plan import Block
from tests.benchmarks.country import TARGETS, YEAR, country
from tests.servers.postgres import Postgres

SOURCE = "country/push"
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


async def _answer(told: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            told.send(time.monotonic())
            found = _LENGTH.search(head)
            await reader.readexactly(int(found[1]) if found else 0)
            writer.write(_TAKEN)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _serve(told: Connection) -> None:
    async def serving() -> None:
        server = await asyncio.start_server(partial(_answer, told), "127.0.0.1", 0, limit=2**20)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serving())


@contextmanager
def hook() -> Iterator[tuple[str, Connection]]:
    """The address of a web hook that takes whatever comes, and where it tells of each request (monotonic seconds)."""
    here, there = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=[there], daemon=True)
    server.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/hook", here
    finally:
        server.terminate()
        server.join()


def month(block: Block, number: int, share: float) -> pd.DataFrame:
    """The figures of one month, each at ``share`` of what is expected by then; where less is better, as far above."""
    wanted, sizes = block.expected[number - 1], np.diff(block.first_row)
    return pd.DataFrame(
        {
            "series": np.repeat([target.series for target in block.targets], sizes),
            "subject": [subject for found in block.subject_index for subject in found],
            "period": np.full(block.rows, block.ends[number - 1]).astype("datetime64[s]"),
            "value": wanted * np.where(block.sign > 0, share, 2 - share),
            "unit": np.repeat([target.goal.unit for target in block.targets], sizes),
            "known_at": pd.DatetimeIndex(np.full(block.rows, np.datetime64("NaT", "us")), tz="UTC"),
            "cell": [f"第{row}行" for row in range(block.rows)],
            "status": np.int8(0),
        }
    )


def publish(engine: Engine, block: Block, numbers: range, share: float, at: datetime) -> None:
    """Store the figures of months as a source states them at ``at``."""
    for number in numbers:
        with engine.begin() as connection:
            pull_id = pulls.begin(connection, SOURCE, at)
            observations.append(connection, SOURCE, pull_id, month(block, number, share), at)


def _times() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


_ROWS = ("alert", "change", "delivery", "attempt")


def rows_alone(store: Path, fresh: Path) -> float:
    """Seconds of CPU in which SQLite itself takes the rows of a storm, claims the messages and marks them as sent."""
    with closing(sqlite3.connect(store)) as full, closing(sqlite3.connect(fresh, isolation_level=None)) as empty:
        empty.execute(f"PRAGMA page_size = {full.execute('PRAGMA page_size').fetchone()[0]}")
        empty.execute("PRAGMA journal_mode = WAL")
        empty.execute("PRAGMA synchronous = NORMAL")
        for (made,) in full.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"):
            empty.execute(made)
        full.execute("UPDATE delivery SET status = 'queued', finished_at = NULL")
        rows = {table: full.execute(f"SELECT * FROM {table}").fetchall() for table in _ROWS}
        began = time.process_time()
        for steps in (
            ("alert", "change", "delivery"),
            ("UPDATE delivery SET status = 'sending'",),
            ("attempt", "UPDATE delivery SET status = 'sent', finished_at = due_at"),
        ):
            empty.execute("BEGIN IMMEDIATE")
            for step in steps:
                if step in rows:
                    marks = ",".join("?" * len(rows[step][0]))
                    empty.executemany(f"INSERT INTO {step} VALUES ({marks})", rows[step])
                else:
                    empty.execute(step)
            empty.execute("COMMIT")
        return time.process_time() - began


def run(
    url: str, address: str, organisation: Organisation, crowds: Mapping[str, int], targets: int, profiled: bool
) -> None:
    """One storm in the database ``url``, told to the web hook at ``address``."""
    engine = open_engine(url)
    migrate(engine)
    watch, clock = Watch([country(round(targets / TARGETS))]), Clock()
    block, before = watch.panels[0].block, datetime(YEAR, 9, 5, tzinfo=UTC)
    publish(engine, block, range(1, 8), 1.1, before)
    watch.load(engine, before)
    pipeline.judge(engine, watch, organisation, (), before)
    at = datetime(YEAR, 10, 16, tzinfo=UTC)
    publish(engine, block, range(8, 10), 0.7, at)
    channel, circuit = Webhook(WebhookOptions(url=address), Path()), Circuit()
    profile = cProfile.Profile() if profiled else nullcontext()
    with profile:
        times = [_times()]
        _, moves = pipeline.judge(engine, watch, organisation, (), at, None, crowds)
        times.append(_times())
        at += timedelta(days=1)
        pipeline.judge(engine, watch, organisation, (), at, None, crowds)
        times.append(_times())
        pipeline.deliver(engine, "hook", channel, clock, circuit)
        times.append(_times())
    with reading(engine) as connection:
        counts = {status: count for status, count in outbox.counts(connection).items() if count}
    judged, awoken, sent = (f"{y[0] - x[0]:6.2f} s ({y[1] - x[1]:5.2f} s of CPU)" for x, y in pairwise(times))
    print(f"{len(moves):>8,} moves judged and saved {judged}, awoken {awoken}, sent {sent}  {counts}", flush=True)
    if isinstance(profile, cProfile.Profile):
        profile.dump_stats("storm.prof")
    channel.close()
    engine.dispose()
    if engine.dialect.name == "sqlite":
        store = Path(engine.url.database or "")
        print(f"         the rows alone {rows_alone(store, store.with_name('alone.db')):.2f} s of CPU", flush=True)


def main() -> None:
    """Each organisation on each database, in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--first", type=int, default=4)
    parser.add_argument("--profile", action="store_true", help="write storm.prof")
    given = parser.parse_args()
    for_much_data()
    told = {"default": {"contacts": ["hook"]}}
    people = {"王主任": {"contacts": ["hook"]}}
    led = {"contacts": ["hook"], "reports to": "王主任"}
    usual = read(Organisation, {"default": led, "people": people})
    cases = {
        "neither": (read(Organisation, {**told, "reminders": {}, "escalation": []}), NO_CROWDS),
        "usual": (usual, NO_CROWDS),
        "usual, to people": (usual, {"hook": 20}),
        "digest": (
            read(Organisation, {"default": {**led, "digest": "daily 09:00"}, "people": people}),
            NO_CROWDS,
        ),
    }
    with ExitStack() as stack:
        address, _ = stack.enter_context(hook())
        server = stack.enter_context(Postgres()) if given.database == "postgresql" else None
        for name, (organisation, crowds) in list(cases.items())[: given.first]:
            print(f"reminders and escalations: {name}")
            for _ in range(given.runs):
                with tempfile.TemporaryDirectory() as folder:
                    url = server.url(server.create()) if server else f"sqlite:///{folder}/duban.db"
                    run(url, address, organisation, crowds, given.targets, given.profile)


if __name__ == "__main__":
    main()
