"""Messages held by other alerts, told together, or beyond what a receiver wants in a week; on the real pipeline."""

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from alerts.alert import Alert, Identity, Kind, State
from alerts.channels.folder import Folder
from alerts.circuit import Circuit
from alerts.organisation import Organisation
from alerts.suppression import NO_CROWDS, Reason, Silence, quiet
from connectors.observation import Observation, frame
from connectors.strict import read
from monitor import pipeline
from monitor.clock import Clock
from monitor.store import letters, observations, outbox, pulls, silences
from monitor.store.database import reading
from monitor.store.tables import delivery
from monitor.waiting import _DECIDES, Waiting
from monitor.watch import Watch
from rules.calendar import Every, period_ends
from rules.target import Level
from tests.alerts.builders import pace_notice
from tests.rules.builders import a_book

CHINA = ZoneInfo("Asia/Shanghai")
ENDS = period_ends(2025, Every.MONTH).tolist()
NAMES = {"total": "全区投资", "mine": "采矿投资", "road": "道路投资"}
LETTERS = ["letters"]


def china(day, hour=10):
    return datetime.fromisoformat(f"2025-{day}T{hour:02}:00:00").replace(tzinfo=CHINA)


class Town:
    """Three targets of one lead, judged when told to; letters go to a folder."""

    def __init__(self, engine, tmp_path, *, hours=None, crowds=NO_CROWDS, **organisation):
        self.engine, self.hours, self.crowds = engine, hours and quiet(hours), crowds
        target = {
            "source": "filings",
            "goal": "at least 1200 个",
            "published": "20 days after period",
            "levels": {"yellow": "behind 10%", "red": "behind 20%"},
        }
        labels = {"total": [], "mine": "分项", "road": "分项"}
        targets = [{**target, "id": one, "name": words, "labels": labels[one]} for one, words in NAMES.items()]
        self.book = a_book(*targets, sources={"filings": {"connector": "table_file"}}, supervisor="督查办")
        usual = {"units": {"人力社保局": {"contacts": LETTERS}}, "reminders": {}, "escalation": []}
        self.organisation = read(Organisation, {**usual, **organisation})
        self.folder = Folder(Folder.Options(path=tmp_path / "letters"), tmp_path)
        self.path = tmp_path / "letters"
        self.restart(china("01-01"))

    def restart(self, at):
        self.watch = Watch([self.book], complete=True)
        self.watch.load(self.engine, at)

    def cycle(self, at, **figures):
        """Publish ``name=(month, value)``, judge and deliver; returns the letters of this cycle.

        What the first cycle does not name is on schedule in August.
        """
        if not self.watch.position:
            figures = dict.fromkeys(NAMES, (8, 800)) | figures
        before = set(self.path.glob("*/*.txt"))
        rows = [
            Observation(NAMES[name], "", ENDS[month - 1], value, "个", None, "第2行")
            for name, (month, value) in figures.items()
        ]
        if rows:
            with self.engine.begin() as connection:
                pull_id = pulls.begin(connection, "b/filings", at)
                observations.append(connection, "b/filings", pull_id, frame(rows), at)
        pipeline.judge(self.engine, self.watch, self.organisation, (), at, self.hours, self.crowds)
        clock = Clock(at, Clock.real())
        assert pipeline.deliver(self.engine, "letters", self.folder, clock, Circuit()).keys() <= {"sent"}
        return [path.read_text("utf-8") for path in sorted(set(self.path.glob("*/*.txt")) - before)]

    def titles(self, at, **figures):
        return [text.splitlines()[0] for text in self.cycle(at, **figures)]

    def waiting(self):
        with reading(self.engine) as connection:
            return {why.value: count for why, count in silences.waiting(connection).items() if count}


DAILY = {"人力社保局": {"contacts": LETTERS, "digest": "daily 09:00 except red"}}
PARTS = [{"by": {"target": "total"}, "holds": {"label": "分项"}, "equal": "lead"}]


def test_what_is_not_red_is_told_together_on_the_next_working_morning(engine, tmp_path):
    town = Town(engine, tmp_path, units=DAILY)
    assert town.titles(china("09-30"), total=(8, 600), mine=(8, 700), road=(8, 710)) == [
        "【红色预警】全区投资（人力社保局）"
    ]
    assert town.waiting() == {"digest": 2}
    assert town.cycle(china("10-01", 9)) == []
    (text,) = town.cycle(china("10-09", 9))
    assert text.startswith(
        "【督办汇总】2025年10月9日：新增2项\n\n截至2025年10月9日 09:00，新增2项。\n\n黄色预警（2项）\n《方案》\n"
    )
    assert "  1. 【新增】采矿投资（人力社保局）：截至2025年8月为700个，比时序进度少100个" in text
    assert town.waiting() == {}
    with reading(engine) as connection:
        found = letters.sendings(connection)
    assert Counter((one.event, one.status.value, one.suppressed, one.digest) for one in found) == {
        ("fired", "sent", "", None): 1,
        ("fired", "sent", "digest", found[0].id): 2,
        ("digest", "sent", "", None): 1,
    }


