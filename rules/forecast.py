"""The landing forecast: will the year's goal be met, and where will the year land?

Seven simple forecasts of the year's total are combined, each series by its own record:

* two share-of-year forecasts, so far / share of the year reached by now: over all years, and over the latest ones;
* four level forecasts, so far + the periods left at the deseasonalised level of the last month, two months, quarter
  or year: short windows follow a break, the year sits still;
* so far + the rest of last year at its level: this year's start says nothing of its rest.

Every past year is forecast again, at the same period, from the years before it.  The errors of that replay give each
forecast its weight (inverse square of its mean square error, shrunk to equal weights while errors are few); their mean,
shrunk to zero, is taken off the combination: none of the seven assumes growth, it is learnt here.  The errors and this
year's disagreement of the seven give the spread.  A Student t of three degrees of freedom makes the tails: errors of
real series are far heavier than normal.  Averages of simple forecasts are hard to beat (Bates & Granger 1969, Clemen
1989, the M competitions); nothing is fitted across series, each one's history speaks for itself.

Units: a series' own, summed over periods.  Errors live on the scale log(total + a small part of a usual year): a
relative error in ordinary years, finite at zero.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]

MIN_YEARS = 2  # complete years below which the forecast stays silent: one share has no spread
YELLOW_BELOW = 0.45  # yellow: rather missed than met. In March 0.5 gives away precision; 0.4 finds no more than a line
SEASON, QUICK = 0.8, 0.2  # weight of a year against the next, in the season and in the share of the latest years
WINDOWS = (1 / 12, 1 / 6, 1 / 4, 1)  # of the level forecasts, in years
METHODS = 3 + len(WINDOWS)
ZERO_GUARD = 1e-3  # part of a usual year that is added to a total before its logarithm is taken
PRIOR_SPREAD = 0.1  # relative error of the forecast of a whole year before any error is seen
PRIOR_YEARS = 1  # errors that this prior is worth; the mean square error of all methods is worth as many in each one's
BIAS_YEARS = 8  # errors of zero that are put beside those seen, when the mean error is taken off
MEMORY = 0.85  # weight of an error against the error of the year after it
LIMIT = 1.0  # log errors are cut to this (a factor of e): one odd year must not decide for good
FLOOR = 0.003  # least relative spread of the forecast of a whole year: figures are rounded
NARROW = 0.5  # squared scale of the t / mean square error: a t with tails this heavy is narrow in the middle
DISAGREEMENT = 0.4  # part of the methods' disagreement this year in the squared scale
INTERVAL, TAIL = 0.8, 1.6377443536962102  # probability that low to high holds the total; the quantile that cuts it
CHUNK = 8192  # series per pass: keeps the temporaries in the processor's cache


@dataclass(frozen=True)
class Basis:
    """What the seven forecasts read from past years. Tables are (periods, n), the rest (n,)."""

    share: Floats  # mean cumulative share of the year by the end of each period, all years
    quick: Floats  # the same, mostly of the latest years
    season: Floats  # period as a multiple of the trend
    last: Floats  # the last complete year
    usual: Floats  # mean total of a year

    def cut(self, cut: slice) -> "Basis":
        """The same for some of the series."""
        return Basis(*(getattr(self, field.name)[..., cut] for field in fields(self)))


@dataclass(frozen=True)
class Moment:
    """What the replay of past years says about one number of elapsed periods."""

    weights: Floats  # (METHODS, n), of each forecast; they sum to 1
    bias: Floats  # (n,), mean error of the combined forecast, log scale, shrunk
    square: Floats  # (n,), mean square error of the combined forecast, log scale


@dataclass(frozen=True)
class Shape:
    """Everything that past years say, worked out once a year. Stored in single precision.

    basis.share and spread, both (periods, n), are the seasonal plan curve: the cumulative share of the year reached
    by the end of each period, mean and standard deviation over past years.
    """

    basis: Basis
    spread: Floats
    spoken: Bools  # (n,)
    moments: dict[int, Moment]  # by elapsed periods

    @property
    def share(self) -> Floats:
        """Mean cumulative share of the year by the end of each period, (periods, n)."""
        return self.basis.share


@dataclass(frozen=True)
class Outlook:
    """Where figures will end, (n,) each: Student t around centre, on a logarithmic scale where there is an offset.

    That is, log(figure + offset) is centre + scale x t. A scale of 0: the figure is final.
    """

    centre: Floats
    scale: Floats
    offset: Floats | None  # None: the scale is the figure's own
    done: Floats  # the figure cannot end below this
    spoken: Bools


@dataclass(frozen=True)
class Landing:
    """The year as it will probably end, (n,) each; NaN where not spoken."""

    probability: Floats  # 0-1: the total is at least the goal
    low: Floats  # low to high holds the total with probability INTERVAL
    median: Floats
    high: Floats
    spoken: Bools


def shape(history: Floats, elapsed: Iterable[int] | None = None) -> Shape:
    """Read past years; history is (years, periods, n), oldest first, NaN where a year is missing.

    elapsed: the numbers of elapsed periods that landing() will be asked for, None for all of them (36 bytes a series
    each).  A missing year is passed over: its neighbours then count as adjacent.
    """
    periods, n = history.shape[1:]
    wanted = sorted(set(range(periods) if elapsed is None else elapsed) - {periods})
    share, quick, season, last = np.empty((4, periods, n), np.float32)
    basis = Basis(share, quick, season, last, usual=np.empty(n, np.float32))
    spread, spoken = np.empty((periods, n), np.float32), np.empty(n, bool)
    moments = {m: Moment(np.empty((METHODS, n), np.float32), *np.empty((2, n), np.float32)) for m in wanted}
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for cut in (slice(lo, lo + CHUNK) for lo in range(0, n, CHUNK)):
            past, errors = _replay(np.ascontiguousarray(history[:, :, cut], dtype=np.float64), wanted)
            read = past.basis()
            for field in fields(basis):
                getattr(basis, field.name)[..., cut] = getattr(read, field.name)
            spread[:, cut] = past.spread()
            spoken[cut] = (past.years >= MIN_YEARS) & (read.usual > 0)
            for m, moment in moments.items():
                _weigh(np.array(errors[m]), 1 - m / periods, moment, cut)
    return Shape(basis, spread, spoken, moments)


def landing(shape: Shape, so_far: Floats, goal: Floats) -> Landing:
    """Forecast from the increments of this year's elapsed periods, (elapsed, n), for goals of at least goal, (n,).

    outlook(), probability() and interval() in one; a goal of NaN is not spoken of.
    """
    view = outlook(shape, so_far)
    spoken = view.spoken & np.isfinite(goal)
    p, low, median, high = np.where(spoken, np.vstack([probability(view, goal), interval(view)]), np.nan)
    return Landing(p, low, median, high, spoken)


def outlook(shape: Shape, so_far: Floats) -> Outlook:
    """The distribution of this year's total, from the increments of the elapsed periods, (elapsed, n)."""
    elapsed, n = so_far.shape
    periods = shape.share.shape[0]
    if elapsed != periods and elapsed not in shape.moments:
        raise ValueError(f"shape() was not asked for {elapsed} elapsed periods")
    done, offset = so_far.sum(axis=0), ZERO_GUARD * shape.basis.usual
    centre, scale = np.empty(n), np.zeros(n)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for cut in (slice(lo, lo + CHUNK) for lo in range(0, n, CHUNK)):
            if elapsed == periods:
                centre[cut] = np.log(np.maximum(done[cut], 0) + offset[cut])
            else:
                centre[cut], scale[cut] = _land(shape, so_far[:, cut], cut)
    return Outlook(centre, scale, offset, done, shape.spoken & np.isfinite(centre))


