"""The main path on a real store: from figures in a file to messages in the outbox."""

from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

import pytest
from sqlalchemy import func, select

from alerts.alert import Event, Kind, State
from alerts.circuit import Circuit
from alerts.delivery import Attempt, Result
from alerts.organisation import Organisation
from connectors.base import ConnectorError, Failure
from connectors.observation import Observation, Reading, Refused, Status, frame
from monitor import pipeline
from monitor.clock import Clock
from monitor.intake import sieve
from monitor.store import alerts as alert_store
from monitor.store import observations, outbox, pulls, quarantine
from monitor.store.database import reading
from monitor.store.tables import attempt
from monitor.watch import Watch
from monitor.wiring import Feed
from rules.calendar import Every, period_ends
from rules.past import YEARS
from rules.verdict import REASONS, Reason
from tests.rules.builders import a_book

AT = datetime(2025, 10, 27, 1, 0, tzinfo=UTC)
KNOWN = datetime(2025, 10, 15, tzinfo=UTC)
SEPTEMBER = datetime(2025, 9, 30).date()  # noqa: DTZ001
ORGANISATION = Organisation.of_channels(["folder"])
SOURCES = {"filings": {"connector": "table_file"}}


class Stated:
    """A source that states what it is told to."""

    def __init__(self, *rows, error=None):
        self.rows, self.error, self.asked = list(rows), error, []

    def fetch(self, query):
        self.asked.append(query)
        if self.error:
            raise self.error
        return Reading(frame(self.rows), (), "figures.csv", "digest")


def figure(value, name="指标", period=SEPTEMBER, unit="个", known_at=KNOWN):
    return Observation(name, "", period, value, unit, known_at, "第2行")


@pytest.fixture
def book():
    target = {"source": "filings", "goal": "at least 1200 个", "lead": "甲局、乙局"}
    return a_book({**target, "published": "10 workdays after period"}, sources=SOURCES)


def pulled(engine, book, *rows, at=AT, error=None):
    return pipeline.pull(engine, Feed(book, book.sources["filings"], Stated(*rows, error=error)), at)


def judged(engine, watch, at=AT, silent=()):
    return pipeline.judge(engine, watch, ORGANISATION, silent, at)


def test_a_figure_that_is_behind_owes_one_message_to_each_lead_unit(engine, book):
    pulled(engine, book, figure(500.0))
    watch = Watch([book])
    watch.load(engine, AT)
    _, moves = judged(engine, watch)
    (move,) = moves
    assert move.change.event is Event.FIRED
    assert (move.notice.actual, move.notice.expected, move.notice.origin) == (500.0, 900.0, "figures.csv 第2行")
    with engine.begin() as connection:
        assert {row.receiver for row in outbox.claim(connection, "folder", AT, 10)} == {"甲局", "乙局"}
    assert judged(engine, watch, AT + timedelta(hours=1))[1] == []


def test_a_restart_changes_nothing(engine, book):
    pulled(engine, book, figure(500.0))
    for _ in range(2):
        watch = Watch([book])
        watch.load(engine, AT)
        judged(engine, watch)
    with reading(engine) as connection:
        assert len(alert_store.open_alerts(connection)) == 1
        assert outbox.counts(connection)["queued"] == 2


def test_a_revision_is_seen_by_a_running_watch_and_corrects(engine, book):
    pulled(engine, book, figure(500.0))
    watch = Watch([book])
    watch.load(engine, AT)
    judged(engine, watch)
    later = AT + timedelta(hours=1)
    result = pulled(engine, book, figure(950.0), at=later)
    assert (result.rows_new, result.rows_revised) == (0, 1)
    _, (move,) = judged(engine, watch, later)
    assert (move.change.event, move.alert.state) == (Event.CORRECTED, State.RESOLVED)
    assert move.notice.actual == 950.0


