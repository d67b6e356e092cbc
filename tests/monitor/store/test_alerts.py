from datetime import date

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, func, select

from alerts.alert import Alert, Change, Event, Kind, State
from alerts.notice import Notice
from monitor.snapshot import OpenAlert
from monitor.store import alerts
from monitor.store.tables import alert, change
from rules.target import Level
from tests.monitor.store.samples import hours, identity, step, steps


def test_nothing_stands_at_first(connection: Connection) -> None:
    assert alerts.standing(connection) == []
    assert alerts.open_alerts(connection) == []
    assert alerts.history(connection, identity()) == []
    assert alerts.save(connection, []) == ([], [])


def test_an_alert_comes_back_as_it_was_saved(connection: Connection) -> None:
    saved = step()
    (number,) = alerts.save(connection, [saved]).changes
    stands = replace(saved[0], change_id=number)
    assert alerts.standing(connection) == [stands]
    assert alerts.open_alerts(connection) == [OpenAlert(stands, saved[2])]
    assert alerts.history(connection, identity()) == [(number, saved[1], saved[2])]


def test_an_alert_moves_and_its_history_grows(connection: Connection) -> None:
    moves = [
        step(Event.NOTICED, Level.YELLOW),
        step(Event.FIRED, Level.YELLOW, hours(1)),
        step(Event.WORSENED, Level.RED, hours(2), previous=Level.YELLOW),
    ]
    numbers = [number for move in moves for number in alerts.save(connection, [move]).changes]
    assert alerts.standing(connection) == [replace(moves[-1][0], change_id=numbers[-1])]
    assert alerts.open_alerts(connection)[0].notice == moves[-1][2]
    assert alerts.history(connection, identity()) == [
        (number, move[1], move[2]) for number, move in zip(numbers, moves, strict=True)
    ]
    assert numbers == sorted(set(numbers))


def test_a_pending_alert_stands_and_a_resolved_one_does_not(connection: Connection) -> None:
    alerts.save(connection, [step(Event.NOTICED, of=identity("a")), step(of=identity("b"))])
    assert {found.state for found in alerts.standing(connection)} == {State.PENDING, State.FIRING}
    alerts.save(connection, [step(Event.RESOLVED, Level.GREEN, hours(1), identity("b"), Level.YELLOW)])
    assert [found.identity.target for found in alerts.standing(connection)] == ["a"]
    assert len(alerts.history(connection, identity("b"))) == 2


def test_target_subject_and_kind_keep_alerts_apart(connection: Connection) -> None:
    identities = [identity("a"), identity("a", "甲县"), identity("a", "", Kind.DATA), identity("b")]
    alerts.save(connection, [step(of=who) for who in identities])
    assert {found.identity for found in alerts.standing(connection)} == set(identities)
    assert [len(alerts.history(connection, who)) for who in identities] == [1, 1, 1, 1]


def test_of_two_changes_of_one_alert_the_last_says_where_it_stands(connection: Connection) -> None:
    moves = [step(), step(Event.WORSENED, Level.RED, hours(1), previous=Level.YELLOW)]
    first, second = alerts.save(connection, moves).changes
    assert first < second
    assert alerts.standing(connection) == [replace(moves[1][0], change_id=second)]
    assert [number for number, _, _ in alerts.history(connection, identity())] == [first, second]


SEPTEMBER, OCTOBER = date(2025, 9, 30), date(2025, 10, 31)


def of_october(moved: tuple[Alert, Change, Notice]) -> tuple[Alert, Change, Notice]:
    """The same step, standing on October's figure."""
    alert, change, notice = moved
    basis = alert.basis._replace(period=OCTOBER)
    return replace(alert, basis=basis), replace(change, basis=basis), notice


