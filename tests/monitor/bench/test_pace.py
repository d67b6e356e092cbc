import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.bench import pace
from monitor.bench.pace import auc, brier, calibration, run
from monitor.bench.report import render
from tests.monitor.bench.tables import table, written


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return run(written(tmp_path_factory.mktemp("pace"), table(n=40)), ets_sample=0)


def test_brier_and_auc_of_perfect_useless_and_reversed_forecasts():
    met = np.array([True, True, False, False])
    assert brier(np.array([1.0, 1, 0, 0]), met) == 0
    assert brier(np.full(4, 0.5), met) == 0.25
    assert auc(np.array([0.9, 0.8, 0.2, 0.1]), met) == 1
    assert auc(np.full(4, 0.5), met) == 0.5
    assert auc(np.array([0.1, 0.2, 0.8, 0.9]), met) == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_the_tenths_hold_every_case_once_and_keep_its_bounds(pairs):
    p, met = np.array([x for x, _ in pairs]), np.array([y for _, y in pairs])
    tenths = list(calibration(3, p, met))
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


def test_ets_is_compared_on_its_own_sample_and_tells_its_progress(tmp_path):
    pytest.importorskip("statsmodels")
    steps = []
    path = written(tmp_path, table(years=6, n=1))
    report = run(path, 1, progress=lambda done, of: steps.append((done, of)))
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert {s.method for s in report.sample} == {"ets", "duban", "naive"}
    assert all(s.cases == 1 for s in report.sample)
    text = render(report)
    assert "on a sample of 1, ets included" in text
    assert "times faster than ets" in text


def test_ets_that_cannot_be_fitted_counts_as_a_coin_and_is_told(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ValueError("no")

    monkeypatch.setattr(pace, "ets_model", lambda: broken)
    report = run(written(tmp_path, table(n=2)), ets_sample=3)
    assert report.failed == 9
    assert all(s.brier == 0.25 for s in report.sample if s.method == "ets")
    assert "no answer 9 times" in render(report)
