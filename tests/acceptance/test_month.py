"""A month of a real installation in a minute, with all that may befall it, beside the same month undisturbed.

PostgreSQL, Prometheus with the shipped rules, Alertmanager, a web hook, and two daemons of which one leads. The demonstration
clock goes twelve hours a second: judging by the calendar is what duban does, and restarts that set the clock forward day
by day would be nothing but restarts. Other machines do not hurry, so what concerns them goes by the real time; only the
patience of the shipped alerts is cut to two seconds, for hours of it would outlast the month.
"""

import json
import re
import shutil
import signal
import time
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from alerts.alert import Event, State
from monitor.store.database import open_engine, reading
from monitor.store.tables import alert, change, delivery, leader, observation, quarantine
from tests.acceptance.books import figures, town
from tests.acceptance.running import ROOT, Receiver, Running, until
from tests.alerts.channels.http_receiver import HttpReceiver
from tests.deploy.exposed import DEPLOY
from tests.deploy.grafana.test_dashboards import DASHBOARDS, QUERIES, Watched, filled
from tests.servers import alertmanager, prometheus
from tests.servers.alertmanager import Alertmanager
from tests.servers.postgres import Postgres
from tests.servers.prometheus import Prometheus

START, SPEED = "2025-08-28T09:00:00+08:00", 43_200
END, QUIET = datetime(2025, 9, 27, tzinfo=UTC), datetime(2025, 10, 10, tzinfo=UTC)
"""From the one to the other nothing is published, nor falls due: however late a change comes, it is in by then."""
TARGETS = 24
TAKEOVER_SECONDS = 5.0
MISSING = [*prometheus.MISSING, *([] if alertmanager.binary() else ["alertmanager"])]
TOLD = [event.value for event in Event if event.told]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}; set DUBAN_TEST_BIN")


def books(folder):
    """The shipped books, and a town's: three sources, of which one is asked in vain and another one will be lost."""
    shutil.copytree(ROOT / "rules/books", folder)
    place = town(folder, TARGETS)
    text = (place / "book.yaml").read_text("utf-8").replace("every 1 second", "daily at 06:00")
    registry = text[text.index("  filings:\n") : text.index("\ntargets:")]
    registry = registry.replace("filings", "registry").replace("figures.csv", "registry.csv")
    gone = (
        "  gone:\n    connector: http_json\n    url: http://127.0.0.1:9/figures\n    retries: 0\n"
        "    fields: {series: s, period: p, value: v}\n    schedule: every 1 hour\n"
    )
    text = text.replace("\ntargets:", f"\n{registry}\n{gone}targets:")
    for number, source in ((0, "gone"), (1, "registry")):
        text = text.replace(f"    name: 指标{number:03d}\n", f"    name: 指标{number:03d}\n    source: {source}\n")
    (place / "book.yaml").write_text(text, encoding="utf-8")
    (place / "registry.csv").write_text("指标,期间,数值,单位,发布日期\n指标001,2025-07,700,户,2025-08-10\n", "utf-8")
    rows = [(f"指标{i:03d}", "2025-06", 500, "2025-07-10") for i in range(2, TARGETS)]
    for i in range(2, TARGETS):
        # July is known at the start; August comes day by day, and turns half of the targets round.
        rows.append((f"指标{i:03d}", "2025-07", 700 - 150 * (i % 2), "2025-08-12"))
        if i < TARGETS - 2:  # the last two owe August's figure, and are called late for it
            rows.append((f"指标{i:03d}", "2025-08", 950 - 230 * (i % 4 > 1), f"2025-09-{8 + i % 5:02d}"))
    rows.append(("指标002", "2025-07", 7, "2025-08-30"))  # a cumulative figure that falls: held back
    figures(place, rows)
    return folder


