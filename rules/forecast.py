"""The landing forecast: will the year's goal be met, and where will the year land?

Two forecasts of the year's total are joined, each series by its own record.  One is the structural model (see
structural.py).  The other is a combination of six simple forecasts:

* two share-of-year forecasts, so far / share of the year reached by now: over all years, and over the latest ones;
* three level forecasts, so far + the periods left at the deseasonalised level of the last month, quarter or year:
  short windows follow a break, the year sits still;
* so far + the rest of last year, grown by most of what the last quarter grew on the same quarter of last year.

Every past year is forecast again, at the same period, from the years before it.  The errors of that replay give each
simple forecast its weight (inverse square of its mean square error, shrunk to equal weights while errors are few);
their mean, shrunk to zero, is taken off the combination; they and this year's disagreement give its spread.  Averages
of simple forecasts are hard to beat (Bates & Granger 1969, Clemen 1989, the M competitions), and follow seasons that
are broken by rules; the model reads every month where the replay sees one error a year.  The replay's densities say how
far to trust the model (Geweke & Amisano 2011), less so in a year that starts as it did not foresee; the two are then
averaged by trust and precision.  A Student t of three degrees of freedom makes the tails: errors of real series are
far heavier than normal.  Nothing is fitted across series, each one's history speaks for itself.

Units: a series' own, summed over periods.  Errors live on the scale log(total + a small part of a usual year): a
relative error in ordinary years, finite at zero.  A figure that is no sum is carried on in its own unit: carried().
"""

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from rules.structural import GUARD, Rest, Structure, guarded

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
Series = slice | NDArray[np.int64]  # some of the series

MIN_YEARS = 2  # complete years below which the forecast stays silent: one share has no spread
LOST = (
    0.5,
    -0.4,
)  # probability below which warning() takes a goal for lost: at the year's end, and what the part left adds
SAFE = (
    0.6,
    0.4,
)  # and above which for safe. Wide in spring, when a curve that is left alone is right more often than not
SEASON, QUICK = 0.8, 0.2  # weight of a year against the next, in the season and in the share of the latest years
WINDOWS = (1 / 12, 1 / 4, 1)  # of the level forecasts, in years
METHODS = 3 + len(WINDOWS)
LASTING = 0.7  # part of the last quarter's growth on a year before, in logarithms, that goes on to the year's end
ZERO_GUARD = 1e-3  # part of a usual year that is added to a total before its logarithm is taken
PRIOR_SPREAD = 0.1  # relative error of the forecast of a whole year before any error is seen
PRIOR_YEARS = 1  # errors that this prior is worth; the mean square error of all methods is worth as many in each one's
BIAS_YEARS = 8  # errors of zero that are put beside those seen, when the mean error is taken off
MEMORY = 0.85  # weight of an error against the error of the year after it
LIMIT = 1.0  # log errors are cut to this (a factor of e): one odd year must not decide for good
FLOOR = 0.003  # least relative spread of the forecast of a whole year: figures are rounded
NARROW = 0.35, 0.3  # squared scale of the t / mean square error at a year's end, and what the part left adds
MODEL_WIDER = 1.4  # the same of the structural model against its variance, as a multiple of that of the combination
DISAGREEMENT = 0.7  # part of the forecasts' disagreement this year in the squared scale
MIN_MOVES = 3  # past years below which a figure that is no sum is not foreseen
MOVE_NARROW = 0.7  # NARROW of such a figure
HEAD_START = 1.0  # log odds of the model before any error: the combination is judged by years that chose its weights
EVIDENCE = 0.5  # of a replayed year in these odds: few years, not quite independent, must not settle the matter
INTERVAL, TAIL = 0.8, 1.6377443536962102  # probability that low to high holds the total; the quantile that cuts it
CHUNK = 2048  # series per pass: keeps the temporaries in the processor's cache


class Basis(Struct, frozen=True):
    """What the simple forecasts read from past years. Tables are (periods, n), the rest (n,)."""

    share: Floats  # mean cumulative share of the year by the end of each period, all years
    quick: Floats  # the same, mostly of the latest years
    season: Floats  # period as a multiple of the trend
    last: Floats  # the last complete year
    usual: Floats  # mean total of a year

    def cut(self, cut: Series) -> "Basis":
        """The same for some of the series."""
        return Basis(*(getattr(self, name)[..., cut] for name in self.__struct_fields__))


