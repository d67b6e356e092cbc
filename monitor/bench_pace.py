"""`duban bench pace FILE.csv`: how good is the landing forecast on a table of real monthly series?

Past years are made into cases: the history before a year, a goal as an office would set it, and what then happened.
At the end of months 3, 6 and 9 duban's probability of reaching the goal is scored against the outcome, beside

* naive: the share of the year reached by now, from the mean and spread of past years' shares, with Student's t;
* ets: damped-trend seasonal exponential smoothing of statsmodels, 500 simulated paths, on a sample (it is slow);
* linear: the straight line of the year that offices draw today, yellow below 95 % of it.
"""

import importlib
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rules import forecast

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Progress = Callable[[int, int], None]

MONTHS = (3, 6, 9)
MIN_YEARS, PREDECESSORS, HISTORY, DRAWN = 6, 4, 8, 6
LINEAR_YELLOW = 0.95  # share of the straight line below which offices call a target behind
NAIVE_YELLOW = 0.5
PATHS = 500


@dataclass(frozen=True)
class Cases:
    """Years to forecast, one column each."""

    history: Floats  # (8, 12, n), NaN before a series begins
    year: Floats  # (12, n)
    goal: Floats  # (n,)
    series: list[str]
    calendar_year: list[int]
    left_out: int  # drawn, but the goal cannot be computed (a nil year)

    @property
    def met(self) -> Bools:
        """Whether the year reached its goal, (n,)."""
        return np.asarray(self.year.sum(axis=0) >= self.goal)


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
    ask = partial(ets, _ets_model() if ets_sample else None, seed=seed)
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
            scores.append(_score(name, month, p, cases.met, seconds))
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


def read(path: Path) -> pd.DataFrame:
    """A wide monthly table with no month left out; ValueError says what is wrong with the file."""
    frame = pd.read_csv(path)
    if frame.columns[0] != "month":
        raise ValueError(f"{path}: the first column must be 'month' (YYYY-MM), it is '{frame.columns[0]}'")
    try:
        months = pd.PeriodIndex(frame["month"].astype(str), freq="M")
        values = frame.drop(columns="month").astype(float)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if months.has_duplicates:
        raise ValueError(f"{path}: month {months[months.duplicated()][0]} is there twice")
    first, last = months.min().year, months.max().year
    return values.set_index(months).reindex(pd.period_range(f"{first}-01", f"{last}-12", freq="M"))


def make_cases(frame: pd.DataFrame, seed: int = 7) -> Cases:
    """Up to 6 years of each series with at least 6 complete non-negative years, drawn where 4 such years precede."""
    first = frame.index[0].year
    cube = frame.to_numpy(dtype=float).reshape(-1, 12, frame.shape[1])  # years, months, series
    complete = (np.nan_to_num(cube, nan=-1.0) >= 0).all(axis=1)
    draw = np.random.default_rng(seed)
    histories, years, names, calendar = [], [], [], []
    for j, name in enumerate(frame.columns):
        for i in _draw_years(complete[:, j], draw):
            past = [k for k in range(i) if complete[k, j]][-HISTORY:]
            history = np.full((HISTORY, 12), np.nan)
            history[HISTORY - len(past) :] = cube[past, :, j]
            histories.append(history)
            years.append(cube[i, :, j])
            names.append(str(name))
            calendar.append(first + i)
    if not years:
        raise ValueError(
            f"no series has {MIN_YEARS} complete non-negative years, {PREDECESSORS} of them in a row first"
        )
    history, year = np.stack(histories, axis=2), np.stack(years, axis=1)
    goal = office_goal(history)
    good = np.isfinite(goal) & (goal > 0)
    if not good.any():
        raise ValueError("no case has a goal: the totals of past years are nil")
    names = [name for name, keep in zip(names, good, strict=True) if keep]
    calendar = [year_ for year_, keep in zip(calendar, good, strict=True) if keep]
    return Cases(history[:, :, good], year[:, good], goal[good], names, calendar, int((~good).sum()))


def _draw_years(complete: Bools, draw: np.random.Generator) -> list[int]:
    """Positions of the years of one series to forecast."""
    eligible = [i for i in range(PREDECESSORS, complete.size) if complete[i - PREDECESSORS : i + 1].all()]
    if complete.sum() < MIN_YEARS or not eligible:
        return []
    return sorted(int(i) for i in draw.choice(eligible, min(DRAWN, len(eligible)), replace=False))