def test_what_was_told_of_a_period_is_the_last_change_that_people_heard_of(connection: Connection) -> None:
    untold, first, second = alerts.save(
        connection,
        [
            step(Event.NOTICED, of=identity("b")),
            step(Event.FIRED),
            step(Event.WORSENED, Level.RED, hours(1), previous=Level.YELLOW),
        ],
    ).changes
    (resolved,) = alerts.save(
        connection, [of_october(step(Event.RESOLVED, Level.GREEN, hours(2), previous=Level.RED))]
    ).changes
    found = {alert.basis.period: alert for alert in alerts.told(connection, [SEPTEMBER, OCTOBER])}
    assert untold < first < second
    assert (found[SEPTEMBER].change_id, found[SEPTEMBER].level, found[SEPTEMBER].changed) == (
        second,
        Level.RED,
        hours(1),
    )
    assert (found[OCTOBER].change_id, found[OCTOBER].level) == (resolved, Level.GREEN)
    assert alerts.told(connection, [OCTOBER]) == [found[OCTOBER]]
    assert alerts.told(connection, [SEPTEMBER], [("wansheng-2025", "b", "")]) == []
    assert alerts.told(connection, [SEPTEMBER], [("wansheng-2025", "urban-jobs", "")]) == [found[SEPTEMBER]]


def test_nothing_is_left_of_what_was_told_of_a_target_that_was_withdrawn(connection: Connection) -> None:
    alerts.save(connection, [step(), step(Event.WITHDRAWN, Level.GREEN, hours(1), previous=Level.YELLOW)])
    assert alerts.told(connection, [SEPTEMBER]) == []
    assert alerts.standing(connection) == []


def test_a_correction_of_a_past_period_leaves_the_alert_where_it_stands(connection: Connection) -> None:
    (first,) = alerts.save(connection, [step()]).changes
    (second,) = alerts.save(
        connection, [of_october(step(Event.WORSENED, Level.RED, hours(1), previous=Level.YELLOW))]
    ).changes
    before = alerts.open_alerts(connection)
    _, change, notice = step(Event.CORRECTED, Level.RED, hours(2), previous=Level.RED)
    corrected = replace(change, judged=Level.GREEN, corrects=first)
    (third,) = alerts.save(connection, [(None, corrected, notice)]).changes
    assert alerts.open_alerts(connection) == before
    assert [number for number, _, _ in alerts.history(connection, identity())] == [first, second, third]
    assert alerts.history(connection, identity())[-1][1] == corrected
    (told,) = alerts.told(connection, [SEPTEMBER])
    assert (told.change_id, told.level) == (third, Level.GREEN)


def test_the_rule_of_an_alert_is_kept_up_and_its_history_is_not_touched(connection: Connection) -> None:
    alerts.save(connection, [step(of=identity("a")), step(of=identity("b"))])
    was = alerts.history(connection, identity("a"))
    (mine,) = [alert for alert in alerts.standing(connection) if alert.identity == identity("a")]
    edited = replace(mine, basis=mine.basis._replace(rule="黄色阈值：落后应完成数超过10%"))
    alerts.keep_up(connection, [edited])
    alerts.keep_up(connection, [])
    found = {alert.identity: alert for alert in alerts.standing(connection)}
    assert found[identity("a")] == edited
    assert found[identity("b")].basis == mine.basis
    assert alerts.history(connection, identity("a")) == was


def test_many_are_saved_in_a_few_statements(engine: Engine) -> None:
    moves = steps(f"t{n}" for n in range(6_000))
    with engine.begin() as connection:
        alerts.save(connection, moves[:1500])
    with engine.begin() as connection:
        numbers = alerts.save(connection, moves).changes
        assert len(set(numbers)) == 6_000
        assert connection.scalar(select(func.count()).select_from(alert)) == 6_000
        found = dict(
            connection.execute(select(change.c.id, alert.c.target).join(alert, alert.c.id == change.c.alert_id)).all()
        )
        assert [found[number] for number in numbers] == [move[1].identity.target for move in moves]


def test_what_is_rolled_back_leaves_no_trace(engine: Engine) -> None:
    with engine.connect() as connection:
        alerts.save(connection, [step()])
        connection.rollback()
        assert alerts.standing(connection) == []


def test_a_moment_without_time_zone_is_an_error(connection: Connection) -> None:
    with pytest.raises(Exception, match="naive_datetime"):
        alerts.save(connection, [step(at=hours(1).replace(tzinfo=None))])
