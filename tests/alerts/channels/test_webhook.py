import hashlib
import hmac
import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from alerts.channels.http import wait
from alerts.channels.webhook import Webhook
from alerts.delivery import Result
from connectors.strict import Wrong, read
from rules.document import Invalid
from tests.alerts.builders import KEY, data_notice, key, letter, pace_notice, send
from tests.alerts.channels.contract import SECRET, TIMEOUT, ChannelContract
from tests.alerts.channels.http_receiver import HttpReceiver

TOKEN = "Bearer abcdef-令牌".replace("令牌", "0123")


def webhook(receiver, folder, **options):
    (folder / "secret").write_text(SECRET + "\n", encoding="utf-8")
    given = {"url": receiver.url, "timeout": TIMEOUT, "secret_file": "secret", "headers": {"Authorization": TOKEN}}
    return Webhook(read(Webhook.Options, {**given, **options}), folder)


class WebhookReceiver:
    address = ""

    def __init__(self, server, folder):
        self.server = server
        self.channel = webhook(server, folder)

    def letters(self):
        return ["\n".join(alert["annotations"].values()) for taken in self.server.taken() for alert in taken["alerts"]]

    def refuse(self):
        self.server.status = 500
        self.server.body = f"{SECRET} {TOKEN} 令牌=t0ken\r\n".encode() * 100

    def recover(self):
        self.server.status, self.server.body = 200, b"ok"
        self.server.requests.clear()

    def vanish(self):
        self.server.close()

    def stall(self):
        self.server.delay = 5


@pytest.fixture
def server():
    server = HttpReceiver()
    yield server
    server.close()


class TestWebhook(ChannelContract):
    @pytest.fixture
    def receiver(self, server, tmp_path):
        receiver = WebhookReceiver(server, tmp_path)
        yield receiver
        receiver.channel.close()


@pytest.fixture
def channel(server, tmp_path):
    channel = webhook(server, tmp_path)
    yield channel
    channel.close()


def test_the_payload_is_alertmanagers_version_4(server, channel):
    send(channel, letter())
    (taken,) = server.taken()
    labels = {
        "alertname": "DubanTargetBehind",
        "book": "wansheng-2025",
        "target": "urban-jobs",
        "kind": "pace",
        "severity": "critical",
        "lead": "人力社保局",
        "supervisor": "督查办",
        "section": "一、主要预期目标",
        "item": "6",
        "mark": "演示数据",
    }
    (alert,) = taken.pop("alerts")
    annotations = alert.pop("annotations")
    assert alert == {
        "status": "firing",
        "labels": labels,
        "startsAt": "2025-10-27T09:00:00+08:00",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": alert["fingerprint"],
    }
    assert taken.pop("commonAnnotations") == annotations
    assert taken == {
        "version": "4",
        "groupKey": '{}:{book="wansheng-2025", target="urban-jobs", kind="pace"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "人力社保局",
        "groupLabels": {"book": "wansheng-2025", "target": "urban-jobs", "kind": "pace"},
        "commonLabels": labels,
        "externalURL": "",
    }
    assert annotations["title"] == "【红色预警】〔演示数据〕城镇新增就业\uff08人力社保局\uff09"
    assert annotations["text"].startswith("〔演示数据〕截至2025年9月")
    assert (annotations["actual"], annotations["expected"], annotations["shortfall"]) == ("2576", "3375", "799")


def test_many_alerts_go_in_one_request_that_says_what_they_have_in_common(server, channel):
    sent = [letter(pace_notice(target=f"t{n}", subject="綦江区"), key=key(n)) for n in range(3)]
    sent.append(letter(pace_notice("resolved", target="t3", subject="綦江区"), key=key(3)))
    assert {attempt.result for attempt in channel.send(sent)} == {Result.SENT}
    (taken,) = server.taken()
    alerts = taken["alerts"]
    assert [alert["annotations"]["key"] for alert in alerts] == [key(n) for n in range(4)]
    assert (taken["status"], [alert["status"] for alert in alerts]) == ("firing", ["firing"] * 3 + ["resolved"])
    assert taken["groupLabels"] == {"book": "wansheng-2025", "subject": "綦江区", "kind": "pace"}
    assert taken["groupKey"] == '{}:{book="wansheng-2025", subject="綦江区", kind="pace"}'
    for common, each in (("commonLabels", "labels"), ("commonAnnotations", "annotations")):
        assert set(taken[common].items()) == set.intersection(*(set(alert[each].items()) for alert in alerts))
    channel.send(sent)
    channel.send(sent[:3])
    first, again, fewer = (request.headers["Idempotency-Key"] for request in server.requests)
    assert first == again != fewer