class Installation:
    """Daemons on one database, and a web hook that they tell."""

    def __init__(self, folder, url, names, **channels):
        folder.mkdir()
        self.books, self.receiver, self.engine = books(folder / "books"), Receiver(), open_engine(url)
        self.daemons = []
        for name in names:
            (folder / name).mkdir()
            daemon = Running(
                folder / name,
                database=url,
                books=str(self.books),
                clock=START,
                clock_speed=SPEED,
                takeover=10,
                channels={"hook": {"kind": "webhook", "url": self.receiver.url}, **channels},
            )
            self.daemons.append(daemon)

    def day(self, daemon):
        """The moment of the last cycle, by the daemon's clock; the beginning of time where there was none."""
        found = re.search(r"^duban_cycle_last_timestamp_seconds (\S+)", daemon.get("/metrics")[1], re.MULTILINE)
        return datetime.fromtimestamp(float(found[1]) if found else 0, UTC)

    def reaches(self, daemon, day):
        """Wait for a day of the month."""
        until(lambda: self.day(daemon) >= day, what=f"{day} ({daemon.log})")

    def ask(self, query):
        with reading(self.engine) as connection:
            return connection.execute(query).all()

    def history(self):
        """What befell each alert, in order: what is told, why, and of which period and figure.

        Reminders go by the time that passed, and of figures of every day the one that is met first after an outage is
        another one: of these it is not asked.
        """
        c = change.c
        steps = defaultdict(list)
        for row in self.ask(
            select(*IDENTITY, c.event, c.cause, c.level, c.previous_level, c.period, c.actual)
            .join(alert, alert.c.id == c.alert_id)
            .where(c.at <= QUIET, c.event.not_in([event.value for event in Event if event.follows]))
            .order_by(c.id)
        ):
            steps[row[:4]].append(row[4:8] if row.book == "chongqing-air-2025" else row[4:])
        return dict(steps)

    def all_told(self):
        """Wait until nothing is owed; every change was told once, and the hook has it by its key."""
        until(lambda: {s for (s,) in self.ask(select(delivery.c.status).distinct())} == {"sent"}, what="all sent")
        owed = {key for (key,) in self.ask(select(delivery.c.key).where(delivery.c.channel == "hook"))}
        steps = self.ask(select(change.c.alert_id, change.c.at, change.c.event, change.c.id))
        told = [step.id for step in steps if step.event in TOLD]
        each = self.ask(select(delivery.c.change_id).where(delivery.c.channel == "hook"))
        assert sorted(number for (number,) in each) == sorted(told)
        assert len(steps) == len({step[:3] for step in steps})
        assert set(self.receiver.letters) == owed
        return len(told)

    def close(self):
        for daemon in self.daemons:
            daemon.__exit__()
        self.receiver.close()
        self.engine.dispose()


IDENTITY = (alert.c.book, alert.c.target, alert.c.subject, alert.c.kind)


def hurried(folder):
    """The shipped rules with a patience of seconds."""
    folder.mkdir()
    for path in (DEPLOY / "prometheus/rules").glob("*.yml"):
        text = re.sub(r"\bfor: \w+", "for: 2s", path.read_text("utf-8"))
        (folder / path.name).write_text(re.sub(r"\[(10|15|30)m\]", r"[\1s]", text), encoding="utf-8")
    return folder