def _land(shape: Shape, so_far: Floats, cut: slice) -> tuple[Floats, Floats]:
    """Centre and scale of some of the series."""
    moment = shape.moments[so_far.shape[0]]
    each = _forecasts(shape.basis.cut(cut), so_far)
    weights = moment.weights[:, cut]
    combined = (weights * each).sum(axis=0)
    disagreement = (weights * (each - combined) ** 2).sum(axis=0)
    return combined - moment.bias[cut], np.sqrt(NARROW * moment.square[cut] + DISAGREEMENT * disagreement)


def probability(view: Outlook, least: Floats | None = None, most: Floats | None = None) -> Floats:
    """Probability, (n,), that the figure ends at or above least and at or below most, (n,) each; infinite is no bound.

    What is there already is certain: it cannot be taken back.  NaN where not spoken or a bound is NaN.
    """
    p = np.where(view.spoken, 1.0, np.nan)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if least is not None:
            p = np.where(view.done >= least, p, p - 1 + _above(view, least))
        if most is not None:
            p = np.where(view.done > most, p * 0.0, p - _above(view, most))
    return np.maximum(p, 0.0)


def _above(view: Outlook, bound: Floats) -> Floats:
    """Probability of an end above the bound, where what is there is not."""
    at = bound if view.offset is None else np.log(np.maximum(bound, 0) + view.offset)
    return np.where(
        view.scale > 0, student_cdf((view.centre - at) / view.scale), np.where(np.isnan(bound), np.nan, 0.0)
    )


