"""Judge a whole country: ``python -m tests.benchmarks.judge --targets 430000``.

Prints the time of a full cycle, of a cycle in which 1 % of the figures changed,
and of the least that numpy could do for the same question (one comparison of the
newest month with its limit), measured in turn in one process.
"""

import monitor  # noqa: F401, I001  first of all: it says how many threads numpy works with

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from datetime import date

import numpy as np

from rules.judging import judge
from rules.plan import compile_plan
from tests.benchmarks.country import TARGETS, country, figures, remember

TODAY = date(2025, 11, 10)
MONTHS = 9


def _median(runs: int, *jobs: Callable[[], object]) -> list[float]:
    """Median seconds of each job, the jobs taking turns so that a slow moment hits all."""
    times: list[list[float]] = [[] for _ in jobs]
    for _ in range(runs + 1):
        for job, taken in zip(jobs, times, strict=True):
            start = time.perf_counter()
            job()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken[1:]) for taken in times]


def main() -> None:
    """Build the country, judge it, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=430_000)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--years", type=int, default=0, help="earlier years known: seasonal curves and forecasts")
    options = parser.parse_args()

    start = time.perf_counter()
    book = country(round(options.targets / TARGETS), seasonal=options.years > 0)
    (block,) = compile_plan([book])
    panel = figures(block, MONTHS)
    remember(panel, options.years)
    built = time.perf_counter() - start
    start = time.perf_counter()
    judge(panel, TODAY)
    first = time.perf_counter() - start

    rng = np.random.default_rng(1)
    changed = np.sort(rng.choice(block.rows, block.rows // 100, replace=False))
    slots = np.full(len(changed), MONTHS - 1)
    values = panel.values[MONTHS - 1, changed]
    known = np.full(len(changed), np.datetime64("2025-10-20T09:00:00"), dtype="datetime64[s]")
    limit = block.expected[MONTHS - 1] * 0.95

    def one_percent() -> None:
        panel.put(changed, slots, values, known)
        judge(panel, TODAY, rows=changed)

    def foreseen_anew() -> None:
        panel.landings.moved(np.arange(block.rows))
        judge(panel, TODAY)

    full, anew, part, least = _median(
        options.runs,
        lambda: judge(panel, TODAY),
        foreseen_anew,
        one_percent,
        lambda: block.sign * panel.values[MONTHS - 1] < block.sign * limit,
    )
    verdicts = judge(panel, TODAY)
    levels = {name: int((verdicts.level == level).sum()) for level, name in ((0, "green"), (1, "yellow"), (2, "red"))}
    print(f"targets           {block.rows:>12,}  ({len(book.subjects):,} x {TARGETS}, {MONTHS} months)")
    print(f"verdicts          {levels}")
    print(f"set-up            {built:>12.3f} s")
    print(f"first cycle       {first:>12.3f} s   (curves and the record of the forecasts are read from earlier years)")
    print(f"all foreseen anew {anew * 1e3:>12.2f} ms")
    print(f"full cycle        {full * 1e3:>12.2f} ms  ({block.rows / full / 1e6:.1f} million targets/s)")
    print(f"1 % cycle         {part * 1e3:>12.2f} ms  ({len(changed):,} targets)")
    print(f"numpy lower bound {least * 1e3:>12.2f} ms  (full cycle = {full / least:.0f} x)")
    print(f"peak memory       {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>12.0f} MiB")


if __name__ == "__main__":
    main()
