import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import forecast

SEASON = np.array([6, 4, 8, 8, 9, 9, 8, 8, 9, 10, 10, 11]) / 100


def made(*, years=6, n=40, noise=0.05, growth=0.03, seed=0, periods=12):
    """Seasonal, growing, noisy series: history (years, periods, n) and the year after it, (periods, n)."""
    draw = np.random.default_rng(seed)
    season = SEASON if periods == 12 else np.array([0.18, 0.26, 0.25, 0.31])
    level = 1000 * draw.lognormal(0, 1, n) * np.exp(growth * np.arange(years + 1))[:, None]
    cube = level[:, None] * season[:, None] * draw.lognormal(0, noise, (years + 1, periods, n))
    return cube[:-1], cube[-1]


def land(history, so_far, goal):
    return forecast.landing(forecast.shape(history, [so_far.shape[0]]), so_far, goal)


def same(one, other, rtol=2e-4):
    for name in ("probability", "low", "median", "high"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=rtol, atol=1e-5, err_msg=name)
    assert (one.spoken == other.spoken).all()


def test_a_goal_already_reached_has_probability_one():
    history, year = made()
    assert (land(history, year[:5], year[:5].sum(axis=0)).probability == 1).all()


def test_a_goal_far_out_of_reach_has_hardly_any_probability():
    history, year = made()
    assert (land(history, year[:9], 3 * year.sum(axis=0)).probability < 0.01).all()


def test_the_full_year_is_certain():
    history, year = made()
    total = year.sum(axis=0)
    landing = land(history, year, total * np.where(np.arange(total.size) % 2, 1.01, 1))
    assert set(landing.probability) == {0.0, 1.0}
    assert (landing.low == landing.high).all()


def test_the_median_is_the_goal_of_probability_one_half():
    history, year = made()
    median = land(history, year[:4], year.sum(axis=0)).median
    np.testing.assert_allclose(land(history, year[:4], median).probability, 0.5, atol=1e-6)


def test_the_ends_of_the_interval_are_the_goals_of_a_tenth_and_nine_tenths():
    history, year = made()
    landing = land(history, year[:4], year.sum(axis=0))
    np.testing.assert_allclose(land(history, year[:4], landing.high).probability, 0.1, atol=1e-6)
    np.testing.assert_allclose(land(history, year[:4], landing.low).probability, 0.9, atol=1e-6)


def test_the_interval_holds_about_four_years_of_five():
    history, year = made(years=8, n=3000)
    total = year.sum(axis=0)
    for elapsed in (1, 3, 6, 9):
        landing = land(history, year[:elapsed], total)
        assert 0.7 < ((landing.low <= total) & (total <= landing.high)).mean() < 0.97


def test_the_interval_narrows_as_the_year_goes_on():
    history, year = made(n=400)
    shape = forecast.shape(history)
    widths = []
    for elapsed in (0, 3, 6, 9, 11):
        landing = forecast.landing(shape, year[:elapsed], year.sum(axis=0))
        widths.append(np.mean((landing.high - landing.low) / landing.median))
    assert widths == sorted(widths, reverse=True)


def test_the_landing_is_never_below_what_is_already_there():
    history, year = made()
    so_far = year[:3] * 20
    landing = land(history, so_far, year.sum(axis=0))
    assert (landing.low >= so_far.sum(axis=0)).all()


def test_a_season_without_noise_is_forecast_exactly():
    history, year = made(noise=0, growth=0)
    landing = land(history, year[:2], year.sum(axis=0))
    np.testing.assert_allclose(landing.median, year.sum(axis=0), rtol=1e-4)


@pytest.mark.parametrize("growth", [-0.1, 0.1])
def test_a_steady_growth_is_learnt_from_past_misses_and_not_overdone(growth):
    history, year = made(noise=0, growth=growth, years=8)
    total, before = year.sum(axis=0), history[-1].sum(axis=0)
    part = np.log(land(history, year[:0], total).median / before) / growth
    assert ((part > 0.2) & (part < 1.02)).all()