def interval(view: Outlook) -> Floats:
    """Low, median, high, (3, n): low to high holds the end with probability INTERVAL; NaN where not spoken."""
    ends = view.centre + np.array([[-TAIL], [0.0], [TAIL]]) * view.scale
    if view.offset is not None:
        ends = np.exp(ends) - view.offset
    return np.where(view.spoken, np.maximum(np.where(view.scale > 0, ends, view.done), view.done), np.nan)


def student_cdf(t: Floats) -> Floats:
    """Student's t distribution function for 3 degrees of freedom, exact (Abramowitz & Stegun 26.7.3)."""
    x = np.clip(t / np.sqrt(3), -1e9, 1e9)  # infinity has no quotient
    return np.asarray(0.5 + (np.arctan(x) + x / (1 + x**2)) / np.pi)


def _log(total: Floats, usual: Floats) -> Floats:
    """The scale on which totals are compared."""
    return np.asarray(np.log(np.maximum(total, 0) + ZERO_GUARD * usual))


def _forecasts(basis: Basis, so_far: Floats) -> Floats:
    """The seven forecasts of the year's total, (METHODS, n), log scale."""
    elapsed, periods = so_far.shape[0], basis.last.shape[0]
    done = so_far.sum(axis=0)
    rest = basis.season[elapsed:].sum(axis=0)
    before = basis.last.sum(axis=0)
    out = np.empty((METHODS, done.size))
    for i, table in enumerate((basis.share, basis.quick)):
        reached = table[elapsed - 1] if elapsed else np.zeros(1)
        out[i] = np.where(reached > 0, done / reached, before)
    for i, years in enumerate(WINDOWS, start=2):
        out[i] = done + _level(basis, so_far, max(1, round(periods * years))) * rest
    out[-1] = done + before * rest / basis.season.sum(axis=0)
    return _log(out, basis.usual)


def _level(basis: Basis, so_far: Floats, window: int) -> Floats:
    """Mean deseasonalised period of the last window periods, of this year and before them of the last, (n,)."""
    first = max(0, so_far.shape[0] - window)
    before = basis.last.shape[0] - max(0, window - so_far.shape[0])
    value = so_far[first:].sum(axis=0) + basis.last[before:].sum(axis=0)
    due = basis.season[first : so_far.shape[0]].sum(axis=0) + basis.season[before:].sum(axis=0)
    return np.asarray(np.where(due > 0, value / due, basis.last.mean(axis=0)))


def _replay(history: Floats, wanted: list[int]) -> tuple["Past", dict[int, list[Floats]]]:
    """Walk through the years; by elapsed periods, the errors (METHODS, n) of each year, from those before."""
    past = Past(*history.shape[1:])
    errors: dict[int, list[Floats]] = {m: [] for m in wanted}
    for year in history:
        total = year.sum(axis=0)
        basis = past.basis()
        truth = np.where(past.years > 0, _log(total, basis.usual), np.nan)
        for m in wanted:
            errors[m].append(_forecasts(basis, year[:m]) - truth)
        past.add(year, total)
    return past, errors


