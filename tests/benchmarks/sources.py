"""Pull many HTTP sources: ``python -m tests.benchmarks.sources --sources 3000``.

A server in a process of its own answers on many loopback addresses, so that it
looks like many hosts. The real worker asks every source once, into a real
SQLite file, as after a start; then once more over the connections it kept.
Prints the time of each round, its CPU time (server not counted), resident memory, threads.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path

from monitor.app import Daemon
from monitor.store import pulls
from monitor.store.database import reading
from monitor.worker import Worker

HOSTS = 100
_ROWS = [{"period": f"2025-{month:02}", "value": 100 * month} for month in range(1, 10)]
_BODY = json.dumps({"rows": _ROWS}).encode()
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(0.02)  # what a server takes to answer
            writer.write(_HEAD + _BODY)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _serve(told: Connection) -> None:
    async def serving() -> None:
        server = await asyncio.start_server(_answer, "0.0.0.0", 0, backlog=1024)  # noqa: S104  # all of 127/8
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serving())


def _book(folder: Path, sources: int, port: int, dead: int) -> None:
    lines = ["book: many-2025", "title: 多来源", "year: 2025", "supervisor: 督查办", "every: month"]
    lines += ["published: 10 workdays after period", "targets:"]
    for n in range(sources):
        lines.append(
            f"  - {{id: t{n}, name: 指标{n}, lead: 局, goal: at least 1200 户, measure: cumulative, source: s{n}}}"
        )
    lines.append("sources:")
    for n in range(sources):
        at = port if n >= dead else 9
        lines.append(
            f"  s{n}: {{connector: http_json, url: 'http://127.0.{n % HOSTS}.1:{at}/s{n}', series: 指标{n}, unit: 户,"
            " rows: rows, fields: {period: period, value: value}, schedule: every 1 hours}"
        )
    folder.mkdir(parents=True)
    (folder / "book.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _memory() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _round(worker: Worker, keys: Iterable[str]) -> tuple[float, int]:
    """Ask every source of these; returns seconds, and the most threads that were seen."""
    left, most, lock, done = set(keys), 0, threading.Lock(), threading.Event()
    plain = worker._pull

    def counted(key: str) -> None:
        nonlocal most
        try:
            plain(key)
        finally:
            with lock:
                left.discard(key)
                most = max(most, threading.active_count())
                if not left:
                    done.set()

    worker._pull = counted  # type: ignore[method-assign]
    started = time.perf_counter()
    worker._schedule()
    if not done.wait(300):
        print(f"gave up: {len(left)} sources were not asked")
    worker._pull = plain  # type: ignore[method-assign]
    return time.perf_counter() - started, most


def main() -> None:
    """Serve, pull, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dead", type=int, default=0, help="of these, how many refuse every connection")
    options = parser.parse_args()
    os.environ["NO_PROXY"] = "*"

    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=[there], daemon=True)
    server.start()
    port = here.recv()
    with tempfile.TemporaryDirectory() as folder:
        _book(Path(folder) / "books" / "many", options.sources, port, options.dead)
        settings = Path(folder) / "duban.yaml"
        settings.write_text(
            f"books: {folder}/books\ndatabase: sqlite:///{folder}/duban.db\nclock: 2025-10-12T09:00:00+08:00\n"
            f"channels: {{folder: {{kind: folder, path: {folder}/alerts}}}}\n",
            encoding="utf-8",
        )
        started = time.perf_counter()
        daemon = Daemon(settings)
        worker = Worker(daemon)
        print(f"loaded    {time.perf_counter() - started:8.1f} s  {_memory():8.0f} MiB")
        worker._judging.start()
        worker._tidying.start()
        worker._lanes.start()
        worker._scheduler.start()
        for number in range(1, options.rounds + 1):
            with daemon.engine.begin() as connection:
                connection.exec_driver_sql("delete from run")  # every round may use the same slots
            before = time.process_time()
            seconds, threads = _round(worker, (f"many-2025/s{n}" for n in range(options.sources)))
            taken = time.process_time() - before
            with reading(daemon.engine) as connection:
                records = pulls.latest(connection).values()
            assert sum(record.reason == "" for record in records) == options.sources - options.dead
            print(
                f"round {number}   {seconds:8.1f} s  {taken:6.1f} s of CPU  {_memory():8.0f} MiB  {threads} threads",
                flush=True,
            )
        worker.stop()
        daemon.close()
    server.terminate()


if __name__ == "__main__":
    main()
