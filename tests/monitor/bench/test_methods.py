import dataclasses
import importlib

import numpy as np
import pytest

from monitor.bench.cases import Cases, make_cases
from monitor.bench.methods import duban, naive, student_cdf
from monitor.bench.pace import run
from rules.document import Invalid
from tests.monitor.bench.tables import table, written


def test_the_naive_method_agrees_with_a_hand_worked_case():
    history = np.zeros((3, 12, 1))
    history[:, 0, 0], history[:, 11, 0] = (20, 25, 30), (80, 75, 70)  # shares 0.20, 0.25, 0.30
    year = np.zeros((12, 1))
    year[0] = 27
    cases = Cases(history, year, np.array([100.0]), ["a"], [2000], 0)
    t = (0.27 - 0.25) / (0.05 * np.sqrt(4 / 3))
    assert naive(cases, 3) == pytest.approx([0.5 + t / np.sqrt(2 + t**2) / 2])  # 2 degrees of freedom


def test_every_method_is_sure_of_a_goal_already_reached():
    cases = make_cases(table())
    cases = dataclasses.replace(cases, goal=cases.year[:3].sum(axis=0))
    assert (naive(cases, 3) == 1).all()
    assert (duban(cases, 3) == 1).all()


@pytest.mark.parametrize(
    ("t", "freedom", "p"), [(6.313752, 1, 0.95), (2.919986, 2, 0.95), (3.364930, 5, 0.99), (1.396815, 8, 0.9)]
)
def test_the_t_distribution_agrees_with_the_printed_table(t, freedom, p):
    assert student_cdf(np.array([t]), freedom) == pytest.approx([p], abs=1e-6)


def test_the_t_distribution_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    t = np.linspace(-40, 40, 401)
    for freedom in range(1, 9):
        np.testing.assert_allclose(student_cdf(t, freedom), stats.t.cdf(t, freedom), atol=1e-12)


def test_without_statsmodels_ets_is_refused_with_a_way_out(tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(Invalid, match="--ets 0"):
        run(written(tmp_path, table()), ets_sample=1)