def _weigh(errors: Floats, left: float, moment: Moment, cut: slice) -> None:
    """Fill the moment from the replay's errors, (years, METHODS, n); left is the part of the year that is left."""
    seen: Bools = np.all(np.isfinite(errors), axis=1)
    before = np.maximum(np.cumsum(seen, axis=0), 1)  # years that each forecast was made from
    thin = np.sqrt((1 + 1 / (seen.sum(axis=0) + 1)) / (1 + 1 / before))  # a forecast from few years errs more
    errors = np.where(seen[:, None], np.clip(errors, -LIMIT, LIMIT) * thin[:, None], 0.0)
    memory = MEMORY ** np.arange(len(errors))[::-1, None] * seen
    count = memory.sum(axis=0)
    squares = (memory[:, None] * errors**2).sum(axis=0)
    prior = (PRIOR_SPREAD * left) ** 2 + squares.mean(axis=0) / np.maximum(count, 1e-9)
    each = (squares + PRIOR_YEARS * prior) / (count + 2 * PRIOR_YEARS)
    weights = (each.min(axis=0) / each) ** 2
    weights /= weights.sum(axis=0)
    combined = (weights * errors).sum(axis=1)
    own = (memory * combined**2).sum(axis=0)
    moment.weights[:, cut] = weights
    moment.bias[cut] = (memory * combined).sum(axis=0) / (count + BIAS_YEARS)
    expected = PRIOR_YEARS * (weights * each).sum(axis=0)
    moment.square[cut] = (own + expected) / (count + PRIOR_YEARS) + (FLOOR * left) ** 2


class Past:
    """Running sums over the complete years seen so far, for one chunk of series."""

    def __init__(self, periods: int, n: int) -> None:
        self.years, self.sum = np.zeros(n), np.zeros(n)
        self.last = np.zeros((periods, n))
        self.step = np.full(n, np.nan)  # of the total, into the last year
        self.shares, self.quick = np.zeros((2, 1 + periods, n))  # plain and weighted sums of 1 and cumulative shares
        self.square = np.zeros((periods, n))  # of squared cumulative shares
        self.season = np.zeros((1 + periods, n))  # of 1 and of period / trend, without the last year

    def add(self, year: Floats, total: Floats) -> None:
        """Take in one year, (periods, n), where it is complete."""
        full = np.isfinite(total)
        second = full & (self.years > 0)
        step = total - self.last.sum(axis=0)
        self.season = np.where(second, SEASON * self.season + self._factors(step), self.season)
        self.step = np.where(second, step, self.step)
        share = np.concatenate([np.ones((1, total.size)), np.cumsum(year, axis=0) / total])
        usable = full & (total > 0)
        self.shares = np.where(usable, self.shares + share, self.shares)
        self.square = np.where(usable, self.square + share[1:] ** 2, self.square)
        self.quick = np.where(usable, QUICK * self.quick + share, self.quick)
        self.last = np.where(full, year, self.last)
        self.sum = np.where(full, self.sum + total, self.sum)
        self.years = self.years + full

    def _factors(self, after: Floats) -> Floats:
        """1 and the last year's periods as multiples of its trend, (1 + periods, n); zeros where the year was nil.

        The trend joins the middles of the years by straight lines; after is the step of the total to the next year.
        """
        periods = self.last.shape[0]
        total = self.last.sum(axis=0)
        before = np.where(np.isnan(self.step), after, self.step)
        offset = ((np.arange(periods) + 0.5) / periods - 0.5)[:, None]
        step = np.where(offset > 0, np.clip(after, -total, total), np.clip(before, -total, total))
        factors = np.concatenate([np.ones((1, total.size)), self.last * periods / (total + step * offset)])
        return np.asarray(np.where(total > 0, factors, 0.0))

    def basis(self) -> Basis:
        """What the forecasts read."""
        season = SEASON * self.season + self._factors(np.zeros_like(self.sum))
        return Basis(
            share=self.shares[1:] / self.shares[0],
            quick=self.quick[1:] / self.quick[0],
            season=season[1:] / season[0],
            last=self.last,
            usual=self.sum / self.years,
        )

    def spread(self) -> Floats:
        """Standard deviation of the cumulative share from year to year, (periods, n)."""
        count = self.shares[0]
        variance = np.maximum(self.square / count - (self.shares[1:] / count) ** 2, 0)
        return np.asarray(np.sqrt(variance * count / np.maximum(count - 1, 1)))
