import dataclasses
import importlib
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import bench_pace

SEASON = np.array([6, 4, 8, 8, 9, 9, 8, 8, 9, 10, 10, 11]) / 100


def table(years=9, n=5, seed=0, first=2001):
    """A wide monthly table of n noisy, growing series."""
    draw = np.random.default_rng(seed)
    months = pd.period_range(f"{first}-01", f"{first + years - 1}-12", freq="M")
    growth = np.exp(0.03 * np.arange(years)).repeat(12)[:, None]
    values = 1000 * np.tile(SEASON, years)[:, None] * growth * draw.lognormal(0, 0.1, (years * 12, n))
    return pd.DataFrame(values, index=months, columns=[f"series {i}" for i in range(n)])


def written(tmp_path, frame):
    path = tmp_path / "figures.csv"
    frame.rename_axis("month").to_csv(path)
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return bench_pace.run(written(tmp_path_factory.mktemp("pace"), table(n=40)), ets_sample=0)


def test_each_series_gives_six_years_at_most_from_those_with_four_before_them():
    cases = bench_pace.make_cases(table(years=12, n=3))
    assert sorted(set(cases.series)) == ["series 0", "series 1", "series 2"]
    for name in set(cases.series):
        years = [year for s, year in zip(cases.series, cases.calendar_year, strict=True) if s == name]
        assert len(years) == len(set(years)) == 6
        assert min(years) >= 2005


def test_a_short_series_gives_every_year_it_can():
    cases = bench_pace.make_cases(table(years=6, n=1))
    assert cases.calendar_year == [2005, 2006]


def test_five_complete_years_are_too_few():
    with pytest.raises(ValueError, match="6 complete"):
        bench_pace.make_cases(table(years=5))


def test_the_history_is_the_eight_years_before_at_most():
    frame = table(years=11, n=1)
    cases = bench_pace.make_cases(frame)
    for k, year in enumerate(cases.calendar_year):
        seen = cases.history[:, :, k][np.isfinite(cases.history[:, 0, k])].ravel()
        expected = frame.loc[f"{max(2001, year - 8)}-01" : f"{year - 1}-12", "series 0"].to_numpy()
        np.testing.assert_array_equal(seen, expected)
        np.testing.assert_array_equal(cases.year[:, k], frame.loc[f"{year}-01" : f"{year}-12", "series 0"])


def test_a_negative_or_a_missing_month_spoils_its_year():
    frame = table(years=14, n=2)
    frame.loc["2007-05", "series 0"] = -1
    frame.loc["2007-05", "series 1"] = np.nan
    cases = bench_pace.make_cases(frame)
    assert set(cases.calendar_year) <= {2005, 2006, 2012, 2013, 2014}


def test_a_year_that_begins_or_ends_within_is_not_complete(tmp_path):
    frame = table(years=8, n=1).iloc[3:-2]
    cases = bench_pace.make_cases(bench_pace.read(written(tmp_path, frame)))
    assert cases.calendar_year == [2006, 2007]


def test_the_goal_is_last_year_grown_by_the_median_of_three_growths():
    totals = np.array([100.0, 100, 110, 121, 242])
    history = totals[:, None, None] / 12 * np.ones((5, 12, 1))
    assert bench_pace.office_goal(history) == pytest.approx([242 * 1.1])


def test_the_draw_is_the_same_for_the_same_seed_and_another_for_another():
    frame = table(years=20, n=5)
    years = [bench_pace.make_cases(frame, seed).calendar_year for seed in (7, 7, 8)]
    assert years[0] == years[1] != years[2]


def test_nil_years_leave_no_goal_and_are_counted():
    frame = table(years=8, n=2)
    frame["series 1"] = 0.0
    cases = bench_pace.make_cases(frame)
    assert set(cases.series) == {"series 0"}
    assert cases.left_out == 4


def test_a_table_of_nothing_but_zeros_has_no_case():
    with pytest.raises(ValueError, match="nil"):
        bench_pace.make_cases(table() * 0)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("date,a\n2001-01,1\n", "first column must be 'month'"),
        ("month,a\n2001-01,one\n", "one"),
        ("month,a\n2001-01,1\n2001-01,2\n", "2001-01 is there twice"),
    ],
)
def test_a_wrong_file_is_refused_with_its_reason(tmp_path, text, word):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=word):
        bench_pace.read(path)


def test_the_naive_method_agrees_with_a_hand_worked_case():
    history = np.zeros((3, 12, 1))
    history[:, 0, 0], history[:, 11, 0] = (20, 25, 30), (80, 75, 70)  # shares 0.20, 0.25, 0.30
    year = np.zeros((12, 1))
    year[0] = 27
    cases = bench_pace.Cases(history, year, np.array([100.0]), ["a"], [2000], 0)
    t = (0.27 - 0.25) / (0.05 * np.sqrt(4 / 3))
    assert bench_pace.naive(cases, 3) == pytest.approx([0.5 + t / np.sqrt(2 + t**2) / 2])  # 2 degrees of freedom


