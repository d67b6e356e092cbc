from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from msgspec.structs import replace
from sqlalchemy import Connection, Engine, func, select

from alerts.alert import Event
from alerts.bulletin import Bulletin, bulletin
from alerts.delivery import LEASE, Attempt, Delivery, Result, Status, key
from alerts.organisation import Contact
from alerts.routing import Route
from alerts.suppression import Held, Reason
from monitor.store import alerts, letters, outbox
from monitor.store.database import reading
from monitor.store.digests import Way
from monitor.store.tables import attempt, delivery
from rules.target import Level
from tests.monitor.store.samples import START, hours, identity, step, steps

OFFICE = Route("人力社保局", "folder", "", "人力社保局是该目标的牵头单位")
HOOK = Route("督查办", "webhook", "http://127.0.0.1/x", "督查办负责督办本方案")
SENT = Attempt(Result.SENT, "ok")
BROKEN = Attempt(Result.UNREACHABLE, "拒绝\0连接")


def _queue(connection: Connection, *routes: Route, count: int = 1) -> list[int]:
    changes = alerts.save(connection, steps(f"t{n}" for n in range(count))).changes
    outbox.enqueue(connection, [(change, route) for change in changes for route in routes], START, {})
    return changes


def _claim(connection: Connection, at=START, limit: int = 10) -> list[Delivery]:
    return outbox.claim(connection, "folder", at, limit)


def test_a_message_is_due_at_once_and_says_all_that_a_sender_needs(connection: Connection) -> None:
    (change,) = alerts.save(connection, [step()]).changes
    (message,) = outbox.enqueue(connection, [(change, OFFICE)], START, {})
    (taken,) = _claim(connection)
    mark = key(change, "人力社保局", "folder", "")
    assert taken == Delivery(message.id, mark, "人力社保局", "folder", "", OFFICE.why, 0, taken.notice)
    assert taken.notice == step()[2]


def test_nothing_is_queued_and_nothing_taken_from_an_empty_outbox(connection: Connection) -> None:
    assert outbox.enqueue(connection, [], START, {}) == []
    assert _claim(connection) == []
    assert outbox.counts(connection) == {"queued": 0, "sending": 0, "sent": 0, "dead": 0, "suppressed": 0}


def test_what_waits_is_queued_as_waiting_beside_what_is_due(connection: Connection) -> None:
    (change,) = alerts.save(connection, [step()]).changes
    tabbed = OFFICE._replace(receiver="督查\t办")
    held = {
        (change, Way(*OFFICE[:3])): Held(Reason.QUIET, hours(8)),
        (change, Way(*HOOK[:3])): Held(Reason.SILENCED, hours(9), 7),
    }
    (due,) = outbox.enqueue(connection, [(change, OFFICE), (change, tabbed), (change, HOOK)], START, held)
    assert (due.change_id, due.way) == (change, Way(*tabbed[:3]))
    c = delivery.c
    rows = connection.execute(select(c.receiver, c.status, c.suppressed, c.due_at, c.silence_id).order_by(c.id)).all()
    assert rows == [
        (OFFICE.receiver, "suppressed", "quiet", hours(8), None),
        (tabbed.receiver, "queued", None, START, None),
        (HOOK.receiver, "suppressed", "silenced", hours(9), 7),
    ]


def test_the_same_message_is_queued_once(connection: Connection) -> None:
    (change,) = alerts.save(connection, [step()]).changes
    twice = [(change, OFFICE), (change, OFFICE._replace(why="抄送")), (change, HOOK)]
    assert len(outbox.enqueue(connection, twice, START, {})) == 2
    assert [taken.why for taken in _claim(connection)] == [OFFICE.why]


def test_channels_do_not_wait_for_each_other(connection: Connection) -> None:
    _queue(connection, OFFICE, HOOK)
    assert [taken.channel for taken in outbox.claim(connection, "webhook", START, 10)] == ["webhook"]
    assert [taken.channel for taken in _claim(connection)] == ["folder"]