class Moment(Struct, frozen=True):
    """What the replay of past years says about one number of elapsed periods."""

    weights: Floats  # (METHODS, n), of each simple forecast; they sum to 1
    bias: Floats  # (n,), mean error of their combination, log scale, shrunk
    square: Floats  # (n,), mean square error of their combination, log scale
    ahead: Floats  # (n,), log odds of the structural model against the combination
    level: Floats  # (n,), that model's word on the rest of this year: see structural.Rest
    pull: Floats  # (elapsed, n)
    variance: Floats  # (n,)
    foreseen: Floats  # (n,)
    doubt: Floats  # (n,)

    def cut(self, cut: Series) -> "Moment":
        """The same for some of the series."""
        return Moment(*(getattr(self, name)[..., cut] for name in self.__struct_fields__))

    @classmethod
    def empty(cls, elapsed: int, n: int) -> "Moment":
        """Room for n series."""
        weights, pull = np.full((METHODS, n), np.nan, np.float32), np.full((elapsed, n), np.nan, np.float32)
        bias, square, ahead, level, variance, foreseen, doubt = np.full((7, n), np.nan, np.float32)
        return cls(weights, bias, square, ahead, level, pull, variance, foreseen, doubt)


_Columns = TypeVar("_Columns", Basis, Moment)


def _write(into: _Columns, series: NDArray[np.int64], part: _Columns) -> None:
    for name in into.__struct_fields__:
        getattr(into, name)[..., series] = getattr(part, name)


class Shape(Struct, frozen=True):
    """Everything that past years say, worked out once a year. Stored in single precision."""

    basis: Basis
    spoken: Bools  # (n,)
    moments: dict[int, Moment]  # by elapsed periods

    def put(self, series: NDArray[np.int64], part: "Shape") -> None:
        """Take over what part says of some of the series."""
        for m, moment in part.moments.items():
            _write(self.moments[m], series, moment)
        _write(self.basis, series, part.basis)
        self.spoken[series] = part.spoken


class Outlook(Struct, frozen=True):
    """Where figures will end, (n,) each: Student t around centre, on a logarithmic scale where there is an offset.

    That is, log(figure + offset) is centre + scale x t. A scale of 0: the figure is final.
    """

    centre: Floats
    scale: Floats
    offset: Floats | None  # None: the scale is the figure's own
    done: Floats  # the figure cannot end below this
    spoken: Bools


class Landing(Struct, frozen=True):
    """The year as it will probably end, (n,) each; NaN where not spoken."""

    probability: Floats  # 0-1: the total is at least the goal
    low: Floats  # low to high holds the total with probability INTERVAL
    median: Floats
    high: Floats
    spoken: Bools


def shape(history: Floats, elapsed: Iterable[int] | None = None) -> Shape:
    """Read past years; history is (years, periods, n), oldest first, NaN where a year is missing.

    elapsed: the numbers of elapsed periods that landing() will be asked for, None for all of them (60 bytes a series
    each, and 4 for every elapsed period).  A missing year is passed over: its neighbours then count as adjacent.
    """
    periods, n = history.shape[1:]
    wanted = sorted(set(range(periods) if elapsed is None else elapsed) - {periods})
    share, quick, season, last = np.full((4, periods, n), np.nan, np.float32)
    whole = Shape(
        Basis(share, quick, season, last, usual=np.full(n, np.nan, np.float32)),
        spoken=np.zeros(n, bool),
        moments={m: Moment.empty(m, n) for m in wanted},
    )
    complete: Bools = np.all(np.isfinite(history), axis=1)
    count = complete.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for years in range(1, len(history) + 1):
            series = np.flatnonzero(count == years)
            for cut in (series[lo : lo + CHUNK] for lo in range(0, series.size, CHUNK)):
                figures = history[:, :, cut].transpose(2, 0, 1)[complete[:, cut].T].reshape(-1, years, periods)
                whole.put(cut, _read(np.ascontiguousarray(figures.transpose(1, 2, 0), dtype=np.float64), wanted))
    return whole


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
    periods = shape.basis.share.shape[0]
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
    """Centre and scale of some of the series: both forecasts, weighted by precision and trust."""
    basis, moment = shape.basis.cut(cut), shape.moments[so_far.shape[0]].cut(cut)
    each = _forecasts(basis, so_far)
    combined = (moment.weights * each).sum(axis=0)
    disagreement = (moment.weights * (each - combined) ** 2).sum(axis=0)
    left = 1 - so_far.shape[0] / basis.last.shape[0]
    combined = combined - moment.bias
    rest = Rest(*(getattr(moment, name) for name in Rest.__struct_fields__))
    modelled, square = _modelled(rest, so_far, basis, basis.usual)
    trust = 1 / (1 + np.exp(-moment.ahead - _start(rest, so_far, basis)))
    one, other = trust / square, (1 - trust) / (_narrow(left) * moment.square + DISAGREEMENT * disagreement)
    apart = trust * (1 - trust) * (modelled - combined) ** 2
    return (one * modelled + other * combined) / (one + other), np.sqrt(1 / (one + other) + DISAGREEMENT * apart)


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


