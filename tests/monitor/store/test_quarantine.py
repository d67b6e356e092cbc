from datetime import date

import pytest
from sqlalchemy import Connection, func, select

from connectors.observation import Reading, Refusal, Refused, Status
from monitor.store import pulls, quarantine
from monitor.store.observations import append, vintages
from monitor.store.quarantine import State, Undecidable
from monitor.store.tables import quarantine as table
from tests.monitor.store.samples import SOURCE, START, hours, reading, store

SEP = date(2025, 9, 30)
JOBS = "城镇新增就业"
FELL = Refusal("第9行", Refused.CUMULATIVE_FELL, "168人", JOBS, "", SEP, 168.0, "人")
WORDS = Refusal("B7", Refused.NOT_A_NUMBER, "约\0三千", JOBS, "甲县")


def meet(connection: Connection, *refusals: Refusal, at=START, document="九月.xlsx", source=SOURCE) -> None:
    """A pull that refuses these and takes nothing."""
    pull_id = pulls.begin(connection, source, at)
    nothing = reading()
    quarantine.keep(connection, source, pull_id, refusals, at)
    answer = Reading(nothing, (), document, "d" * 64)
    pulls.finish(connection, pull_id, at, answer, append(connection, source, pull_id, nothing, at), len(refusals))


def test_a_refused_figure_waits_with_all_that_is_known_of_it(connection: Connection) -> None:
    meet(connection, FELL, WORDS)
    fell, words = quarantine.opened(connection)
    assert (fell.source, fell.series, fell.period, fell.value, fell.unit) == (SOURCE, JOBS, "2025-09-30", 168.0, "人")
    assert (fell.reason, fell.text, fell.cell, fell.document) == ("cumulative_fell", "168人", "第9行", "九月.xlsx")
    assert (fell.first_seen, fell.last_seen, fell.state, fell.who, fell.decided_at) == (
        START,
        START,
        State.OPEN,
        "",
        None,
    )
    assert (words.subject, words.period, words.value, words.text) == ("甲县", "", None, "约\ufffd三千")


def test_the_same_figure_is_kept_once_however_often_it_is_stated(connection: Connection) -> None:
    meet(connection, FELL, WORDS, WORDS)
    meet(connection, FELL, WORDS, at=hours(1))
    found = quarantine.opened(connection)
    assert [(row.first_seen, row.last_seen) for row in found] == [(START, hours(1))] * 2


def test_a_changed_figure_is_another(connection: Connection) -> None:
    meet(connection, FELL)
    meet(connection, Refusal("第9行", Refused.CUMULATIVE_FELL, "169人", JOBS, "", SEP, 169.0, "人"), at=hours(1))
    assert [row.value for row in quarantine.opened(connection)] == [168.0, 169.0]


def test_a_row_that_moves_is_the_same_figure_unless_nothing_but_its_cell_tells_it(connection: Connection) -> None:
    moved = Refusal("第10行", FELL.reason, FELL.text, FELL.series, FELL.subject, FELL.period, FELL.value, FELL.unit)
    meet(connection, FELL, moved, WORDS, Refusal("B8", WORDS.reason, WORDS.text, WORDS.series, WORDS.subject))
    assert [row.cell for row in quarantine.opened(connection)] == ["第9行", "B7", "B8"]


def test_what_is_released_is_stored_as_stated_from_then_on(connection: Connection) -> None:
    store(connection, START, reading((JOBS, "", date(2025, 8, 31), 2344.0)))
    meet(connection, FELL)
    (row,) = quarantine.opened(connection)
    done = quarantine.release(connection, row.id, "张三", "已与人社局核实", hours(5))
    assert (done.state, done.who, done.note, done.decided_at) == (State.RELEASED, "张三", "已与人社局核实", hours(5))
    assert quarantine.opened(connection) == []
    assert quarantine.released(connection, SOURCE) == {(JOBS, "", "2025-09-30", 168.0): 1}
    (stored,) = vintages(connection, SOURCE, JOBS, "", SEP, SEP)
    assert (stored.value, stored.unit, stored.known_at, stored.cell, stored.document) == (
        168.0, "人", hours(5), "第9行", "九月.xlsx",
    )  # fmt: skip


def test_what_is_dismissed_stays_out_and_is_not_listed_again(connection: Connection) -> None:
    meet(connection, WORDS)
    (row,) = quarantine.opened(connection)
    assert quarantine.dismiss(connection, row.id, "李四", "原件有误", hours(1)).state is State.DISMISSED
    meet(connection, WORDS, at=hours(2))
    assert quarantine.opened(connection) == []
    assert connection.scalar(select(func.count()).select_from(table)) == 1


