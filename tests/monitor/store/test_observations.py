from datetime import date, datetime, timedelta
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import StatementError

from connectors.observation import NIL, STATUSES, Observation, Reading, Refusal, Refused, Status, frame
from monitor.store import history, observations, pulls
from monitor.store.database import emptied, in_memory
from monitor.store.database import reading as reading_from
from monitor.store.observations import Figures, known, last_position, since, vintages
from monitor.store.tables import observation
from tests.monitor.store.samples import SOURCE, START, _observation, hours, reading, registered, store

SEP, OCT = date(2025, 9, 30), date(2025, 10, 31)
JOBS = "城镇新增就业"


def _seen(
    connection: Connection, at: datetime, first: date = SEP, last: date = OCT
) -> dict[tuple[str, str, date], float]:
    figures, names = known(connection, at, first, last), registered(connection)
    return {
        (*names[number][1:3], period): value
        for number, period, value in zip(
            figures.series.tolist(), figures.period.tolist(), figures.value.tolist(), strict=True
        )
    }


def test_a_first_figure_is_new_and_known_from_the_stated_moment(connection: Connection) -> None:
    result = store(connection, START, reading((JOBS, "", SEP, 3150.0, hours(-24)), (JOBS, "", OCT, 3480.0)))
    assert result == (2, 2, 0, 0, ())
    assert _seen(connection, hours(-25)) == {}
    assert _seen(connection, hours(-24)) == {(JOBS, "", SEP): 3150.0}
    assert _seen(connection, START) == {(JOBS, "", SEP): 3150.0, (JOBS, "", OCT): 3480.0}


def test_figures_come_back_in_typed_columns(connection: Connection) -> None:
    store(connection, hours(0.0001), reading((JOBS, "甲县", SEP, 3150.5)))
    figures = known(connection, hours(1), SEP, SEP)
    assert {number: registered(connection)[number] for number in figures.series.tolist()} == registered(connection)
    assert list(registered(connection).values()) == [(SOURCE, JOBS, "甲县", "人")]
    assert figures.value.tolist() == [3150.5]
    assert figures.period.tolist() == [SEP]
    assert figures.period.dtype == "datetime64[D]"
    assert figures.known_at == np.array([START.replace(tzinfo=None)], dtype="datetime64[s]")
    assert figures.known_at.dtype == "datetime64[s]"
    assert figures.id.tolist() == [last_position(connection, hours(9))]


def test_an_empty_store_gives_empty_columns(connection: Connection) -> None:
    for figures in (known(connection, START, SEP, OCT), since(connection, 0, START)):
        assert isinstance(figures, Figures)
        assert len(figures.id) == len(figures.value) == 0
    assert last_position(connection, hours(9)) == 0
    assert registered(connection) == {}
    assert store(connection, START, reading()) == (0, 0, 0, 0, ())


def test_a_repeated_pull_stores_nothing(connection: Connection) -> None:
    rows = reading((JOBS, "", SEP, 3150.0, hours(-24)), (JOBS, "", OCT, 3480.0), ("新增注册", "", OCT, 12.0))
    store(connection, START, rows)
    end = last_position(connection, hours(9))
    assert store(connection, START, rows) == (3, 0, 0, 3, ())
    assert store(connection, hours(5), rows) == (3, 0, 0, 3, ())
    assert last_position(connection, hours(9)) == end


def test_a_revision_is_known_from_its_pull_where_the_source_keeps_the_old_moment(connection: Connection) -> None:
    store(connection, START, reading((JOBS, "", SEP, 3150.0, hours(-24))))
    assert store(connection, hours(5), reading((JOBS, "", SEP, 3100.0, hours(-24)))) == (1, 0, 1, 0, ())
    assert _seen(connection, hours(4)) == {(JOBS, "", SEP): 3150.0}
    assert _seen(connection, hours(5)) == {(JOBS, "", SEP): 3100.0}
    assert store(connection, hours(6), reading((JOBS, "", SEP, 3100.0, hours(-24)))) == (1, 0, 0, 1, ())