def test_the_longer_a_growth_has_lasted_the_more_of_it_is_expected():
    parts = []
    for years in (2, 4, 8, 16):
        history, year = made(noise=0, growth=0.1, years=years)
        landing = land(history, year[:3], year.sum(axis=0))
        parts.append(np.mean(np.abs(landing.median / year.sum(axis=0) - 1)))
    assert parts[0] > parts[1] > max(parts[2:])
    assert parts[-1] < 0.005


def test_a_lasting_break_moves_the_forecast_toward_the_new_level():
    history, year = made(noise=0.02, growth=0)
    landing = land(history, year[:6] * 0.5, year.sum(axis=0))
    np.testing.assert_allclose(landing.median, year.sum(axis=0) * 0.5, rtol=0.12)
    assert (landing.probability < 0.05).all()


def test_quarters_work_as_months_do():
    history, year = made(periods=4, n=500)
    total = year.sum(axis=0)
    for elapsed in (1, 2, 3):
        landing = land(history, year[:elapsed], total * 0.8)
        assert landing.spoken.all()
        assert (landing.probability > 0.5).all()
        np.testing.assert_allclose(landing.median, total, rtol=0.35)


def test_a_history_of_one_year_stays_silent_and_two_speak():
    history, year = made(years=2, n=3)
    history[0, :, 0] = np.nan
    history[:, :, 1] = np.nan
    landing = land(history, year[:3], year.sum(axis=0))
    assert landing.spoken.tolist() == [False, False, True]
    for values in (landing.probability, landing.low, landing.median, landing.high):
        assert np.isnan(values).tolist() == [True, True, False]


def test_a_year_with_one_missing_month_is_a_missing_year():
    history, year = made(n=5)
    hole = history.copy()
    hole[2, 7] = np.nan
    gone = history.copy()
    gone[2] = np.nan
    same(land(hole, year[:4], year.sum(axis=0)), land(gone, year[:4], year.sum(axis=0)))


def test_missing_years_at_the_front_change_nothing():
    history, year = made(years=4)
    longer = np.concatenate([np.full((3, *history.shape[1:]), np.nan), history])
    same(land(longer, year[:4], year.sum(axis=0)), land(history, year[:4], year.sum(axis=0)))


def test_what_this_year_lacks_silences_only_its_own_series():
    history, year = made(n=4)
    so_far, goal = year[:3].copy(), year.sum(axis=0)
    so_far[1, 2] = np.nan
    goal[3] = np.nan
    landing = land(history, so_far, goal)
    assert landing.spoken.tolist() == [True, True, False, False]
    assert np.isnan(landing.probability).tolist() == [False, False, True, True]


def test_a_series_of_nothing_but_zeros_stays_silent():
    landing = land(np.zeros((5, 12, 2)), np.zeros((3, 2)), np.ones(2))
    assert not landing.spoken.any()


def test_zeros_here_and_there_give_finite_forecasts():
    draw = np.random.default_rng(3)
    history = draw.poisson(0.4, (6, 12, 300)).astype(float)
    year = draw.poisson(0.4, (12, 300)).astype(float)
    alive = history.sum(axis=(0, 1)) > 0
    for elapsed in (0, 1, 3, 9):
        landing = land(history, year[:elapsed], np.full(300, 5.0))
        assert (landing.spoken == alive).all()
        assert np.isfinite(landing.high[alive]).all()
        assert ((landing.probability >= 0) & (landing.probability <= 1))[alive].all()


def test_figures_that_are_taken_back_now_and_then_do_no_harm():
    history, year = made()
    history[:, 4] *= -0.5
    year[4] *= -0.5
    for elapsed in (3, 5, 9):
        landing = land(history, year[:elapsed], year.sum(axis=0) * 0.5)
        assert landing.spoken.all()
        assert (landing.probability > 0.9).all()