def test_what_is_on_its_way_is_counted_by_channel_with_what_failed_and_what_waits_longest(
    connection: Connection,
) -> None:
    assert outbox.queues(connection) == {}
    _queue(connection, OFFICE, count=3)
    _queue(connection, HOOK)
    assert outbox.queues(connection) == {"folder": (3, 0, START), "webhook": (1, 0, START)}
    first, second = _claim(connection, limit=2)
    ended = [(first, BROKEN, Status.QUEUED, hours(1)), (second, SENT, Status.SENT, START)]
    outbox.finish(connection, ended, START)
    assert outbox.queues(connection)["folder"] == (2, 1, START)
    _claim(connection)  # the third, for the first time: it has not failed
    assert outbox.queues(connection)["folder"] == (2, 1, START + LEASE)
    outbox.release(connection)
    assert outbox.queues(connection)["folder"][2] == hours(1)


def test_the_longest_due_go_first_and_no_more_than_asked_for(connection: Connection) -> None:
    (late,) = alerts.save(connection, [step(of=identity("late"))]).changes
    outbox.enqueue(connection, [(late, OFFICE)], hours(1), {})
    _queue(connection, OFFICE, count=3)
    assert [len(_claim(connection, limit=2)), len(_claim(connection, limit=2))] == [2, 1]
    assert [taken.notice.target for taken in _claim(connection, hours(1), 1)] != []


def test_what_is_not_due_yet_is_left_alone(connection: Connection) -> None:
    _queue(connection, OFFICE)
    assert _claim(connection, START - timedelta(microseconds=1)) == []


def test_a_taken_message_belongs_to_its_sender_until_the_lease_ends(connection: Connection) -> None:
    _queue(connection, OFFICE)
    (first,) = _claim(connection)
    assert _claim(connection) == []
    (second,) = _claim(connection, START + LEASE)
    assert (second.id, second.key, second.attempts) == (first.id, first.key, 1)


def test_letters_that_go_together_have_one_receiver_and_one_address(connection: Connection) -> None:
    other = Route("统计局", "folder", "", "统计局负责报送该目标的数据")
    _queue(connection, OFFICE, other, OFFICE._replace(address="b"), count=4)
    found = []
    while taken := outbox.claim(connection, "folder", START, 3, together=True):
        assert len({(one.receiver, one.address) for one in taken}) == 1
        found.append(len(taken))
    assert sorted(found) == [1, 1, 1, 3, 3, 3]
    assert outbox.claim(connection, "folder", START, 3, together=True) == []


def test_what_a_silent_sender_left_goes_first_and_what_waits_goes_with_it(connection: Connection) -> None:
    other = Route("统计局", "folder", "", "统计局负责报送该目标的数据")
    _queue(connection, OFFICE, other, count=3)
    left = outbox.claim(connection, "folder", START, 2, together=True)
    assert _claim(connection, START + LEASE, limit=2) == [replace(one, attempts=1) for one in left]
    again = outbox.claim(connection, "folder", START + 2 * LEASE, 10, together=True)
    assert {one.receiver for one in again} == {left[0].receiver}
    assert [one.attempts for one in again] == [2, 2, 0]


def test_a_message_put_back_is_due_again_and_has_lost_no_attempt(connection: Connection) -> None:
    _queue(connection, OFFICE)
    (first,) = _claim(connection)
    outbox.put_back(connection, [first], hours(1))
    assert _claim(connection) == []
    (second,) = _claim(connection, hours(1))
    assert second == first


def test_a_sender_whose_lease_ended_puts_nothing_back(connection: Connection) -> None:
    _queue(connection, OFFICE)
    (first,) = _claim(connection)
    (second,) = _claim(connection, hours(1))
    outbox.put_back(connection, [first], hours(1))
    assert _claim(connection, hours(1)) == []
    assert outbox.finish(connection, [(second, SENT, Status.SENT, hours(1))], hours(1))


def test_what_stands_is_the_last_that_was_told_of_an_alert(connection: Connection) -> None:
    def told(target: str, *events: Event) -> None:
        for hour, event in enumerate(events):
            level = Level.GREEN if event is Event.RESOLVED else Level.YELLOW
            (change,) = alerts.save(connection, [step(event, level, at=hours(hour), of=identity(target))]).changes
            outbox.enqueue(connection, [(change, OFFICE), (change, HOOK)], hours(hour), {})
            for taken in _claim(connection, hours(hour)):
                outbox.finish(connection, [(taken, SENT, Status.SENT, hours(hour))], hours(hour))

    told("stands", Event.FIRED, Event.WORSENED)
    told("over", Event.FIRED, Event.RESOLVED)
    _queue(connection, OFFICE)  # fired, and not told yet
    lately = {(row.notice.target, row.notice.event) for row in outbox.standing(connection, "folder", hours(0.5))}
    assert lately == {("stands", "worsened"), ("over", "resolved")}
    later = outbox.standing(connection, "folder", hours(1))
    assert [row.notice.target for row in later] == ["stands"]
    assert outbox.standing(connection, "webhook", hours(0)) == []