def test_a_revision_is_known_from_the_stated_moment_where_that_is_later(connection: Connection) -> None:
    store(connection, START, reading((JOBS, "", SEP, 3150.0, hours(-24))))
    store(connection, hours(5), reading((JOBS, "", SEP, 3100.0, hours(2))))
    assert _seen(connection, hours(1.9)) == {(JOBS, "", SEP): 3150.0}
    assert _seen(connection, hours(2)) == {(JOBS, "", SEP): 3100.0}


def test_a_figure_that_goes_back_to_an_old_value_is_a_revision_again(connection: Connection) -> None:
    for hour, value in ((0, 3150.0), (1, 3100.0), (2, 3150.0)):
        store(connection, hours(hour), reading((JOBS, "", SEP, value, hours(-24))))
    assert [_seen(connection, hours(hour))[JOBS, "", SEP] for hour in (0, 1, 2)] == [3150.0, 3100.0, 3150.0]


def test_a_second_correction_within_one_moment_counts(connection: Connection) -> None:
    for value in (3150.0, 3100.0, 3120.0):
        store(connection, START, reading((JOBS, "", SEP, value)))
    assert _seen(connection, START) == {(JOBS, "", SEP): 3120.0}
    assert store(connection, START, reading((JOBS, "", SEP, 3120.0))) == (1, 0, 0, 1, ())


def test_a_moment_stated_in_the_future_is_taken_for_the_present(connection: Connection) -> None:
    rows = reading((JOBS, "", SEP, 3150.0, hours(48)))
    assert store(connection, START, rows).new == 1
    assert _seen(connection, START) == {(JOBS, "", SEP): 3150.0}
    assert store(connection, hours(1), rows).unchanged == 1


def test_a_document_that_holds_the_vintages_of_a_period_gives_them_all_once(connection: Connection) -> None:
    rows = reading(
        (JOBS, "", SEP, 3100.0, hours(-2)), (JOBS, "", SEP, 3150.0, hours(-24)), (JOBS, "", SEP, 3100.0, hours(-1))
    )
    assert store(connection, START, rows) == (3, 1, 1, 1, ())
    assert _seen(connection, hours(-3)) == {(JOBS, "", SEP): 3150.0}
    assert _seen(connection, hours(-2)) == {(JOBS, "", SEP): 3100.0}
    assert store(connection, hours(1), rows) == (3, 0, 0, 3, ())


def test_a_pull_as_of_an_earlier_moment_does_not_disturb_later_ones(connection: Connection) -> None:
    store(connection, hours(10), reading((JOBS, "", SEP, 3100.0)))
    assert store(connection, hours(2), reading((JOBS, "", SEP, 3150.0))).new == 1
    assert _seen(connection, hours(2)) == {(JOBS, "", SEP): 3150.0}
    assert _seen(connection, hours(10)) == {(JOBS, "", SEP): 3100.0}


def test_sources_do_not_share_series(connection: Connection) -> None:
    store(connection, START, reading((JOBS, "", SEP, 3150.0)))
    assert store(connection, START, reading((JOBS, "", SEP, 3150.0)), source="other/filings").new == 1
    assert sorted(source for source, *_ in registered(connection).values()) == ["other/filings", SOURCE]


def test_a_figure_in_another_unit_is_refused_and_the_rest_goes_on(connection: Connection) -> None:
    store(connection, START, reading((JOBS, "", SEP, 3150.0)))
    rows = frame([_observation(JOBS, "", OCT, 0.35, unit="万人"), _observation("新增注册", "", OCT, 12.0, unit="")])
    result = store(connection, hours(1), rows)
    assert result == (
        2,
        1,
        0,
        0,
        (Refusal(f"{JOBS}10", Refused.UNKNOWN_UNIT, "0.35万人", JOBS, "", OCT, 0.35, "万人"),),
    )
    assert {name: unit for _, name, _, unit in registered(connection).values()} == {JOBS: "人", "新增注册": ""}
    assert (JOBS, "", OCT) not in _seen(connection, hours(1))


