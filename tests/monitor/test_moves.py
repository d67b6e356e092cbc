"""What a cycle changes and why, on a real store: revisions, edits of the book, and both at any time."""

import shutil
import tempfile
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from alerts.alert import Cause, Event, Identity, Kind, State
from alerts.organisation import Organisation
from connectors.observation import Observation, frame
from connectors.strict import read
from monitor import pipeline
from monitor.store import alerts as alert_store
from monitor.store import observations, outbox, pulls
from monitor.store.database import migrate, open_engine, reading
from monitor.store.tables import change
from monitor.watch import Watch
from rules.calendar import Every, period_ends
from rules.target import Level
from rules.verdict import OUTCOME, Reason
from tests.rules.builders import a_book

START = datetime(2025, 10, 15, 1, 0, tzinfo=UTC)
ORGANISATION = read(Organisation, {"default": {"contacts": ["folder"]}, "units": {"督查办": {"contacts": ["folder"]}}})
LENIENT = {"levels": {"yellow": "behind 10%", "red": "behind 20%"}}
STRICT = {"levels": {"yellow": "behind 5%", "red": "behind 15% for 2"}}
G, Y, R = Level.GREEN, Level.YELLOW, Level.RED
ENDS = period_ends(2025, Every.MONTH).tolist()
PACE = Identity("b", "t0", "", Kind.PACE)


def book(*targets, book="b", **keys):
    """A book whose targets should have 100 a month, 1200 in the year."""
    usual = {
        "source": "filings",
        "goal": "at least 1200 个",
        "lead": "甲局",
        "published": "25 days after period",
        **LENIENT,
    }
    written = [{**usual, **target} for target in targets or ({},)]
    return a_book(*written, book=book, sources={"filings": {"connector": "table_file"}}, supervisor="督查办", **keys)


class Town:
    """A store, and a daemon that judges when told to. Each step is an hour later."""

    def __init__(self, engine, *books, at=START):
        self.engine, self.at = engine, at
        self.restart(*books or (book(),))

    def restart(self, *books, complete=True):
        self.books = books or self.books
        self.watch = Watch(self.books, complete=complete)
        self.watch.load(self.engine, self.at)

    def publish(self, figures, name="指标", subject="", source="b/filings"):
        """Store figures by month as a source states them now."""
        rows = [
            Observation(name, subject, ENDS[month - 1], value, "个", None, "第2行") for month, value in figures.items()
        ]
        with self.engine.begin() as connection:
            pull_id = pulls.begin(connection, source, self.at)
            observations.append(connection, source, pull_id, frame(rows), self.at)

    def judge(self, *, silent=()):
        _, moves = pipeline.judge(self.engine, self.watch, ORGANISATION, silent, self.at)
        self.at += timedelta(hours=1)
        return moves

    def tell(self, figures, **of):
        self.publish(figures, **of)
        return self.judge()

    def history(self, identity=PACE):
        with reading(self.engine) as connection:
            return alert_store.history(connection, identity)

    def messages(self):
        with reading(self.engine) as connection:
            return outbox.counts(connection)["queued"]


def said(moves):
    return [(move.change.event, move.change.cause, move.change.level) for move in moves]


def test_a_later_figure_resolves_in_the_ordinary_way(engine):
    town = Town(engine)
    assert said(town.tell({8: 700})) == [(Event.FIRED, Cause.ORDINARY, Y)]
    assert said(town.tell({9: 900})) == [(Event.RESOLVED, Cause.ORDINARY, G)]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(
    ("first", "revised", "before", "after"), [(800, 895, Y, G), (600, 800, R, Y), (800, 600, Y, R)]
)
def test_a_revised_figure_corrects_what_was_told_on_it(engine, restarted, first, revised, before, after):
    town = Town(engine)
    (fired,) = town.tell({9: first})
    town.publish({9: revised})
    if restarted:
        town.restart()
    (move,) = town.judge()
    assert said([move]) == [(Event.CORRECTED, Cause.REVISED, after)]
    ((number, _, _), (_, change, notice)) = town.history()
    assert (change.corrects, change.previous_level, change.judged) == (number, before, after)
    assert (notice.told_level, notice.told_actual, notice.told_text, notice.actual) == (
        before,
        first,
        f"{first}个",
        revised,
    )
    assert notice.told_at == fired.notice.at
    assert {route.receiver for route in move.routes} == {"甲局", "督查办"}
    assert town.judge() == []