def test_what_was_raised_and_solved_between_two_digests_is_told_as_both(engine, tmp_path):
    town = Town(engine, tmp_path, units={"人力社保局": {"contacts": LETTERS, "digest": "weekly monday 09:00"}})
    assert town.cycle(china("09-22"), mine=(8, 700), road=(8, 600)) == []
    assert town.cycle(china("09-23"), mine=(9, 950)) == []
    (text,) = town.cycle(china("09-29", 9))
    assert text.startswith("【督办汇总】2025年9月29日：新增1项（红色1项）、新增并解除1项\n")
    assert "【新增并解除】采矿投资（人力社保局）：截至2025年9月为950个，黄色预警已解除" in text


def test_a_digest_of_one_is_that_message_itself(engine, tmp_path):
    town = Town(engine, tmp_path, units=DAILY)
    assert town.cycle(china("09-24"), mine=(8, 700)) == []
    assert town.titles(china("09-25", 9)) == ["【黄色预警】采矿投资（人力社保局）"]


def test_what_got_red_and_was_told_at_once_is_not_told_as_yellow_afterwards(engine, tmp_path):
    town = Town(engine, tmp_path, units=DAILY)
    town.cycle(china("09-24"), mine=(8, 700), road=(8, 700))
    assert town.titles(china("09-24", 11), mine=(9, 600)) == ["【预警升级】采矿投资（人力社保局）"]
    assert town.titles(china("09-25", 9)) == ["【黄色预警】道路投资（人力社保局）"]


def test_a_digest_missed_while_the_daemon_was_down_is_made_up_for_and_sent_once(engine, tmp_path):
    town = Town(engine, tmp_path, units=DAILY)
    town.cycle(china("09-24"), mine=(8, 700), road=(8, 700))
    town.restart(china("09-26"))
    assert town.titles(china("09-26")) == ["【督办汇总】2025年9月26日：新增2项"]
    town.restart(china("09-29"))
    assert town.titles(china("09-29")) == []


def test_where_the_organisation_wants_no_digest_any_more_what_waits_is_told_after_the_reload(engine, tmp_path):
    town = Town(engine, tmp_path, units=DAILY)
    town.cycle(china("09-24"), mine=(8, 700), road=(8, 700))
    town.organisation = read(Organisation, {"units": {"人力社保局": {"contacts": LETTERS}}})
    town.restart(china("09-24", 11))
    assert len(town.cycle(china("09-24", 11))) == 2


def test_a_route_may_have_a_digest_of_its_own(engine, tmp_path):
    routes = [
        {"when": {"target": "road"}, "to": "unit", "digest": "weekly friday 16:00"},
        {"to": "unit", "digest": "never"},
    ]
    town = Town(engine, tmp_path, units=DAILY, routes=routes)
    assert town.titles(china("09-24"), mine=(8, 700), road=(8, 700)) == ["【黄色预警】采矿投资（人力社保局）"]
    assert town.titles(china("09-26", 16)) == ["【黄色预警】道路投资（人力社保局）"]


def test_beyond_the_budget_of_a_week_the_rest_is_told_when_the_next_week_opens_but_red_is_told(engine, tmp_path):
    town = Town(engine, tmp_path, units={"人力社保局": {"contacts": LETTERS, "at most": "1 a week except red"}})
    assert town.titles(china("09-22"), mine=(8, 700)) == ["【黄色预警】采矿投资（人力社保局）"]
    assert town.titles(china("09-23"), road=(8, 700)) == []
    assert town.waiting() == {"budget": 1}
    assert town.titles(china("09-24"), total=(8, 600)) == ["【红色预警】全区投资（人力社保局）"]
    assert town.titles(china("09-25"), mine=(9, 950)) == []
    assert town.waiting() == {"budget": 2}
    assert town.titles(china("09-29", 9)) == ["【督办汇总】2025年9月29日：新增1项、解除1项"]


def test_of_one_cycle_the_worst_uses_the_budget(engine, tmp_path):
    town = Town(engine, tmp_path, units={"人力社保局": {"contacts": LETTERS, "at most": "1 a week"}})
    assert town.titles(china("09-22"), mine=(8, 700), road=(8, 600)) == ["【红色预警】道路投资（人力社保局）"]


