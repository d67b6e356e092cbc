"""Five hundred alerts at once through the real outbox, to real servers that fail in three cases out of ten.

Time is virtual: hours of waiting for robots that take few messages pass in seconds.
"""

import json
import random
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from alerts.alert import NOTHING, Alert, Cause, Change, Event, Identity, Kind, State
from alerts.channels import limits
from alerts.channels.dingtalk import DingTalk
from alerts.channels.feishu import Feishu
from alerts.channels.webhook import Webhook
from alerts.channels.wecom import WeCom
from alerts.circuit import Circuit
from alerts.routing import Route
from connectors.strict import read
from monitor import pipeline
from monitor.store import alerts as alert_store
from monitor.store import outbox
from monitor.store.database import reading
from rules.target import Level
from tests.alerts.builders import pace_notice
from tests.alerts.channels.http_receiver import HttpReceiver
from tests.servers.robots import SECRET, TOKEN, DingTalkRobot, FeishuRobot, WeComRobot

START = datetime(2025, 10, 27, 1, tzinfo=UTC)
ALERTS = 500
OFFICES = ("人力社保局", "发展改革委", "统计局")
ROBOTS = {"dingtalk": (DingTalk, DingTalkRobot), "wecom": (WeCom, WeComRobot), "feishu": (Feishu, FeishuRobot)}


class VirtualClock:
    """Runs only when told to; a hundredth of a second passes with every look at it."""

    second = timedelta(seconds=1)

    def __init__(self):
        self._now = START

    def now(self):
        self._now += timedelta(milliseconds=10)
        return self._now

    real = now

    def shown(self, real):
        return real

    def seconds(self):
        return self._now.timestamp()

    def sleep(self, seconds):
        self._now += timedelta(seconds=seconds)


def queue_storm(engine, channels):
    steps, routes = [], []
    for number in range(ALERTS):
        name, office = f"t{number:03d}", OFFICES[number % len(OFFICES)]
        identity = Identity("wansheng-2025", name, "", Kind.PACE)
        facts = {"target": name, "name": f"指标{number:03d}", "lead": (office,), "asked": (office,)}
        steps.append(
            (
                Alert(identity, State.FIRING, Level.RED, START, START),
                Change(
                    identity,
                    START,
                    Event.FIRED,
                    Cause.ORDINARY,
                    State.FIRING,
                    Level.RED,
                    Level.GREEN,
                    START,
                    Level.RED,
                    NOTHING,
                ),
                pace_notice(**facts),
            )
        )
        routes.append([Route(office, channel, "", f"{office}是该目标的牵头单位") for channel in channels])
    with engine.begin() as connection:
        changes = alert_store.save(connection, steps).changes
        outbox.enqueue(connection, [(c, r) for c, mine in zip(changes, routes, strict=True) for r in mine], START, {})


def faults(dice, share, *kinds):
    while True:
        yield dice.choice(kinds) if dice.random() < share else ""


class _Endless:
    """Faults for ever, as a robot takes them: one a request."""

    def __init__(self, source):
        self.source = source

    def popleft(self):
        return next(self.source)


class FaultyHook(HttpReceiver):
    """A web hook that honours the keys, behind a line that fails."""

    faults = iter(())

    def answer(self, request):
        fault = next(self.faults)
        self.status, self.reset = {"error": 502, "busy": 503}.get(fault, 200), fault == "reset"
        if self.status == 200:
            self.arrived.update(alert["annotations"]["key"] for alert in json.loads(request.body)["alerts"])
        return b"ok"


@pytest.mark.parametrize("backend", ["sqlite"])
def test_every_alert_reaches_every_receiver_and_no_limit_is_ever_exceeded(engine, backend, tmp_path, monkeypatch):
    clock, dice = VirtualClock(), random.Random(20251027)
    monkeypatch.setattr(limits, "clock", clock.seconds)
    monkeypatch.setattr(limits, "_SLOTS", {})
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "secret").write_text(SECRET)
    servers, channels = {}, {}
    for name, (kind, robot) in ROBOTS.items():
        server = robot(clock=clock.seconds, pause_of_slow=0.2)
        server.faults = _Endless(faults(dice, 0.3, "error", "busy", "reset", "reset", "slow"))
        options = {"host": server.host, "token_file": "token", "timeout": 0.1}
        options |= {"secret_file": "secret"} if server.signed else {}
        servers[name] = server
        channels[name] = kind(read(kind.Options, options), tmp_path)
    hook = FaultyHook()
    hook.arrived, hook.faults = Counter(), faults(dice, 0.3, "error", "busy", "reset")
    servers["hook"], channels["hook"] = hook, Webhook(Webhook.Options(url=hook.host, timeout=5), tmp_path)
    circuits = {name: Circuit() for name in channels}
    queue_storm(engine, channels)
    try:
        for _ in range(3000):
            for name, channel in channels.items():
                pipeline.deliver(engine, name, channel, clock, circuits[name])
            with reading(engine) as connection:
                counts = outbox.counts(connection)
            if counts["sent"] + counts["dead"] == ALERTS * len(channels):
                break
            clock.sleep(5)
    finally:
        for server in servers.values():
            server.close()
        for channel in channels.values():
            channel.close()
    assert counts == {"queued": 0, "sending": 0, "sent": ALERTS * len(channels), "dead": 0, "suppressed": 0}
    everything = {f"指标{number:03d}" for number in range(ALERTS)}
    for name in ROBOTS:
        robot = servers[name]
        assert {found for text in robot.letters() for found in re.findall(r"指标\d{3}", text)} == everything
        assert robot.blocked == 0
        assert worst_minute(robot.arrivals) <= robot.per_minute
        assert len(robot.messages) < ALERTS / 3
    assert len(hook.arrived) == ALERTS
    assert max(hook.arrived.values()) > 1  # the line did lose answers, and the key told the repetition


def worst_minute(arrivals):
    return max(sum(first <= moment < first + 60 for moment in arrivals) for first in arrivals)