def test_two_units_of_a_new_series_in_one_document_do_not_mix(connection: Connection) -> None:
    rows = frame([_observation(JOBS, "", SEP, 3150.0), _observation(JOBS, "", OCT, 0.35, unit="万人")])
    assert [refusal.cell for refusal in store(connection, START, rows).refusals] == [f"{JOBS}10"]


def test_only_the_periods_asked_for_are_given(connection: Connection) -> None:
    days = [date(2025, 1, 1) + timedelta(days=n) for n in range(300)]
    store(connection, START, reading(*((JOBS, "", day, float(n)) for n, day in enumerate(days))))
    assert known(connection, START, days[10], days[12]).value.tolist() == [10.0, 11.0, 12.0]


def test_the_feed_gives_what_came_after_a_position_in_order(connection: Connection) -> None:
    store(connection, START, reading((JOBS, "", SEP, 3150.0)))
    position = last_position(connection, hours(9))
    store(connection, hours(1), reading((JOBS, "", SEP, 3100.0), (JOBS, "", OCT, 3480.0)))
    assert since(connection, position, hours(1)).value.tolist() == [3100.0, 3480.0]
    assert since(connection, last_position(connection, hours(9)), hours(1)).value.tolist() == []
    assert since(connection, position, START).value.tolist() == []


def test_the_end_of_the_feed_is_before_the_first_figure_that_is_not_known_yet(connection: Connection) -> None:
    """What was asked later may well be stored sooner."""
    store(connection, START, reading((JOBS, "", SEP, 3150.0)))
    store(connection, hours(2), reading(("新增注册", "", SEP, 12.0)))
    store(connection, hours(1), reading((JOBS, "", OCT, 3480.0)))
    for at, then in ((-1, []), (0, [3150.0]), (1, [3150.0, 3480.0]), (2, [3150.0, 12.0, 3480.0])):
        assert sorted(known(connection, hours(at), SEP, OCT).value) == sorted(then)
        missing = since(connection, last_position(connection, hours(at)), hours(9)).value.tolist()
        assert sorted({*then, *missing}) == [12.0, 3150.0, 3480.0]
    assert since(connection, last_position(connection, hours(1)), hours(9)).value.tolist() == [12.0, 3480.0]


def test_vintages_tell_where_every_value_was_read(connection: Connection) -> None:
    first = pulls.begin(connection, SOURCE, START)
    rows = reading((JOBS, "", SEP, 3150.0, hours(-24)))
    pulls.finish(
        connection,
        first,
        START,
        Reading(rows, (), "九月.xlsx", "0" * 64),
        observations.append(connection, SOURCE, first, rows, START),
        0,
    )
    store(connection, hours(1), reading((JOBS, "", SEP, 3100.0), (JOBS, "甲县", SEP, 7.0)))
    store(connection, hours(2), reading((JOBS, "", OCT, 3480.0)))
    found = vintages(connection, SOURCE, JOBS, "", date(2015, 1, 1), OCT)
    assert [(v.period, v.value, v.known_at) for v in found] == [
        (SEP, 3150.0, hours(-24)),
        (SEP, 3100.0, hours(1)),
        (OCT, 3480.0, hours(2)),
    ]
    assert (found[0].unit, found[0].cell, found[0].document) == ("人", f"{JOBS}09", "九月.xlsx")
    assert vintages(connection, SOURCE, JOBS, "乙县", SEP, OCT) == []


def test_the_place_of_every_figure_that_counts_can_be_asked_for_in_bulk(connection: Connection) -> None:
    store(connection, START, reading((JOBS, "", SEP, 3150.0), (JOBS, "", OCT, 3480.0), ("新增注册", "", SEP, 12.0)))
    store(connection, hours(1), reading((JOBS, "", SEP, 3100.0)).assign(cell="更正"))
    ids = {name: number for number, (_, name, _, _) in registered(connection).items()}
    asked = [(ids[JOBS], SEP), (ids[JOBS], OCT), (ids["新增注册"], OCT)]
    assert observations.origins(connection, asked, START) == {asked[0]: f" {JOBS}09", asked[1]: f" {JOBS}10"}
    assert observations.origins(connection, asked, hours(1))[asked[0]] == " 更正"