def test_while_the_total_is_red_its_parts_wait_and_are_told_when_it_ends(engine, tmp_path):
    town = Town(engine, tmp_path, inhibit=PARTS)
    assert town.titles(china("09-22"), total=(8, 600), mine=(8, 700), road=(8, 700)) == [
        "【红色预警】全区投资（人力社保局）"
    ]
    assert town.waiting() == {"inhibited": 2}
    assert town.titles(china("09-23"), road=(9, 950)) == []  # nobody heard of it: nobody hears of its end
    assert sorted(town.titles(china("09-24"), total=(9, 950))) == [
        "【预警解除】全区投资（人力社保局）",
        "【黄色预警】采矿投资（人力社保局）",
    ]
    assert town.waiting() == {}
    with reading(engine) as connection:
        kept = connection.execute(select(delivery).where(delivery.c.status == "suppressed")).all()
    assert {row.suppressed for row in kept} == {"inhibited"}
    assert len(kept) == 2  # raised and solved in the meantime: kept with the reason


def test_a_part_that_is_worse_than_the_total_is_told(engine, tmp_path):
    town = Town(engine, tmp_path, inhibit=PARTS)
    town.cycle(china("09-22"), total=(8, 700), mine=(8, 700))
    assert town.titles(china("09-23"), mine=(9, 600)) == ["【预警升级】采矿投资（人力社保局）"]
    assert town.titles(china("09-24"), total=(9, 950)) == ["【预警解除】全区投资（人力社保局）"]


def test_what_people_heard_of_ends_for_them_while_the_total_still_fires(engine, tmp_path):
    town = Town(engine, tmp_path, inhibit=PARTS)
    assert len(town.cycle(china("09-22"), mine=(8, 700))) == 1
    town.cycle(china("09-23"), total=(8, 600))
    assert town.titles(china("09-24"), mine=(9, 950)) == ["【预警解除】采矿投资（人力社保局）"]


def test_without_the_rule_what_waited_is_told_after_the_reload(engine, tmp_path):
    town = Town(engine, tmp_path, inhibit=PARTS)
    town.cycle(china("09-22"), total=(8, 600), mine=(8, 700))
    town.organisation = read(Organisation, {"units": {"人力社保局": {"contacts": LETTERS}}})
    town.restart(china("09-23"))
    assert town.titles(china("09-23")) == ["【黄色预警】采矿投资（人力社保局）"]


@pytest.mark.parametrize("ruled", [False, True])
def test_a_figure_that_is_owed_holds_the_reminder_of_the_old_one_where_that_is_asked_for(engine, tmp_path, ruled):
    """The alert itself moves neither way while the next figure is owed, ruled or not."""
    rule = {"by": {"kind": "data"}, "holds": {"kind": "pace"}, "equal": ["target", "subject"]}
    town = Town(engine, tmp_path, inhibit=[rule] if ruled else [], reminders={"red": "5 workdays"})
    town.cycle(china("09-22"), mine=(8, 600))
    told = [title for title in town.titles(china("10-21", 9)) if "采矿" in title]
    owed, reminder = "【数据催报】采矿投资（人力社保局）", "【红色预警未解除】采矿投资（人力社保局）"
    assert sorted(told) == sorted([owed] if ruled else [owed, reminder])


def test_a_digest_that_cannot_be_delivered_can_be_redriven_and_then_tells_all(engine, tmp_path):
    town = Town(engine, tmp_path, units=DAILY)
    town.cycle(china("09-24"), mine=(8, 700), road=(8, 700))
    at = china("09-25", 9)
    pipeline.judge(engine, town.watch, town.organisation, (), at)
    with engine.begin() as connection:
        connection.execute(
            delivery.update().where(delivery.c.bulletin == "digest").values(status="dead", finished_at=at)
        )
        assert len(outbox.redrive(connection, (), "王五", at)) == 1
    assert town.titles(at) == ["【督办汇总】2025年9月25日：新增2项"]
    assert town.waiting() == {}
    assert [one for one in Reason if not one.text] == []


def test_who_hears_only_now_that_an_alert_stands_is_not_reminded_of_it_as_well(engine, tmp_path):
    town = Town(engine, tmp_path, reminders={"yellow": "1 workday"})
    silence = Silence(0, "b", Level.RED, china("09-25", 11), "王五", "口径")
    with engine.begin() as connection:
        silences.add(connection, silence, china("09-22"))
    assert town.cycle(china("09-22"), mine=(8, 700)) == []
    for day in ("09-23", "09-24", "09-25"):
        assert town.cycle(china(day)) == []
    assert town.titles(china("09-25", 12)) == ["【黄色预警】采矿投资（人力社保局）"]
    assert town.waiting() == {}
    assert town.titles(china("09-26")) == ["【黄色预警未解除】采矿投资（人力社保局）"]


