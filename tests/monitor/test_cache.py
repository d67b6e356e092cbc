"""A watch from a file and what was stored since is the watch that the store alone would give."""

import logging
import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.organisation import Organisation
from connectors.observation import Observation, Status, frame
from monitor import cache, pipeline
from monitor.cache import Cache
from monitor.store import observations, pulls
from monitor.store.database import open_engine
from monitor.watch import Watch
from rules.calendar import Every, period_ends
from tests.rules.builders import a_book

START = datetime(2025, 10, 20, 1, tzinfo=UTC)
ORGANISATION = Organisation.of_channels(["folder"])
SOURCES = {"filings": {"connector": "table_file"}}
SUBJECTS = "subject,target,goal\n" + "".join(f"{name},t0,{goal}\n" for name, goal in (("甲", 120), ("乙", 240)))
TARGETS = (
    {"name": "合计", "goal": "at least 100 个", "expect": "seasonal", "source": "filings"},
    {"name": "存量", "goal": "at least 90 个", "measure": "level", "source": "filings"},
    {"name": "增速", "goal": "at least the figure of 全市增速", "measure": "growth", "source": "filings"},
    {"name": "好天", "goal": "at least 300 天", "measure": "good-days", "every": "day", "source": "filings"},
)
ENDS = [*period_ends(2023, Every.MONTH), *period_ends(2024, Every.MONTH), *period_ends(2025, Every.MONTH)[:9]]
DAYS = [day.item() for day in ENDS]


def the_book(**changes):
    return a_book(*({**target, **changes} for target in TARGETS), sources=SOURCES, subjects=SUBJECTS)


BOOK = the_book()


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch):
    monkeypatch.setattr(cache, "_ENOUGH", 1)


@pytest.fixture
def template(_migrated_sqlite):
    return _migrated_sqlite


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kept" / "duban.cache"


def said(name, subject, day, value, status=Status.FINAL):
    unit = {"增速": "%", "全市增速": "%", "好天": "天"}.get(name, "个")
    return Observation(name, subject, day, value, unit, None, "第2行", status)


def state(engine, at, *rows):
    with engine.begin() as connection:
        pull_id = pulls.begin(connection, "b/filings", at)
        observations.append(connection, "b/filings", pull_id, frame(rows), at)


def years(engine, at=START):
    """Two earlier years and nine months of this one."""
    rows = [
        said("合计", name, day, 10.0 * day.month + day.year - 2020 + day.day % 3)
        for day in DAYS
        for name in ("甲", "乙")
    ]
    state(engine, at, *rows, *(said("存量", name, day, 95.0) for day in DAYS for name in ("甲", "乙")))


def loaded(engine, at, book=BOOK):
    watch = Watch([book], complete=True)
    watch.load(engine, at)
    return watch


def cycle(engine, watch, path, at):
    pipeline.judge(engine, watch, ORGANISATION, (), at)
    Cache(path).keep(watch, engine, at)


def resumed(engine, path, at, book=BOOK):
    """The watch and whether it came from the file: only such a one is written again where nothing is new."""
    watch, found = Watch([book], complete=True), Cache(path)
    found.load(watch, engine, at)
    return watch, found._kept > 0