def test_work_that_only_starts_in_autumn_is_not_given_up_in_spring():
    history, _ = made(n=10)
    history[:, :8] = 0
    landing = land(history, np.zeros((5, 10)), history[-1].sum(axis=0) * 0.9)
    assert (landing.probability > 0.4).all()


def test_an_elapsed_period_that_was_not_prepared_is_refused():
    history, year = made(n=2)
    with pytest.raises(ValueError, match="4 elapsed"):
        forecast.landing(forecast.shape(history, [3]), year[:4], year.sum(axis=0))


def test_one_prepared_period_gives_what_all_prepared_periods_give():
    history, year = made()
    every = forecast.landing(forecast.shape(history), year[:7], year.sum(axis=0))
    same(every, land(history, year[:7], year.sum(axis=0)))


def test_the_input_is_left_untouched():
    history, year = made(n=3)
    before = history.copy(), year.copy()
    land(history, year[:3], year.sum(axis=0))
    assert (history == before[0]).all()
    assert (year == before[1]).all()


def test_more_series_than_a_pass_takes_are_forecast_alike(monkeypatch):
    history, year = made(n=23)
    whole = land(history, year[:3], year.sum(axis=0))
    monkeypatch.setattr(forecast, "CHUNK", 7)
    same(whole, land(history, year[:3], year.sum(axis=0)))


def test_the_bounds_share_one_distribution():
    history, year = made(noise=0.2)
    view = forecast.outlook(forecast.shape(history, [4]), year[:4])
    low, _, high = forecast.interval(view)
    assert forecast.probability(view, low) == pytest.approx(0.9)
    assert forecast.probability(view, most=low) == pytest.approx(0.1)
    assert forecast.probability(view, low, high) == pytest.approx(forecast.INTERVAL)
    assert forecast.probability(view, high, low) == pytest.approx(0)
    none = np.full(40, np.inf)
    np.testing.assert_allclose(forecast.probability(view, low, none), forecast.probability(view, low))
    np.testing.assert_allclose(forecast.probability(view, -none, high), forecast.probability(view, most=high))
    assert (forecast.probability(view) == 1).all()


def test_a_bound_of_nan_has_no_probability_and_the_others_keep_theirs():
    history, year = made(n=3)
    view = forecast.outlook(forecast.shape(history, [4]), year[:4])
    bound = year.sum(axis=0) * [1, np.nan, 1]
    for p in (forecast.probability(view, bound), forecast.probability(view, most=bound)):
        assert np.isnan(p).tolist() == [False, True, False]


def test_a_ceiling_that_is_passed_is_lost_and_one_that_is_met_exactly_is_not():
    history, year = made(n=30)
    view = forecast.outlook(forecast.shape(history, [4]), year[:4])
    assert (forecast.probability(view, most=view.done * 0.99) == 0).all()
    final = forecast.outlook(forecast.shape(history, []), year)
    assert (forecast.probability(final, final.done, final.done) == 1).all()
    assert (forecast.probability(final, most=final.done * 0.99) == 0).all()
    assert (forecast.probability(final, final.done * 1.01) == 0).all()
    draw = np.random.default_rng(1).poisson(0.2, (6, 12, 30)).astype(float)
    quiet = forecast.outlook(forecast.shape(draw, [9]), np.zeros((9, 30)))
    p = forecast.probability(quiet, most=np.zeros(30))
    assert ((p > 0) & (p < 1))[quiet.spoken].all()


@pytest.mark.parametrize(("t", "p"), [(0, 0.5), (1.637744, 0.9), (2.353363, 0.95), (4.540703, 0.99), (10.21453, 0.999)])
def test_the_t_distribution_agrees_with_the_printed_table(t, p):
    assert forecast.student_cdf(np.array([t, -t])) == pytest.approx([p, 1 - p], abs=1e-6)


