import numpy as np
import pytest

from monitor.bench.cases import make_cases, office_goal, read
from rules.document import Invalid
from tests.monitor.bench.tables import table, written


def test_each_series_gives_six_years_at_most_from_those_with_four_before_them():
    cases = make_cases(table(years=12, n=3))
    assert sorted(set(cases.series)) == ["series 0", "series 1", "series 2"]
    for name in set(cases.series):
        years = [year for s, year in zip(cases.series, cases.calendar_year, strict=True) if s == name]
        assert len(years) == len(set(years)) == 6
        assert min(years) >= 2005


def test_a_short_series_gives_every_year_it_can():
    cases = make_cases(table(years=6, n=1))
    assert cases.calendar_year == [2005, 2006]


def test_five_complete_years_are_too_few():
    with pytest.raises(Invalid, match="no cases"):
        make_cases(table(years=5))


def test_the_history_is_the_eight_years_before_at_most():
    frame = table(years=11, n=1)
    cases = make_cases(frame)
    for k, year in enumerate(cases.calendar_year):
        seen = cases.history[:, :, k][np.isfinite(cases.history[:, 0, k])].ravel()
        expected = frame.loc[f"{max(2001, year - 8)}-01" : f"{year - 1}-12", "series 0"].to_numpy()
        np.testing.assert_array_equal(seen, expected)
        np.testing.assert_array_equal(cases.year[:, k], frame.loc[f"{year}-01" : f"{year}-12", "series 0"])


def test_a_negative_or_a_missing_month_spoils_its_year():
    frame = table(years=14, n=2)
    frame.loc["2007-05", "series 0"] = -1
    frame.loc["2007-05", "series 1"] = np.nan
    cases = make_cases(frame)
    assert set(cases.calendar_year) <= {2005, 2006, 2012, 2013, 2014}


def test_a_year_that_begins_or_ends_within_is_not_complete(tmp_path):
    frame = table(years=8, n=1).iloc[3:-2]
    cases = make_cases(read(written(tmp_path, frame)))
    assert cases.calendar_year == [2006, 2007]


def test_the_goal_is_last_year_grown_by_the_median_of_three_growths():
    totals = np.array([100.0, 100, 110, 121, 242])
    history = totals[:, None, None] / 12 * np.ones((5, 12, 1))
    assert office_goal(history) == pytest.approx([242 * 1.1])


def test_the_draw_is_the_same_for_the_same_seed_and_another_for_another():
    frame = table(years=20, n=5)
    years = [make_cases(frame, seed).calendar_year for seed in (7, 7, 8)]
    assert years[0] == years[1] != years[2]


def test_nil_years_leave_no_goal_and_are_counted():
    frame = table(years=8, n=2)
    frame["series 1"] = 0.0
    cases = make_cases(frame)
    assert set(cases.series) == {"series 0"}
    assert cases.left_out == 4


def test_a_table_of_nothing_but_zeros_has_no_case():
    with pytest.raises(Invalid, match="no goal"):
        make_cases(table() * 0)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("date,a\n2001-01,1\n", "missing column"),
        ("month,a\n2001-01,one\n", "one"),
        ("month,a\n2001-01,1\n2001-01,2\n", "2001-01 重复"),
    ],
)
def test_a_wrong_file_is_refused_with_its_reason(tmp_path, text, word):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(Invalid, match=word):
        read(path)