def assert_alike(one, other):
    mine, its = dict(one.columns()), dict(other.columns())
    assert mine.keys() == its.keys()
    for name, column in mine.items():
        if name.endswith("past"):  # the file has room for years that have been withdrawn since
            deep = min(len(column), len(its[name]))
            assert all(np.isnan(long[: len(long) - deep]).all() for long in (column, its[name]))
            np.testing.assert_array_equal(column[len(column) - deep :], its[name][len(its[name]) - deep :], name)
        elif column.dtype.kind == "f":
            np.testing.assert_allclose(column, its[name], rtol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(column, its[name], name)
    for name in ("revised", "series_of"):
        for ours, theirs in zip(getattr(one, name), getattr(other, name), strict=True):
            np.testing.assert_array_equal(ours, theirs, name)
    for name in ("standing", "due", "looked"):
        for ours, theirs in zip(getattr(one, name), getattr(other, name), strict=True):
            assert {kind: column.tolist() for kind, column in ours.items()} == {
                kind: column.tolist() for kind, column in theirs.items()
            }
    for name in ("alerts", "gone", "position", "loaded"):
        assert getattr(one, name) == getattr(other, name), name


figure = st.builds(
    said,
    st.sampled_from(["合计", "存量", "增速", "全市增速", "好天"]),
    st.sampled_from(["甲", "乙", ""]),
    st.sampled_from([*DAYS[::4], *DAYS[-3:], date(2025, 3, 3), date(2024, 2, 29)]),
    st.sampled_from([1.0, 50.0, 130.0]),
    st.sampled_from([Status.FINAL, Status.PARTIAL, Status.NIL]),
)
reading = st.lists(figure, max_size=12, unique_by=lambda row: (row.series, row.subject, row.period))
pulled = st.tuples(reading, st.booleans())


@settings(max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(pulled, min_size=1, max_size=5), seasoned=st.booleans())
def test_a_watch_from_the_file_is_the_one_from_the_store(template, tmp_path_factory, history, seasoned):
    folder = tmp_path_factory.mktemp("history")
    shutil.copy(template, folder / "duban.db")
    engine, path, at = open_engine(f"sqlite:///{folder}/duban.db"), folder / "duban.cache", START
    if seasoned:
        years(engine)
    running = loaded(engine, at)
    for rows, kept in history:
        at += timedelta(hours=1)
        state(engine, at, *(row._replace(value=np.nan) if row.status is Status.NIL else row for row in rows))
        if kept:
            cycle(engine, running, path, at)
    from_file, _ = resumed(engine, path, at)
    assert_alike(from_file, loaded(engine, at))
    engine.dispose()


def test_what_came_since_the_file_was_written_is_read_from_the_store(engine, path):
    years(engine)
    cycle(engine, loaded(engine, START), path, START)
    later = START + timedelta(hours=1)
    state(engine, later, said("合计", "甲", DAYS[-1], 999.0), said("增速", "乙", DAYS[-1], 5.0))
    watch, from_file = resumed(engine, path, later)
    assert from_file
    place = watch.place("b", "t0", "甲")
    assert watch.panels[place[0]].values[8, place[1]] == 999.0
    assert_alike(watch, loaded(engine, later))


def test_what_only_judging_reads_may_be_edited(engine, path):
    years(engine)
    cycle(engine, loaded(engine, START), path, START)
    edited = the_book(lead="乙局", levels={"yellow": "below 1", "red": "never"})
    watch, from_file = resumed(engine, path, START, edited)
    assert from_file
    assert_alike(watch, loaded(engine, START, edited))


def test_a_watch_of_the_same_plan_takes_over_what_is_known_without_a_copy(engine):
    years(engine)
    before, later = loaded(engine, START), START + timedelta(hours=1)
    state(engine, later, said("合计", "甲", DAYS[-1], 999.0))
    edited = the_book(lead="乙局", levels={"yellow": "below 1", "red": "never"})
    watch = Watch([edited], complete=True)
    assert Cache.hand_over(before, watch, engine, later)
    for mine, its in zip(watch.panels, before.panels, strict=True):
        assert mine.values is its.values
        assert mine.past.values is its.past.values
    assert_alike(watch, loaded(engine, later, edited))


def test_a_watch_of_another_plan_takes_nothing_over(engine):
    years(engine)
    watch = Watch([a_book(*TARGETS[:2], sources=SOURCES, subjects=SUBJECTS)], complete=True)
    assert not Cache.hand_over(loaded(engine, START), watch, engine, START)
    assert watch.position == 0


@pytest.mark.parametrize(
    "edited",
    [
        a_book(*({**target, "goal": "at least 91 个"} for target in TARGETS[:2]), sources=SOURCES, subjects=SUBJECTS),
        a_book(*({**target, "expect": "linear"} for target in TARGETS[:1]), sources=SOURCES, subjects=SUBJECTS),
        a_book(*TARGETS[:2], sources=SOURCES, subjects=SUBJECTS.replace("乙", "丙")),
        a_book(*({**target, "name": "别的"} for target in TARGETS[:2]), sources=SOURCES, subjects=SUBJECTS),
    ],
    ids=["goal", "curve", "subject", "series"],
)
def test_another_plan_is_read_from_the_store(engine, path, edited):
    years(engine)
    cycle(engine, loaded(engine, START), path, START)
    watch, from_file = resumed(engine, path, START, edited)
    assert not from_file
    assert_alike(watch, loaded(engine, START, edited))


def test_another_store_is_read_itself(engine, path, template, tmp_path):
    years(engine)
    cycle(engine, loaded(engine, START), path, START)
    shutil.copy(template, tmp_path / "other.db")
    other = open_engine(f"sqlite:///{tmp_path}/other.db")
    years(other, START + timedelta(seconds=1))
    watch, from_file = resumed(other, path, START + timedelta(hours=1))
    assert not from_file
    assert_alike(watch, loaded(other, START + timedelta(hours=1)))
    other.dispose()


def test_a_look_back_does_not_see_what_came_later(engine, path):
    years(engine)
    before, later = START + timedelta(minutes=1), START + timedelta(hours=1)
    state(engine, later, said("合计", "甲", DAYS[-1], 999.0))
    cycle(engine, loaded(engine, later), path, later)
    watch, from_file = resumed(engine, path, before)
    assert not from_file
    assert_alike(watch, loaded(engine, before))


def broken(path, how):
    whole = path.read_bytes()
    place = whole.rindex(np.float64(95.0).tobytes())
    path.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "empty": b"",
            "no archive": b"PK" + bytes(1000),
            "a wrong byte": whole[:place] + b"x" + whole[place + 1 :],
        }[how]
    )


