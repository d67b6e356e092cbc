"""The daemon's jobs on its own store, without its threads."""

import json
import time
from datetime import timedelta

import pytest

from alerts.channels import limits
from monitor.app import Daemon
from monitor.store import outbox
from monitor.store.database import reading
from tests.acceptance.books import figures, town
from tests.alerts.channels.http_receiver import HttpReceiver
from tests.servers.robots import TOKEN, WeComRobot

RESEND = 60


class Shifted:
    """The daemon's clock, set forward."""

    def __init__(self, clock, forward):
        self._clock, self._forward, self.rehearsing = clock, forward, clock.rehearsing

    def now(self):
        return self._clock.now() + self._forward

    def real(self):
        return self._clock.real() + self._forward

    def shown(self, real):
        return self._clock.shown(real)


@pytest.fixture
def peer():
    peer = HttpReceiver(body=b"")
    yield peer
    peer.close()


@pytest.fixture
def daemon(tmp_path, peer):
    folder = town(tmp_path / "books", 3)
    figures(folder, [(f"指标00{i}", "2025-09", 500, "2025-10-15") for i in range(3)])
    settings = {
        "books": str(tmp_path / "books"),
        "database": f"sqlite:///{tmp_path}/duban.db",
        "archive": None,
        "clock": "2025-10-27T09:00:00+08:00",
        "channels": {"am": {"kind": "alertmanager", "urls": [peer.host], "resend": RESEND, "timeout": 5}},
    }
    path = tmp_path / "duban.yaml"
    path.write_text(json.dumps(settings, ensure_ascii=False), encoding="utf-8")
    daemon = Daemon(path)
    yield daemon
    daemon.close()


def alerts(peer):
    return [len(json.loads(request.body)) for request in peer.requests]


def test_an_alertmanager_is_told_at_once_and_again_as_long_as_an_alert_stands(daemon, peer):
    for feed in daemon.force.feeds.values():
        daemon.pull(feed)
    assert daemon.judge()
    daemon.deliver("am")
    told = alerts(peer)
    assert sum(told) == 6  # the letters, and what stands, for the first time
    daemon.deliver("am")
    assert alerts(peer) == told
    daemon.clock = Shifted(daemon.clock, timedelta(seconds=RESEND))
    daemon.deliver("am")
    assert sum(alerts(peer)) == 9


def test_a_channel_that_rests_is_seen_in_the_snapshot_and_in_the_metrics(daemon, peer):
    peer.status, peer.headers = 503, {"Retry-After": "600"}
    for feed in daemon.force.feeds.values():
        daemon.pull(feed)
    daemon.judge()
    assert daemon.snapshot.resting == {"am": ""}
    daemon.deliver("am")
    daemon.deliver("am")
    assert len(peer.requests) == 1
    daemon.judge()
    assert daemon.snapshot.resting == {"am": "throttled"}
    assert daemon.snapshot.deliveries["queued"] == 3


def test_what_failed_for_a_wrong_login_is_tried_at_once_when_it_is_mended_and_reloaded(daemon, peer, tmp_path):
    peer.status = 401
    for feed in daemon.force.feeds.values():
        daemon.pull(feed)
    daemon.judge()
    for _ in range(5):
        daemon.deliver("am")
    assert daemon.circuits["am"].failures > 0
    path = tmp_path / "duban.yaml"
    path.write_text(path.read_text("utf-8").replace('"timeout": 5', '"timeout": 6'), encoding="utf-8")
    peer.status = 200
    daemon.reload()
    daemon.deliver("am")
    with reading(daemon.engine) as connection:
        assert outbox.counts(connection)["sent"] == 3


def test_a_robots_limit_holds_over_a_restart(tmp_path, monkeypatch):
    robot, receivers = WeComRobot(clock=time.time, per_minute=4), 7  # one for each lead unit
    figures(
        town(tmp_path / "books", receivers), [(f"指标00{i}", "2025-09", 500, "2025-10-15") for i in range(receivers)]
    )
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    group = {"kind": "wecom", "token_file": str(tmp_path / "token"), "host": robot.host, "per_minute": 4}
    settings = {
        "books": str(tmp_path / "books"),
        "database": f"sqlite:///{tmp_path}/duban.db",
        "archive": None,
        "clock": "2025-10-27T09:00:00+08:00",
        "clock_speed": 3600,
        "channels": {"group": group},
    }
    path = tmp_path / "duban.yaml"
    path.write_text(json.dumps(settings, ensure_ascii=False), encoding="utf-8")
    for _ in range(2):
        monkeypatch.setattr(limits, "_SLOTS", {})  # as a new process begins
        daemon = Daemon(path)
        for feed in daemon.force.feeds.values():
            daemon.pull(feed)
        daemon.judge()
        daemon.deliver("group")
        daemon.close()
    robot.close()
    assert (len(robot.arrivals), robot.blocked) == (4, 0)
