"""What the daemon says of itself, what was silenced and what is told together, by mail, webhook and Alertmanager."""

import json
from datetime import datetime, timedelta

import pytest

from monitor.app import Daemon
from monitor.worker import Worker
from tests.acceptance.books import figures, town
from tests.alerts.channels.http_receiver import HttpReceiver
from tests.alerts.channels.smtp_receiver import SmtpReceiver
from tests.monitor.cli.shell import typed

BEHIND = [(f"指标{number:03}", "2025-08", 740, "2025-09-10") for number in range(3)]
BETTER = [(f"指标{number:03}", "2025-09", 900, "2025-10-10") for number in range(3)]


@pytest.fixture
def smtp():
    server = SmtpReceiver()
    yield server
    server.close()


@pytest.fixture
def hook():
    server = HttpReceiver()
    yield server
    server.close()


@pytest.fixture
def peer():
    server = HttpReceiver(body=b"")
    yield server
    server.close()


@pytest.fixture
def settings(tmp_path, smtp, hook, peer):
    """A book of three targets, and an office that is told by every channel."""
    figures(town(tmp_path / "books", 3), BEHIND)
    channels = {
        "mail": {"kind": "email", "host": "127.0.0.1", "port": smtp.port, "security": "none", "sender": "d@example.cn"},
        "hook": {"kind": "webhook", "url": hook.url},
        "am": {"kind": "alertmanager", "urls": [peer.host]},
    }
    written = {
        "books": str(tmp_path / "books"),
        "database": f"sqlite:///{tmp_path}/duban.db",
        "archive": None,
        "clock": "2025-10-10T09:30:00+08:00",
        "heartbeat": "daily at 09:00",
        "channels": channels,
        "organisation": str(tmp_path / "organisation.yaml"),
    }
    path = tmp_path / "duban.yaml"
    path.write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
    _organise(path)
    return path


def _organise(settings, **more):
    contacts = [{"mail": "dcb@example.cn"}, "hook", "am"]
    written = {"units": {"督查办": {"contacts": contacts, **more}}, "routes": [{"to": "supervisor"}], "escalation": []}
    (settings.parent / "organisation.yaml").write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")


def _cycle(settings, *, worker=False):
    daemon = Daemon(settings)
    for feed in daemon.force.feeds.values():
        daemon.pull(feed)
    if worker:
        Worker(daemon)._judge()
    else:
        daemon.judge()
    for channel in daemon.force.channels:
        daemon.deliver(channel)
    daemon.close()


def _run(settings, *words):
    done = typed(*words, "--config", str(settings))
    assert done.returncode == 0, done.stderr
    return done.stdout


def _told(smtp, hook, peer):
    """Subjects of mails, titles of posts, and the alerts that Alertmanager holds."""
    posts = [json.loads(request.body) for request in hook.requests]
    alerts = [one for request in peer.requests for one in json.loads(request.body)]
    return (
        [mail["Subject"] for mail in smtp.mails],
        [title for post in posts for title in _titles(post)],
        {(one["labels"]["alertname"], one["labels"].get("target", "")) for one in alerts},
    )


def _titles(post):
    """Of a digest its own, else each alert's."""
    common = post["commonAnnotations"].get("title")
    return [common] if common else [alert["annotations"]["title"] for alert in post["alerts"]]


def test_an_exercise_reaches_every_channel_and_no_alert_is_made_of_it(settings, smtp, hook, peer):
    assert _run(settings, "drill").count("[已送达]") == 3
    title = "【演练】督办消息渠道演练"
    assert _told(smtp, hook, peer) == ([title], [title], {("DubanDrill", "")})
    assert "不涉及任何目标" in smtp.mails[0].get_body(("plain",)).get_content()


def test_the_regular_report_reaches_every_channel_once(settings, smtp, hook, peer):
    figures(settings.parent / "books" / "town-2025", [])
    for _ in range(2):
        _cycle(settings, worker=True)
    mails, posts, alerts = _told(smtp, hook, peer)
    assert [title for title in mails if "例行报告" in title] == [title for title in posts if "例行报告" in title]
    assert len([title for title in mails if "例行报告" in title]) == 1
    assert ("DubanHeartbeat", "") in alerts


def test_what_is_silenced_reaches_no_channel_until_the_silence_ends(settings, smtp, hook, peer):
    _run(
        settings,
        "silence",
        "add",
        "--book",
        "town-2025",
        "--until",
        "2025-11-30",
        "--by",
        "王五",
        "--reason",
        "核对口径",
    )
    _cycle(settings)
    assert _told(smtp, hook, peer) == ([], [], set())
    assert "未逐条即时发送：静默 (silenced) [缓发]" in _run(settings, "alerts")
    _run(settings, "silence", "end", "1", "--by", "王五")
    _cycle(settings)
    mails, posts, alerts = _told(smtp, hook, peer)
    assert len(mails) == len(posts) == len(alerts) == 3


def test_a_digest_is_one_mail_one_post_and_every_alert_of_it_for_alertmanager(settings, smtp, hook, peer):
    _organise(settings, digest="daily 09:00")
    _cycle(settings)
    assert _told(smtp, hook, peer) == ([], [], set())
    assert "并入定期汇总 (digest)" in _run(settings, "deliveries")
    assert "未即时发送: 并入定期汇总 9" in _run(settings, "status")
    shown = json.loads(_run(settings, "status", "--json"))
    assert shown["waiting"] == {"digest": 9}
    daemon = Daemon(settings)
    daemon.clock = _At("2025-10-11T09:00:00+08:00")
    daemon.judge()
    for channel in daemon.force.channels:
        daemon.deliver(channel)
    daemon.close()
    title = "【督办汇总】2025年10月11日：新增3项"
    mails, posts, alerts = _told(smtp, hook, peer)
    assert (mails, posts) == ([title], [title])
    assert alerts == {("DubanTargetBehind", f"t{number:03}") for number in range(3)}
    (post,) = (json.loads(request.body) for request in hook.requests)
    assert [alert["status"] for alert in post["alerts"]] == ["firing"] * 3
    assert post["commonLabels"]["alertname"] == "DubanTargetBehind"
    text, html = (smtp.mails[0].get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert all(f"指标{number:03}" in text and f"指标{number:03}" in html for number in range(3))
    assert "并入定期汇总 (digest)，见第10号 [已送达]" in _run(settings, "alerts")


class _At:
    """A clock that stands still."""

    rehearsing, second = True, timedelta(seconds=1)

    def __init__(self, moment):
        self.moment = datetime.fromisoformat(moment)

    def now(self):
        return self.moment

    real = now

    def shown(self, real):
        return real