def office_goal(history: Floats) -> Floats:
    """Last year's total, grown by the median of the last three log growths, (n,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        total = history.sum(axis=1)
        growth = np.median(np.diff(np.log(total), axis=0)[-3:], axis=0)
        return np.asarray(total[-1] * np.exp(growth))


def duban(cases: Cases, month: int) -> Floats:
    """Duban's probability: reading the past and forecasting, both."""
    shape = forecast.shape(cases.history, [month])
    return np.asarray(forecast.landing(shape, cases.year[:month], cases.goal).probability, dtype=np.float64)


def naive(cases: Cases, month: int) -> Floats:
    """P(this year's share <= so far / goal), the share as t around the mean of past years' plain shares.

    Scale: their standard deviation, times sqrt(1 + 1 / years); years - 1 degrees of freedom.  1 once the goal is met.
    """
    so_far = cases.year[:month].sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = cases.history[:, :month].sum(axis=1) / cases.history.sum(axis=1)
        known = np.isfinite(share)
        years = known.sum(axis=0)
        mean = np.where(known, share, 0.0).sum(axis=0) / years
        spread = np.sqrt(np.where(known, (share - mean) ** 2, 0.0).sum(axis=0) / (years - 1) * (1 + 1 / years))
        t = (so_far / cases.goal - mean) / np.maximum(spread, 1e-9)
    p = np.full(t.size, np.nan)
    for n in np.unique(years[years > 1]):
        p[years == n] = student_cdf(t[years == n], int(n) - 1)
    return np.where(so_far >= cases.goal, 1.0, np.nan_to_num(p, nan=0.5))


def linear(cases: Cases, month: int) -> Floats:
    """So far as a share of the straight line: no probability, it only ranks and warns."""
    return np.asarray(cases.year[:month].sum(axis=0) / (cases.goal * month / 12))


def student_cdf(t: Floats, freedom: int) -> Floats:
    """Student's t distribution function for whole degrees of freedom (Abramowitz & Stegun 26.7.3-4)."""
    x = t / np.sqrt(freedom)
    cos2 = 1 / (1 + x**2)
    sin = x * np.sqrt(cos2)
    term = np.sqrt(cos2) if freedom % 2 else np.ones_like(t)
    total = term if freedom > 1 else np.zeros_like(t)
    for k in range(2 + freedom % 2, freedom - 1, 2):
        term = term * cos2 * (k - 1) / k
        total = total + term
    if freedom % 2:
        return np.asarray(0.5 + (np.arctan(x) + sin * total) / np.pi)
    return np.asarray(0.5 + sin * total / 2)


def _ets_model() -> Any:
    """The ETSModel class, or a clear word about what is missing."""
    try:
        return importlib.import_module("statsmodels.tsa.exponential_smoothing.ets").ETSModel
    except ImportError as error:
        raise ModuleNotFoundError(
            "ets needs statsmodels, which is not installed: install duban[dev], or leave ets out with --no-ets"
        ) from error


def ets(model: Any, cases: Cases, case: int, month: int, seed: int = 7) -> float:
    """Probability of one case, from 500 paths: multiplicative error and season where all values are positive.

    NaN where statsmodels cannot fit.
    """
    history, so_far = cases.history[:, :, case], cases.year[:month, case]
    values = np.concatenate([history[np.isfinite(history).all(axis=1)].ravel(), so_far])
    kind = "mul" if (values > 0).all() else "add"
    settings = {"error": kind, "trend": "add", "damped_trend": True, "seasonal": kind, "seasonal_periods": 12}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            fit = model(values, **settings).fit(disp=False)
            draw = np.random.default_rng(seed)
            paths = np.asarray(fit.simulate(12 - month, anchor="end", repetitions=PATHS, rng=draw))
        except (ValueError, np.linalg.LinAlgError):
            return float("nan")
    total = so_far.sum() + paths.reshape(12 - month, PATHS).sum(axis=0)
    return float(np.mean(total >= cases.goal[case]))


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
        started = time.perf_counter()
        p = np.empty(chosen.size)
        for k, case in enumerate(chosen):
            p[k] = ask(cases, int(case), month)
            if progress:
                progress(step * chosen.size + k + 1, chosen.size * len(MONTHS))
        seconds = (time.perf_counter() - started) / chosen.size * 1000
        failed += int(np.isnan(p).sum())
        scores.append(_score("ets", month, np.nan_to_num(p, nan=0.5), met, seconds))
        scores += [_score(name, month, probabilities[name, month][chosen], met, np.nan) for name in ("duban", "naive")]
    return scores, failed


def _score(method: str, month: int, p: Floats, met: Bools, seconds: float) -> Score:
    """Score probabilities (or the linear pace, which has no Brier score) against outcomes."""
    bar = {"duban": forecast.YELLOW_BELOW, "linear": LINEAR_YELLOW}.get(method, NAIVE_YELLOW)
    yellow = p < bar
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