def test_asking_again_stores_nothing_new(engine, book):
    assert pulled(engine, book, figure(500.0)).rows_new == 1
    again = pulled(engine, book, figure(500.0), at=AT + timedelta(minutes=10))
    assert (again.rows_new, again.rows_revised, again.rows_unchanged) == (0, 0, 1)


class Seen:
    """How often the sieve was gone through."""

    def __init__(self, monkeypatch):
        self.times, plain = 0, sieve.readable

        def readable(*given):
            self.times += 1
            return plain(*given)

        monkeypatch.setattr(sieve, "readable", readable)


@pytest.fixture
def seen(monkeypatch):
    return Seen(monkeypatch)


def asks(engine, feed, *rows, hours, error=None):
    """The same feed states other rows."""
    feed.connector.rows, feed.connector.error = list(rows), error
    return pipeline.pull(engine, feed, AT + timedelta(hours=hours))


@pytest.fixture
def feed(book):
    return Feed(book, book.sources["filings"], Stated())


def test_an_answer_that_was_settled_is_counted_and_not_gone_through_again(engine, feed, seen):
    rows = [month(7, 700.0), month(8, 800.0)]
    first = asks(engine, feed, *rows, hours=0)
    again = asks(engine, feed, *rows, hours=1)
    assert (seen.times, first.rows_new, again.rows_new, again.rows_unchanged, again.rows_read) == (1, 2, 0, 2, 2)
    asks(engine, feed, hours=2, error=ConnectorError(Failure.TIMEOUT, "等不到答复", retryable=True))
    assert asks(engine, feed, *rows, hours=3) == again
    moved = [row._replace(cell="第9行") for row in rows]
    assert asks(engine, feed, *moved, hours=4) == again
    assert seen.times == 1
    assert asks(engine, feed, rows[0], month(8, 810.0), hours=5).rows_revised == 1
    assert asks(engine, feed, *rows, hours=6).rows_revised == 1, "what was settled is no longer what is stored"


def test_a_book_read_anew_goes_through_the_same_answer_by_its_own_rules(engine, feed):
    asks(engine, feed, figure(900.0), hours=0)
    target = {"source": "filings", "goal": "at least 1200 亿元", "published": "10 workdays after period"}
    book = a_book(target, sources=SOURCES)
    again = asks(engine, Feed(book, book.sources["filings"], Stated()), figure(900.0), hours=1)
    assert (again.rows_refused, again.rows_unchanged) == (1, 0)


def test_a_figure_refused_for_its_period_is_taken_once_that_comes(engine, feed):
    early = figure(1000.0, period=date(2025, 12, 31))
    assert asks(engine, feed, early, hours=0).rows_refused == 1
    assert asks(engine, feed, early, hours=1).rows_refused == 1
    assert asks(engine, feed, early, hours=24 * 60).rows_new == 1


def test_what_another_process_stored_in_between_is_set_right_by_the_next_answer(engine, book, feed):
    asks(engine, feed, month(8, 800.0), hours=0)
    asks(engine, feed, month(8, 800.0), hours=1)
    assert pulled(engine, book, month(8, 820.0), at=AT + timedelta(hours=2)).rows_revised == 1
    assert asks(engine, feed, month(8, 800.0), hours=3).rows_revised == 1


def test_a_figure_let_through_is_set_right_when_it_is_stated_otherwise(engine, feed, seen):
    asks(engine, feed, month(7, 700.0), month(8, 80.0), hours=0)
    for hour in (1, 2):
        asks(engine, feed, month(7, 700.0), hours=hour)
    with engine.begin() as connection:
        (row,) = quarantine.opened(connection)
        quarantine.release(connection, row.id, "张三", "核减", AT + timedelta(hours=3))
    assert asks(engine, feed, month(7, 700.0), hours=4).rows_unchanged == 1
    assert seen.times == 3, "what is let through ends what was settled"
    assert asks(engine, feed, month(7, 700.0), month(8, 810.0), hours=5).rows_revised == 1