def test_the_t_distribution_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    t = np.linspace(-40, 40, 401)
    np.testing.assert_allclose(forecast.student_cdf(t), stats.t.cdf(t, 3), atol=1e-12)


def test_the_tail_is_the_quantile_of_the_interval():
    assert forecast.student_cdf(np.array([forecast.TAIL]))[0] == pytest.approx((1 + forecast.INTERVAL) / 2)


@pytest.mark.parametrize(("left", "lost", "safe"), [(0.75, 0.2, 0.9), (0.5, 0.3, 0.8), (0.25, 0.4, 0.7)])
def test_a_forecast_overrules_the_curve_only_where_it_is_sure(left, lost, safe):
    p = np.array([lost - 0.01, lost + 0.01, safe - 0.01, safe + 0.01, np.nan])
    behind, ahead = np.ones(5, bool), np.zeros(5, bool)
    assert forecast.warning(behind, p, left).tolist() == [True, True, True, False, True]
    assert forecast.warning(ahead, p, left).tolist() == [True, False, False, False, False]


@pytest.mark.parametrize("bias", [-0.6, 0.0, 0.6])
def test_a_forecast_as_good_as_its_word_warns_of_more_missed_years_and_more_rightly_than_the_curve(bias):
    draw = np.random.default_rng(5)
    p = draw.beta(0.7, 0.7, 20_000)
    missed = draw.random(p.size) > p
    behind = draw.normal(1 - p, 0.4) > 0.5 + bias / 2
    warned = forecast.warning(behind, p, 0.5)
    assert warned[missed].mean() > behind[missed].mean()
    assert missed[warned].mean() > missed[behind].mean()


seeds = st.integers(0, 10_000)
elapsed_months = st.integers(0, 11)


@settings(max_examples=25, deadline=None)
@given(seeds, elapsed_months, st.floats(0.5, 2), st.floats(1, 1.5))
def test_a_higher_goal_is_never_more_probable(seed, elapsed, factor, more):
    history, year = made(n=20, noise=0.3, seed=seed)
    goal = year.sum(axis=0) * factor
    shape = forecast.shape(history, [elapsed])
    lower = forecast.landing(shape, year[:elapsed], goal).probability
    assert (forecast.landing(shape, year[:elapsed], goal * more).probability <= lower + 1e-12).all()  # rounding


@settings(max_examples=25, deadline=None)
@given(seeds, elapsed_months, st.sampled_from([1e-6, 0.01, 3, 1e4, 1e9]))
def test_the_unit_of_a_series_does_not_matter(seed, elapsed, unit):
    history, year = made(n=20, noise=0.3, seed=seed)
    goal = year.sum(axis=0)
    one, other = land(history, year[:elapsed], goal), land(history * unit, year[:elapsed] * unit, goal * unit)
    np.testing.assert_allclose(other.probability, one.probability, atol=1e-3)
    for name in ("low", "median", "high"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name) * unit, rtol=1e-3)


@settings(max_examples=25, deadline=None)
@given(seeds, elapsed_months)
def test_the_order_of_the_series_does_not_matter(seed, elapsed):
    history, year = made(n=20, noise=0.3, seed=seed)
    goal = year.sum(axis=0)
    turned = np.random.default_rng(seed).permutation(20)
    one = land(history, year[:elapsed], goal)
    other = land(history[:, :, turned], year[:elapsed][:, turned], goal[turned])
    np.testing.assert_allclose(other.probability, one.probability[turned], rtol=1e-4)
    np.testing.assert_allclose(other.median, one.median[turned], rtol=1e-4)


@settings(max_examples=25, deadline=None)
@given(seeds, elapsed_months)
def test_the_other_series_do_not_matter(seed, elapsed):
    history, year = made(n=20, noise=0.3, seed=seed)
    goal = year.sum(axis=0)
    alone = land(history[:, :, :3], year[:elapsed, :3], goal[:3])
    np.testing.assert_allclose(alone.probability, land(history, year[:elapsed], goal).probability[:3], rtol=1e-4)