def said(*stated: tuple[float, Status] | Status) -> list[Observation]:
    """September's figure in these versions; a bare nil report has no number and no unit."""
    return [
        Observation(
            JOBS,
            "",
            SEP,
            *((np.nan, "", None, "B2", one) if isinstance(one, Status) else (one[0], "人", None, "B2", one[1])),
        )
        for one in stated
    ]


def test_a_changed_status_alone_is_a_new_vintage(connection: Connection) -> None:
    early, final = (frame(said((3150.0, status))) for status in (Status.PARTIAL, Status.FINAL))
    assert store(connection, START, early).new == 1
    assert store(connection, hours(1), early).unchanged == 1
    assert store(connection, hours(2), final).revised == 1
    assert store(connection, hours(3), final).unchanged == 1
    found = vintages(connection, SOURCE, JOBS, "", SEP, SEP)
    assert [(row.value, row.status) for row in found] == [(3150.0, Status.PARTIAL), (3150.0, Status.FINAL)]
    assert [STATUSES[code] for code in known(connection, hours(1), SEP, SEP).status] == [Status.PARTIAL]
    assert [STATUSES[code] for code in since(connection, 0, hours(3)).status] == [Status.PARTIAL, Status.FINAL]


def test_a_nil_report_is_stored_without_a_number_and_only_once(connection: Connection) -> None:
    store(connection, START, frame(said((3150.0, Status.FINAL))))
    nil = frame(said(Status.NIL))
    result = store(connection, hours(1), nil)
    assert (result.revised, result.refusals) == (1, ())  # it has no unit to be wrong in
    assert store(connection, hours(2), nil).unchanged == 1
    figures = known(connection, hours(2), SEP, SEP)
    assert np.isnan(figures.value).all()
    assert [STATUSES[code] for code in figures.status] == [Status.NIL]
    assert [row.value for row in vintages(connection, SOURCE, JOBS, "", SEP, SEP)] == [3150.0, None]
    assert store(connection, hours(3), frame(said((3150.0, Status.FINAL)))).revised == 1
    assert connection.scalar(select(func.count()).where(observation.c.status == NIL)) == 1


def test_awkward_words_and_numbers_survive(connection: Connection) -> None:
    names = ["a\tb", "c\\nd", "换\n行", "引'号\"", "\\N", "", "é", "x\x1fy", "{curly}", "50%"]
    numbers = [0.1 + 0.2, -1e300, 5e-324, 1e22, 123456789.123456789, -0.0, 1.0, 2.0, 3.0, 4.0]
    store(connection, START, reading(*((name, name, SEP, n) for name, n in zip(names, numbers, strict=True))))
    assert _seen(connection, START) == {(name, name, SEP): n for name, n in zip(names, numbers, strict=True)}
    assert {v.cell for name in names for v in vintages(connection, SOURCE, name, name, SEP, SEP)} == {
        f"{name}09" for name in names
    }


def test_many_series_over_many_periods_agree_with_what_was_stored(engine: Engine) -> None:
    rng = np.random.default_rng(1)
    subjects, months = [f"县{n:03d}" for n in range(300)], pd.date_range("2025-01-31", periods=4, freq="ME")
    rows = reading(
        *((name, subject, month.date(), 0.0) for month in months for name in ("甲", "乙", "丙") for subject in subjects)
    ).sample(frac=1, random_state=1, ignore_index=True)
    rows["value"] = rng.random(len(rows))
    revised = rows.assign(value=np.where(rng.random(len(rows)) < 0.1, rows["value"] + 1, rows["value"]))
    with engine.begin() as connection:
        assert store(connection, START, rows).new == 3600
    with engine.begin() as connection:
        result = store(connection, hours(1), revised)
        assert result.revised == (revised["value"] != rows["value"]).sum()
        assert result.unchanged == 3600 - result.revised
    with reading_from(engine) as connection:
        for at, table in ((START, rows), (hours(1), revised)):
            wanted = {
                (name, subject, period.date()): value
                for name, subject, period, value in table[["series", "subject", "period", "value"]].itertuples(
                    index=False
                )
            }
            assert _seen(connection, at, date(2025, 1, 1), date(2025, 12, 31)) == wanted