def test_figures_that_a_failed_transaction_took_back_are_taken_again(engine, feed, monkeypatch):
    def fails(*_):
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(pipeline.deriving, "derive", fails)
        with pytest.raises(RuntimeError):
            asks(engine, feed, month(8, 800.0), hours=0)
    assert asks(engine, feed, month(8, 800.0), hours=1).rows_new == 1


def test_earlier_years_are_asked_for_once_a_day(engine, book):
    source = Stated(figure(500.0))
    for hours in (0, 1, 24):
        pipeline.pull(engine, Feed(book, book.sources["filings"], source), AT + timedelta(hours=hours))
    assert [query.first.year for query in source.asked] == [2025 - YEARS, 2025, 2025 - YEARS]
    assert {query.last for query in source.asked} == {date(2025, 12, 31)}


def test_earlier_years_in_the_store_draw_the_curve_and_the_landing(engine):
    book = a_book({"source": "filings", "expect": "seasonal", "goal": "at least 100 个"}, sources=SOURCES)
    past = [
        figure(share * month / 12, period=end.item(), known_at=datetime(year + 1, 2, 1, tzinfo=UTC))
        for year, share in ((2022, 80.0), (2023, 90.0), (2024, 100.0))
        for month, end in enumerate(period_ends(year, Every.MONTH), start=1)
    ]
    watch, seen = Watch([book]), Watch([book])
    seen.load(engine, AT)
    pulled(engine, book, *past, figure(60.0))
    watch.load(engine, AT)
    ((panel, verdicts),) = [(one.panel, one.verdicts) for one in judged(engine, watch)[0]]
    assert panel.expected[8, 0] == pytest.approx(75)
    assert verdicts.probability[0] < 0.1
    (again,) = judged(engine, seen)[0]
    assert again.verdicts.probability[0] == verdicts.probability[0], "a running watch learns what a new one reads"


def test_a_past_moment_sees_only_what_was_known_then(engine, book):
    pulled(engine, book, figure(1000.0))
    pulled(engine, book, figure(500.0), at=AT + timedelta(days=1))
    for moment, value in ((AT, 1000.0), (AT + timedelta(days=2), 500.0)):
        watch = Watch([book])
        watch.load(engine, moment)
        assert watch.panels[0].values[8, 0] == value


def test_what_nobody_can_judge_is_kept_apart_with_its_reason(engine, book):
    early = figure(1.0, period=datetime(2026, 3, 31).date())  # noqa: DTZ001
    result = pulled(engine, book, figure(500.0, unit="亿元"), early)
    assert (result.rows_new, result.rows_refused) == (0, 2)
    with reading(engine) as connection:
        found = quarantine.opened(connection)
    assert {row.reason for row in found} == {Refused.WRONG_DIMENSION, Refused.FUTURE_PERIOD}


def test_a_task_is_reported_all_year_long_and_its_progress_corrects_nothing(engine):
    task = {"source": "filings", "measure": "milestone", "goal": "done by 2025-09-30", "lead": "甲局"}
    book = a_book(task, sources=SOURCES)
    watch, found = Watch([book]), []
    watch.load(engine, AT - timedelta(days=90))
    for days, share in ((-60, 30.0), (-20, 60.0), (-17, 80.0), (7, 100.0)):
        at = AT + timedelta(days=days)
        said = figure(share, period=datetime(2025, 12, 31).date(), unit="%", known_at=None)  # noqa: DTZ001
        assert pulled(engine, book, said, at=at).rows_refused == 0
        watch.load(engine, at)
        found += [(days, move.change.event, move.notice.period) for move in judged(engine, watch, at)[1]]
    assert found == [(-20, Event.FIRED, "2025年10月7日"), (7, Event.RESOLVED, "2025年11月3日")]
    unborn = figure(30.0, period=datetime(2026, 12, 31).date(), unit="%")  # noqa: DTZ001
    assert pulled(engine, book, unborn).rows_refused == 1