@settings(max_examples=25, deadline=None)
@given(seeds, elapsed_months, st.integers(1, 6), st.floats(0, 0.9))
def test_any_history_gives_probabilities_and_an_ordered_interval_or_silence(seed, elapsed, years, holes):
    draw = np.random.default_rng(seed)
    history, year = made(years=years, n=30, noise=1.0, seed=seed)
    history[draw.random(history.shape) < holes * holes] = 0
    history[draw.random(history.shape) < holes / 12] = np.nan
    landing = land(history, year[:elapsed], year.sum(axis=0))
    spoken = landing.spoken
    assert not spoken[(np.isfinite(history.sum(axis=1)).sum(axis=0) < forecast.MIN_YEARS)].any()
    assert ((landing.probability >= 0) & (landing.probability <= 1))[spoken].all()
    assert ((landing.low <= landing.median) & (landing.median <= landing.high))[spoken].all()
    assert np.isnan(landing.probability[~spoken]).all()


def moves(*, years=5, n=4000, drift=0.0, seed=0):
    """A growth rate at mid-year and at the end, of past years and of this one."""
    draw = np.random.default_rng(seed)
    at = draw.normal(5, 2, (years + 1, n))
    end = at + drift + draw.normal(0, draw.lognormal(0, 0.5, n), (years + 1, n))
    return at[:-1], end[:-1], at[-1], end[-1]


def test_a_carried_figure_ends_where_its_probabilities_say():
    at, end, now, truth = moves()
    view = forecast.carried(at, end, now)
    assert view.spoken.all()
    low, median, high = forecast.interval(view)
    assert 0.76 < ((low <= truth) & (truth <= high)).mean() < 0.9
    bounds = now + np.random.default_rng(9).normal(0, 1.5, now.size)
    p = forecast.probability(view, bounds)
    for lowest in np.arange(0, 1, 0.1):
        here = (p >= lowest) & (p < lowest + 0.1)
        assert abs((truth >= bounds)[here].mean() - p[here].mean()) < 0.06
    np.testing.assert_allclose(forecast.probability(view, median), 0.5, atol=1e-9)


def test_a_carried_figure_takes_over_part_of_its_usual_move():
    at, end, now, _ = moves(drift=-3.0, years=8)
    part = np.mean(forecast.carried(at, end, now).centre - now) / -3.0
    assert 0.2 < part < 0.8


def test_a_carried_figure_speaks_from_three_years_on_whatever_the_others_have():
    at, end, now, _ = moves(years=4, n=4)
    at[0, 1], end[1:3, 2], now[3] = np.nan, np.nan, np.nan
    view = forecast.carried(at, end, now)
    assert view.spoken.tolist() == [True, True, False, False]
    alone = forecast.carried(at[:, 1:2], end[:, 1:2], now[1:2])
    assert (alone.centre[0], alone.scale[0]) == (view.centre[1], view.scale[1])
    assert np.isnan(forecast.probability(view, now)).tolist() == [False, False, True, True]
    assert not forecast.carried(at[:0], end[:0], now).spoken.any()


def test_a_carried_figure_at_the_end_of_the_year_is_final():
    _, end, _, now = moves(n=5)
    view = forecast.carried(end, end, now)
    assert (forecast.probability(view, now, now) == 1).all()
    assert (forecast.probability(view, now + 0.01) == 0).all()
    assert (forecast.probability(view, most=now - 0.01) == 0).all()
    np.testing.assert_array_equal(forecast.interval(view), np.tile(now, (3, 1)))


def test_the_unit_and_the_zero_of_a_carried_figure_do_not_matter():
    at, end, now, truth = moves(n=50)
    one = forecast.probability(forecast.carried(at, end, now), truth)
    other = forecast.probability(forecast.carried(at * 100 - 7, end * 100 - 7, now * 100 - 7), truth * 100 - 7)
    np.testing.assert_allclose(other, one, atol=1e-9)