def render(report: Report) -> str:
    """The report as plain text."""
    lines = [
        f"{report.file}: {report.cases:,} cases of {report.series} series, {report.met:.1%} met their goal"
        + (f"; {report.left_out} left out, their goal is nil" if report.left_out else ""),
        "",
        *_score_lines(report.scores),
    ]
    if report.sample:
        lines += ["", f"on a sample of {report.sample[0].cases}, ets included", *_score_lines(report.sample)]
        seconds = {s.method: s.seconds for s in [*report.scores, *report.sample] if not np.isnan(s.seconds)}
        lines.append(f"duban is {seconds['ets'] / seconds['duban']:,.0f} times faster than ets")
        if report.failed:
            lines += [f"ets gave no answer {report.failed} times: counted as probability 0.5"]
    lines += ["", "calibration of duban: goals met - forecast, in points (cases)", "forecast     all months  "]
    lines[-1] += "  ".join(f"{f'month {m}':>12}" for m in MONTHS)
    found = {(t.month, round(t.low * 10)): t for t in report.tenths}
    for k in range(10):
        cells = [found.get((month, k)) for month in (0, *MONTHS)]
        lines.append(f"{k / 10:.1f}-{(k + 1) / 10:.1f}   " + "  ".join(_tenth_cell(cell) for cell in cells))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _tenth_cell(tenth: Tenth | None) -> str:
    if tenth is None:
        return f"{'-':>12}"
    return f"{100 * (tenth.met - tenth.forecast):+5.1f}{f'({tenth.cases})':>7}"


def _score_lines(scores: list[Score]) -> list[str]:
    """A table with a row for each method and month; relative Brier scores are to naive on the same cases."""
    naive_brier = {s.month: s.brier for s in scores if s.method == "naive"}
    lines = ["method  month  brier   to naive  auc    recall  precision  s per 1,000"]
    for s in sorted(scores, key=lambda s: s.month):
        relative = s.brier / naive_brier[s.month] - 1 if naive_brier.get(s.month) else np.nan
        cells = (
            f"{s.method:<7}", f"{s.month:>5}", _cell(s.brier, "6.4f"), _cell(relative, "+8.1%"), _cell(s.auc, "5.3f"),
            _cell(s.recall, "6.3f"), _cell(s.precision, "9.3f"), _cell(s.seconds, "11.3g"),
        )  # fmt: skip
        lines.append("  ".join(cells))
    return lines


def _cell(value: float, form: str) -> str:
    width = int(form.strip("+").split(".")[0])
    return f"{'-':>{width}}" if np.isnan(value) else f"{value:{form}}"


def calibration_svg(report: Report) -> str:
    """The calibration of all months as a picture: a dot for each tenth, its area the cases, and the 3-point band."""
    side, left, top = 300, 50, 30
    most = max((t.cases for t in report.tenths if t.month == 0), default=1)

    def at(x: float, y: float) -> tuple[float, float]:
        return left + side * x, top + side * (1 - y)

    corners = [(0, 0.03), (0.97, 1), (1, 1), (1, 0.97), (0.03, 0), (0, 0)]
    band = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*corner) for corner in corners))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + side + 20}" height="{top + side + 50}">',
        "<style>text { font: 12px sans-serif }</style>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="18">goals met by forecast probability: {report.cases} cases, months 3, 6, 9</text>',
        f'<polygon points="{band}" fill="#dde8f5"/>',
        f'<rect x="{left}" y="{top}" width="{side}" height="{side}" fill="none" stroke="#888"/>',
        f'<line x1="{left}" y1="{top + side}" x2="{left + side}" y2="{top}" stroke="#888" stroke-dasharray="4"/>',
    ]
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        x, y = at(tick, tick)
        parts.append(f'<text x="{x:.1f}" y="{top + side + 16}" text-anchor="middle">{tick:.1f}</text>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:.1f}</text>')
    for tenth in (t for t in report.tenths if t.month == 0):
        x, y = at(tenth.forecast, tenth.met)
        title = f"{tenth.cases} cases: forecast {tenth.forecast:.3f}, met {tenth.met:.3f}"
        radius = 2 + 8 * (tenth.cases / most) ** 0.5
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="#1f5fa8" fill-opacity="0.8">')
        parts.append(f"<title>{title}</title></circle>")
    parts.append(f'<text x="{left + side / 2}" y="{top + side + 36}" text-anchor="middle">forecast probability</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