def month(number, value):
    end = (datetime(2025, number + 1, 1, tzinfo=UTC) - timedelta(days=1)).date()
    return figure(value, period=end, known_at=None)


def test_a_sum_that_falls_waits_for_a_person_and_is_not_asked_about_again(engine, book):
    pulled(engine, book, month(6, 600.0))
    pulled(engine, book, month(7, 700.0), at=AT + timedelta(hours=1))
    slip = [month(6, 600.0), month(7, 700.0), month(8, 80.0)]
    result = pulled(engine, book, *slip, at=AT + timedelta(hours=2))
    assert (result.rows_read, result.rows_unchanged, result.rows_new, result.rows_refused) == (3, 2, 0, 1)
    with engine.begin() as connection:
        (row,) = quarantine.opened(connection)
        assert (row.reason, row.period, row.value, row.document) == (
            "cumulative_fell",
            "2025-08-31",
            80.0,
            "figures.csv",
        )
        quarantine.release(connection, row.id, "张三", "核减", AT + timedelta(hours=3))
    for hour, value in ((4, 80.0), (5, 810.0), (6, 80.0)):
        result = pulled(engine, book, *slip[:2], month(8, value), at=AT + timedelta(hours=hour))
        assert result.rows_refused == 0, hour


def test_earlier_figures_of_the_year_are_found_across_a_gap(engine, book):
    pulled(engine, book, month(3, 300.0))
    assert pulled(engine, book, month(8, 290.0), at=AT + timedelta(hours=1)).rows_refused == 1
    assert pulled(engine, book, month(8, 310.0), at=AT + timedelta(hours=2)).rows_new == 1


def test_a_fall_is_measured_against_what_is_known_now(engine, book):
    pulled(engine, book, month(6, 600.0))
    pulled(engine, book, month(6, 550.0), at=AT + timedelta(hours=1))
    assert pulled(engine, book, month(7, 560.0), at=AT + timedelta(hours=2)).rows_new == 1


def test_a_new_year_begins_at_nothing(engine, book):
    last_year = figure(1200.0, period=datetime(2024, 12, 31).date(), known_at=None)  # noqa: DTZ001
    assert pulled(engine, book, last_year, month(1, 90.0)).rows_new == 2


def test_a_jump_is_told_from_the_whole_year_in_the_store(engine, book):
    for number in range(1, 7):
        pulled(engine, book, month(number, 100.0 * number), at=AT + timedelta(hours=number))
    assert pulled(engine, book, month(7, 7000.0), at=AT + timedelta(hours=8)).rows_refused == 1
    with reading(engine) as connection:
        assert [row.reason for row in quarantine.opened(connection)] == ["jump"]


@pytest.mark.parametrize("let_in", [True, False])
def test_nobody_is_chased_for_a_figure_that_waits_for_a_decision(engine, book, let_in):
    pulled(engine, book, month(8, 800.0))
    assert pulled(engine, book, month(8, 800.0), month(9, 90.0), at=AT + timedelta(hours=1)).rows_refused == 1
    watch = Watch([book])
    watch.load(engine, AT)
    at = AT + timedelta(hours=2)  # September was due on the 21st
    (found,), moves = judged(engine, watch, at)
    assert (moves, REASONS[found.verdicts.reason[0]]) == ([], Reason.IN_DOUBT)
    with engine.begin() as connection:
        (row,) = quarantine.opened(connection)
        decide = quarantine.release if let_in else quarantine.dismiss
        decide(connection, row.id, "张三", "已核", at)
    _, (move,) = judged(engine, watch, at + timedelta(hours=1))
    assert (move.change.identity.kind, move.notice.actual) == ((Kind.PACE, 90.0) if let_in else (Kind.DATA, 800.0))


