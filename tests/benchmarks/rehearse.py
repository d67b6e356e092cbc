"""Rehearse a book over past years: ``OPENBLAS_NUM_THREADS=1 python -m tests.benchmarks.rehearse --months 60``, or ``--country``.

The command itself does without threads of OpenBLAS, too, which spin for most of the seconds of CPU with ``--outlook``.

A synthetic book with a table of monthly figures, rehearsed as ``duban rehearse --figures`` does it, and then one
threshold at twenty values. A country is rehearsed once, from what a source states. Prints the seconds of CPU, what of
them the parts take, and the least that numpy could do for the judging.
"""

import argparse
import cProfile
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from msgspec.structs import replace
from rich.console import Console
from rich.progress import Progress, TaskID

from alerts.organisation import Organisation
from connectors.observation import COLUMNS, FINAL
from connectors.strict import read
from monitor import pipeline
from monitor.rehearsal import replay, run
from monitor.rehearsal.figures import Stock, from_file
from monitor.rehearsal.page import page
from monitor.rehearsal.replay import Played, Setting
from monitor.rehearsal.report import Finding, show
from monitor.rehearsal.run import rehearse
from monitor.rehearsal.score import score
from monitor.rehearsal.sweep import knob, sweep
from rules import phrase
from rules.expectation import Floats
from rules.judging import judge
from rules.target import Book, Levels, Measure, Target
from tests.benchmarks.country import TARGETS, YEAR, country

COUNTIES = 2848
T = TypeVar("T")