def test_a_sender_that_comes_back_too_late_changes_nothing(connection: Connection) -> None:
    _queue(connection, OFFICE)
    (first,) = _claim(connection)
    (second,) = _claim(connection, hours(1))
    assert outbox.finish(connection, [(first, BROKEN, Status.DEAD, hours(1))], hours(1)) == 0
    assert outbox.counts(connection)["sending"] == 1
    assert outbox.finish(connection, [(second, SENT, Status.SENT, hours(1))], hours(1)) == 1
    assert outbox.finish(connection, [(second, BROKEN, Status.QUEUED, hours(1))], hours(1)) == 0
    assert outbox.counts(connection) == {"queued": 0, "sending": 0, "sent": 1, "dead": 0, "suppressed": 0}
    assert connection.scalar(select(func.count()).select_from(attempt)) == 3


def test_a_new_leader_takes_up_what_a_dead_one_was_sending(connection: Connection) -> None:
    _queue(connection, OFFICE)
    (lost,) = _claim(connection)
    assert outbox.release(connection) == 1
    (again,) = _claim(connection)
    assert (again.id, again.attempts) == (lost.id, 1)
    assert not outbox.finish(connection, [(lost, SENT, Status.SENT, START)], START)


def test_a_sent_message_is_never_taken_again(connection: Connection) -> None:
    _queue(connection, OFFICE)
    (taken,) = _claim(connection)
    outbox.finish(connection, [(taken, SENT, Status.SENT, START)], hours(1))
    assert _claim(connection, hours(1000)) == []
    assert connection.execute(select(delivery.c.finished_at)).scalar_one() == hours(1)


def test_a_failed_try_is_made_again_when_it_is_due(connection: Connection) -> None:
    _queue(connection, OFFICE)
    (taken,) = _claim(connection)
    assert outbox.finish(connection, [(taken, BROKEN, Status.QUEUED, hours(1))], START)
    assert outbox.counts(connection)["queued"] == 1
    assert _claim(connection, hours(0.9)) == []
    assert [again.attempts for again in _claim(connection, hours(1))] == [1]


def test_a_dead_letter_is_listed_with_the_last_answer(connection: Connection) -> None:
    _queue(connection, OFFICE)
    for hour, status, answer in ((0, Status.QUEUED, BROKEN), (1, Status.DEAD, Attempt(Result.REJECTED, "拒收"))):
        (taken,) = _claim(connection, hours(hour))
        outbox.finish(connection, [(taken, answer, status, hours(hour + 1))], hours(hour))
    (letter,) = letters.sendings(connection, status=Status.DEAD)
    assert (letter.about, letter.receiver, letter.channel) == ("/".join(identity("t0")), "人力社保局", "folder")
    assert (letter.attempts, letter.finished_at) == (2, hours(1))
    assert [(one.at, one.result, one.answer) for one in letter.tries] == [
        (START, Result.UNREACHABLE, "拒绝\ufffd连接"),
        (hours(1), Result.REJECTED, "拒收"),
    ]
    assert _claim(connection, hours(1000)) == []


def test_a_dead_letter_is_redriven_in_somebodys_name_and_its_tries_count_anew(connection: Connection) -> None:
    _queue(connection, OFFICE, count=3)
    *dead, alive = _claim(connection)
    for taken in dead:
        outbox.finish(connection, [(taken, BROKEN, Status.DEAD, START)], START)
    one, other = (taken.id for taken in dead)
    assert outbox.redrive(connection, [one, alive.id], "王五", hours(5)) == [one]
    assert [again.attempts for again in _claim(connection, hours(5)) if again.id == one] == [0]
    (letter,) = letters.sendings(connection, ids=[one])
    assert (letter.tries[-1].result, letter.tries[-1].answer) == (Result.REDRIVEN, "王五")
    assert outbox.redrive(connection, [], "王五", hours(6)) == [other]
    assert outbox.redrive(connection, [], "王五", hours(6)) == []


