"""Run every method over the cases of a table at the end of months 3, 6 and 9, and score it against the outcome.

A year is called yellow by duban's own word ``behind 5% with outlook``, and by the others below a bar: one half for
probabilities, 95 % of the straight line.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor.bench.cases import Bools, Cases, Floats, make_cases, read
from monitor.bench.methods import duban, ets, ets_model, linear, naive
from rules import forecast

Progress = Callable[[int, int], None]

MONTHS = (3, 6, 9)
LINEAR_YELLOW = 0.95  # share of the straight line below which offices call a target behind
EVEN = 0.5  # a probability below it is a warning


@dataclass(frozen=True)
class Score:
    """How one method did at one month; NaN where it does not apply."""

    method: str
    month: int
    cases: int
    brier: float
    auc: float
    recall: float  # of the missing years, how many it called yellow
    precision: float  # of its yellows, how many missed
    seconds: float  # per 1,000 cases


@dataclass(frozen=True)
class Tenth:
    """The cases of one month (0: of all) whose probability lies in one tenth."""

    month: int
    low: float
    cases: int
    forecast: float  # mean probability
    met: float  # part that reached the goal


@dataclass(frozen=True)
class Report:
    """Everything that the command prints."""

    file: str
    series: int
    cases: int
    left_out: int
    met: float
    scores: list[Score]
    sample: list[Score]  # every method on the cases that ets was given
    failed: int  # ets fits that gave no answer, counted as probability 0.5
    tenths: list[Tenth]


def run(path: Path, ets_sample: int = 400, seed: int = 7, progress: Progress | None = None) -> Report:
    """Make the cases of a wide monthly CSV and score every method; ets_sample 0 leaves ets out."""
    ask = partial(ets, ets_model() if ets_sample else None, seed=seed)
    cases = make_cases(read(path), seed)
    size = min(ets_sample, cases.goal.size)
    chosen = np.sort(np.random.default_rng(seed).choice(cases.goal.size, size, replace=False))
    scores: list[Score] = []
    probabilities: dict[tuple[str, int], Floats] = {}
    for month in MONTHS:
        for name, method in (("duban", duban), ("naive", naive), ("linear", linear)):
            started = time.perf_counter()
            p = method(cases, month)
            seconds = (time.perf_counter() - started) / p.size * 1000
            probabilities[name, month] = p
            scores.append(_score(name, month, p, cases.met, _behind(cases, month), seconds))
    sample, failed = _sample(cases, probabilities, chosen, ask, progress) if chosen.size else ([], 0)
    tenths = [
        tenth
        for month in (0, *MONTHS)
        for tenth in calibration(
            month,
            np.concatenate([probabilities["duban", m] for m in MONTHS if month in (0, m)]),
            np.concatenate([cases.met for m in MONTHS if month in (0, m)]),
        )
    ]
    return Report(
        Path(path).name, len(set(cases.series)), cases.goal.size, cases.left_out, float(cases.met.mean()),
        scores, sample, failed, tenths,
    )  # fmt: skip


def _sample(
    cases: Cases,
    probabilities: dict[tuple[str, int], Floats],
    chosen: NDArray[np.int64],
    ask: Callable[[Cases, int, int], float],
    progress: Progress | None,
) -> tuple[list[Score], int]:
    """Scores of every method on the cases that ets is given, and the number of fits that failed."""
    scores, failed, met = [], 0, cases.met[chosen]
    for step, month in enumerate(MONTHS):
        behind = _behind(cases, month)[chosen]
        started = time.perf_counter()
        p = np.empty(chosen.size)
        for k, case in enumerate(chosen):
            p[k] = ask(cases, int(case), month)
            if progress:
                progress(step * chosen.size + k + 1, chosen.size * len(MONTHS))
        seconds = (time.perf_counter() - started) / chosen.size * 1000
        failed += int(np.isnan(p).sum())
        scores.append(_score("ets", month, np.nan_to_num(p, nan=0.5), met, behind, seconds))
        scores += [
            _score(name, month, probabilities[name, month][chosen], met, behind, np.nan) for name in ("duban", "naive")
        ]
    return scores, failed


def _behind(cases: Cases, month: int) -> Bools:
    """By the straight line."""
    return np.asarray(linear(cases, month) < LINEAR_YELLOW)


def _score(method: str, month: int, p: Floats, met: Bools, behind: Bools, seconds: float) -> Score:
    """Score probabilities (or the linear pace, which has no Brier score) against outcomes; behind: the straight line."""
    yellow = p < EVEN
    if method in ("duban", "linear"):
        yellow = forecast.warning(behind, p, 1 - month / 12) if method == "duban" else behind
    caught = float((yellow & ~met).sum())
    return Score(
        method, month, p.size, np.nan if method == "linear" else brier(p, met), auc(p, met),
        caught / (~met).sum() if (~met).any() else np.nan, caught / yellow.sum() if yellow.any() else np.nan, seconds,
    )  # fmt: skip


def brier(p: Floats, met: Bools) -> float:
    """Mean squared error of the probability."""
    return float(np.mean((p - met) ** 2))


def auc(p: Floats, met: Bools) -> float:
    """Probability that a year that met its goal was given more than one that did not; ties count half."""
    yes, no = int(met.sum()), int((~met).sum())
    if not yes or not no:
        return float("nan")
    ranks = pd.Series(p).rank().to_numpy()
    return float((ranks[met].sum() - yes * (yes + 1) / 2) / (yes * no))


def calibration(month: int, p: Floats, met: Bools) -> Iterator[Tenth]:
    """Cases by tenths of the probability; empty tenths are left out."""
    tenth = np.minimum((p * 10).astype(int), 9)
    for k in np.unique(tenth):
        here = tenth == k
        yield Tenth(month, k / 10, int(here.sum()), float(p[here].mean()), float(met[here].mean()))