def test_who_hands_in_what_cannot_be_a_figure_is_chased(engine, book):
    pulled(engine, book, month(8, 800.0), figure(950.0, unit="吨"))
    with reading(engine) as connection:
        assert [row.reason for row in quarantine.opened(connection)] == ["wrong_dimension"]
    watch = Watch([book])
    watch.load(engine, AT)
    _, (move,) = judged(engine, watch)
    assert move.change.identity.kind is Kind.DATA


@pytest.fixture
def four_series():
    names = [
        {"name": name, "source": {"connector": "filings", "series": name}, "measure": "growth"} for name in "甲乙丙丁"
    ]
    return a_book(*({**name, "goal": "at least 5 %"} for name in names), sources=SOURCES)


def statement(*months):
    """What the four series state of January, February and so on."""
    return [
        month(number, value)._replace(series=name, unit="%")
        for number, values in enumerate(months, 1)
        for name, value in zip("甲乙丙丁", values or (), strict=False)
    ]


HISTORY = ((5.1, 6.1, 7.1, 8.1), (5.4, 6.3, 7.0, 8.8), (5.2, 6.0, 7.6, 8.5))


def reasons(engine):
    with reading(engine) as connection:
        return {(row.reason, row.series, row.period[5:7]) for row in quarantine.opened(connection)}


def test_last_months_figures_under_a_new_month_wait_and_clear_when_the_source_is_mended(engine, four_series):
    pulled(engine, four_series, *statement(*HISTORY))
    repeat = statement(*HISTORY, HISTORY[2])
    result = pulled(engine, four_series, *repeat, at=AT + timedelta(hours=1))
    assert (result.rows_unchanged, result.rows_refused, result.rows_new) == (12, 4, 0)
    assert reasons(engine) == {("repeated", name, "04") for name in "甲乙丙丁"}
    mended = statement(*HISTORY, (5.3, 6.2, 7.7, 8.5))
    assert pulled(engine, four_series, *mended, at=AT + timedelta(hours=2)).rows_new == 4
    assert reasons(engine) == set()
    with reading(engine) as connection:
        settled = quarantine.settled(connection, 10)
    assert {(row.state, row.who, row.decided_at) for row in settled} == {("corrected", "", AT + timedelta(hours=2))}


def test_a_repeat_that_a_person_lets_through_is_taken_and_not_asked_about_again(engine, four_series):
    pulled(engine, four_series, *statement(*HISTORY))
    repeat = statement(*HISTORY, HISTORY[2])
    pulled(engine, four_series, *repeat, at=AT + timedelta(hours=1))
    with engine.begin() as connection:
        for row in quarantine.opened(connection):
            quarantine.release(connection, row.id, "张三", "已核实", AT + timedelta(hours=2))
    again = pulled(engine, four_series, *repeat, at=AT + timedelta(hours=3))
    assert (again.rows_unchanged, again.rows_refused) == (16, 0)


def test_a_feed_that_changed_to_release_months_is_kept_out_as_a_whole(engine, four_series):
    pulled(engine, four_series, *statement(*HISTORY))
    shifted = statement((), *HISTORY, (5.9, 6.9, 7.9, 8.9))
    result = pulled(engine, four_series, *shifted, at=AT + timedelta(hours=1))
    assert (result.rows_new, result.rows_revised, result.rows_refused) == (0, 0, 16)
    assert reasons(engine) == {("mislabelled", name, f"0{number}") for name in "甲乙丙丁" for number in (2, 3, 4, 5)}
    right = statement(*HISTORY, (5.9, 6.9, 7.9, 8.9))
    assert pulled(engine, four_series, *right, at=AT + timedelta(hours=2)).rows_new == 4
    assert {number for _, _, number in reasons(engine)} == {"05"}


def test_figures_that_come_one_by_one_are_measured_with_those_that_came_before(engine, four_series):
    pulled(engine, four_series, *statement(*HISTORY))
    new = (5.5, *HISTORY[2][1:])
    assert pulled(engine, four_series, *statement((), (), (), new[:1]), at=AT + timedelta(hours=1)).rows_new == 1
    assert pulled(engine, four_series, *statement((), (), (), new), at=AT + timedelta(hours=2)).rows_new == 3