def test_what_its_source_states_otherwise_later_closes_by_itself_and_stays_in_the_history(
    connection: Connection,
) -> None:
    other = Refusal("第8行", Refused.CUMULATIVE_FELL, "90人", "新增注册", "", SEP, 90.0, "人")
    meet(connection, FELL, WORDS, other)
    quarantine.correct(connection, SOURCE, reading((JOBS, "", SEP, 2512.0)), [], hours(1))
    assert [row.series for row in quarantine.opened(connection)] == [JOBS, "新增注册"]
    (closed,) = quarantine.settled(connection, 10)
    assert (closed.value, closed.state, closed.who, closed.decided_at) == (168.0, State.CORRECTED, "", hours(1))
    with pytest.raises(Undecidable, match="already_corrected"):
        quarantine.release(connection, closed.id, "张三", "核实", hours(2))


def test_what_its_source_still_states_stays_open(connection: Connection) -> None:
    meet(connection, FELL)
    stated = reading((JOBS, "", SEP, 168.0))
    for refusals, figures, source in (
        ([FELL], stated, SOURCE),  # refused again
        ([], reading((JOBS, "甲县", SEP, 168.0), (JOBS, "", date(2025, 8, 31), 1.0)), SOURCE),
        ([], stated, "b/x"),
    ):
        quarantine.correct(connection, source, figures, refusals, hours(1))
        assert len(quarantine.opened(connection)) == 1


def test_a_slip_that_comes_back_after_its_correction_waits_again(connection: Connection) -> None:
    meet(connection, FELL)
    quarantine.correct(connection, SOURCE, reading((JOBS, "", SEP, 2512.0)), [], hours(1))
    meet(connection, FELL, at=hours(2))
    (row,) = quarantine.opened(connection)
    assert (row.first_seen, row.last_seen, row.decided_at) == (START, hours(2), None)
    assert quarantine.settled(connection, 10) == []


def test_what_was_settled_is_listed_the_latest_first(connection: Connection) -> None:
    meet(connection, FELL, WORDS)
    for hour, row in enumerate(quarantine.opened(connection), 1):
        quarantine.dismiss(connection, row.id, "李四", "原件有误", hours(hour))
    assert [row.text for row in quarantine.settled(connection, 10)] == ["约\ufffd三千", "168人"]
    assert len(quarantine.settled(connection, 1)) == 1


def test_a_preliminary_figure_and_a_nil_report_are_released_as_what_they_are(connection: Connection) -> None:
    early = Refusal("第9行", Refused.JUMP, "168人", JOBS, "", SEP, 168.0, "人", Status.PARTIAL)
    nil = Refusal("第9行", Refused.UNKNOWN_SUBJECT, "无", JOBS, "丁县", SEP, None, "人", Status.NIL)
    meet(connection, early, nil)
    for row in quarantine.opened(connection):
        quarantine.release(connection, row.id, "张三", "核实", hours(1))
    stored = [vintages(connection, SOURCE, JOBS, subject, SEP, SEP)[0] for subject in ("", "丁县")]
    assert [(row.value, row.status) for row in stored] == [(168.0, Status.PARTIAL), (None, Status.NIL)]
    assert (JOBS, "丁县", "2025-09-30", None) in quarantine.released(connection, SOURCE)


def test_what_cannot_be_decided_is_said_and_changes_nothing(connection: Connection) -> None:
    store(connection, START, reading((JOBS, "", date(2025, 8, 31), 2344.0)))
    meet(connection, WORDS, Refusal("C1", Refused.UNKNOWN_UNIT, "0.3万人", JOBS, "", SEP, 0.3, "万人"))
    words, unit = (row.id for row in quarantine.opened(connection))
    for number, said in ((words, "nothing_to_release"), (unit, "other_unit"), (10**6, "unknown_number")):
        with pytest.raises(Undecidable, match=said):
            quarantine.release(connection, number, "张三", "核实", hours(1))
    quarantine.dismiss(connection, words, "李四", "原件有误", hours(1))
    with pytest.raises(Undecidable, match=r"李四.*already_dismissed"):
        quarantine.release(connection, words, "张三", "核实", hours(2))
    assert [row.id for row in quarantine.opened(connection)] == [unit]
    assert vintages(connection, SOURCE, JOBS, "", SEP, SEP) == []


def test_open_figures_are_counted_by_source_and_reason(connection: Connection) -> None:
    meet(connection, FELL, WORDS)
    meet(connection, WORDS, source="b/x")
    assert quarantine.counts(connection) == {
        SOURCE: {"cumulative_fell": 1, "not_a_number": 1},
        "b/x": {"not_a_number": 1},
    }


def test_of_a_flood_the_beginning_is_kept_once(connection: Connection) -> None:
    flood = [Refusal(f"B{n}", Refused.NOT_A_NUMBER, "—") for n in range(quarantine.KEPT + 5)]
    for hour in range(2):
        meet(connection, *flood, at=hours(hour))
    assert [row.cell for row in quarantine.opened(connection)] == [row.cell for row in flood[: quarantine.KEPT]]