def test_a_request_grows_no_longer_than_it_may_unless_one_alert_alone_does(server, tmp_path):
    sent = [letter(pace_notice(target=f"t{n}"), key=key(n)) for n in range(5)]
    (one,) = webhook(server, tmp_path, max_bytes=1).send(sent)
    assert one.result is Result.SENT
    alone = len(json.dumps(server.taken()[0]["alerts"], ensure_ascii=False, separators=(",", ":")).encode())
    assert len(webhook(server, tmp_path, max_bytes=3 * alone).send(sent)) == 3
    assert webhook(server, tmp_path, most=7).at_once == 7


@pytest.mark.parametrize("code", [400, 413])
def test_one_alert_at_fault_does_not_take_the_others_along(server, channel, code):
    def choosy(request):
        server.status = code if b"t1" in request.body else 200
        return b"ok"

    server.answer = choosy
    sent = [letter(pace_notice(target=f"t{n}"), key=key(n)) for n in range(3)]
    found = channel.send(sent)
    assert [(attempt.result, attempt.permanent) for attempt in found] == [
        (Result.SENT, False),
        (Result.REJECTED, True),
        (Result.SENT, False),
    ]


def test_an_alert_that_a_guard_lets_not_through_is_tried_alone_from_then_on(server, channel):
    def guarded(request):
        server.status = 403 if b"t1" in request.body else 200
        return b"ok"

    server.answer = guarded
    sent = [letter(pace_notice(target=f"t{n}"), key=key(n)) for n in range(3)]
    assert [attempt.result for attempt in channel.send(sent)] == [Result.SENT, Result.MISCONFIGURED]


def test_every_label_and_annotation_is_a_string_with_something_in_it(server, channel):
    send(channel, letter(data_notice(item=None, section="", mark="", actual=None, actual_text="", shortfall=0.1 + 0.2)))
    (taken,) = server.taken()
    (alert,) = taken["alerts"]
    values = [*alert["labels"].values(), *alert["annotations"].values()]
    assert all(isinstance(value, str) and value for value in values)
    assert "actual" not in alert["annotations"]
    assert alert["annotations"]["shortfall"] == "0.3"


def test_a_correction_names_what_it_takes_back_and_a_past_one_ends_nothing(server, channel):
    channel.send([letter(pace_notice("corrected"))])
    channel.send([letter(pace_notice("corrected past"), key="2" * 32)])
    ended, past = (taken["alerts"][0] for taken in server.taken())
    assert (ended["status"], past["status"]) == ("resolved", "firing")
    for facts in (ended["annotations"], past["annotations"]):
        assert (facts["event"], facts["cause"], facts["judged_level"]) == ("corrected", "revised", "0")
        assert (facts["corrected_at"], facts["corrected_level"]) == ("2025-10-15T09:00:00+08:00", "1")
        assert (facts["corrected_actual"], facts["actual"]) == ("3200", "3900")
    assert (ended["labels"]["severity"], past["labels"]["severity"]) == ("warning", "critical")


def test_an_edit_and_a_withdrawal_end_an_alert_and_say_why(server, channel):
    channel.send([letter(pace_notice("edited"))])
    channel.send([letter(pace_notice("withdrawn"), key="2" * 32)])
    edited, withdrawn = (taken["alerts"][0] for taken in server.taken())
    assert (edited["status"], withdrawn["status"]) == ("resolved", "resolved")
    assert edited["annotations"]["edit"] == "黄色阈值由“落后应完成数超过5%”改为“落后应完成数超过10%”"
    assert (withdrawn["annotations"]["event"], withdrawn["annotations"]["cause"]) == ("withdrawn", "target_removed")
    assert not [name for name in withdrawn["annotations"] if name.startswith(("corrected", "judged"))]


