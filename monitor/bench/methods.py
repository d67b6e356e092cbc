"""The methods that are compared: each gives the probability that a year reaches its goal, from its first months.

* duban: the landing forecast;
* naive: the share of the year reached by now, from the mean and spread of past years' shares, with Student's t;
* ets: damped-trend seasonal exponential smoothing of statsmodels, 500 simulated paths;
* linear: the straight line of the year that offices draw today (a ratio, no probability).
"""

import importlib
import warnings
from typing import Any

import numpy as np

from monitor.bench.cases import Cases, Floats
from rules import forecast
from rules.document import Invalid

PATHS = 500


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


def ets_model() -> Any:
    """The ETSModel class. Raises Invalid where statsmodels is not installed."""
    try:
        return importlib.import_module("statsmodels.tsa.exponential_smoothing.ets").ETSModel
    except ImportError:
        raise Invalid(
            ["对照方法 ETS 需要 statsmodels，尚未安装 (no statsmodels)；请安装 duban[dev]，或写 --ets 0"]
        ) from None


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
