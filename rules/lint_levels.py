"""Thresholds tried out: each alone, by the judge itself, on a year that goes as planned and on the two worst that can be."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from rules.expectation import Floats
from rules.inherited import Site, origins
from rules.judging import judge
from rules.loader import Written
from rules.panel import Panel
from rules.plan import Block, compile_plan
from rules.target import Against, Book, Level, Levels, Measure, Op, Target, Threshold, number

_BY_HISTORY = frozenset({Against.AVERAGE, Against.SPREAD, Against.PROBABILITY})
"""Yardsticks that lie in figures of others or of earlier years: without those nothing can be said of them."""
_COUNTS = frozenset({Measure.CUMULATIVE, Measure.LEVEL, Measure.GOOD_DAYS, Measure.SHARE, Measure.FLOOR})
"""What is never less than nothing."""
_STRICT = {Op.MORE_THAN: 1.0, Op.LESS_THAN: -1.0}
_YEARS = ("planned", "low", "high")
"""What the figures are at every period: just as planned, or the lowest or highest that they can be at all."""
_FAR = 1e12
_SAID = {"yellow": "黄色", "red": "红色"}


class _Trial(NamedTuple):
    site: Site
    level: str
    threshold: Threshold


def unsound(book: Book, written: Written, sites: Sequence[Site]) -> Iterator[tuple[str, str, str]]:
    """Code, place and words of thresholds that can never be reached, are reached by what goes as planned, or contradict."""
    trials = [
        _Trial(site, name, one)
        for site in sites
        for name, ones in (("yellow", site.target.levels.yellow), ("red", site.target.levels.red))
        for one in ones
    ]
    hit = _tried(book, trials)
    places = {site.target.id: origins(site, written) for site in sites}
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for trial, (planned, worst) in zip(trials, hit, strict=True):
        place = places[trial.site.target.id][trial.level] or trial.site.place()
        if planned:
            words = f"{_SAID[trial.level]} '{trial.threshold.text}' 按计划完成也会达到 (always fires)；请放宽，或核对数值与方向"
            found["D104", place, words].append(trial.site.target.name)
        elif not worst and trial.threshold.against not in _BY_HISTORY:
            words = f"{_SAID[trial.level]} '{trial.threshold.text}' {_why_never(trial)} (never fires)；请收紧，不设此级请写 never"
            found["D103", place, words].append(trial.site.target.name)
    for site in sites:
        for red, yellow in _looser(site.target):
            own = places[site.target.id]
            place = own["red"] or own["yellow"] or site.place()
            words = f"红色 '{red.text}' 不严于黄色 '{yellow.text}' (red looser than yellow)；请核对是否写反"
            found["D105", place, words].append(site.target.name)
    for (code, place, words), names in found.items():
        yield code, place, f"{_named(names)}：{words}"


def _named(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]}等 {len(names)} 个目标"


def _why_never(trial: _Trial) -> str:
    threshold = trial.threshold
    if threshold.periods > 1:
        return f"要求连续 {number(threshold.periods)} 期，全年没有这么多期，或无论如何都达不到"
    return "无论数值多差都达不到"


def _looser(target: Target) -> Iterator[tuple[Threshold, Threshold]]:
    """Thresholds of red that are reached no later than one of yellow on the same yardstick, at New Year or at its end."""
    for red in target.levels.red:
        for yellow in target.levels.yellow:
            if (red.against, red.unit) != (yellow.against, yellow.unit):
                continue
            sign = -1 if red.against in (Against.BELOW, Against.PROBABILITY) else 1
            ends = [(one.value, one.value if one.narrows_to is None else one.narrows_to) for one in (red, yellow)]
            stricter = [sign * (hers - his) for hers, his in zip(*ends, strict=True)]
            if min(stricter) < 0 or (max(stricter) == 0 and red.periods <= yellow.periods):
                yield red, yellow


def _tried(book: Book, trials: Sequence[_Trial]) -> list[tuple[bool, bool]]:
    """Of each: whether it is reached in a year as planned, and in any that goes as badly as can be. All at once.

    A goal that is not known is taken for reached in the worst year only: nothing can be said of it.
    """
    targets = tuple(
        replace(
            _with_goal(book, trial.site.target),
            id=f"{index} {year}",
            # A target that ends short of its goal is yellow by itself; only red tells of a threshold.
            levels=Levels(red=(trial.threshold,), not_before=trial.site.target.levels.not_before),
        )
        for index, trial in enumerate(trials)
        for year in _YEARS
    )
    reached: dict[str, bool] = {}
    if targets:
        alone = replace(book, targets=targets, subjects=("",), goals=None)
        for block in compile_plan([alone]):
            rows = zip(block.targets, _red(block), ~np.isnan(block.goal), strict=True)
            reached |= {target.id: bool(red) for target, red, known in rows if known and target.leans_on is None}
    years = ([f"{index} {year}" for year in _YEARS] for index in range(len(trials)))
    return [(reached.get(planned, False), reached.get(low, True) or reached[high]) for planned, low, high in years]


def _with_goal(book: Book, target: Target) -> Target:
    """With the goal of one of its subjects, where only those have any."""
    if book.goals is None or target.goal.nodes:
        return target
    known = book.goals[target.id].dropna()
    return replace(target, goal=replace(target.goal, value=float(known.iloc[0]))) if len(known) else target


def _red(block: Block) -> NDArray[np.bool_]:
    """Rows (R,) that are red at any period of their year."""
    panel, periods = Panel(block), len(block.ends)
    if block.leans is not None:
        leaning = np.flatnonzero(block.leans)
        for slot in range(periods):
            panel.lean(leaning, np.full(len(leaning), slot), np.full(len(leaning), 10.0))
    strict = np.array([_STRICT.get(target.goal.op, 0.0) for target in block.targets])
    planned = panel.expected + strict * 1e-6 * np.fmax(np.abs(panel.expected), 1.0)
    year = np.array([_YEARS.index(target.id.split()[1]) for target in block.targets])
    panel.values[:] = np.choose(year, (planned, *_extremes(block)))
    panel.latest[:] = panel.reported[:] = periods - 1
    rows, reached = np.arange(block.rows), np.zeros(block.rows, np.bool_)
    for slot in range(periods):
        levels = judge(panel, date(block.year + 2, 1, 1), rows=rows, slots=np.full(block.rows, slot, np.int16)).level
        reached |= levels == Level.RED
    return reached


def _extremes(block: Block) -> tuple[Floats, Floats]:
    """The lowest and the highest figure that each target can have at all (R,)."""
    low, high = np.full(block.rows, -_FAR), np.full(block.rows, _FAR)
    for row, target in enumerate(block.targets):
        goal, measure = target.goal, target.measure
        if measure in _COUNTS and not min(goal.value, target.expect.base) < 0:
            low[row] = 0.0
        if measure in (Measure.MILESTONE, Measure.ZERO):
            low[row] = 0.0
        if measure in (Measure.RANK, Measure.CLASS):
            low[row] = 1.0
        if measure is Measure.SHARE and goal.unit == "%":
            high[row] = 100.0
        if measure is Measure.GOOD_DAYS:
            high[row] = 366.0
        if measure is Measure.CLASS:
            high[row] = 6.0
        if measure is Measure.MILESTONE:
            high[row] = goal.value
    return low, high