class Month:
    """The disturbed installation and those who watch it."""

    def __init__(self, folder, postgres, server, peer, duty, disturbed):
        self.postgres, self.peer, self.duty, self.disturbed = postgres, peer, duty, disturbed
        self.leading, self.stand_by = disturbed.daemons
        self.watched = Watched(server, self.leading)
        self.figures = {}

    def ask(self, query):
        return self.watched.ask("query", query=query)["result"]

    def called(self, name, **labels):
        """Wait until one of the shipped alerts fires, and has reached whoever is on call."""
        which = ", ".join(f'{label}="{value}"' for label, value in {"alertname": name, **labels}.items())
        until(lambda: self.ask(f'ALERTS{{{which}, alertstate="firing"}}'), what=f"{name} firing")
        until(lambda: self._heard("firing", name, labels), what=f"{name} at the one on call")

    def calmed(self, name, **labels):
        """Wait until it is over, and whoever is on call knows."""
        until(lambda: self._heard("resolved", name, labels), what=f"the end of {name} at the one on call")

    def heard(self):
        """All that reached whoever is on call: (status, labels)."""
        posts = [json.loads(request.body) for request in list(self.duty.requests)]
        return [(one["status"], one["labels"]) for post in posts for one in post["alerts"]]

    def _heard(self, status, name, labels):
        wanted = {"alertname": name, **labels}.items()
        return any(found == status and wanted <= had.items() for found, had in self.heard())

    def lose_a_source(self):
        path = self.disturbed.books / "town-2025/registry.csv"
        path.rename(path.with_suffix(".away"))
        self.called("DubanSourceDown", source="town-2025/registry")
        path.with_suffix(".away").rename(path)
        self.calmed("DubanSourceDown", source="town-2025/registry")

    def restart_the_database(self):
        day = self.disturbed.day(self.leading)
        self.postgres.kill()
        until(lambda: "action=beat_failed" in self.leading.log.read_text("utf-8"), what="the outage noticed")
        self.postgres.start()
        began = time.monotonic()
        # Either may lead from now on; one that lost the lead, which it learns a little later, ends, and is started anew
        # as by any supervisor.
        until(lambda: [self.disturbed.day(one) > day for one in self.disturbed.daemons if self._leads(one)] == [True])
        self.figures["judging after the restart of PostgreSQL"] = time.monotonic() - began
        self.leading, self.stand_by = sorted(self.disturbed.daemons, key=self._leads, reverse=True)
        until(lambda: self.stand_by.process.poll() is not None or self._waits(self.stand_by), what="one of two")
        if self.stand_by.process.poll() is not None:
            self.stand_by.start()
        until(lambda: self._waits(self.stand_by), what="the stand-by")

    def take_messages_again(self):
        self.called("DubanChannelDown", channel="hook")
        self.disturbed.receiver.refusing = False
        self.calmed("DubanChannelDown", channel="hook")

    def kill_the_leader(self):
        term = self._term()
        place = f"127.0.0.1:{self.leading.port}"
        killed = time.monotonic()
        self.leading.kill()
        until(lambda: self._term() > term, what="the stand-by in the lead")
        self.figures["failover"] = time.monotonic() - killed
        assert self.figures["failover"] < TAKEOVER_SECONDS
        self.stand_by.ready()
        self.figures["first cycle after the failover"] = time.monotonic() - killed
        self.called("DubanDown", instance=place)
        self.leading, self.stand_by = self.stand_by, self.leading.start()
        self.watched.daemon = self.leading
        self.calmed("DubanDown", instance=place)
        self.leading.signal(signal.SIGHUP)

    def _leads(self, daemon):
        return daemon.get("/-/ready")[0] == 200

    def _waits(self, daemon):
        return "待命" in daemon.get("/-/ready")[1]

    def _term(self):
        return self.disturbed.ask(select(leader.c.term))[0][0]


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """The month, played to its end; daemons and servers still run."""
    folder = tmp_path_factory.mktemp("month")
    duty, began = HttpReceiver(), time.monotonic()
    peer = Alertmanager(folder / "alertmanager", duty.url)
    parts = [duty]
    try:
        peer.start()
        with Postgres() as postgres:
            disturbed = Installation(
                folder / "disturbed",
                postgres.url(postgres.create()),
                ["first", "second"],
                am={"kind": "alertmanager", "urls": [peer.url], "resend": 5, "ends_after": 30},
            )
            parts.append(disturbed)
            calm = Installation(folder / "calm", f"sqlite:///{folder}/calm.db", ["only"])
            parts.append(calm)
            scraped = [f"127.0.0.1:{daemon.port}" for daemon in disturbed.daemons]
            config = {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [f"{hurried(folder / 'rules')}/*.yml"],
                "scrape_configs": [{"job_name": "duban", "static_configs": [{"targets": scraped}]}],
                "alerting": {"alertmanagers": [{"static_configs": [{"targets": [peer.url.removeprefix("http://")]}]}]},
            }
            with Prometheus(config=json.dumps(config)) as server:
                found = Month(folder, postgres, server, peer, duty, disturbed)
                found.calm = calm
                disturbed.receiver.refusing = True
                found.leading.start().ready()
                calm.daemons[0].start()
                found.stand_by.start()
                found.take_messages_again()
                found.lose_a_source()
                found.restart_the_database()
                found.kill_the_leader()
                found.figures["day when all troubles were over"] = disturbed.day(found.leading).date()
                disturbed.reaches(found.leading, END)
                calm.reaches(calm.daemons[0], END)
                found.figures["whole month"] = time.monotonic() - began
                yield found
                print("\n".join(f"{what}: {figure}" for what, figure in found.figures.items()))
    finally:
        for part in reversed(parts):
            part.close()
        peer.stop()