def test_what_is_too_much_at_one_moment_is_told_together_at_once(engine, tmp_path):
    town = Town(engine, tmp_path, crowds={"letters": 2})
    (text,) = town.cycle(china("09-24"), total=(8, 600), mine=(8, 700), road=(8, 700))
    assert text.startswith("【督办汇总】2025年9月24日：新增3项（红色1项、黄色2项）\n")
    assert "红色预警（1项）" in text
    assert "发送缘由：人力社保局的消息同一时刻条数较多，合并发送" in text
    assert town.waiting() == {}
    with reading(engine) as connection:
        found = letters.sendings(connection)
    assert Counter((one.event, one.status.value, one.suppressed) for one in found) == {
        ("fired", "sent", "crowd"): 3,
        ("digest", "sent", ""): 1,
    }
    assert sorted(town.titles(china("09-25"), mine=(9, 950), road=(9, 950))) == [
        "【预警解除】道路投资（人力社保局）",
        "【预警解除】采矿投资（人力社保局）",
    ]


def test_what_a_crowd_has_told_is_not_told_again_by_a_later_digest_as_it_stood_before(engine, tmp_path):
    town = Town(engine, tmp_path, units=DAILY, crowds={"letters": 2})
    assert town.cycle(china("09-22"), mine=(8, 700), road=(8, 700)) == []
    (text,) = town.cycle(china("09-22", 11), total=(9, 600), mine=(9, 600), road=(9, 600))
    assert "红色预警（3项）" in text
    assert town.titles(china("09-23", 9)) == []


def test_what_the_night_held_back_is_told_together_in_the_morning_where_it_is_too_much(engine, tmp_path):
    town = Town(engine, tmp_path, hours="nights 20:00-08:00", crowds={"letters": 1})
    assert town.cycle(china("09-23", 22), mine=(8, 700), road=(8, 700)) == []
    assert town.waiting() == {"quiet": 2}
    assert town.titles(china("09-24", 8)) == ["【督办汇总】2025年9月24日：新增2项"]


def test_a_channel_that_machines_read_is_told_each_by_itself_however_many_there_are(engine, tmp_path):
    town = Town(engine, tmp_path, crowds={"mail": 1})
    assert len(town.cycle(china("09-24"), total=(8, 600), mine=(8, 700), road=(8, 700))) == 3


def test_the_end_of_what_nobody_heard_of_is_not_told_in_a_crowd(engine, tmp_path):
    town = Town(engine, tmp_path, inhibit=PARTS, crowds={"letters": 1})
    assert len(town.cycle(china("09-22"), total=(8, 600), mine=(8, 700), road=(8, 700))) == 1
    assert town.titles(china("09-23"), mine=(9, 950), road=(9, 950)) == []
    assert town.titles(china("09-24"), total=(9, 950)) == ["【预警解除】全区投资（人力社保局）"]


class Looked:
    """A notice that remembers which of its facts were looked at."""

    def __init__(self, notice):
        self.notice, self.names = notice, set()

    def __getattr__(self, name):
        self.names.add(name)
        return getattr(self.notice, name)


def test_messages_are_taken_for_alike_by_all_that_decides_whether_one_waits(engine, tmp_path):
    every = {"unit": "甲局", "level": "red", "book": "b", "section": "民生", "label": "分项", "kind": "data"}
    town = Town(
        engine,
        tmp_path,
        default={"digest": "daily 09:00 except red", "at most": "2 a week"},
        routes=[{"when": every, "to": ["unit"]}],
        inhibit=[{"by": {"target": "total"}, "holds": {"level": "red"}, "equal": ["lead"]}],
    )
    now = china("09-22")
    total = Alert(Identity("b", "total", "", Kind.DATA), State.FIRING, Level.RED, now, now, change_id=1)
    silence = Silence(0, "b", Level.YELLOW, china("09-25"), "王五", "口径", "road", "甲县", "民生", "甲局", "分项")
    with engine.begin() as connection:
        silences.add(connection, silence, now)
        waits = Waiting(connection, town.watch, town.organisation, quiet("days off"), now)
    waits.of([], [total])
    red = {"level": 2, "state": "resolved", "book": "b", "kind": "data", "section": "民生", "labels": ("分项",)}
    looked = Looked(pace_notice(**red, target="road", subject="甲县", asked=("甲局",)))
    assert waits._decide(looked, "甲局", 0, ready=False) is None
    assert looked.names == {*_DECIDES, "target", "subject"}
