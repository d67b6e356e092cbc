"""A structural model of a monthly series, averaged over its unknown proportions, for many series at once.

The logarithm of a figure is a level that wanders, a steady drift, a season that changes from year to year, and noise
(Harvey 1989).  What differs between series is how these compare with the noise; PROPORTIONS is a coarse net over that.
Each point of the net is a Gaussian process with a known covariance, the same for all series, so its Cholesky factor L
is worked out once and serves every series: solving L z = y gives the one-step errors z, their sum of squares the
likelihood (the noise variance integrated out), rows of L times z the forecast, and the rest of those rows its
covariance.  The forecasts are averaged by likelihood (Bayesian model averaging, Hoeting et al. 1999): no search, no
fit, only matrix products.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import product

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.floating]

LEVELS = (0.003, 0.05, 0.5, 5.0)  # variance of the level's step from period to period, against the noise
DRIFTS = (1e-4, 3e-2)  # of the drift, a period
SEASON = 0.1  # of the season's step from year to year
PROPORTIONS = tuple(product(LEVELS, DRIFTS))
VAGUE = 1e4  # variance of the first level against the noise, and three times that of the first season
GUARD = 0.01  # part of a usual period that is added to a figure before its logarithm is taken
PRIOR_NOISE, PRIOR_COUNT = 0.02, 3  # noise before any figure is seen, relative, and the errors that it is worth


class Rest(Struct, frozen=True):
    """The rest of a year: log(sum of the periods left, guards added) is level + pull . logs of the elapsed periods."""

    level: Floats  # (n,)
    pull: Floats  # (elapsed, n)
    variance: Floats  # (n,), of that logarithm
    foreseen: Floats  # (n,), log(sum of the elapsed periods, guards added) before they were known; -inf for none
    doubt: Floats  # (n,), variance of that


class Structure:
    """One-step errors of complete years under every proportion."""

    def __init__(self, history: Floats) -> None:
        """History is (years, periods, n), at least one year, without gaps."""
        years, self.periods, n = history.shape
        logs = guarded(history, history.mean(axis=(0, 1))).reshape(-1, n)
        self.centre = logs[: self.periods].mean(axis=0)
        self.factor, inverse = factors(self.periods, years)
        self.errors = inverse @ (logs - self.centre).astype(np.float32)  # (proportions, time, n)
        squares = (self.errors**2).reshape(len(PROPORTIONS), years, self.periods, n).sum(axis=2)
        self.squares = squares.cumsum(axis=1)

    def rest(self, year: int, wanted: Iterable[int]) -> dict[int, Rest]:
        """By elapsed periods, the rest of the year that has so many years before it, as they foretell it."""
        now = year * self.periods
        weights, noise = self._posterior(year)
        ahead = self.factor[:, now : now + self.periods, :now] @ self.errors[:, :now]
        return {m: self._rest(self.factor[:, now:, now:], ahead, weights, noise, m) for m in wanted}

    def _posterior(self, year: int) -> tuple[Floats, Floats]:
        """Probability and noise variance of each proportion, (proportions, n), from the years before."""
        count = max((year - 1) * self.periods - 1, 0) + PRIOR_COUNT
        squares = self.squares[:, year - 1] + PRIOR_COUNT * PRIOR_NOISE**2
        sizes = np.log(np.diagonal(self.factor, axis1=1, axis2=2)[:, : year * self.periods]).sum(axis=1)
        likelihood = -sizes[:, None] - count / 2 * np.log(squares)
        weights = np.exp(likelihood - likelihood.max(axis=0))
        return weights / weights.sum(axis=0), squares / count

    def _rest(self, factor: Floats, ahead: Floats, weights: Floats, noise: Floats, m: int) -> Rest:
        """Average over the proportions; the logarithm of the sum is taken as linear around the expected months."""
        so_far, left = ahead[:, :m], ahead[:, m:]
        later = factor[:, m : self.periods]
        total, part, apart = _sum(left, weights)
        pull = (later[:, :, :m] @ np.linalg.inv(factor[:, :m, :m])).swapaxes(1, 2) @ part  # (proportions, m, n)
        surprise = (weights[:, None] * so_far).sum(axis=0) - so_far
        apart = apart + (pull * surprise).sum(axis=1)
        pulled = (weights[:, None] * pull).sum(axis=0)
        level = total - (weights * (pull * so_far).sum(axis=1)).sum(axis=0)
        foreseen, elapsed_part, elapsed_apart = _sum(so_far, weights)
        return Rest(
            level + self.centre * (1 - pulled.sum(axis=0)),
            pulled,
            variance=(weights * (_variance(later[:, :, m : self.periods], part) * noise + apart**2)).sum(axis=0),
            foreseen=foreseen + self.centre,
            doubt=(weights * (_variance(factor[:, :m, :m], elapsed_part) * noise + elapsed_apart**2)).sum(axis=0),
        )


def _sum(logs: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Of some months, (proportions, months, n): logarithm of their sum, part of each month, what each proportion adds.

    The first two are those of the average over the proportions.
    """
    mean = (weights[:, None] * logs).sum(axis=0)
    months = np.exp(mean)
    part = months / months.sum(axis=0)
    with np.errstate(divide="ignore"):  # of no months at all
        total = np.log(months.sum(axis=0))
    return total, part, (part * (logs - mean)).sum(axis=1)


def _variance(factor: Floats, part: Floats) -> Floats:
    """Of the logarithm of a sum, (proportions, n), against the noise."""
    return np.asarray(((factor.swapaxes(1, 2) @ part) ** 2).sum(axis=1))


def guarded(figures: Floats, usual: Floats) -> Floats:
    """Logarithms of figures whose usual size is known: finite at zero."""
    return np.asarray(np.log(np.maximum(figures, 0) + GUARD * usual))


@lru_cache(maxsize=64)
def factors(periods: int, years: int) -> tuple[Floats, Floats]:
    """Cholesky factors over one year more than are seen, and the inverses of those of the years that are."""
    time = np.arange((years + 1) * periods)
    year, period = np.divmod(time, periods)
    shared = np.minimum.outer(time, time) + 1.0
    same = np.equal.outer(period, period) / 3.0
    factor = np.array([
        np.linalg.cholesky(
            np.eye(time.size) + VAGUE + level * shared + drift * np.outer(time, time)
            + same * (VAGUE + 3 * SEASON * (np.minimum.outer(year, year) + 1))
        )
        for level, drift in PROPORTIONS
    ])  # fmt: skip
    seen = years * periods
    return factor.astype(np.float32), np.linalg.inv(factor[:, :seen, :seen]).astype(np.float32)