def nothing(number, unit=""):
    return month(number, float("nan"))._replace(unit=unit, status=Status.NIL)


def test_nothing_to_report_settles_the_debt_and_leaves_the_target_where_it_stood(engine, book):
    pulled(engine, book, month(8, 850.0))
    watch = Watch([book])
    watch.load(engine, AT)
    _, (owed,) = judged(engine, watch)
    assert owed.notice.owed == "2025年9月"
    pulled(engine, book, month(8, 850.0), nothing(9), at=AT + timedelta(hours=1))
    (found,), (paid,) = judged(engine, watch, AT + timedelta(hours=1))
    assert (paid.change.event, paid.notice.nil) == (Event.RESOLVED, "2025年9月无报送事项")
    assert (paid.notice.period, paid.notice.actual) == ("2025年8月", 850.0)
    assert REASONS[found.verdicts.reason[0]] is Reason.ON_SCHEDULE
    again = Watch([book])
    again.load(engine, AT + timedelta(hours=2))
    assert judged(engine, again, AT + timedelta(hours=2))[1] == []


def test_a_unit_that_never_had_anything_to_report_owes_nothing_and_later_states_figures_in_its_own_unit(engine, book):
    pulled(engine, book, nothing(9))
    watch = Watch([book])
    watch.load(engine, AT)
    (found,), moves = judged(engine, watch)
    assert (REASONS[found.verdicts.reason[0]], moves) == (Reason.NIL, [])
    assert pulled(engine, book, nothing(9), month(10, 1000.0), at=AT + timedelta(hours=1)).rows_new == 1
    judged(engine, watch, AT + timedelta(hours=1))
    assert (watch.panels[0].values[9, 0], watch.panels[0].latest[0]) == (1000.0, 9)


def test_a_preliminary_figure_is_judged_and_called_so_and_its_confirmation_disturbs_nobody(engine, book):
    early = month(9, 500.0)._replace(status=Status.PARTIAL)
    pulled(engine, book, early)
    watch = Watch([book])
    watch.load(engine, AT)
    _, (fired,) = judged(engine, watch)
    assert (fired.notice.actual, fired.notice.status) == (500.0, "初步数")
    confirmed = early._replace(status=Status.FINAL)
    assert pulled(engine, book, confirmed, at=AT + timedelta(hours=1)).rows_revised == 1
    (found,), moves = judged(engine, watch, AT + timedelta(hours=1))
    assert (moves, found.verdicts.preliminary.tolist()) == ([], [False])
    assert pulled(engine, book, confirmed, at=AT + timedelta(hours=2)).rows_unchanged == 1
    early_again = pulled(engine, book, early, at=AT + timedelta(hours=3))
    assert early_again.rows_revised == 1


def test_a_figure_that_is_taken_back_leaves_the_one_before_it(engine, book):
    pulled(engine, book, month(8, 801.0), month(9, 802.0))
    watch = Watch([book])
    watch.load(engine, AT)
    _, (fired,) = judged(engine, watch)
    assert fired.notice.actual == 802.0
    pulled(engine, book, nothing(9), at=AT + timedelta(hours=1))
    (found,), (eased,) = judged(engine, watch, AT + timedelta(hours=1))
    assert (eased.change.event, found.verdicts.actual.tolist()) == (Event.RESOLVED, [801.0])
    assert pulled(engine, book, month(10, 860.0), at=AT + timedelta(hours=2)).rows_refused == 0


