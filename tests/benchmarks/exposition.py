"""Write the metrics of a whole country: ``python -m tests.benchmarks.exposition --targets 430000``.

Prints the time to bring five series of every target up to date at the first scrape and after 1 % of the figures
changed, the time to hand the text out (plain and compressed), the memory, and, on the same smaller country in the same
process, the time that prometheus_client's ``generate_latest`` takes for the same samples.
"""

import argparse
import resource
import statistics
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from monitor.metrics import Exposition, Meters
from monitor.snapshot import Judged, Snapshot
from rules.judging import judge
from rules.panel import Panel
from rules.plan import compile_plan
from rules.target import Book
from tests.benchmarks.country import TARGETS, country, figures

AT = datetime(2025, 11, 10, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
MONTHS = 9
SERIES = ("actual", "expected", "goal", "pace", "level")


def snapshot(book: Book, panel: Panel) -> Snapshot:
    """The state after a cycle."""
    return Snapshot(
        at=AT,
        rehearsing=False,
        books=(book,),
        judged=(Judged(panel, judge(panel, AT.date())),),
        alerts=(),
        trails={},
        sources=(),
        deliveries={},
        waiting={},
        resting={},
        queues={},
        heartbeat=None,
        cycle_seconds=0.03,
        database_bytes=0,
        config_error="",
        config_loaded_at=AT,
    )


@dataclass(frozen=True)
class Country(Collector):
    """The same samples as objects, which is how prometheus_client takes them."""

    snapshot: Snapshot

    def collect(self) -> Iterator[Metric]:
        (judged,) = self.snapshot.judged
        block, found = judged.panel.block, judged.verdicts
        pace, level = found.actual / found.expected, found.level.astype(np.float64)
        columns = (found.actual, found.expected, block.goal, pace, level)
        keys = [
            ["country", target.id, subject]
            for target, names in zip(block.targets, block.subjects, strict=True)
            for subject in names
        ]
        for name, column in zip(SERIES, columns, strict=True):
            family = GaugeMetricFamily(f"duban_target_{name}", name, labels=["book", "target", "subject"])
            for key, value in zip(keys, column.tolist(), strict=True):
                family.add_metric(key, value)
            yield family


def seconds(job: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def _built(targets: int) -> tuple[Book, Panel]:
    book = country(round(targets / TARGETS))
    (block,) = compile_plan([book])
    return book, figures(block, MONTHS)


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare(targets: int, runs: int) -> None:
    """The whole text of the first scrape, against prometheus_client; both begin with nothing."""
    book, panel = _built(targets)
    now = snapshot(book, panel)
    ours, theirs, meters = [], [], Meters()
    for _ in range(runs):
        ours.append(seconds(lambda: sum(map(len, Exposition(meters, SERIES).chunks(now)))))
        theirs.append(seconds(lambda: len(generate_latest(Country(now)))))
    ratios = [there / here for here, there in zip(ours, theirs, strict=True)]
    print(f"{panel.block.rows} targets, first scrape whole: {statistics.median(ours) * 1e3:.1f} ms")
    print(
        f"  prometheus_client: {statistics.median(theirs) * 1e3:.0f} ms, {statistics.median(ratios):.0f} times as long"
    )


def main() -> None:
    """Build the countries, write them, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=430_000)
    parser.add_argument("--sample", type=int, default=20_000, help="targets in the comparison")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()

    compare(options.sample, options.runs)
    book, panel = _built(options.targets)
    rows = panel.block.rows
    first, changed, handed, packed, size = [], [], [], [], 0
    rng = np.random.default_rng(1)
    before = _memory()
    for _ in range(options.runs):
        exposition = Exposition(Meters(), SERIES)
        now = snapshot(book, panel)
        first.append(seconds(lambda: exposition._show(now)))  # noqa: B023
        some = np.sort(rng.choice(rows, rows // 100, replace=False))
        moved = panel.values[MONTHS - 1, some] * rng.normal(1, 0.01, len(some))
        panel.put(some, np.full(len(some), MONTHS - 1), moved, np.full(len(some), np.datetime64("2025-11-01", "s")))
        now = snapshot(book, panel)
        changed.append(seconds(lambda: exposition._show(now)))  # noqa: B023
        handed.append(seconds(lambda: sum(map(len, exposition.chunks(now)))))  # noqa: B023
        packer = zlib.compressobj(1)
        packed.append(seconds(lambda: [packer.compress(piece) for piece in exposition.chunks(now)]))  # noqa: B023
        size = sum(map(len, exposition.chunks(now)))
    print(f"{rows} targets, {len(SERIES)} series, {size / 1e6:.0f} MB of text")
    for what, times in (
        ("first scrape, the text ready", first),
        ("after 1 % changed, the text ready", changed),
        ("text handed out", handed),
        ("text handed out, gzip 1", packed),
    ):
        print(f"  {what}: {statistics.median(times) * 1e3:.1f} ms ({min(times) * 1e3:.1f} to {max(times) * 1e3:.1f})")
    print(f"  memory: {before:.0f} MiB before, {_memory():.0f} MiB at the peak")


if __name__ == "__main__":
    main()