@pytest.mark.parametrize("restarted", [False, True])
def test_an_end_that_was_told_too_early_is_corrected(engine, restarted):
    town = Town(engine)
    town.tell({8: 700})
    town.tell({9: 900})
    town.publish({9: 800})
    if restarted:
        town.restart()
    assert said(town.judge()) == [(Event.CORRECTED, Cause.REVISED, Y)]
    (*_, (resolved, _, _), (_, change, notice)) = town.history()
    assert (change.corrects, notice.told_level, notice.told_actual) == (resolved, 0, 900.0)


def test_an_edited_threshold_says_so_and_never_merely_resolves(engine):
    town = Town(engine)
    town.tell({9: 800})
    town.restart(book({"levels": {"yellow": "behind 12%", "red": "behind 20%"}}))
    (move,) = town.judge()
    assert said([move]) == [(Event.RESOLVED, Cause.RULE_EDITED, G)]
    assert move.notice.edit == "黄色阈值由“落后应完成数超过10%”改为“落后应完成数超过12%”"
    assert move.line == (
        "action=alert_resolved cause=rule_edited alert=b/t0//pace level=0 "
        "cleared: yellow threshold changed from 落后应完成数超过10% to 落后应完成数超过12%"
    )


@pytest.mark.parametrize(
    ("edited", "event", "words"),
    [
        ({"levels": {"yellow": "behind 5%", "red": "behind 10%"}}, Event.WORSENED, "红色阈值由"),
        ({"goal": "at least 1000 个"}, Event.RESOLVED, "年度目标由“不低于1200个”改为“不低于1000个”"),
        ({"expect": "path from 0"}, None, ""),
        (
            {"expect": "checkpoints {2025-09-30: 60%, 2025-12-31: 100%}"},
            Event.RESOLVED,
            "进度安排由“按时间均匀推进”改为“",
        ),
    ],
)
def test_whatever_the_book_judges_by_may_be_edited(engine, edited, event, words):
    town = Town(engine)
    town.tell({9: 800})
    town.restart(book(edited))
    moves = town.judge()
    assert [(move.change.event, move.change.cause) for move in moves] == ([(event, Cause.RULE_EDITED)] if event else [])
    assert all(words in move.notice.edit for move in moves)


def test_an_edit_that_moved_nothing_is_not_blamed_for_what_comes_later(engine):
    town = Town(engine)
    town.tell({9: 800})
    town.restart(book(STRICT))
    assert town.judge() == []
    town.restart()
    assert said(town.tell({10: 1000})) == [(Event.RESOLVED, Cause.ORDINARY, G)]


def test_a_new_due_day_ends_a_debt_and_says_so(engine):
    town = Town(engine, at=datetime(2025, 10, 27, tzinfo=UTC))
    assert [move.notice.kind for move in town.tell({8: 800})] == ["data"]
    town.restart(book({"published": "40 days after period"}))
    (move,) = town.judge()
    assert said([move]) == [(Event.RESOLVED, Cause.RULE_EDITED, G)]
    assert move.notice.edit == "报送时限由“期末后25日内”改为“期末后40日内”"


