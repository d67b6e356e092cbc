"""Can this figure be right? What a plan promises and what a series has said this year, against what is stated now.

Pure, and in columns: rules hold for all figures at once. A figure that fails is
not wrong for certain; it is kept apart until a person has looked at it. So each
rule is wide enough to let every honest figure through, and catches slips of the
pen: a period's own figure where the year's total belongs, 万 for 亿, a digit too many.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from connectors.observation import Refused
from rules.expectation import Floats
from rules.target import AT_MOST, PERCENT, Book, Measure, Op, Shape, Target
from rules.unit import COUNTED, conversion

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Codes = NDArray[np.int8]

NEAR = 3.0
"""A figure of a third to three times what is due by now is vouched for by its goal."""
SLIP = (3.5, 4.5)
"""Powers of ten, either way, that are taken for 10^4: 万 read as units, 亿 read as 万."""
STEPS = 3
"""A jump is only spoken of after this many steps from period to period, that is with the fifth figure of the year."""
LEAP = 20.0
"""A jump is a step this many times the mean of those that the series made before."""
_ROUNDING = 1e-9

REASONS: tuple[Refused | None, ...] = (
    None,
    Refused.OUT_OF_RANGE,
    Refused.WRONG_SCALE,
    Refused.CUMULATIVE_FELL,
    Refused.JUMP,
    Refused.REPEATED,
    Refused.MISLABELLED,
)
"""What the codes of this module say; 0 is fine."""
_OUT_OF_RANGE, _WRONG_SCALE, _CUMULATIVE_FELL, _JUMP = range(1, 5)

_SUMS = frozenset({Measure.CUMULATIVE, Measure.GOOD_DAYS})
_AMOUNTS = frozenset({*_SUMS, Measure.LEVEL, Measure.FLOOR, Measure.CEILING, Measure.REDUCTION})
_STEADY = frozenset({Measure.LEVEL, Measure.FLOOR})
_MOVING = frozenset({*_AMOUNTS, Measure.GROWTH, Measure.SHARE})
_RANGE = {
    Measure.SHARE: (0.0, 100.0),
    Measure.MILESTONE: (0.0, 100.0),
    Measure.REDUCTION: (-np.inf, 100.0),
    # A profit that turns into a loss "grows" by less than -100 %.
    Measure.GROWTH: (-1000.0, 1000.0),
    Measure.RANK: (1.0, np.inf),
    Measure.CLASS: (1.0, 6.0),
    Measure.ZERO: (0.0, np.inf),
}
_ANY = (-np.inf, np.inf)
_IN_PERCENT = frozenset({Measure.SHARE, Measure.MILESTONE, Measure.REDUCTION, Measure.GROWTH})


class Figures(NamedTuple):
    """Figures as columns (N,): whose, of which period (days since 1970, its end), how much. ``series`` are any small numbers."""

    series: Ints
    period: Ints
    value: Floats

    def take(self, rows: Mask | Ints) -> "Figures":
        return Figures(self.series[rows], self.period[rows], self.value[rows])


@dataclass(frozen=True, slots=True)
class Promise:
    """What each figure is held against, as columns (N,). A figure of a series that no target reads is held against nothing.

    ``factor`` and ``offset`` read it in its target's unit; ``due`` is the size it should have by now (NaN: not known).
    """

    factor: Floats
    offset: Floats
    due: Floats
    lowest: Floats
    highest: Floats
    falls: Mask
    sums_up: Mask
    scaled: Mask
    moves: Mask
    steady: Mask

    def read(self, value: Floats) -> Floats:
        return value * self.factor + self.offset

    def take(self, rows: Mask | slice) -> "Promise":
        return Promise(*(getattr(self, name)[rows] for name in self.__slots__))


def promised(book: Book, source: str, table: pd.DataFrame) -> Promise:
    """The promise that each row of ``table`` (columns of ``connectors.observation``) is held against.

    Of several targets that read one series the first whose unit the figure can be read in speaks for all.
    """
    name, names = pd.factorize(table["series"])
    unit, units = pd.factorize(table["unit"])
    code, pairs = pd.factorize(name * len(units) + unit)
    stated = [divmod(int(pair), max(len(units), 1)) for pair in pairs]
    readers = [_reader(book, source, str(names[i]), str(units[j])) for i, j in stated]
    each = [_terms(*reader) for reader in readers]
    kinds = _Terms.__annotations__
    terms = {name: np.array([getattr(one, name) for one in each], kinds[name])[code] for name in kinds}
    size = np.fmax(
        terms.pop("size"), np.abs(_goals(book, [target for target, _, _ in readers], code, table["subject"]))
    )
    day = table["period"].to_numpy("datetime64[D]").astype(np.int64) - _first_day(book.year) + 1
    due = np.where(terms.pop("grows"), size * np.clip(day / 365, 0.0, 1.0), size)
    terms["highest"] = np.where(terms.pop("counts_days"), day, terms["highest"])
    return Promise(due=np.where(due > 0, due, np.nan), **terms)


class _Terms(NamedTuple):
    """What a target promises of any figure of its series. ``size`` is what it is measured by besides its goal."""

    factor: float
    offset: float
    size: float
    grows: bool
    counts_days: bool
    lowest: float
    highest: float
    falls: bool
    sums_up: bool
    scaled: bool
    moves: bool
    steady: bool


def _reader(book: Book, source: str, name: str, unit: str) -> tuple[Target | None, float, float]:
    for target in book.targets_of(source):
        if target.series == name:
            found = conversion(unit, target.goal.unit)
            if found is not None:
                return target, *found
    return None, 1.0, 0.0


def _terms(target: Target | None, factor: float, offset: float) -> _Terms:
    if target is None:
        no = False
        return _Terms(factor, offset, np.nan, no, no, *_ANY, no, no, no, no, no)
    measure, goal = target.measure, target.goal
    percent, daily = goal.unit in PERCENT, target.counts is not None
    lowest, highest = limits(target)
    return _Terms(
        factor,
        offset,
        size=target.counts if target.counts is not None else max(abs(target.expect.base), abs(goal.upper or 0.0)),
        grows=target.expect.shape in (Shape.LINEAR, Shape.CHECKPOINTS) and not daily,
        counts_days=measure is Measure.GOOD_DAYS and not daily,
        lowest=lowest,
        highest=highest,
        falls=goal.op in AT_MOST,
        sums_up=measure in _SUMS and not daily,
        scaled=measure in _AMOUNTS and not percent,
        moves=measure in _MOVING,
        steady=measure in _STEADY and goal.op in (Op.AT_LEAST, Op.MORE_THAN),
    )


def limits(target: Target) -> tuple[float, float]:
    """The least and the most that a figure of a target can be, in its unit; infinite where there is no bound."""
    measure, unit = target.measure, target.goal.unit
    lowest, highest = _ANY if measure in _IN_PERCENT and unit not in PERCENT else _RANGE.get(measure, _ANY)
    return 0.0 if unit in COUNTED and measure in _SUMS else lowest, highest


def _goals(book: Book, targets: list[Target | None], code: Ints, subjects: "pd.Series[str]") -> Floats:
    """The goal of each row's target for its subject; NaN where there is none, or where daily values are counted."""
    own = np.array([np.nan if target is None or target.counts is not None else target.goal.value for target in targets])
    if book.goals is None:
        return own[code]
    subject, names = pd.factorize(subjects)
    place = book.goals.index.get_indexer(pd.Index(names, dtype=object))
    columns = book.goals.columns.get_indexer(pd.Index([target.id if target else "" for target in targets]))
    table = book.goals.to_numpy(np.float64)[place[:, np.newaxis], columns[np.newaxis, :]]
    table[place < 0, :] = np.nan
    table[:, np.isnan(own)] = np.nan
    found: Floats = table[subject, code]
    return found