@pytest.mark.parametrize("every", [1, 40], ids=["close together", "far apart"])
def test_some_series_of_many_are_compared_and_read_alone(connection: Connection, every: int) -> None:
    subjects = [f"县{n:03d}" for n in range(600)]
    store(connection, START, reading(*((JOBS, subject, SEP, 1.0) for subject in subjects)))
    result = store(connection, hours(1), reading(*((JOBS, subject, SEP, 2.0) for subject in subjects[::every])))
    assert result == (600 // every, 0, 600 // every, 0, ())
    names = registered(connection)
    ids = np.array([number for number in sorted(names) if names[number][2] in subjects[::every]])
    found = history.whole(connection, ids, SEP, OCT, hours(1))
    assert found.series.tolist() == np.repeat(ids, 2).tolist()
    assert found.value.tolist() == [1.0, 2.0] * len(ids), "the newest comes last"
    assert history.nearest(connection, ids, [SEP, OCT], START).value.tolist() == [1.0] * len(ids)


def test_what_is_rolled_back_was_never_there(engine: Engine) -> None:
    with engine.connect() as connection:
        store(connection, START, reading((JOBS, "", SEP, 3150.0)))
        connection.rollback()
    with engine.begin() as connection:
        assert store(connection, START, reading(("新增注册", "", SEP, 12.0))).new == 1
        assert _seen(connection, START) == {("新增注册", "", SEP): 12.0}


def test_stored_rows_are_never_touched_again(connection: Connection) -> None:
    store(connection, START, reading((JOBS, "", SEP, 3150.0)))
    before = connection.execute(select(observation)).all()
    store(connection, hours(1), reading((JOBS, "", SEP, 3100.0)))
    assert connection.execute(select(observation).order_by(observation.c.id)).all()[: len(before)] == before
    assert connection.scalar(select(func.count()).select_from(observation)) == 2


def test_a_moment_without_time_zone_is_an_error(connection: Connection) -> None:
    with pytest.raises((ValueError, StatementError), match="naive_datetime"):
        known(connection, START.replace(tzinfo=None), SEP, OCT)


_FIGURES = st.tuples(
    st.sampled_from(["甲县", "乙县"]),
    st.sampled_from([SEP, OCT]),
    st.sampled_from([1.0, 2.0, 3.0]),
    st.none() | st.integers(-3, 6).map(hours),  # stated before its pull, at it, after it, or not at all
)


@given(st.lists(st.lists(_FIGURES, max_size=5), min_size=1, max_size=5), st.integers(-4, 7).map(hours))
@settings(max_examples=60, deadline=None)
def test_what_was_known_at_a_moment_is_what_a_plain_look_at_the_history_says(
    pulled: list[list[tuple[str, date, float, datetime | None]]], at: datetime
) -> None:
    emptied(engine := _one_store())
    with engine.begin() as connection:
        for hour, figures in enumerate(pulled):
            store(connection, hours(hour), reading(*((JOBS, *figure) for figure in figures)))
        rows = connection.execute(select(observation).where(observation.c.known_at <= at)).all()
        plain = {(row.series_id, row.period): row.value for row in sorted(rows, key=lambda row: (row.known_at, row.id))}
        seen = _by_series(known(connection, at, SEP, OCT))
        assert seen == plain
        # What becomes known later changes nothing of it.
        store(connection, hours(8), reading((JOBS, "甲县", SEP, 9.0), (JOBS, "丙县", OCT, 9.0)))
        assert _by_series(known(connection, at, SEP, OCT)) == seen
        if at >= hours(len(pulled)):
            assert _by_series(since(connection, 0, at)) == seen


@cache
def _one_store() -> Engine:
    """For all examples: to make the tables takes longer than all else."""
    return in_memory()


def _by_series(figures: Figures) -> dict[tuple[int, date], float]:
    """The later one winning."""
    return dict(
        zip(zip(figures.series.tolist(), figures.period.tolist(), strict=True), figures.value.tolist(), strict=True)
    )
