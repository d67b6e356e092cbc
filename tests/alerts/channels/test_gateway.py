import base64
import hmac
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from alerts.channels import limits
from alerts.channels.gateway import Gateway
from alerts.delivery import Result
from connectors.strict import Wrong, read
from rules.document import Invalid
from tests.alerts.builders import KEY, key, letter, pace_notice, send
from tests.alerts.channels.contract import SECRET, TIMEOUT, ChannelContract
from tests.alerts.channels.http_receiver import HttpReceiver

BODY = """
{"to": {{ address|json }}, "title": {{ title|json }}, "content": {{ text|json }}, "id": "{{ key }}",
 "app": {{ secrets.app|json }}}
"""


def gateway(server, folder, **options):
    (folder / "app").write_text(SECRET + "\n")
    given = {"url": f"{server.host}/sms?app={{{{ secrets.app|urlencode }}}}", "body": BODY, "timeout": TIMEOUT}
    given |= {"secrets": {"app": {"secret_file": "app"}}, "success": "errcode == 0"}
    return Gateway(read(Gateway.Options, {**given, **options}), folder)


class Sms:
    address = "13800000000"

    def __init__(self, server, folder):
        self.server, self.channel = server, gateway(server, folder)

    def letters(self):
        by_id = {body["id"]: body for body in map(json.loads, (request.body for request in self.server.requests))}
        return [f"{body['title']}\n{body['content']}" for body in by_id.values()]

    def refuse(self):
        self.server.body = json.dumps({"errcode": 7, "errmsg": f"{SECRET} 余额不足\n" * 60}).encode()

    def recover(self):
        self.server.body = b'{"errcode": 0}'
        self.server.requests.clear()

    def vanish(self):
        self.server.close()

    def stall(self):
        self.server.delay = 5


@pytest.fixture
def server():
    server = HttpReceiver(body=b'{"errcode": 0}')
    yield server
    server.close()


class TestGateway(ChannelContract):
    @pytest.fixture
    def receiver(self, server, tmp_path):
        receiver = Sms(server, tmp_path)
        yield receiver
        receiver.channel.close()


def asked(server, folder, **options):
    channel = gateway(server, folder, **options)
    attempt = send(channel, letter(address="13800000000"))
    channel.close()
    return attempt


def test_url_method_headers_and_body_are_as_the_templates_write_them(server, tmp_path):
    options = {
        "url": f"{server.host}/send?to={{{{ address }}}}&text={{{{ summary|urlencode }}}}",
        "headers": {"Content-Type": "application/x-www-form-urlencoded", "X-Time": "{{ timestamp }}"},
        "body": "id={{ key }}&who={{ receiver|urlencode }}",
    }
    assert asked(server, tmp_path, **options).result is Result.SENT
    (request,) = server.requests
    query = parse_qs(urlsplit(request.path).query)
    assert query["to"] == ["13800000000"]
    assert query["text"][0].startswith("〔演示数据〕截至2025年9月\uff0c城镇新增就业")
    assert parse_qs(request.body.decode()) == {"id": [KEY], "who": ["人力社保局"]}
    assert request.headers["X-Time"] == "1761526805"


def test_a_request_may_be_signed(server, tmp_path):
    options = {"headers": {"X-Sign": "{{ (key ~ timestamp)|hmac_sha256(secrets.app) }}"}}
    assert asked(server, tmp_path, **options).result is Result.SENT
    made = hmac.digest(SECRET.encode(), f"{KEY}1761526805".encode(), "sha256")
    assert server.requests[0].headers["X-Sign"] == base64.b64encode(made).decode()


@pytest.mark.parametrize(
    ("status", "body", "options", "result"),
    [
        (200, '{"errcode": 0}', {}, Result.SENT),
        (200, '{"errcode": 1}', {}, Result.REJECTED),
        (200, '{"errcode": "0"}', {}, Result.REJECTED),
        (200, '{"data": [{"state": "OK"}]}', {"success": 'data[0].state == "OK"'}, Result.SENT),
        (200, '{"a": 1, "b": 2}', {"success": ["a == 1", "b == 3"]}, Result.REJECTED),
        (200, '{"errcode": 90}', {"throttled": "errcode == 90"}, Result.THROTTLED),
        (200, "<html>", {}, Result.REJECTED),
        (200, "", {"success": []}, Result.SENT),
        (206, "", {"success": []}, Result.REJECTED),
        (500, '{"errcode": 0}', {}, Result.REJECTED),
        (500, '{"errcode": 0}', {"status": [500]}, Result.SENT),
        (503, "", {}, Result.THROTTLED),
    ],
)
def test_status_and_rules_decide(server, tmp_path, status, body, options, result):
    server.status, server.body = status, body.encode()
    assert asked(server, tmp_path, **options).result is result


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"body": '{"t": "{{ title }}"}'}, "not json"),
        ({"body": '{"t": {{ titel|json }}}'}, "'titel' is undefined"),
        ({"body": "{{ title"}, "body: 模板语法错误"),
        ({"body": "{{ ''.__class__.__mro__ }}"}, "body: 模板无法使用"),
        ({"url": "{{ receiver }}"}, "not an http address"),
        ({"headers": {"X-Who": "{{ receiver }}"}}, "headers.X-Who: 只能含 ASCII 字符"),
        ({"secrets": {"app": {"secret_file": "nowhere"}}}, "无法读取 secret_file"),
    ],
)
def test_a_template_that_would_fail_some_day_is_refused_at_once_with_its_place(server, tmp_path, options, words):
    with pytest.raises(Invalid, match=words):
        gateway(server, tmp_path, **options)
    assert server.requests == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"success": "errcode = 0"}, "bad rule"),
        ({"method": "DELETE"}, "method"),
        ({"secrets": {"app": "s3cret"}}, "app: 应为“键: 值”"),
        ({"secrets": {"app": {}}}, "missing secret"),
    ],
)
def test_wrong_options_are_refused_with_the_cure(options, words):
    with pytest.raises(Wrong, match=words):
        read(Gateway.Options, {"url": "http://127.0.0.1/", **options})


def test_beyond_its_limit_letters_wait_untouched(server, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "clock", lambda: 0.0)
    channel = gateway(server, tmp_path, per_minute=2)
    attempts = [channel.send([letter(key=key(n))]) for n in range(4)]
    channel.close()
    assert [len(attempt) for attempt in attempts] == [1, 1, 0, 0]
    assert len(server.requests) == 2


def test_words_of_a_book_stay_words(server, tmp_path):
    channel = gateway(server, tmp_path)
    send(channel, letter(pace_notice(name='{{ secrets.app }}"}')))
    channel.close()
    assert '{{ secrets.app }}"}' in json.loads(server.requests[0].body)["title"]
