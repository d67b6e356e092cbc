"""What stands too long is told again and higher up, once, in working days, on the real pipeline with a clock of its own."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from alerts.alert import Event, Identity, Kind
from alerts.organisation import Organisation
from connectors.observation import Observation, frame
from connectors.strict import read
from monitor import pipeline
from monitor.store import alerts as alert_store
from monitor.store import observations, outbox, pulls
from monitor.store.database import reading
from monitor.store.tables import alert, change, delivery
from monitor.watch import Watch
from rules.calendar import Every, period_ends
from tests.rules.builders import a_book

CHINA = ZoneInfo("Asia/Shanghai")
ENDS = period_ends(2025, Every.MONTH).tolist()
PACE = Identity("b", "t0", "", Kind.PACE)
TOWN = {
    "units": {
        "人力社保局": {"contacts": [{"mail": "rsj"}], "reports to": "李主任"},
        "督查办": {"contacts": [{"mail": "dcb"}]},
    },
    "people": {
        "李主任": {"contacts": [{"mail": "li"}], "reports to": "王书记"},
        "王书记": {"contacts": [{"mail": "wang"}]},
    },
}


def china(day, hour=10):
    return datetime.fromisoformat(f"2025-{day}T{hour:02}:00:00").replace(tzinfo=CHINA)


class Town:
    """A daemon on a real store that judges when told to."""

    def __init__(self, engine, levels=None, organisation=None, **target):
        self.engine = engine
        usual = {
            "source": "filings",
            "goal": "at least 1200 个",
            "published": "20 days after period",
            "levels": levels or {"yellow": "behind 10%", "red": "behind 20%"},
        }
        self.book = a_book({**usual, **target}, sources={"filings": {"connector": "table_file"}}, supervisor="督查办")
        self.organisation = read(Organisation, {**TOWN, **(organisation or {})})
        self.restart(china("01-01"))

    def restart(self, at):
        self.watch = Watch([self.book], complete=True)
        self.watch.load(self.engine, at)

    def publish(self, at, figures):
        rows = [
            Observation("指标", "", ENDS[month - 1], value, "个", None, "第2行") for month, value in figures.items()
        ]
        with self.engine.begin() as connection:
            pull_id = pulls.begin(connection, "b/filings", at)
            observations.append(connection, "b/filings", pull_id, frame(rows), at)

    def judge(self, at, silent=()):
        return pipeline.judge(self.engine, self.watch, self.organisation, silent, at)[1]

    def live(self, first, last, *, restarting=False):
        """A cycle at eight, nine and ten of every day."""
        day, end = china(first, 0), china(last, 0)
        while day <= end:
            for hour in (8, 9, 10):
                at = day + timedelta(hours=hour)
                if restarting:
                    self.restart(at)
                self.judge(at)
            day += timedelta(days=1)

    def told(self):
        """What went to whom on which day, of all that is in the outbox."""
        query = (
            select(change.c.at, change.c.event, delivery.c.receiver)
            .join(change, change.c.id == delivery.c.change_id)
            .order_by(delivery.c.id)
        )
        with reading(self.engine) as connection:
            return [
                (f"{row.at.astimezone(CHINA):%m-%d %H}", row.event, row.receiver) for row in connection.execute(query)
            ]

    def history(self):
        with reading(self.engine) as connection:
            return alert_store.history(connection, PACE)


@pytest.mark.parametrize("restarting", [False, True], ids=["running", "restarted before every cycle"])
def test_red_over_the_national_day_is_followed_up_in_working_days(engine, restarting):
    """Of 2025 the holidays are 1 to 8 October; Sunday 28 September and Saturday 11 October are worked."""
    town = Town(engine)
    town.publish(china("09-24", 8), {8: 600})
    town.live("09-24", "10-17", restarting=restarting)
    town.publish(china("10-18", 8), {9: 890})
    town.live("10-18", "10-27", restarting=restarting)
    assert town.told() == [
        ("09-24 08", "fired", "人力社保局"),
        ("09-24 08", "fired", "督查办"),
        ("09-24 08", "escalated", "王书记"),  # red: the top leader at once
        ("09-30 09", "reminded", "人力社保局"),  # 25, 26, Sunday the 28th, 29, 30 September
        ("09-30 09", "reminded", "督查办"),
        ("10-14 09", "reminded", "人力社保局"),  # 9, 10, Saturday the 11th, 13, 14 October
        ("10-14 09", "reminded", "督查办"),
        ("10-14 09", "escalated", "王书记"),  # ten working days
        ("10-18 08", "resolved", "人力社保局"),
        ("10-18 08", "resolved", "督查办"),
        ("10-18 08", "resolved", "王书记"),  # who was told of red hears of its end
    ]


def test_yellow_twice_is_for_the_leader_in_charge_and_red_after_it_for_the_top_leader(engine):
    town = Town(engine)
    for day, figures in (("09-15", {8: 700}), ("10-15", {9: 790}), ("11-14", {10: 880}), ("12-15", {11: 800})):
        town.publish(china(day, 8), figures)
        town.live(day, day)
    assert town.told() == [
        ("09-15 08", "fired", "人力社保局"),
        ("09-15 08", "fired", "督查办"),
        ("10-15 08", "escalated", "李主任"),
        ("12-15 08", "worsened", "人力社保局"),
        ("12-15 08", "worsened", "督查办"),
        ("12-15 08", "worsened", "李主任"),
        ("12-15 08", "escalated", "王书记"),
    ]
    (_, _, fired), (_, _, twice), *_ = town.history()
    assert (twice.waited, twice.attention, twice.actual) == ("已连续2期", "分管领导", 790.0)
    assert (fired.waited, fired.attention) == ("", "")


def test_who_was_told_of_red_hears_of_its_end_though_it_was_eased_before(engine):
    town = Town(engine)
    for day, figures in (("09-15", {8: 600}), ("10-15", {9: 760}), ("11-14", {10: 990})):
        town.publish(china(day, 8), figures)
        town.restart(china(day, 8))
        town.judge(china(day, 8))
    assert [one for one in town.told() if one[2] == "王书记"] == [
        ("09-15 08", "escalated", "王书记"),
        ("10-15 08", "eased", "王书记"),
        ("11-14 08", "resolved", "王书记"),
    ]


def test_who_is_told_of_red_by_a_route_is_not_told_of_it_again_as_the_leader_until_it_stands_too_long(engine):
    rule = {"when": {"level": "red"}, "to": ["unit", "supervisor", "top leader"]}
    town = Town(engine, organisation={"routes": [rule], "reminders": {}})
    town.publish(china("09-24", 8), {8: 600})
    town.live("09-24", "10-14")
    town.publish(china("10-18", 8), {9: 890})
    town.live("10-18", "10-18")
    assert [said for said in town.told() if said[2] == "王书记"] == [
        ("09-24 08", "fired", "王书记"),
        ("10-14 09", "escalated", "王书记"),
        ("10-18 08", "resolved", "王书记"),
    ]


def test_why_says_who_they_are_and_how_long_it_stands(engine):
    town = Town(engine)
    town.publish(china("09-24", 8), {8: 600})
    town.live("09-24", "10-14")
    with reading(engine) as connection:
        found = connection.execute(
            select(delivery.c.why).where(delivery.c.receiver == "王书记").order_by(delivery.c.id)
        )
        assert [row.why for row in found] == [
            "王书记为主要领导；红色预警即时报告",
            "王书记为主要领导；红色预警已满10个工作日仍未解除",
        ]


def test_what_is_told_again_leaves_the_alert_where_it_stood(engine):
    town = Town(engine)
    town.publish(china("09-24", 8), {8: 600})
    town.live("09-24", "10-14")
    (first, fired, _), *again = town.history()
    with reading(engine) as connection:
        (row,) = connection.execute(select(alert)).all()
    assert (row.last_change_id, row.changed, row.level) == (first, fired.at, 2)
    assert row.reminded == china("10-14", 9)
    assert row.steps.splitlines() == ["red after at once to top leader", "red after 10 workdays to top leader"]
    assert [(step.event, step.cause, step.basis) for _, step, _ in again[:2]] == [
        (Event.ESCALATED, "standing", fired.basis),
        (Event.REMINDED, "standing", fired.basis),
    ]


def test_a_revised_figure_corrects_what_was_told_of_it_and_not_the_reminder(engine):
    town = Town(engine)
    town.publish(china("09-24", 8), {8: 600})
    town.live("09-24", "10-09")
    town.publish(china("10-10", 8), {8: 790})
    (move,) = town.judge(china("10-10"))
    assert (move.change.event, move.notice.told_level) == (Event.CORRECTED, 2)
    assert {route.receiver for route in move.routes} == {"人力社保局", "督查办", "王书记"}


def test_an_alert_that_stands_while_its_next_figure_is_overdue_is_followed_up_and_says_so(engine):
    town = Town(engine)
    town.publish(china("09-24", 8), {8: 600})
    town.live("09-24", "10-28")
    reminded = [notice for _, step, notice in town.history() if step.event is Event.REMINDED]
    assert [(notice.at[5:10], notice.owed, notice.actual) for notice in reminded] == [
        ("09-30", "", 600.0),
        ("10-14", "", 600.0),
        ("10-21", "2025年9月", 600.0),
        ("10-28", "2025年9月", 600.0),
    ]


def test_while_an_overdue_figure_may_be_out_at_a_silent_source_nothing_is_followed_up_and_then_it_is_at_once(engine):
    town = Town(engine)
    town.publish(china("09-24", 8), {8: 600})
    town.judge(china("09-24"))
    assert [town.judge(china(day), silent=["b/filings"]) for day in ("10-22", "10-23")] == [[], []]
    assert [move.change.event for move in town.judge(china("10-24"))] == [Event.FIRED, Event.REMINDED, Event.ESCALATED]
    assert town.judge(china("10-24", 11)) == []
    assert [move.change.event for move in town.judge(china("10-31"))] == [Event.REMINDED]


def test_a_cycle_that_fails_to_save_takes_no_step(engine, monkeypatch):
    town = Town(engine)
    town.publish(china("09-24", 8), {8: 600})
    town.judge(china("09-24"))
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "enqueue", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
        with pytest.raises(OSError, match="the disk is full"):
            town.judge(china("09-30"))
    assert [move.change.event for move in town.judge(china("09-30", 11))] == [Event.REMINDED]


def test_where_nobody_is_higher_up_nobody_is_bothered_until_the_organisation_says_who(engine):
    town = Town(engine, organisation={"people": {}, "units": {"人力社保局": {"contacts": ["mail"]}}})
    town.publish(china("09-24", 8), {8: 600})
    assert [move.change.event for move in town.judge(china("09-24"))] == [Event.FIRED]
    assert town.judge(china("09-25")) == []
    town.organisation = read(Organisation, TOWN)
    town.restart(china("09-25"))
    assert [move.change.event for move in town.judge(china("09-25", 11))] == [Event.ESCALATED]


def test_a_word_that_nobody_higher_up_can_hear_does_not_delay_the_reminder(engine):
    town = Town(engine, organisation={"people": {}, "units": {"人力社保局": {"contacts": ["mail"]}}})
    town.publish(china("09-24", 8), {8: 600})
    for day in ("09-24", "09-30", "10-14", "10-20"):
        town.judge(china(day, 11))
    moves = town.judge(china("10-21", 9))  # September's figure is overdue by now
    assert [(move.change.identity.kind, move.change.event) for move in moves] == [
        (Kind.DATA, Event.FIRED),
        (Kind.PACE, Event.REMINDED),
    ]


def test_a_debt_is_followed_up_by_its_own_rules(engine):
    rules = {"reminders": {"data": "3 workdays"}, "escalation": [{"of": "data", "after": "4 workdays", "to": "李主任"}]}
    town = Town(engine, organisation=rules)
    town.publish(china("09-15", 8), {8: 800})
    town.live("09-15", "10-29")
    assert [(when, event) for when, event, receiver in town.told() if receiver != "督查办"] == [
        ("10-21 08", "fired"),
        ("10-24 09", "reminded"),
        ("10-27 09", "escalated"),
        ("10-29 09", "reminded"),
    ]


def test_of_daily_figures_twice_means_two_months(engine):
    days = period_ends(2025, Every.DAY).tolist()
    town = Town(engine, every="day", goal="at least 3650 个")

    def say(day, value):
        at = china(day, 8)
        rows = [Observation("指标", "", days[at.timetuple().tm_yday - 2], value, "个", None, "第2行")]
        with engine.begin() as connection:
            pull_id = pulls.begin(connection, "b/filings", at)
            observations.append(connection, "b/filings", pull_id, frame(rows), at)
        return [move.change.event for move in town.judge(at.astimezone(UTC))]

    assert say("09-10", 2200) == [Event.FIRED]
    assert say("09-11", 2210) == []
    assert say("10-02", 2400) == [Event.ESCALATED]