def _first_day(year: int) -> int:
    return int(np.datetime64(f"{year}-01-01").astype(np.int64))


def alone(promise: Promise, value: Floats) -> tuple[Codes, Mask, Mask]:
    """What is wrong with figures by themselves, and which need a look at their series' earlier ones, which at all of the year.

    - ``out_of_range``: a share or a milestone outside 0 to 100 %, a reduction above 100 %, growth beyond 1000 % either
      way, a rank below 1, a class outside 1 to 6, fewer than no units of a sum, more good days than days.
    - ``wrong_scale``: ``SLIP`` powers of ten away from what is due by now.
    """
    away = _away(promise, value)
    codes = np.where(promise.scaled & _slipped(away) & ~(promise.falls & (away < 0)), _WRONG_SCALE, 0)
    codes = np.where((value < promise.lowest) | (value > promise.highest) | ~np.isfinite(value), _OUT_OF_RANGE, codes)
    deep = _may_leap(promise, away)
    return codes.astype(np.int8), promise.sums_up | deep | (promise.scaled & ~_vouched(away)), deep


def beside(promise: Promise, figures: Figures, known: Figures) -> Codes:
    """What is wrong with ``figures`` in the light of ``known``, earlier figures of the same series and year.

    Both are in order of period, values in the targets' units. A figure that is refused here is no measure for the next.

    - ``wrong_scale``: ``SLIP`` powers of ten away from the figure before, with no goal that vouches for it (``NEAR``).
    - ``cumulative_fell``: a sum of the year below that of an earlier period. A revision of the same period is no fall.
    - ``jump``: a step more than ``LEAP`` times the mean of at least ``STEPS`` earlier ones, away from what the goal
      vouches for: above it, and for a stock that must not shrink also below.
    """
    codes = np.zeros(len(figures.value), np.int8)
    past = _Past(int(max(figures.series.max(initial=-1), known.series.max(initial=-1))) + 1)
    periods = np.unique(np.concatenate([figures.period, known.period]))
    for period in periods.tolist():
        old, new = (slice(*np.searchsorted(some.period, [period, period + 1])) for some in (known, figures))
        found = _doubt(promise.take(new), figures.value[new], past, figures.series[new])
        codes[new] = found
        past.enter(known.series[old], known.value[old])
        past.enter(figures.series[new][found == 0], figures.value[new][found == 0])
    return codes


