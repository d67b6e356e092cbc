"""Read figures by connector and by plain pandas: ``python -m tests.benchmarks.connectors --rows 200000``.

The same figures (monthly, of many counties, with units and publication dates)
lie in a CSV file, a workbook, a JSON answer of a local server, SQLite and
PostgreSQL. Prints rows per second of the connector, and its time on the processor
as a multiple of what pandas takes to read them into a frame with numbers and the
dates of period and publication; both in turn, median.
What pandas leaves out and connectors do (blanks, conflicts, refusals, places of
all cells) is the difference.
"""

import argparse
import json
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pandas as pd
import psycopg
import requests
from sqlalchemy import create_engine

from connectors.base import Connector
from connectors.http_json import HttpJson, HttpOptions
from connectors.observation import Query
from connectors.sql import Sql, SqlOptions
from connectors.strict import read
from connectors.table_file import TableFile, TableOptions
from tests.servers.postgres import Postgres

YEAR = Query(datetime(2026, 6, 30, tzinfo=UTC), date(2025, 1, 1), date(2025, 12, 31))
FIELDS = ("series", "subject", "period", "value", "unit", "known")
COLUMNS = {field: field for field in FIELDS}
SELECT = "SELECT series, subject, period, value, unit, known FROM figures"
SHEET_ROWS = 20_000  # openpyxl takes long, with either reader


def _figures(rows: int) -> pd.DataFrame:
    """``rows`` figures of 150 series over as many counties as it takes."""
    n = pd.RangeIndex(rows)
    month = n % 12 + 1
    return pd.DataFrame(
        {
            "series": [f"指标{one:03d}" for one in n // 12 % 150],
            "subject": [f"县{one:04d}" for one in n // 1800],
            "period": [f"2025-{one:02d}" for one in month],
            "value": (n * 7919 % 100_003) / 4,
            "unit": "人",
            "known": [f"2025-{one + 1:02d}-15" if one < 12 else "2026-01-15" for one in month],
        }
    )


Case = tuple[str, int, Connector, Callable[[], pd.DataFrame]]


def _cases(figures: pd.DataFrame, folder: Path, stack: ExitStack) -> Iterator[Case]:
    few = figures.head(SHEET_ROWS)
    figures.to_csv(folder / "figures.csv", index=False)
    few.to_excel(folder / "figures.xlsx", index=False)
    body = json.dumps({"rows": figures.to_dict("records")}, ensure_ascii=False).encode()
    url = stack.enter_context(_serving(body))
    databases = {"SQLite": _sqlite(figures, folder), "PostgreSQL": _postgres(figures, stack)}
    yield (
        "CSV",
        len(figures),
        TableFile(read(TableOptions, {"path": "figures.csv", "columns": COLUMNS}), folder),
        lambda: pd.read_csv(folder / "figures.csv", parse_dates=["period", "known"]),
    )
    yield (
        "XLSX",
        len(few),
        TableFile(read(TableOptions, {"path": "figures.xlsx", "columns": COLUMNS}), folder),
        lambda: pd.read_excel(folder / "figures.xlsx", parse_dates=["period", "known"]),
    )
    options = {"url": url, "rows": "rows", "fields": COLUMNS, "max_bytes": 2**30, "budget": 300}
    yield (
        "JSON",
        len(figures),
        HttpJson(read(HttpOptions, options), folder),
        lambda: _dated(pd.DataFrame(json.load(BytesIO(requests.get(url, timeout=60).content))["rows"])),
    )
    for name, address in databases.items():
        engine = create_engine(address)
        stack.callback(engine.dispose)
        limits = {"max_rows": len(figures), "timeout": 300}
        yield (
            name,
            len(figures),
            Sql(read(SqlOptions, {"url": address, "query": SELECT, **limits}), folder),
            lambda engine=engine: pd.read_sql(SELECT, engine, parse_dates=["period", "known"]),  # type: ignore[misc]
        )


def _dated(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(period=pd.to_datetime(frame["period"]), known=pd.to_datetime(frame["known"]))


@contextmanager
def _serving(body: bytes) -> Iterator[str]:
    """The address of a server that answers everything with ``body``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/figures"
        server.shutdown()


def _sqlite(figures: pd.DataFrame, folder: Path) -> str:
    with closing(sqlite3.connect(folder / "figures.db")) as connection:
        figures.to_sql("figures", connection, index=False)
    return f"sqlite:///{folder}/figures.db"


def _postgres(figures: pd.DataFrame, stack: ExitStack) -> str:
    """The types that a statistics office uses: date, numeric, timestamptz."""
    server = stack.enter_context(Postgres())
    url = server.url(server.create())
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE TABLE figures (series text, subject text, period date, value numeric, unit text, known timestamptz)"
        )
        with connection.cursor().copy("COPY figures FROM STDIN") as copy:
            for series, subject, period, value, unit, known in figures.itertuples(index=False):
                copy.write_row((series, subject, f"{period}-28", value, unit, known))
    return url


def _medians(runs: int, *jobs: Callable[[], object]) -> list[float]:
    """Median seconds on the processor of each job, the jobs taking turns so that a slow moment hits all."""
    taken: list[list[float]] = [[] for _ in jobs]
    for _ in range(runs):
        for job, seconds in zip(jobs, taken, strict=True):
            start = time.process_time()
            job()
            seconds.append(time.process_time() - start)
    return [statistics.median(seconds) for seconds in taken]


def main() -> None:
    """Write the figures five times, read them, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    figures = _figures(given.rows)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        print(f"{'':12}{'rows':>9}{'rows/s':>11}{'CPU s':>9}{'pandas':>9}{'ratio':>7}")
        for name, rows, connector, plain in _cases(figures, folder, stack):
            found = len(connector.fetch(YEAR).observations)
            if found != rows:
                raise SystemExit(f"{name}: {found} of {rows} figures were read")
            ours, theirs = _medians(given.runs, lambda connector=connector: connector.fetch(YEAR), plain)  # type: ignore[misc]
            print(f"{name:12}{rows:9,}{rows / ours:11,.0f}{ours:9.2f}{theirs:9.2f}{ours / theirs:7.2f}")


if __name__ == "__main__":
    main()