def test_what_a_figure_is_compared_with_may_change_while_figure_and_rule_stand(engine):
    levels = {"yellow": "behind average", "red": "behind 99%"}
    town = Town(engine, book({"levels": levels}, subjects="subject,target,goal\n甲县,t0,1200\n乙县,t0,1200\n"))
    town.publish({9: 900}, subject="甲县")
    assert [move.notice.subject for move in town.tell({9: 1000}, subject="乙县")] == ["甲县"]
    moves = town.tell({9: 800}, subject="乙县")
    assert {(move.notice.subject, move.change.event, move.change.cause) for move in moves} == {
        ("甲县", Event.RESOLVED, Cause.COMPARED),
        ("乙县", Event.FIRED, Cause.ORDINARY),
    }


@pytest.mark.parametrize("restarted", [False, True])
def test_a_past_period_that_is_revised_is_corrected_once_and_the_alert_stands(engine, restarted):
    town = Town(engine)
    town.tell({8: 700})
    town.tell({9: 700})
    town.publish({8: 800})
    if restarted:
        town.restart()
    (move,) = town.judge()
    assert move.alert is None
    assert (move.change.event, move.change.judged, move.change.level, move.change.state) == (
        Event.CORRECTED,
        G,
        R,
        State.FIRING,
    )
    assert (move.notice.period, move.notice.told_level, move.notice.told_actual, move.notice.actual) == (
        "2025年8月",
        1,
        700,
        800,
    )
    assert move.change.corrects == town.history()[0][0]
    with reading(engine) as connection:
        (stands,) = alert_store.open_alerts(connection)
    assert (stands.alert.level, stands.notice.event) == (R, "worsened")
    sent = town.messages()
    town.restart()
    assert (town.judge(), town.tell({8: 805}), town.messages()) == ([], [], sent)


def test_a_correction_may_be_corrected_in_its_turn(engine):
    town = Town(engine)
    town.tell({8: 700})
    town.tell({9: 900})
    town.tell({8: 800})
    (move,) = town.tell({8: 600})
    assert (move.change.judged, move.notice.told_level, move.notice.told_actual) == (R, 0, 800)
    assert [found.corrects for _, found, _ in town.history()] == [None, None, 1, 3]


def test_a_revision_that_flips_nothing_told_sends_nothing(engine):
    town = Town(engine)
    town.tell({7: 690, 8: 700})
    town.tell({9: 900})
    assert town.tell({7: 100, 8: 705}) == []


def test_a_new_period_decides_and_the_former_one_is_corrected_besides(engine):
    town = Town(engine)
    town.tell({9: 800})
    past, now = town.tell({9: 900, 10: 600})
    assert (past.change.event, past.change.judged, past.change.level) == (Event.CORRECTED, G, R)
    assert said([now]) == [(Event.WORSENED, Cause.ORDINARY, R)]
    with reading(engine) as connection:
        (stands,) = alert_store.open_alerts(connection)
    assert stands.notice.event == "worsened"


def test_a_figure_revised_while_the_next_is_owed_is_corrected_once_that_has_come(engine):
    town = Town(engine, at=datetime(2025, 10, 24, tzinfo=UTC))
    town.tell({8: 600, 9: 800})
    town.at = datetime(2025, 11, 26, tzinfo=UTC)
    assert [move.notice.kind for move in town.judge()] == ["data"]
    assert town.tell({9: 900}) == []
    moves = town.tell({10: 700})
    assert [(move.notice.kind, move.change.event, move.change.judged) for move in moves] == [
        ("pace", Event.CORRECTED, G),
        ("pace", Event.WORSENED, R),
        ("data", Event.RESOLVED, G),
    ]


@pytest.mark.parametrize(
    ("edited", "corrected"),
    [({"yellow": "behind 11%", "red": "behind 30%"}, True), ({"yellow": "behind 15%", "red": "behind 30%"}, False)],
)
def test_an_edit_that_has_flipped_a_past_verdict_leaves_nothing_to_correct(engine, edited, corrected):
    town = Town(engine)
    town.tell({8: 700})
    town.tell({9: 900})
    town.restart(book({"levels": edited}))
    town.judge()
    assert [move.change.event for move in town.tell({8: 800})] == [Event.CORRECTED] * corrected