def test_a_resolved_alert_ends_and_keeps_its_fingerprint_and_severity(server, channel):
    send(channel, letter(pace_notice("eased"), key="1" * 32))
    send(channel, letter(pace_notice("resolved"), key="2" * 32))
    send(channel, letter(data_notice(), key="3" * 32))
    eased, resolved, owed = (taken["alerts"][0] for taken in server.taken())
    assert (eased["status"], resolved["status"]) == ("firing", "resolved")
    assert resolved["endsAt"] == "2025-12-12T09:00:00+08:00"
    assert resolved["fingerprint"] == eased["fingerprint"] != owed["fingerprint"]
    assert resolved["labels"] == eased["labels"]


@pytest.mark.parametrize("secret", [SECRET, "密钥-值"])
def test_the_signature_covers_time_and_body(server, tmp_path, secret):
    (tmp_path / "key").write_text(f"{secret}\n", encoding="utf-8")
    channel = webhook(server, tmp_path, secret_file="key")
    send(channel, letter())
    channel.close()
    (request,) = server.requests
    stamp = request.headers["X-Duban-Timestamp"]
    assert stamp == str(int(datetime(2025, 10, 27, 1, 0, 5, tzinfo=UTC).timestamp()))
    expected = hmac.new(secret.encode(), f"{stamp}.".encode() + request.body, hashlib.sha256).hexdigest()
    assert request.headers["X-Duban-Signature"] == f"sha256={expected}"


def test_key_headers_and_path_are_sent_as_configured(server, channel):
    send(channel, letter())
    (request,) = server.requests
    assert request.headers["Idempotency-Key"] == KEY
    assert request.headers["Authorization"] == TOKEN
    assert request.headers["Content-Type"] == "application/json"
    assert request.path == "/%E9%92%A9%E5%AD%90?%E4%BB%A4%E7%89%8C=t0ken"
    assert json.loads(request.body)["version"] == "4"


def test_without_a_secret_nothing_is_signed(server, tmp_path):
    channel = webhook(server, tmp_path, secret_file=None)
    send(channel, letter())
    channel.close()
    assert "X-Duban-Signature" not in server.requests[0].headers


def test_one_connection_serves_many_letters(server, channel):
    for _ in range(30):
        send(channel, letter())
    assert server.connections == 1


@pytest.mark.parametrize(
    ("status", "result", "permanent"),
    [
        (200, Result.SENT, False),
        (202, Result.SENT, False),
        (301, Result.MISCONFIGURED, False),
        (307, Result.MISCONFIGURED, False),
        (400, Result.REJECTED, True),
        (401, Result.MISCONFIGURED, False),
        (404, Result.MISCONFIGURED, False),
        (403, Result.MISCONFIGURED, False),
        (408, Result.TIMEOUT, False),
        (409, Result.REJECTED, False),
        (413, Result.REJECTED, True),
        (429, Result.THROTTLED, False),
        (500, Result.REJECTED, False),
        (502, Result.REJECTED, False),
        (503, Result.THROTTLED, False),
        (504, Result.TIMEOUT, False),
    ],
)
def test_the_status_decides(server, channel, status, result, permanent):
    server.status, server.headers, server.body = status, {"Location": "/elsewhere"}, "已收到".encode()
    attempt = send(channel, letter())
    assert (attempt.result, attempt.permanent) == (result, permanent)
    assert attempt.answer == f"HTTP {status} 已收到"
    assert len(server.requests) == 1


def test_no_content_is_a_success(server, channel):
    server.status, server.body = 204, b""
    assert [send(channel, letter()).result for _ in range(3)] == [Result.SENT] * 3
    assert server.connections == 1