def warning(behind: Bools, probability: Floats, left: Floats | float) -> Bools:
    """Whether to warn, (n,): what the plan's curve says, unless the forecast is sure of the opposite.

    behind: by the curve; left: the part of the year that is left, 0-1.  In March only a probability above 90 % takes a
    warning back and only one below 20 % gives one, in September above 70 % and below 40 %.  Where the forecast is as
    good as its word, this finds more of the missed years than the curve and is right more often, whatever the curve.
    A probability of NaN leaves it to the curve.
    """
    return np.asarray((behind & ~(probability > SAFE[0] + SAFE[1] * left)) | (probability < LOST[0] + LOST[1] * left))


def student_cdf(t: Floats) -> Floats:
    """Student's t distribution function for 3 degrees of freedom, exact (Abramowitz & Stegun 26.7.3)."""
    x = np.clip(t / np.sqrt(3), -1e9, 1e9)  # infinity has no quotient
    return np.asarray(0.5 + (np.arctan(x) + x / (1 + x**2)) / np.pi)


def _log(total: Floats, usual: Floats) -> Floats:
    """The scale on which totals are compared."""
    return np.asarray(np.log(np.maximum(total, 0) + ZERO_GUARD * usual))


def _forecasts(basis: Basis, so_far: Floats) -> Floats:
    """The simple forecasts of the year's total, (METHODS, n), log scale."""
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
    latest = slice(max(0, elapsed - max(1, round(periods / 4))), elapsed)
    growth = _log(so_far[latest].sum(axis=0), basis.usual) - _log(basis.last[latest].sum(axis=0), basis.usual)
    out[-1] = done + basis.last[elapsed:].sum(axis=0) * np.exp(LASTING * np.clip(growth, -LIMIT, LIMIT))
    return _log(out, basis.usual)


def _level(basis: Basis, so_far: Floats, window: int) -> Floats:
    """Mean deseasonalised period of the last window periods, of this year and before them of the last, (n,)."""
    first = max(0, so_far.shape[0] - window)
    before = basis.last.shape[0] - max(0, window - so_far.shape[0])
    value = so_far[first:].sum(axis=0) + basis.last[before:].sum(axis=0)
    due = basis.season[first : so_far.shape[0]].sum(axis=0) + basis.season[before:].sum(axis=0)
    return np.asarray(np.where(due > 0, value / due, basis.last.mean(axis=0)))


def _start(rest: Rest, so_far: Floats, basis: Basis) -> Floats | float:
    """How the year's start speaks for the model: log density of its error against that of a usual one."""
    elapsed, periods = so_far.shape[0], basis.last.shape[0]
    if not elapsed:
        return 0.0
    guards = elapsed * GUARD * basis.usual / periods
    error = np.log(np.maximum(so_far.sum(axis=0), 0) + guards) - rest.foreseen
    return _density(error, rest.doubt) - _density(np.sqrt(rest.doubt), rest.doubt)


def _modelled(rest: Rest, so_far: Floats, basis: Basis, size: Floats) -> tuple[Floats, Floats]:
    """The structural model's forecast of the year's total and its squared scale, log scale.

    size: the usual total by which the model guards its logarithms.
    """
    elapsed, periods = so_far.shape[0], basis.last.shape[0]
    done, left = so_far.sum(axis=0), periods - elapsed
    log = rest.level + (rest.pull * guarded(so_far, size / periods)).sum(axis=0)
    ahead = np.maximum(np.exp(log) - left * GUARD * size / periods, 0)
    part = np.nan_to_num(ahead / (done + ahead))
    square = MODEL_WIDER * _narrow(left / periods) * rest.variance * part**2 + (FLOOR * left / periods) ** 2
    return _log(done + ahead, basis.usual), square


def _read(history: Floats, wanted: list[int]) -> Shape:
    """Walk through the complete years, (years, periods, n): forecast each from those before it, then weigh."""
    years, periods, n = history.shape
    past, structure, size = Past(periods, n), Structure(history), history.mean(axis=(0, 1)) * periods
    errors = {m: np.full((years, METHODS, n), np.nan) for m in wanted}
    modelled = {m: np.full((2, years, n), np.nan) for m in wanted}  # error, squared scale
    for k, year in enumerate(history):
        total = year.sum(axis=0)
        if k:
            basis = past.basis()
            truth = _log(total, basis.usual)
            for m, rest in structure.rest(k, wanted).items():
                errors[m][k] = _forecasts(basis, year[:m]) - truth
                centre, modelled[m][1, k] = _modelled(rest, year[:m], basis, size)
                modelled[m][0, k] = centre - truth
        past.add(year, total)
    ahead = structure.rest(years, wanted)
    moments = {m: _weigh(errors[m], modelled[m], ahead[m], 1 - m / periods) for m in wanted}
    return Shape(past.basis(), (years >= MIN_YEARS) & (size > 0), moments)


