"""Whatever makes messages wait, each is told once, and in the end everybody knows how things stand."""

from datetime import datetime, timedelta

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from alerts.alert import Event
from alerts.delivery import Attempt, Result, Status
from alerts.digest import AT_ONCE, Rhythm, budget, digest, week
from alerts.notice import Notice
from alerts.routing import Route
from alerts.suppression import Reason, Silence, decide, quiet
from monitor.store import alerts as alert_store
from monitor.store import digests, outbox, silences
from monitor.store.digests import Way
from monitor.store.tables import alert, change, delivery
from rules.target import Level
from tests.alerts.builders import pace_notice
from tests.monitor.store.samples import identity, step

START = datetime.fromisoformat("2025-09-25T10:00:00+08:00")  # the holidays are near
RHYTHMS = {
    "即时": AT_ONCE,
    "日报": Rhythm(digest("daily 09:00 except red")),
    "周报": Rhythm(digest("weekly monday 09:00")),
    "限额": Rhythm(None, budget("2 a week")),
}
ROUTES = [Route(name, "mail", f"{name}@example.org", "") for name in RHYTHMS]
PARENT = "t0"


class Office:
    """The store with a clock that goes on hour by hour; t0 holds the others while it fires."""

    def __init__(self, connection):
        self.connection, self.now = connection, START
        self.level, self.last = {}, {}
        self.silence = False

    def decide(self, notice: Notice, way: Way, ready: bool):
        held = [Silence(1, notice.book, Level.RED, self.now + timedelta(days=30), "王五", "")]
        parent = self.level.get(PARENT, 0) >= max(notice.level, 1) and notice.target != PARENT
        return decide(
            notice,
            self.now,
            held if self.silence else [],
            None if ready else quiet("nights 20:00-08:00, days off"),
            inhibitor=self.last[PARENT] if parent else 0,
            rhythm=AT_ONCE if ready else RHYTHMS[way.receiver],
            spent=self.spent.get(way, 0),
        )

    def move(self, name: str, wanted: int) -> None:
        before = self.level.get(name, 0)
        if wanted == before:
            return
        event = (
            Event.FIRED
            if not before
            else Event.RESOLVED
            if not wanted
            else (Event.WORSENED if wanted > before else Event.EASED)
        )
        alert_, change_, _ = step(event, Level(wanted), self.now, identity(name), Level(before))
        state = "firing" if wanted else "resolved"
        said = pace_notice(
            "resolved" if not wanted else "fired", target=name, event=event.value, state=state, level=wanted,
            judged=wanted, previous_level=before, at=self.now.isoformat(),
        )  # fmt: skip
        self.spent = digests.spent(self.connection, week(self.now))
        (number,) = alert_store.save(self.connection, [(alert_, change_, said)]).changes
        self.level[name], self.last[name] = wanted, number
        held = {(number, way): self.decide(said, way, False) for way in (Way(*route[:3]) for route in ROUTES)}
        held = {place: why for place, why in held.items() if why is not None}
        outbox.enqueue(self.connection, [(number, route) for route in ROUTES], self.now, held)
        silences.hold_ends(self.connection, [number] if not wanted else [])
        self.cycle()

    def cycle(self) -> None:
        self.spent = digests.spent(self.connection, week(self.now))
        silences.awake(self.connection, self.decide, self.now, anew=not self.silence and self.now.hour == 12)
        while taken := outbox.claim(self.connection, "mail", self.now, 100):
            for one in taken:
                outbox.finish(self.connection, [(one, Attempt(Result.SENT, ""), Status.SENT, self.now)], self.now)

    def later(self, hours: int) -> None:
        for _ in range(hours):
            self.now += timedelta(hours=1)
            self.cycle()


def _heard(connection, receiver):
    """Every change that reached a receiver, the way it did, in the order of the letters."""
    c = delivery.c
    query = (
        select(
            c.id,
            c.digest_id,
            change.c.id.label("change"),
            change.c.event,
            change.c.level,
            alert.c.target,
            c.finished_at,
        )
        .join(change, change.c.id == c.change_id)
        .join(alert, alert.c.id == change.c.alert_id)
        .where(c.receiver == receiver, c.status == Status.SENT.value)
        .order_by(c.finished_at, change.c.id)
    )
    return connection.execute(query).all()


_DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.sampled_from(["t0", "t1", "t2"]), st.integers(0, 2)),
        st.tuples(st.just("later"), st.sampled_from([1, 5, 14, 26]), st.just(0)),
        st.tuples(st.just("silence"), st.booleans(), st.just(0)),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_DEEDS)
@example([("move", "t0", 1), ("silence", True, 0), ("move", "t0", 0)])
@example([("move", "t0", 1), ("move", "t0", 0), ("silence", True, 0), ("move", "t0", 1)])
def test_everybody_knows_in_the_end_how_things_stand_and_is_told_nothing_twice(connection, deeds):
    with connection.begin_nested() as point:
        office = Office(connection)
        for deed, what, how in deeds:
            if deed == "move":
                office.move(what, how)
            elif deed == "later":
                office.later(what)
            else:
                office.silence = what
        office.silence = False
        office.move(PARENT, 0)
        # Long enough for the holidays and for the week's rest of a small budget.
        for _ in range(40):
            office.now += timedelta(hours=12)
            office.now = office.now.replace(hour=12 if office.now.hour > 12 else 9)
            if office.now.hour == 12:
                office.now += timedelta(days=1)
            office.cycle()
        assert silences.waiting(connection) == dict.fromkeys(Reason, 0)
        for receiver in RHYTHMS:
            heard = _heard(connection, receiver)
            assert len({row.change for row in heard}) == len(heard)
            known = {row.target: row for row in heard}
            for name, level in office.level.items():
                if name in known:
                    assert known[name].level == level, (receiver, name)
                else:
                    assert level == 0, (receiver, name)
        point.rollback()