def test_a_day_revised_changes_the_counts_after_it(engine):
    def days(last, **bad):
        return {date(2025, 1, number): float(bad.get(f"d{number}", 50)) for number in range(1, last + 1)}

    def publish(figures):
        rows = [Observation("AQI", "", day, value, "", None, "第2行") for day, value in figures.items()]
        with engine.begin() as connection:
            pull_id = pulls.begin(connection, "b/filings", town.at)
            observations.append(connection, "b/filings", pull_id, frame(rows), town.at)
        return town.judge()

    air = {
        "goal": "at least 292 天",
        "measure": "good-days",
        "every": "day",
        "counts": "at most 100",
        "source": {"connector": "filings", "series": "AQI"},
    }
    town = Town(engine, book(air), at=datetime(2025, 1, 12, tzinfo=UTC))
    assert said(publish(days(10, d3=150, d4=150, d5=150, d6=150))) == [(Event.FIRED, Cause.ORDINARY, R)]
    publish(days(11))
    assert [(found.event, found.basis.actual) for _, found, _ in town.history()] == [
        (Event.FIRED, 6),
        (Event.CORRECTED, 10),
        (Event.RESOLVED, 11),
    ]


@pytest.mark.parametrize("silent", [False, True])
def test_an_alert_whose_target_left_the_books_is_closed_and_told(engine, silent):
    town = Town(engine, book({}, {"name": "另一指标", "lead": "乙局"}))
    town.publish({9: 700}, name="另一指标")
    assert [move.notice.target for move in town.tell({9: 700})] == ["t0", "t1"]
    town.restart(book())
    (move,) = town.judge(silent=["b/filings"] if silent else [])
    assert (move.change.event, move.change.cause, move.alert.state) == (
        Event.WITHDRAWN,
        Cause.TARGET_REMOVED,
        State.RESOLVED,
    )
    assert [route.receiver for route in move.routes] == ["乙局", "督查办"]
    assert (move.notice.name, move.notice.level, move.notice.previous_level) == ("另一指标", 0, 2)
    assert datetime.fromisoformat(move.notice.at) == town.at - timedelta(hours=1)
    assert move.notice.at.endswith("+08:00")
    town.restart()
    assert town.judge() == []
    with reading(engine) as connection:
        assert [item.alert.identity.target for item in alert_store.open_alerts(connection)] == ["t0"]


def test_an_alert_of_a_whole_book_that_was_removed_is_closed(engine):
    town = Town(engine, book(), book(book="c"))
    town.publish({9: 700}, source="c/filings")
    assert len(town.tell({9: 700})) == 2
    town.restart(book())
    assert [move.change.identity.book for move in town.judge()] == ["c"]


def test_where_books_are_missing_by_an_error_nothing_is_withdrawn(engine):
    town = Town(engine, book(), book(book="c"))
    town.publish({9: 700})
    assert len(town.tell({9: 700}, source="c/filings")) == 2
    town.restart(book(), complete=False)
    assert town.judge() == []
    with reading(engine) as connection:
        assert len(alert_store.open_alerts(connection)) == 2


def test_a_subject_that_left_the_table_takes_its_alert_along(engine):
    counties = "subject,target,goal\n甲县,t0,1200\n乙县,t0,1200\n"
    town = Town(engine, book(subjects=counties))
    town.tell({9: 700}, subject="乙县")
    town.restart(book(subjects="subject,target,goal\n甲县,t0,1200\n"))
    assert [(move.notice.subject, move.change.event) for move in town.judge()] == [("乙县", Event.WITHDRAWN)]


def test_a_pending_alert_whose_target_is_gone_lapses_untold(engine):
    town = Town(engine, book({}, {"name": "另一指标", "levels": {"yellow": "behind 5% for 2", "red": "behind 99%"}}))
    town.publish({9: 900})
    assert said(town.tell({9: 700}, name="另一指标")) == [(Event.NOTICED, Cause.ORDINARY, Y)]
    town.restart(book())
    (move,) = town.judge()
    assert (said([move]), move.routes) == ([(Event.LAPSED, Cause.TARGET_REMOVED, G)], [])