@pytest.mark.parametrize(
    ("asked", "wished"),
    [
        ("30", timedelta(seconds=30)),
        (" 0 ", timedelta()),
        ("999999999999999999999", timedelta(days=1)),
        ("Mon, 27 Oct 2025 01:02:05 GMT", timedelta(minutes=2)),
        ("Mon, 27 Oct 2025 00:00:00 GMT", timedelta()),
        ("Mon, 27 Oct 2099 01:00:00 GMT", timedelta(days=1)),
        ("-5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_may_be_seconds_or_a_date(asked, wished):
    at, headers = letter().sent_at, {"Retry-After": asked}
    assert wait(headers, at) == wished
    headers["Date"] = format_datetime(at.astimezone(UTC), usegmt=True)
    assert wait(headers, at) == wished


def test_retry_after_reaches_the_attempt(server, channel):
    server.status, server.headers = 503, {"Retry-After": "7"}
    assert send(channel, letter()).retry_after == timedelta(seconds=7)


def test_a_date_is_seen_from_the_receivers_clock():
    headers = {"Retry-After": "Mon, 27 Oct 2025 01:02:05 GMT", "Date": "Mon, 27 Oct 2025 01:01:05 GMT"}
    assert wait(headers, datetime(2020, 1, 1, tzinfo=UTC)) == timedelta(minutes=1)


def test_a_connection_reset_after_the_request_is_worth_another_attempt(server, channel):
    server.reset = True
    attempt = send(channel, letter())
    assert (attempt.result, attempt.permanent) == (Result.UNREACHABLE, False)
    server.reset = False
    assert send(channel, letter()).result is Result.SENT
    assert len(server.taken()) == 1


def test_a_body_that_comes_drop_by_drop_does_not_hold_a_letter_that_was_taken(server, channel):
    server.drip, server.body = 0.1, b"x" * 200
    started = time.monotonic()
    assert send(channel, letter()).result is Result.SENT
    assert time.monotonic() - started < TIMEOUT * 2


def test_an_endless_body_is_not_read_to_its_end(server, channel):
    server.body = b"y" * 3_000_000
    attempt = send(channel, letter())
    assert attempt.result is Result.SENT
    assert len(attempt.answer) == 500
    server.body = b"ok"
    assert send(channel, letter()).answer == "HTTP 200 ok"


def test_a_port_that_takes_connections_and_never_answers_is_a_timeout(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = SimpleNamespace(url=f"http://127.0.0.1:{listener.getsockname()[1]}/")
        channel = webhook(silent, tmp_path)
        attempt = send(channel, letter())
        channel.close()
    assert (attempt.result, attempt.permanent) == (Result.TIMEOUT, False)


def test_a_host_that_does_not_exist_is_unreachable(tmp_path):
    attempt = send(webhook(SimpleNamespace(url="http://no-such-host.invalid/?key=t0psecret"), tmp_path), letter())
    assert attempt.result is Result.UNREACHABLE
    assert "t0psecret" not in attempt.answer


def test_plain_http_behind_an_https_url_is_a_misconfiguration(server, tmp_path):
    channel = webhook(SimpleNamespace(url=server.url.replace("http:", "https:")), tmp_path)
    attempt = send(channel, letter())
    channel.close()
    assert (attempt.result, attempt.permanent) == (Result.MISCONFIGURED, False)


def test_letters_sent_side_by_side_all_arrive(server, tmp_path):
    channel = webhook(server, tmp_path, timeout=10)

    def several(first):
        for number in range(10):
            send(channel, letter(key=key(first + number)))

    threads = [threading.Thread(target=several, args=(first,)) for first in range(0, 40, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    channel.close()
    assert len(server.taken()) == 40


@pytest.mark.parametrize(
    "options",
    [
        {"url": "ftp://host/"},
        {"url": "http://"},
        {"url": "例子"},
        {"url": "http://user:password@host/"},
        {"headers": {"X-A": "b\r\nX-Evil: c"}},
        {"headers": {"X A": "b"}},
        {"headers": {"X-A": "中文"}},
        {"timeout": 0},
        {"timeout": 61},
        {"adress": "x"},
    ],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(Wrong):
        read(Webhook.Options, {"url": "http://127.0.0.1/", **options})


def test_options_do_not_show_what_may_be_secret():
    options = Webhook.Options(url="http://127.0.0.1/?token=t0psecret", headers={"Authorization": "Bearer t0psecret"})
    assert "t0psecret" not in repr(options)


@pytest.mark.parametrize(("content", "words"), [(None, "无法读取 secret_file"), ("\n", "空文件")])
def test_a_secret_that_cannot_be_read_is_said_with_its_place(tmp_path, content, words):
    if content is not None:
        (tmp_path / "key").write_text(content)
    with pytest.raises(Invalid, match=words):
        Webhook(Webhook.Options(url="http://127.0.0.1/", secret_file="key"), tmp_path)