def test_what_waits_goes_where_its_receiver_is_reached_by_now(connection: Connection) -> None:
    mail = Route("财政局", "email", "old@example.org", "x")
    _queue(connection, mail, mail._replace(receiver="教育局"), mail._replace(receiver="水利局"), OFFICE)
    (taken,) = outbox.claim(connection, "email", START, 1)
    outbox.finish(connection, [(taken, SENT, Status.SENT, START)], START)
    now = {
        "财政局": [Contact("email", "new@example.org")],  # it has the letter
        "教育局": [Contact("email", "new@example.org"), Contact("folder", "")],
        "水利局": [Contact("email", "a@example.org"), Contact("email", "b@example.org")],
    }
    assert letters.readdress(connection, lambda name: now.get(name, [])) == 1
    assert letters.readdress(connection, lambda name: now.get(name, [])) == 0
    assert [(one.receiver, one.address) for one in reversed(letters.sendings(connection))] == [
        ("财政局", "old@example.org"),
        ("教育局", "new@example.org"),
        ("水利局", "old@example.org"),
        ("人力社保局", ""),
    ]


def test_who_is_told_at_an_address_already_is_not_told_there_twice(connection: Connection) -> None:
    mail = Route("财政局", "email", "left@example.org", "x")
    _queue(connection, mail, mail._replace(address="stays@example.org"))
    assert letters.readdress(connection, lambda _: [Contact("email", "stays@example.org")]) == 0


def test_a_message_that_tells_of_no_change_takes_the_same_way(connection: Connection) -> None:
    said = bulletin(Bulletin.DRILL, "督办消息渠道演练", ["演练范围：全部"], START)
    (number, _) = outbox.announce(connection, said, [OFFICE, HOOK], START)
    (taken,) = _claim(connection)
    assert (taken.id, taken.notice) == (number, said)
    assert outbox.last_sent(connection, Bulletin.DRILL) is None
    outbox.finish(connection, [(taken, SENT, Status.SENT, hours(1))], hours(1))
    assert outbox.last_sent(connection, Bulletin.DRILL) == hours(1)
    assert outbox.last_sent(connection, Bulletin.HEARTBEAT) is None
    assert outbox.standing(connection, "folder", START) == []
    assert [one.about for one in letters.sendings(connection)] == ["drill", "drill"]


def test_messages_are_found_by_channel_receiver_and_change_the_latest_first(connection: Connection) -> None:
    first, second = _queue(connection, OFFICE, HOOK, count=2)
    found = letters.sendings(connection, channel="webhook")
    assert [one.change_id for one in found] == [second, first]
    assert {one.receiver for one in letters.sendings(connection, receiver="人力社保局")} == {"人力社保局"}
    assert len(letters.sendings(connection, changes=[first])) == 2
    assert len(letters.sendings(connection, most=1)) == 1


def test_alert_and_messages_are_saved_together_or_not_at_all(engine: Engine) -> None:
    with engine.connect() as connection:
        _queue(connection, OFFICE)
        connection.rollback()
    with reading(engine) as connection:
        assert alerts.standing(connection) == []
        assert sum(outbox.counts(connection).values()) == 0


def test_senders_at_work_at_once_never_get_the_same_message(engine: Engine) -> None:
    with engine.begin() as connection:
        _queue(connection, OFFICE, count=400)

    def take(_: int) -> list[int]:
        mine: list[int] = []
        while True:
            with engine.begin() as connection:
                taken = _claim(connection, limit=7)
            if not taken:
                return mine
            mine += [row.id for row in taken]

    with ThreadPoolExecutor(4) as pool:
        found = Counter(number for mine in pool.map(take, range(4)) for number in mine)
    assert len(found) == 400
    assert set(found.values()) == {1}


def test_on_postgresql_a_sender_passes_by_what_another_one_is_taking(engine: Engine) -> None:
    with engine.begin() as connection:
        _queue(connection, OFFICE, count=4)
    if engine.dialect.name == "sqlite":
        return
    with engine.connect() as one, engine.connect() as other:
        assert {row.id for row in _claim(one, limit=2)}.isdisjoint({row.id for row in _claim(other, limit=4)})


def test_a_storm_is_queued_and_taken_in_bulk(engine: Engine) -> None:
    with engine.begin() as connection:
        _queue(connection, OFFICE, HOOK, count=2000)
    with engine.begin() as connection:
        assert len(_claim(connection, limit=20_000)) == 2000
    with reading(engine) as connection:
        assert outbox.counts(connection) == {"queued": 2000, "sending": 2000, "sent": 0, "dead": 0, "suppressed": 0}