def test_a_target_that_comes_back_begins_anew(engine):
    town = Town(engine, book({}, {"name": "另一指标"}))
    town.tell({9: 700}, name="另一指标")
    town.restart(book())
    town.judge()
    town.restart(book({}, {"name": "另一指标"}))
    assert said(town.judge()) == [(Event.FIRED, Cause.ORDINARY, R)]


def test_what_cannot_be_saved_is_told_in_the_next_cycle(engine, monkeypatch):
    town = Town(engine)
    town.tell({8: 700})
    town.tell({9: 900})
    town.publish({8: 800})
    with monkeypatch.context() as broken:
        broken.delattr(outbox, "enqueue")
        with pytest.raises(AttributeError):
            town.judge()
    assert [move.change.event for move in town.judge()] == [Event.CORRECTED]


_VALUES = st.sampled_from([500.0, 700.0, 800.0, 900.0, 1000.0])
_PUBLISH = st.tuples(st.just("publish"), st.dictionaries(st.integers(8, 10), _VALUES, min_size=1, max_size=2))
_FIRST = st.tuples(st.just("publish"), st.fixed_dictionaries({8: _VALUES, 9: _VALUES}))
_EDITS = st.sampled_from([LENIENT, STRICT, {**LENIENT, "goal": "at least 1000 个"}])
_STEP = st.one_of(
    _PUBLISH,
    _PUBLISH,
    _PUBLISH,
    st.tuples(st.just("edit"), _EDITS),
    st.tuples(st.just("wait"), st.integers(1, 15)),
    st.tuples(st.just("fail"), st.just(None)),
)
_STEPS = st.builds(lambda first, others: [first, *others], _FIRST, st.lists(_STEP, min_size=3, max_size=9))


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    path = tmp_path_factory.mktemp("blank") / "duban.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


def lived(blank, steps, *, restarting):
    """The history of changes after each step; ``restarting`` makes every cycle the first of a new daemon."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(blank, Path(folder) / "duban.db")
        engine = open_engine(f"sqlite:///{folder}/duban.db")
        town = Town(engine, at=datetime(2025, 11, 5, tzinfo=UTC))
        histories = []
        for what, how in steps:
            silent = ["b/filings"] if what == "fail" else []
            if what == "publish":
                town.publish(how)
            elif what == "wait":
                town.at += timedelta(days=how)
            if what == "edit":
                town.restart(book(how))
            elif restarting:
                town.restart()
            town.judge(silent=silent)
            town.at -= timedelta(hours=1)
            assert town.judge(silent=silent) == [], "the same figures once more"
            with reading(engine) as connection:
                histories.append(connection.execute(select(change).order_by(change.c.id)).all())
        engine.dispose()
    return histories


@given(_STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_laws_of_history(blank, steps):
    """Figures come and are revised, the book is edited, days pass, the source fails: in any order."""
    histories = lived(blank, steps, restarting=False)
    for before, after in pairwise(histories):
        assert after[: len(before)] == before, "history never changes"
    rows = histories[-1]
    by_id = {row.id: row for row in rows}
    corrected = Counter(row.corrects for row in rows if row.corrects is not None)
    assert all(count == 1 for count in corrected.values()), "one correction for each change told"
    for row in rows:
        if row.corrects is not None:
            told = by_id[row.corrects]
            assert Event(told.event).told
            assert (told.alert_id, told.period) == (row.alert_id, row.period)
            assert told.actual != row.actual
            assert told.judged != row.judged
        if row.notice["kind"] == "pace" and not Event(row.event).follows:
            assert Reason(row.notice["reason"]) in OUTCOME, "only a judged figure moves an alert"
        assert row.cause != Cause.COMPARED or "连续2期" in row.rule
    assert lived(blank, steps, restarting=True) == histories, "a restart is not noticed"
