import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from alerts.channels.alertmanager import Alertmanager
from alerts.delivery import Result
from connectors.strict import Wrong, read
from tests.acceptance.running import until
from tests.alerts.builders import data_notice, key, letter, pace_notice, send
from tests.alerts.channels.contract import SECRET, TIMEOUT, ChannelContract
from tests.alerts.channels.http_receiver import HttpReceiver
from tests.servers import alertmanager


def channel_to(folder, *urls, **options):
    (folder / "token").write_text(SECRET + "\n")
    given = {"urls": urls, "token_file": "token", "timeout": TIMEOUT, **options}
    return Alertmanager(read(Alertmanager.Options, given), folder)


class Peer:
    """One that takes what it is told and keeps it, and the channel that leads to it."""

    address = ""

    def __init__(self, server, folder):
        self.server, self.channel = server, channel_to(folder, server.host)

    def letters(self):
        told = posted(self.server)
        by_key = {(one["annotations"]["key"], one["labels"].get("target")): one["annotations"] for one in told}
        return ["\n".join(annotations.values()) for annotations in by_key.values()]

    def refuse(self):
        self.server.status, self.server.body = 500, f"{SECRET}\r\n".encode() * 100

    def recover(self):
        self.server.status, self.server.body = 200, b""
        self.server.requests.clear()

    def vanish(self):
        self.server.close()

    def stall(self):
        self.server.delay = 5


def posted(server):
    assert {request.path for request in server.requests} <= {"/api/v2/alerts"}
    return [alert for request in server.requests for alert in json.loads(request.body)]


@pytest.fixture
def server():
    server = HttpReceiver(body=b"")
    yield server
    server.close()


class TestAlertmanager(ChannelContract):
    @pytest.fixture
    def receiver(self, server, tmp_path):
        receiver = Peer(server, tmp_path)
        yield receiver
        receiver.channel.close()


@pytest.fixture
def channel(server, tmp_path):
    channel = channel_to(tmp_path, server.host)
    yield channel
    channel.close()


def test_labels_say_which_alert_it_is_and_how_bad_and_nothing_that_may_change(server, channel):
    send(channel, letter(pace_notice(subject="綦江区")))
    (alert,) = posted(server)
    assert alert["labels"] == {
        "alertname": "DubanTargetBehind",
        "book": "wansheng-2025",
        "target": "urban-jobs",
        "subject": "綦江区",
        "kind": "pace",
        "severity": "critical",
    }
    assert alert["startsAt"] == "2025-10-27T09:00:00+08:00"
    assert alert["endsAt"] == "2025-10-27T10:00:05+08:00"
    assert server.requests[0].headers["Authorization"] == f"Bearer {SECRET}"


def test_a_change_of_level_ends_the_alert_that_was_and_begins_another(server, channel):
    at = letter().sent_at.isoformat()
    send(channel, letter(pace_notice("eased", at=at)))
    former, now = posted(server)
    assert [former["labels"]["severity"], now["labels"]["severity"]] == ["critical", "warning"]
    assert (former["endsAt"], now["endsAt"]) == (at, "2025-10-27T10:00:05+08:00")
    assert {**former["labels"], "severity": ""} == {**now["labels"], "severity": ""}


def test_long_after_the_change_the_former_level_is_not_told_again(server, channel):
    send(channel, letter(pace_notice("worsened", at="2025-10-27T07:00:00+08:00")))
    assert [alert["labels"]["severity"] for alert in posted(server)] == ["critical"]


def test_a_resolved_alert_ends_as_what_it_was_and_never_in_the_future(server, channel):
    send(channel, letter(pace_notice("resolved")))
    (alert,) = posted(server)
    assert alert["labels"]["severity"] == "warning"
    assert alert["endsAt"] == letter().sent_at.isoformat()


def test_letters_of_one_call_are_one_request(server, channel):
    sent = [letter(pace_notice(target=f"t{n}"), key=key(n)) for n in range(channel.at_once)]
    assert {attempt.result for attempt in channel.send(sent)} == {Result.SENT}
    assert len(server.requests) == 1
    assert len(posted(server)) == len(sent)


def test_every_peer_gets_every_alert_and_one_that_is_gone_does_not_hold_the_others(server, tmp_path):
    other, gone = HttpReceiver(body=b""), HttpReceiver()
    gone.close()
    channel = channel_to(tmp_path, gone.host, server.host + "/", other.host)
    attempt = send(channel, letter())
    other.close()
    channel.close()
    assert attempt.result is Result.SENT
    assert gone.host in attempt.answer
    assert posted(server) == posted(other) != []


def test_a_peer_that_does_not_answer_is_waited_for_once(server, tmp_path):
    slow = HttpReceiver(body=b"", delay=5)
    channel = channel_to(tmp_path, slow.host, server.host)
    attempts = [send(channel, letter(key=key(number))) for number in range(4)]
    assert {attempt.result for attempt in attempts} == {Result.SENT}
    assert (len(slow.requests), len(server.requests)) == (1, 4)
    server.close()
    slow.delay = 0
    assert send(channel, letter()).result is Result.UNREACHABLE  # of who was taken to be there
    assert send(channel, letter()).result is Result.SENT  # with nobody else left
    slow.close()
    channel.close()