def monthly(book: Book, months: int, seed: int = 7) -> Iterator[tuple[Target, Floats]]:
    """Of each target what every subject did in each of the last ``months`` months up to the book's year's end, (M, S).

    Each year ends about its goal, as likely above as below; about one month in a hundred is not there.
    """
    rng = np.random.default_rng(seed)
    for target in book.targets:
        goals = np.full(1, target.goal.value) if book.goals is None else book.goals[target.id].to_numpy()
        share = 1 / 12 if target.measure is Measure.CUMULATIVE else 1
        pace = rng.normal(1, 0.04, (-(-months // 12), len(goals))).repeat(12, axis=0)[-months:]
        found = goals * share * pace * rng.normal(1, 0.02, pace.shape)
        found[rng.random(found.shape) < 0.01] = np.nan
        yield target, found


def table(book: Book, months: int) -> pd.DataFrame:
    """The figures as a wide table, a month per row."""
    index = pd.period_range(end=f"{YEAR}-12", periods=months, freq="M", name="month")
    columns: dict[str, Floats] = {}
    for target, found in monthly(book, months):
        names = [target.series] if book.goals is None else [f"{target.series}@{one}" for one in book.subjects]
        columns |= dict(zip(names, found.T, strict=True))
    return pd.DataFrame(columns, index=index.astype(str))


def stated(book: Book, months: int) -> Stock:
    """The figures as a source states them: sums from the year's beginning, a figure per row."""
    index = pd.period_range(end=f"{YEAR}-12", periods=months, freq="M")
    ends = index.to_timestamp(how="end").normalize().to_numpy("datetime64[s]")
    parts = []
    for number, (target, found) in enumerate(monthly(book, months)):
        if target.measure is Measure.CUMULATIVE:
            found = pd.DataFrame(found).groupby(index.year).cumsum(skipna=False).to_numpy()  # noqa: PLW2901
        month, subject = np.nonzero(~np.isnan(found))
        parts.append(
            (np.full(len(month), number, np.int16), subject.astype(np.int16), ends[month], found[month, subject])
        )
    series, subject, period, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    units = pd.Index([target.goal.unit for target in book.targets])
    facts = {
        "series": pd.Categorical.from_codes(series, pd.Index([target.series for target in book.targets])),
        "subject": pd.Categorical.from_codes(subject, pd.Index(book.subjects)),
        "period": period,
        "value": value,
        "unit": pd.Categorical.from_codes(units.unique().get_indexer(units)[series], units.unique()),
        "known_at": np.full(len(series), np.datetime64("NaT", "us")),
    }
    known_at = pd.Series(facts["known_at"]).dt.tz_localize("UTC")
    return Stock(
        {"push": pd.DataFrame(facts | {"known_at": known_at, "cell": "", "status": np.int8(FINAL)})[list(COLUMNS)]}
    )


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


def with_outlook(book: Book) -> Book:
    """``book`` whose sums warn as the forecast says."""
    levels = Levels((phrase.threshold("behind 5% with outlook"),), (phrase.threshold("behind 15% for 2"),))
    targets = (replace(one, levels=levels) if one.measure is Measure.CUMULATIVE else one for one in book.targets)
    return replace(book, targets=tuple(targets))


class _Timed:
    """A function with the seconds that it takes."""

    def __init__(self, timed: Callable[..., Any]) -> None:
        self._timed, self.seconds, self.calls = timed, 0.0, 0

    def __call__(self, *given: Any, **named: Any) -> Any:
        begun = time.process_time()
        try:
            return self._timed(*given, **named)
        finally:
            self.seconds += time.process_time() - begun
            self.calls += 1


def main() -> None:
    """Build the book and its figures, rehearse, sweep, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counties", type=int, default=0, help=f"{TARGETS} targets each; 0: one place")
    parser.add_argument(
        "--country", action="store_true", help=f"{COUNTIES} counties over 44 months, once, with a report"
    )
    parser.add_argument("--outlook", action="store_true", help="sums warn by the forecast as well")
    parser.add_argument("--months", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--swept", type=int, default=20, help="of the threshold that is swept; 0: none")
    parser.add_argument("--profile", action="store_true", help="write rehearse.prof")
    given = parser.parse_args()
    if given.country:
        given.counties, given.months, given.runs, given.swept = COUNTIES, 44, 1, 0
    book, judging = book_of(given.counties), _Timed(judge)
    if given.outlook:
        book = with_outlook(book)
    pipeline.judge_block = replay.judge = judging  # type: ignore[attr-defined]  # the clocks of this benchmark
    run.score, run.play = scoring, playing = _Timed(score), _Timed(replay.play)  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.csv"
        if not given.country:  # nobody keeps 430,000 columns
            table(book, given.months).to_csv(file)
        stock, reading = _timed(
            lambda: stated(book, given.months) if given.country else from_file(file, book, to_date=False)
        )
    led = {"contacts": ["folder"], "reports to": "王主任"}
    organisation = read(Organisation, {"default": led, "people": {"王主任": {"contacts": ["folder"]}}})
    now, days = (
        datetime(YEAR + 1, 12, 31, tzinfo=UTC),
        (date(YEAR - -(-given.months // 12) + 1, 1, 1), date(YEAR, 12, 31)),
    )
    with (
        cProfile.Profile() if given.profile else nullcontext() as profile,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        task = progress.add_task("推演")
        told = partial(_show, progress, task)
        runs = [
            _timed(lambda: rehearse(book, stock, Setting(organisation), days, now, told)) for _ in range(given.runs)
        ]
    if profile is not None:
        profile.dump_stats("rehearse.prof")
    (found, played), once = min(runs, key=lambda run: run[1])
    cycles = sum(year.cycles for _, year in played)
    print(f"targets      {len(book.targets) * len(book.subjects):>9,} x {given.months} months")
    print(f"figures      {reading:>9.2f} s   (made up)" if given.country else f"reading      {reading:>9.2f} s")
    print(
        f"rehearsal    {once:>9.2f} s   ({cycles} cycles, {found.whole.alerts:,} alerts, {found.messages:,} messages)"
    )
    for name, clock in (("playing", playing), ("  judging", judging), ("counting", scoring)):
        print(f"  {name:<10} {clock.seconds / given.runs:>9.2f} s   ({clock.calls // given.runs} calls)")
    if given.country:
        _, reported = _timed(lambda: _reported(Finding(book, found, None, None, []), played))
        print(f"report, page {reported:>9.2f} s")
    least = _least(played, given.months)
    print(
        f"numpy        {least:>9.3f} s   (each figure compared with its limit; judging = {judging.seconds / given.runs / least:.0f} x)"
    )
    if given.swept:
        tried = knob(f"red.behind=6..{5 + given.swept}")
        _, swept = min(
            (_timed(lambda: sweep(book, stock, tried, days, now)) for _ in range(given.runs)), key=lambda run: run[1]
        )
        print(f"sweep of {given.swept:>3} {swept:>9.2f} s   ({swept / once:.2f} x)")
    print(f"peak memory  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>9.0f} MiB")


def _least(played: Sequence[tuple[Book, Played]], months: int) -> float:
    """Seconds of the least that numpy could do: compare the figures of so many months with a limit each."""
    (panel,) = played[-1][1].watch.panels
    block, values, limit = panel.block, panel.values, panel.block.expected * 0.95  # noqa: PD011  no frame
    _, seconds = _timed(
        lambda: [block.sign * values[month % 12] < block.sign * limit[month % 12] for month in range(months)]
    )
    return seconds


def _reported(finding: Finding, played: Sequence[tuple[Book, Played]]) -> str:
    show(finding, {})
    return page(finding, played)


def _show(progress: Progress, task: TaskID, done: float, total: float) -> None:
    progress.update(task, completed=done, total=total)


def _timed(job: Callable[[], T]) -> tuple[T, float]:
    begun = time.process_time()
    found = job()
    return found, time.process_time() - begun


if __name__ == "__main__":
    main()