def test_a_subject_that_the_book_does_not_list_is_refused(engine):
    table = "subject,target,goal\n甲县,t0,1200\n"
    book = a_book({"source": "filings"}, subjects=table, sources=SOURCES)
    rows = [Observation("指标", subject, SEPTEMBER, 900.0, "个", KNOWN, "第2行") for subject in ("甲县", "丁县")]
    assert (pulled(engine, book, *rows).rows_new, pulled(engine, book, *rows).rows_refused) == (1, 1)
    with reading(engine) as connection:
        assert [(row.subject, row.reason) for row in quarantine.opened(connection)] == [("丁县", "unknown_subject")]


def test_a_source_that_fails_says_why_and_calls_nobody_late(engine, book):
    error = ConnectorError(Failure.TIMEOUT, "等不到答复", retryable=True)
    assert pulled(engine, book, error=error).reason == "timeout"
    watch = Watch([book])
    watch.load(engine, AT)
    with reading(engine) as connection:
        silent = pulls.failing(connection)
    found, moves = judged(engine, watch, silent=silent)
    assert REASONS[found[0].verdicts.reason[0]] is Reason.FAILED
    assert moves == []


def test_a_connector_that_crashes_is_a_failure_like_any_other(engine, book):
    result = pulled(engine, book, error=RuntimeError("a bug of theirs"))
    assert (result.reason, result.detail) == ("internal", "RuntimeError: a bug of theirs")


def test_a_figure_that_is_owed_is_asked_for_and_the_debt_ends_when_it_comes(engine, book):
    pulled(engine, book, figure(800.0, period=datetime(2025, 8, 31).date()))  # noqa: DTZ001
    watch = Watch([book])
    watch.load(engine, AT)
    _, (owed,) = judged(engine, watch)
    assert (owed.alert.identity.kind, owed.notice.owed) == ("data", "2025年9月")
    pulled(engine, book, figure(950.0), at=AT + timedelta(hours=1))
    _, (paid,) = judged(engine, watch, AT + timedelta(hours=1))
    assert paid.change.event is Event.RESOLVED


def test_a_figure_that_is_owed_is_asked_of_its_reporter_and_the_pace_of_its_lead(engine):
    target = {"source": "filings", "goal": "at least 1200 个", "lead": "甲局", "reporter": "统计局"}
    book = a_book({**target, "published": "10 workdays after period"}, sources=SOURCES)
    pulled(engine, book, figure(500.0, period=datetime(2025, 8, 31).date()))  # noqa: DTZ001
    watch = Watch([book])
    watch.load(engine, AT)
    (owed,) = judged(engine, watch)[1]
    pulled(engine, book, figure(500.0), at=AT + timedelta(hours=1))
    behind, paid = sorted(judged(engine, watch, AT + timedelta(hours=1))[1], key=lambda move: move.notice.kind)[::-1]
    assert [[route.receiver for route in move.routes] for move in (owed, paid, behind)] == [
        ["统计局"],
        ["统计局"],
        ["甲局"],
    ]


class Sender:
    def __init__(self, *answers):
        self.answers, self.letters = list(answers), []

    at_once, slots = 1, None

    def send(self, letters):
        self.letters += letters
        answer = self.answers.pop(0) if self.answers else Attempt(Result.SENT, "ok")
        if isinstance(answer, Exception):
            raise answer
        return [answer]


def test_a_failed_letter_goes_again_with_the_same_key_when_it_is_due(engine, book):
    pulled(engine, book, figure(500.0))
    watch = Watch([book])
    watch.load(engine, AT)
    judged(engine, watch)
    sender = Sender(Attempt(Result.UNREACHABLE, "no"), RuntimeError("a bug of theirs"))
    clock = Clock(AT, Clock.real())
    assert pipeline.deliver(engine, "folder", sender, clock, Circuit()) == {Result.UNREACHABLE: 1, Result.INTERNAL: 1}
    assert pipeline.deliver(engine, "folder", sender, clock, Circuit()) == {}
    soon = Clock(AT + timedelta(minutes=1), Clock.real())
    assert pipeline.deliver(engine, "folder", sender, soon, Circuit()) == {Result.SENT: 2}
    first, again = sender.letters[:2], sender.letters[2:]
    assert {letter.key for letter in first} == {letter.key for letter in again}
    with reading(engine) as connection:
        assert outbox.counts(connection)["sent"] == 2


