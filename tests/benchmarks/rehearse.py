"""Rehearse a book over past years: ``python -m tests.benchmarks.rehearse --months 60``.

A synthetic book with a table of monthly figures, rehearsed as ``duban rehearse --figures`` does it, and then one
threshold at twenty values. Prints the seconds of CPU of both, their ratio, and of them those that judging takes.
"""

import argparse
import cProfile
import resource
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from alerts.organisation import Organisation
from monitor import pipeline
from monitor.rehearsal import replay
from monitor.rehearsal.figures import from_file
from monitor.rehearsal.replay import Setting
from monitor.rehearsal.run import rehearse
from monitor.rehearsal.sweep import knob, sweep
from rules.judging import judge
from rules.target import Book, Measure
from rules.verdict import Verdicts
from tests.benchmarks.country import TARGETS, YEAR, country

T = TypeVar("T")


def table(book: Book, months: int, seed: int = 7) -> pd.DataFrame:
    """The figures of the last ``months`` months of the book's year and those before, a month per row.

    Each year ends about its goal, as likely above as below; about one month in a hundred is not there.
    """
    rng = np.random.default_rng(seed)
    index = pd.period_range(end=f"{YEAR}-12", periods=months, freq="M", name="month")
    columns: dict[str, np.ndarray] = {}
    for target in book.targets:
        goals = np.full(1, target.goal.value) if book.goals is None else book.goals[target.id].to_numpy()
        share = 1 / 12 if target.measure is Measure.CUMULATIVE else 1
        pace = rng.normal(1, 0.04, (-(-months // 12), len(goals))).repeat(12, axis=0)[-months:]
        found = goals * share * pace * rng.normal(1, 0.02, pace.shape)
        found[rng.random(found.shape) < 0.01] = np.nan
        names = [target.series] if book.goals is None else [f"{target.series}@{one}" for one in book.subjects]
        columns |= dict(zip(names, found.T, strict=True))
    return pd.DataFrame(columns, index=index.astype(str))


def book_of(counties: int) -> Book:
    """``TARGETS`` targets over counties, or (0) of one place; a unit for every ten, shares and growths of a tenth."""
    book = country(max(counties, 1))
    assert book.goals is not None
    goals = book.goals.assign(**{one.id: 10.0 for one in book.targets if one.goal.unit == "%"})
    units = [(f"单位{number // 10}",) for number in range(TARGETS)]
    targets = tuple(replace(one, lead=unit, reporter=unit) for one, unit in zip(book.targets, units, strict=True))
    if counties:
        return replace(book, targets=targets, goals=goals)
    own = tuple(replace(one, goal=replace(one.goal, value=float(goals[one.id].iloc[0]))) for one in targets)
    return replace(book, targets=own, subjects=("",), goals=None)


class _Judging:
    """``judge`` with the seconds that it takes."""

    def __init__(self) -> None:
        self.seconds, self.calls = 0.0, 0

    def __call__(self, *given: Any, **named: Any) -> Verdicts:
        begun = time.process_time()
        try:
            return judge(*given, **named)
        finally:
            self.seconds += time.process_time() - begun
            self.calls += 1


def main() -> None:
    """Build the book and its figures, rehearse, sweep, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counties", type=int, default=0, help=f"{TARGETS} targets each; 0: one place")
    parser.add_argument("--months", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--swept", type=int, default=20, help="of the threshold that is swept; 0: none")
    parser.add_argument("--profile", action="store_true", help="write rehearse.prof")
    given = parser.parse_args()
    book, judging = book_of(given.counties), _Judging()
    pipeline.judge_block = replay.judge = judging  # type: ignore[attr-defined]  # the clock of this benchmark
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.csv"
        table(book, given.months).to_csv(file)
        stock, reading = _timed(lambda: from_file(file, book, to_date=False))
    led = {"contacts": ["folder"], "reports to": "王主任"}
    organisation = Organisation.model_validate({"default": led, "people": {"王主任": {"contacts": ["folder"]}}})
    now, days = (
        datetime(YEAR + 1, 12, 31, tzinfo=UTC),
        (date(YEAR - -(-given.months // 12) + 1, 1, 1), date(YEAR, 12, 31)),
    )
    with cProfile.Profile() if given.profile else nullcontext() as profile:
        runs = [_timed(lambda: rehearse(book, stock, Setting(organisation), days, now)) for _ in range(given.runs)]
    if profile is not None:
        profile.dump_stats("rehearse.prof")
    (score, played), once = min(runs, key=lambda run: run[1])
    cycles = sum(year.cycles for _, year in played)
    print(f"targets      {len(book.targets) * len(book.subjects):>9,} x {given.months} months")
    print(f"reading      {reading:>9.2f} s")
    print(
        f"rehearsal    {once:>9.2f} s   ({cycles} cycles, {score.whole.alerts:,} alerts, {score.messages:,} messages)"
    )
    print(f"  of it judging {judging.seconds / given.runs:>6.2f} s   ({judging.calls // given.runs} calls)")
    if given.swept:
        tried = knob(f"red.behind=6..{5 + given.swept}")
        _, swept = min(
            (_timed(lambda: sweep(book, stock, tried, days, now)) for _ in range(given.runs)), key=lambda run: run[1]
        )
        print(f"sweep of {given.swept:>3} {swept:>9.2f} s   ({swept / once:.2f} x)")
    print(f"peak memory  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>9.0f} MiB")


def _timed(job: Callable[[], T]) -> tuple[T, float]:
    begun = time.process_time()
    found = job()
    return found, time.process_time() - begun


if __name__ == "__main__":
    main()