def test_where_no_peer_takes_it_the_letter_is_tried_again(server, tmp_path):
    server.status = 400
    other = HttpReceiver(status=503)
    channel = channel_to(tmp_path, server.host, other.host)
    attempt = send(channel, letter())
    other.close()
    channel.close()
    assert (attempt.result, attempt.permanent) == (Result.THROTTLED, False)


def test_an_alert_that_is_refused_does_not_take_the_others_down(server, channel, monkeypatch):
    def answer(request):
        server.status = 400 if b'"t2"' in request.body else 200
        return b""

    monkeypatch.setattr(server, "answer", answer)
    sent = [letter(pace_notice(target=f"t{n}"), key=key(n)) for n in range(4)]
    results = [attempt.result for attempt in channel.send(sent)]
    assert results == [Result.SENT, Result.SENT, Result.REJECTED, Result.SENT]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"urls": []}, "urls"),
        ({"labels": {"区县": "綦江"}}, "pattern"),
        ({"labels": {"severity": "page"}}, "reserved label"),
        ({"resend": 60, "ends_after": 100}, "ends too soon"),
    ],
)
def test_wrong_options_are_refused_with_the_cure(options, words):
    with pytest.raises(Wrong, match=words):
        read(Alertmanager.Options, {"urls": ["http://127.0.0.1:9093"], **options})


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A real Alertmanager, and the hook that it tells of everything."""
    if alertmanager.binary() is None:
        pytest.skip(
            f"no Alertmanager: none of {', '.join(alertmanager.NAMES)} is on $PATH or in $DUBAN_TEST_BIN "
            f"({os.environ.get('DUBAN_TEST_BIN', 'not set')}); apt-get install prometheus-alertmanager"
        )
    hook = HttpReceiver()
    server = alertmanager.Alertmanager(tmp_path_factory.mktemp("alertmanager"), hook.host)
    try:
        yield server.start(), hook
    finally:
        server.stop()
        hook.close()


def severities(server, target):
    return sorted(alert["labels"]["severity"] for alert in server.firing() if alert["labels"]["target"] == target)


def test_a_real_alertmanager_follows_an_alert_through_its_life(told, tmp_path):
    server, _ = told
    channel = channel_to(tmp_path, server.url, timeout=10)
    now = datetime.now(UTC)
    began = (now - timedelta(minutes=10)).isoformat()

    def step(event, minutes, **facts):
        at = (now - timedelta(minutes=minutes)).isoformat()
        notice = pace_notice(event, target="life", subject="綦江区", since=began, at=at, **facts)
        attempt = send(channel, letter(notice, sent_at=now))
        assert attempt.result is Result.SENT, attempt
        return severities(server, "life")

    assert step("fired", 10, level=1) == ["warning"]
    assert step("fired", 10, level=1) == ["warning"]
    assert step("worsened", 5, level=2, previous_level=1) == ["critical"]
    assert step("resolved", 1, level=0, previous_level=2) == []
    # An alert that ended in the demonstration's future has ended now.
    assert step("resolved", -600, level=0, previous_level=2) == []
    channel.close()


def test_a_real_alertmanager_tells_its_hook_what_we_wrote(told, tmp_path):
    server, hook = told
    channel = channel_to(tmp_path, server.url, timeout=10, labels={"cluster": "office"})
    now = datetime.now(UTC)
    notice = data_notice(target="hooked", since=now.isoformat(), at=now.isoformat())
    assert send(channel, letter(notice, sent_at=now)).result is Result.SENT
    channel.close()

    def hooked():
        alerts = [alert for request in list(hook.requests) for alert in json.loads(request.body)["alerts"]]
        return next((alert for alert in alerts if alert["labels"]["target"] == "hooked"), None)

    alert = until(hooked, what="the hook's message")
    assert alert["status"] == "firing"
    assert alert["labels"]["cluster"] == "office"
    assert alert["annotations"]["title"] == "【数据催报】〔演示数据〕城镇新增就业\uff08人力社保局\uff09"


def test_a_real_alertmanager_that_forgot_everything_is_told_again(told, tmp_path):
    server, _ = told
    channel = channel_to(tmp_path, server.url, timeout=10)
    now = datetime.now(UTC)
    standing = letter(pace_notice(target="again", since=now.isoformat(), at=now.isoformat()), sent_at=now)
    send(channel, standing)
    assert severities(server, "again") == ["critical"]
    server.stop()
    server.start()
    assert severities(server, "again") == []
    assert channel.repeat == timedelta(seconds=60)
    assert send(channel, standing).result is Result.SENT
    assert severities(server, "again") == ["critical"]
    channel.close()