@pytest.fixture
def owed(engine, book):
    """Two letters in the outbox."""
    pulled(engine, book, figure(500.0))
    watch = Watch([book])
    watch.load(engine, AT)
    judged(engine, watch)
    return Clock(AT, Clock.real())


def attempts_made(engine):
    with engine.begin() as connection:
        return sorted(row.attempts for row in outbox.claim(connection, "folder", AT + timedelta(days=1), 10))


class Full(Sender):
    """Has room for no letter."""

    def send(self, letters):
        self.letters += letters
        return []


def test_letters_for_which_a_channel_has_no_room_wait_and_lose_no_attempt(engine, owed):
    assert pipeline.deliver(engine, "folder", Full(), owed, Circuit()) == {}
    with reading(engine) as connection:
        assert outbox.counts(connection)["queued"] == 2
    assert attempts_made(engine) == [0, 0]


def test_a_channel_that_takes_many_gets_what_goes_to_one_receiver_in_one_call(engine, book):
    targets = [{"source": "filings", "name": f"指标{n}", "goal": "at least 1200 个", "lead": "甲局"} for n in range(5)]
    book = a_book(*targets, sources=SOURCES)
    pulled(engine, book, *(figure(500.0, name=f"指标{n}") for n in range(5)))
    watch = Watch([book])
    watch.load(engine, AT)
    judged(engine, watch)

    class Many(Sender):
        at_once = 3
        calls: ClassVar[list[int]] = []

        def send(self, letters):
            self.calls.append(len(letters))
            return [Attempt(Result.SENT, "ok")] * len(letters)

    sender = Many()
    assert pipeline.deliver(engine, "folder", sender, Clock(AT, Clock.real()), Circuit()) == {Result.SENT: 5}
    assert sender.calls == [3, 2]


def test_a_channel_at_rest_is_not_asked_and_its_letters_lose_no_attempt(engine, owed):
    circuit, sender = Circuit(), Sender(Attempt(Result.THROTTLED, "blocked", retry_after=timedelta(minutes=10)))
    assert pipeline.deliver(engine, "folder", sender, owed, circuit) == {Result.THROTTLED: 1}
    assert circuit.resting(owed.real())
    assert pipeline.deliver(engine, "folder", sender, owed, circuit) == {}
    assert attempts_made(engine) == [0, 1]
    assert not circuit.resting(owed.real() + timedelta(minutes=11))


def test_what_stands_is_told_again_and_nothing_of_it_is_written_down(engine, owed):
    sender = Sender()
    pipeline.deliver(engine, "folder", sender, owed, Circuit())
    assert pipeline.repeat(engine, "folder", sender, owed, Circuit()) == {Result.SENT: 2}
    first, again = sender.letters[:2], sender.letters[2:]
    assert [letter.key for letter in first] == [letter.key for letter in again]
    with reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(attempt)) == 2


def test_nothing_is_entered_twice_for_two_targets_that_read_one_series(engine):
    book = a_book(
        {"source": "filings", "name": "指标"},
        {"source": {"connector": "filings", "series": "指标"}, "name": "另一指标", "goal": "at least 2 万人"},
        {"source": {"connector": "filings", "series": "指标"}, "name": "又一指标", "goal": "at least 100 个"},
        sources=SOURCES,
    )
    pulled(engine, book, figure(80.0))
    watch = Watch([book])
    watch.load(engine, AT)
    (panel,) = watch.panels
    assert panel.values[8].tolist()[0] == panel.values[8].tolist()[2] == 80.0
    assert panel.latest.tolist() == [8, -1, 8]  # 个 cannot be read as 万人
    with reading(engine) as connection:
        assert observations.last_position(connection, AT) == 1