def test_every_method_is_sure_of_a_goal_already_reached():
    cases = bench_pace.make_cases(table())
    cases = dataclasses.replace(cases, goal=cases.year[:3].sum(axis=0))
    assert (bench_pace.naive(cases, 3) == 1).all()
    assert (bench_pace.duban(cases, 3) == 1).all()


@pytest.mark.parametrize(
    ("t", "freedom", "p"), [(6.313752, 1, 0.95), (2.919986, 2, 0.95), (3.364930, 5, 0.99), (1.396815, 8, 0.9)]
)
def test_the_t_distribution_agrees_with_the_printed_table(t, freedom, p):
    assert bench_pace.student_cdf(np.array([t]), freedom) == pytest.approx([p], abs=1e-6)


def test_the_t_distribution_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    t = np.linspace(-40, 40, 401)
    for freedom in range(1, 9):
        np.testing.assert_allclose(bench_pace.student_cdf(t, freedom), stats.t.cdf(t, freedom), atol=1e-12)


def test_brier_and_auc_of_perfect_useless_and_reversed_forecasts():
    met = np.array([True, True, False, False])
    assert bench_pace.brier(np.array([1.0, 1, 0, 0]), met) == 0
    assert bench_pace.brier(np.full(4, 0.5), met) == 0.25
    assert bench_pace.auc(np.array([0.9, 0.8, 0.2, 0.1]), met) == 1
    assert bench_pace.auc(np.full(4, 0.5), met) == 0.5
    assert bench_pace.auc(np.array([0.1, 0.2, 0.8, 0.9]), met) == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_the_tenths_hold_every_case_once_and_keep_its_bounds(pairs):
    p, met = np.array([x for x, _ in pairs]), np.array([y for _, y in pairs])
    tenths = list(bench_pace.calibration(3, p, met))
    assert sum(t.cases for t in tenths) == len(pairs)
    assert sum(t.met * t.cases for t in tenths) == pytest.approx(met.sum())
    assert all(t.low - 1e-9 <= t.forecast <= t.low + 0.1 + 1e-9 for t in tenths)


def test_recall_and_precision_count_missing_years(report):
    for score in report.scores:
        assert 0 <= score.recall <= 1
        assert 0 <= score.precision <= 1
    linear = [s for s in report.scores if s.method == "linear"]
    assert all(np.isnan(s.brier) for s in linear)


def test_the_report_has_every_method_at_every_month_on_the_same_cases(report):
    assert [(s.method, s.month) for s in report.scores] == [
        (method, month) for month in (3, 6, 9) for method in ("duban", "naive", "linear")
    ]
    assert {s.cases for s in report.scores} == {report.cases}
    assert report.sample == []


def test_the_text_shows_the_numbers_of_the_report(report):
    text = bench_pace.render(report)
    assert f"{report.cases} cases of 40 series" in text
    for score in report.scores:
        assert f"{score.auc:.3f}" in text
    assert sum(line.startswith("0.") for line in text.splitlines()) == 10
    assert "nan" not in text


def test_the_picture_is_well_formed_and_has_a_dot_for_each_tenth(report):
    root = ET.fromstring(bench_pace.calibration_svg(report))  # noqa: S314 - our own picture
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == sum(t.month == 0 for t in report.tenths)


def test_without_statsmodels_ets_is_refused_with_a_way_out(tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ModuleNotFoundError, match="--no-ets"):
        bench_pace.run(written(tmp_path, table()), ets_sample=1)


def test_ets_is_compared_on_its_own_sample_and_tells_its_progress(tmp_path):
    pytest.importorskip("statsmodels")
    steps = []
    path = written(tmp_path, table(years=6, n=1))
    report = bench_pace.run(path, 1, progress=lambda done, of: steps.append((done, of)))
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert {s.method for s in report.sample} == {"ets", "duban", "naive"}
    assert all(s.cases == 1 for s in report.sample)
    text = bench_pace.render(report)
    assert "on a sample of 1, ets included" in text
    assert "times faster than ets" in text


def test_ets_that_cannot_be_fitted_counts_as_a_coin_and_is_told(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ValueError("no")

    monkeypatch.setattr(bench_pace, "_ets_model", lambda: broken)
    report = bench_pace.run(written(tmp_path, table(n=2)), ets_sample=3)
    assert report.failed == 9
    assert all(s.brier == 0.25 for s in report.sample if s.method == "ets")
    assert "no answer 9 times" in bench_pace.render(report)