@pytest.mark.parametrize("how", ["cut", "empty", "no archive", "a wrong byte"])
def test_a_broken_file_is_told_and_left(engine, path, how, caplog):
    years(engine)
    cycle(engine, loaded(engine, START), path, START)
    broken(path, how)
    with caplog.at_level(logging.WARNING):
        watch, from_file = resumed(engine, path, START)
    assert not from_file
    assert "action=cache_unusable" in caplog.text
    assert_alike(watch, loaded(engine, START))


def test_a_file_that_cannot_be_written_is_told_once(engine, tmp_path, caplog):
    years(engine)
    (tmp_path / "kept").write_text("a file, not a folder")
    watch, file = loaded(engine, START), Cache(tmp_path / "kept" / "duban.cache")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            file.keep(watch, engine, START)
    assert caplog.text.count("action=cache_not_written") == 1


def test_the_file_is_written_anew_after_a_while_and_at_the_end(engine, path):
    years(engine)
    watch, file = loaded(engine, START), Cache(path)
    file.keep(watch, engine, START)
    first, later = path.read_bytes(), START + timedelta(hours=1)
    state(engine, later, said("合计", "甲", DAYS[-1], 999.0))
    pipeline.judge(engine, watch, ORGANISATION, (), later)
    file.keep(watch, engine, later)
    assert path.read_bytes() == first
    file.keep(watch, engine, later, last=True)
    assert path.read_bytes() != first
    from_file, _ = resumed(engine, path, later)
    assert_alike(from_file, loaded(engine, later))


def test_a_few_figures_are_not_worth_a_file(engine, path, monkeypatch):
    monkeypatch.undo()
    years(engine)
    cycle(engine, loaded(engine, START), path, START)
    assert not path.exists()


def test_a_revision_that_a_cycle_has_dealt_with_is_not_found_again(engine, path):
    years(engine)
    running, later = loaded(engine, START), START + timedelta(hours=1)
    cycle(engine, running, path, START)
    state(engine, later, said("存量", "甲", DAYS[-1], 10.0))
    _, moves = pipeline.judge(engine, running, ORGANISATION, (), later)
    assert moves
    watch, from_file = resumed(engine, path, later)
    assert from_file
    assert pipeline.judge(engine, watch, ORGANISATION, (), later)[1] == []