def _weigh(errors: Floats, modelled: Floats, rest: Rest, left: float) -> Moment:
    """Weigh the methods by their errors, (years, METHODS, n), and their combination against the model.

    modelled: the model's errors and squared scales, (2, years, n); left: the part of the year that is left.
    """
    seen: Bools = np.all(np.isfinite(errors), axis=1) & np.isfinite(modelled[0])
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
    expected = PRIOR_YEARS * (weights * each).sum(axis=0)
    square = (own + expected) / (count + PRIOR_YEARS) + (FLOOR * left) ** 2
    score = _density(np.clip(modelled[0], -LIMIT, LIMIT), modelled[1]) - _density(combined, _narrow(left) * square)
    return Moment(
        weights,
        bias=(memory * combined).sum(axis=0) / (count + BIAS_YEARS),
        square=square,
        ahead=HEAD_START + EVIDENCE * np.where(seen, memory * score, 0.0).sum(axis=0),
        **{name: getattr(rest, name) for name in Rest.__struct_fields__},
    )


def _narrow(left: float) -> float:
    """Squared scale of the t / mean square error: the fewer periods are summed, the heavier the tails round a narrow middle."""
    return NARROW[0] + NARROW[1] * left


def _density(error: Floats, square: Floats) -> Floats:
    """Logarithm of the density of Student's t for 3 degrees of freedom and this squared scale, but for a constant."""
    return np.asarray(-np.log(square) / 2 - 2 * np.log1p(error**2 / square / 3))


class Past:
    """Running sums over the complete years seen so far, for one chunk of series."""

    def __init__(self, periods: int, n: int) -> None:
        self.years = 0
        self.sum: Floats = np.zeros(n)
        self.last: Floats = np.zeros((periods, n))
        self.step: Floats | None = None  # of the total, into the last year
        self.shares, self.quick = np.zeros((2, 1 + periods, n))  # plain and weighted sums of 1 and cumulative shares
        self.season = np.zeros((1 + periods, n))  # of 1 and of period / trend, without the last year

    def add(self, year: Floats, total: Floats) -> None:
        """Take in one year, (periods, n)."""
        if self.years:
            step = total - self.last.sum(axis=0)
            self.season = SEASON * self.season + self._factors(step)
            self.step = step
        share = np.concatenate([np.ones((1, total.size)), np.cumsum(year, axis=0) / total])
        usable = total > 0
        self.shares = np.where(usable, self.shares + share, self.shares)
        self.quick = np.where(usable, QUICK * self.quick + share, self.quick)
        self.last, self.sum, self.years = year, self.sum + total, self.years + 1

    def _factors(self, after: Floats) -> Floats:
        """1 and the last year's periods as multiples of its trend, (1 + periods, n); zeros where the year was nil.

        The trend joins the middles of the years by straight lines; after is the step of the total to the next year.
        """
        periods = self.last.shape[0]
        total = self.last.sum(axis=0)
        before = after if self.step is None else self.step
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


def carried(past_at: Floats, past_end: Floats, now: Floats) -> Outlook:
    """The distribution of a year's end that is no sum: a level, a growth, a share; now, (n,), in its own unit.

    past_at, past_end: the figure at this period and at the end of past years, (years, n), oldest first, NaN where
    missing.  The figure moves on as it did in those years, on average; that move is shrunk to none, for what has
    moved seldom goes on.  At least MIN_MOVES years, else silence.  A figure that never moved after this period, as
    all at a year's end, is final.
    """
    move = past_end - past_at
    known = np.isfinite(move)
    memory = MEMORY ** np.arange(len(move))[::-1, None] * known
    count = memory.sum(axis=0)
    move = np.where(known, move, 0.0)
    mean = (memory * move).sum(axis=0) / (count + BIAS_YEARS)
    with np.errstate(divide="ignore", invalid="ignore"):
        square = (memory * (move - mean) ** 2).sum(axis=0) / count * (1 + 1 / count)
    scale = np.sqrt(MOVE_NARROW * square)
    done = np.where(scale > 0, -np.inf, now)
    return Outlook(now + mean, scale, None, done, (known.sum(axis=0) >= MIN_MOVES) & np.isfinite(now))