class _Past:
    """What each series has said so far: the last figure, the way from figure to figure and in how many steps."""

    def __init__(self, series: int) -> None:
        self.last = np.full(series, np.nan)
        self.way = np.zeros(series)
        self.steps = np.zeros(series, np.int64)

    def enter(self, series: Ints, value: Floats) -> None:
        step = np.abs(value - self.last[series])
        self.way[series] += np.nan_to_num(step)
        self.steps[series] += ~np.isnan(step)
        self.last[series] = value


def _doubt(promise: Promise, value: Floats, past: _Past, series: Ints) -> Codes:
    last, steps, away = past.last[series], past.steps[series], _away(promise, value)
    with np.errstate(divide="ignore", invalid="ignore"):
        slipped = promise.scaled & ~_vouched(away) & _slipped(np.log10(np.abs(value / last)))
    fell = promise.sums_up & (value < last - _ROUNDING * np.abs(last))
    usual = past.way[series] / np.maximum(steps, 1)
    leapt = _may_leap(promise, away) & (steps >= STEPS) & (np.abs(value - last) > LEAP * usual)
    leapt &= (usual > 0) | ~np.isnan(promise.due)
    return np.select([slipped, fell, leapt], [_WRONG_SCALE, _CUMULATIVE_FELL, _JUMP], 0).astype(np.int8)


def _away(promise: Promise, value: Floats) -> Floats:
    """How many powers of ten a figure is above (below: -) what is due by now; NaN where nothing is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log10(np.abs(value) / promise.due))


def _vouched(away: Floats) -> Mask:
    return np.asarray(np.abs(away) <= np.log10(NEAR))


def _may_leap(promise: Promise, away: Floats) -> Mask:
    near = np.log10(NEAR)
    return np.asarray(promise.moves & ((away > near) | np.isnan(away) | (promise.steady & (away < -near))))


def _slipped(powers: Floats) -> Mask:
    found: Mask = (np.abs(powers) >= SLIP[0]) & (np.abs(powers) <= SLIP[1])
    return found
