import numpy as np
import pytest

from rules import structural
from rules.structural import Structure, guarded


def walks(*, years=5, periods=4, n=3, step=0.05, noise=0.05, seed=0):
    """Seasonal random walks with noise, (years, periods, n)."""
    draw = np.random.default_rng(seed)
    level = draw.normal(0, step, (years * periods, n)).cumsum(axis=0).reshape(years, periods, n)
    season = draw.normal(0, 0.3, (periods, n))
    return 100 * np.exp(level + season + draw.normal(0, noise, (years, periods, n)))


@pytest.fixture
def _one_proportion(monkeypatch):
    monkeypatch.setattr(structural, "PROPORTIONS", ((0.5, 0.01),))
    structural.factors.cache_clear()
    yield
    structural.factors.cache_clear()


def covariance(size, periods, level, drift):
    """Of the model's logarithms, against the noise, entry by entry."""
    entries = np.zeros((size, size))
    for s in range(size):
        for t in range(size):
            entries[s, t] = structural.VAGUE + level * (min(s, t) + 1) + drift * s * t + (s == t)
            if s % periods == t % periods:
                entries[s, t] += structural.VAGUE / 3 + structural.SEASON * (min(s, t) // periods + 1)
    return entries


@pytest.mark.usefixtures("_one_proportion")
@pytest.mark.parametrize("year", [2, 4])
def test_the_last_period_is_foretold_as_by_conditioning_a_gaussian(year):
    figures = walks()
    structure = Structure(figures[:4])
    logs = guarded(figures, figures[:4].mean(axis=(0, 1))).reshape(-1, 3)
    seen, size = year * 4 + 3, year * 4 + 4
    prior = covariance(size, 4, 0.5, 0.01)
    gain = np.linalg.solve(prior[:seen, :seen], prior[:seen, seen])
    rest = structure.rest(year, [3])[3]
    told = rest.level + (rest.pull * logs[seen - 3 : seen]).sum(axis=0)
    np.testing.assert_allclose(told, structure.centre + gain @ (logs[:seen] - structure.centre), atol=1e-4)
    past = prior[: year * 4, : year * 4]
    squares = np.einsum("tn,tn->n", y := logs[: year * 4] - structure.centre, np.linalg.solve(past, y))
    count = (year - 1) * 4 - 1 + structural.PRIOR_COUNT
    noise = (squares + structural.PRIOR_COUNT * structural.PRIOR_NOISE**2) / count
    np.testing.assert_allclose(rest.variance, noise * (prior[seen, seen] - gain @ prior[:seen, seen]), rtol=1e-2)


def test_a_walk_is_told_from_noise_around_a_level():
    for step, noise, moves in ((0.1, 0.005, True), (0.0, 0.1, False)):
        weights, _ = Structure(walks(years=8, periods=12, n=50, step=step, noise=noise))._posterior(8)
        assert weights.sum(axis=0) == pytest.approx(1, abs=1e-5)
        free = weights[[level >= 0.5 for level, _ in structural.PROPORTIONS]].sum(axis=0)
        assert (np.median(free) > 0.9) == moves


def test_a_year_not_yet_begun_is_foretold_and_steady_years_leave_little_doubt():
    rests = Structure(walks(periods=12)).rest(5, range(12))
    assert rests[0].pull.shape == (0, 3)
    assert np.isfinite(rests[0].level).all()
    assert (rests[3].doubt > 0).all()
    steady = Structure(np.tile(walks(years=1, periods=12), (5, 1, 1))).rest(5, [3])[3]
    assert (steady.variance < 1e-3).all()


@pytest.mark.parametrize("periods", [1, 2, 4, 12])
def test_any_number_of_periods_and_years_is_read(periods):
    for years in (1, 3):
        for rest in Structure(walks(years=years, periods=periods)).rest(years, range(periods)).values():
            assert np.isfinite(rest.level).all()
            assert (rest.variance > 0).all()