def test_nothing_is_lost_or_doubled(month):
    month.figures["changes told"] = month.disturbed.all_told()
    month.figures["repetitions at the hook"] = month.disturbed.receiver.repeats
    assert month.calm.all_told() > TARGETS
    assert month.disturbed.ask(select(leader.c.term))[0][0] >= 2


def test_the_month_is_the_one_that_was_not_disturbed(month):
    one, other = month.disturbed.history(), month.calm.history()
    assert {key: one.get(key) for key in {*one, *other} if one.get(key) != other.get(key)} == {}
    events = {step[0] for steps in one.values() for step in steps}
    assert {"fired", "worsened", "eased", "resolved"} <= events
    causes = {step[1] for steps in one.values() for step in steps}
    month.figures["events and causes"] = sorted(events | causes)
    count = select(observation.c.id)
    assert len(month.disturbed.ask(count)) == len(month.calm.ask(count)) > TARGETS
    held = select(quarantine.c.source, quarantine.c.series, quarantine.c.period, quarantine.c.text, quarantine.c.reason)
    assert sorted(month.disturbed.ask(held)) == sorted(month.calm.ask(held))


def test_what_stands_stands_in_alertmanager_and_what_ended_was_told_as_resolved(month):
    stands = select(*IDENTITY, alert.c.level).where(alert.c.state == State.FIRING.value)

    def told():
        return {
            (
                *(one["labels"].get(name, "") for name in ("book", "target", "subject", "kind")),
                one["labels"]["severity"],
            )
            for one in month.peer.firing()
            if one["labels"]["alertname"] in ("DubanTargetBehind", "DubanFigureOwed")
        }

    def standing():
        return {(*row[:4], {1: "warning", 2: "critical"}[row[4]]) for row in month.disturbed.ask(stands)}

    # By a demonstration's clock the end of a lesser severity is long past: it ends when it is not told any more.
    until(lambda: told() == standing(), what="the same alerts in Alertmanager")
    assert len(standing()) > 3
    ended = {labels["target"] for status, labels in month.heard() if status == "resolved" and "target" in labels}
    assert len(ended) >= TARGETS // 4


def test_each_query_of_the_dashboards_gets_rows(month):
    place = {"instance": f"127.0.0.1:{month.leading.port}"}
    air = {"book": "chongqing-air-2025", "target": "good-air-days"}
    chosen = {
        name: month.watched.chosen(dashboard, **place, **(air if name == "duban-target" else {}))
        for name, dashboard in DASHBOARDS.items()
    }

    def rows(name, query):
        expression, now = filled(query["expr"], chosen[name]), time.time()
        if query["instant"]:
            return month.ask(expression)
        return month.watched.ask("query_range", query=expression, start=now - 10, end=now, step=2)["result"]

    for name, query in (one.values for one in QUERIES):
        until(lambda name=name, query=query: rows(name, query), seconds=30, what=f"{name}: {query['expr']}")


def test_both_daemons_are_scraped_and_nobody_is_called_in_vain(month):
    assert {one["metric"]["instance"] for one in month.ask('up{job="duban"} == 1')} == {
        f"127.0.0.1:{daemon.port}" for daemon in month.disturbed.daemons
    }
    month.figures["alerts of duban's own"] = sorted(
        {labels["alertname"] for _, labels in month.heard() if "target" not in labels}
    )
    wrong = 'ALERTS{alertname=~"DubanDown|DubanNotJudging|DubanNobodyLeads|DubanDeadLetters", alertstate="firing"}'
    until(lambda: not month.ask(wrong), seconds=30, what="calm")
