"""DingTalk, WeCom and Feishu, each against a robot on loopback that is as strict as the real one."""

import re
from datetime import timedelta

import pytest

from alerts.channels import limits
from alerts.channels.dingtalk import DingTalk
from alerts.channels.feishu import Feishu
from alerts.channels.robot import Robot
from alerts.channels.wecom import WeCom
from alerts.delivery import Result
from connectors.strict import Wrong, read
from rules.document import Invalid
from tests.alerts.builders import data_notice, key, letter, milestone_notice, pace_notice, send
from tests.alerts.channels.contract import TIMEOUT, ChannelContract
from tests.servers.robots import SECRET, TOKEN, DingTalkRobot, FeishuRobot, WeComRobot

PAGE = "https://duban.example.gov.cn/"
KINDS = {DingTalk: DingTalkRobot, WeCom: WeComRobot, Feishu: FeishuRobot}
MENTIONS = {DingTalk: "13800000001, 13800000002", WeCom: "zhangsan\uff0clisi", Feishu: "ou_1a2b 3c4d5e6f"}
THROTTLED, MISCONFIGURED, REJECTED = Result.THROTTLED, Result.MISCONFIGURED, Result.REJECTED


class Chat:
    """A robot in a group, and the channel that leads to it."""

    def __init__(self, kind: type[Robot], folder, **options):
        self.kind, self.folder, self.address = kind, folder, ""
        self.server = KINDS[kind](per_minute=options.pop("served_per_minute", 1000))
        (folder / "token").write_text(TOKEN + "\n")
        (folder / "secret").write_text(SECRET + "\n")
        self.channel = self.another(**options)

    def another(self, **options):
        given = {"token_file": "token", "host": self.server.host, "timeout": TIMEOUT, "per_minute": 1000, **options}
        if self.server.signed:
            given = {"secret_file": "secret", **given}
        return self.kind(read(self.kind.Options, given), self.folder)

    def letters(self):
        return self.server.letters()

    def refuse(self):
        secrets = f"{SECRET} {TOKEN}" if self.server.signed else TOKEN
        self.server.says = (-1, f"{secrets} 稍后再试\r\n" * 50)

    def recover(self):
        self.server.says = None

    def vanish(self):
        self.server.close()

    def stall(self):
        self.server.pause_of_slow = 5
        self.server.faults.append("slow")

    def close(self):
        self.channel.close()
        self.server.close()


@pytest.fixture(autouse=True)
def _virtual_time(monkeypatch):
    """No robot here is told from one that had its port before; bursts of five a second are let through."""
    clock = iter(range(10**9))
    monkeypatch.setattr(limits, "clock", lambda: next(clock) * 10.0)
    monkeypatch.setattr(limits, "_SLOTS", {})


class RobotContract(ChannelContract):
    kind: type[Robot]

    @pytest.fixture
    def receiver(self, tmp_path):
        chat = Chat(self.kind, tmp_path)
        yield chat
        chat.close()

    def test_the_same_key_twice_is_one_letter_at_a_receiver_that_honours_it(self, receiver):
        """Chats know no keys: a repeated attempt says the same, word for word, and the token is never said."""
        for _ in range(2):
            assert send(receiver.channel, letter()).result is Result.SENT
        first, second = receiver.letters()
        assert first == second
        assert TOKEN not in first

    def test_the_token_stands_in_no_answer_either(self, receiver):
        receiver.refuse()
        attempt = send(receiver.channel, letter())
        assert TOKEN not in attempt.answer + repr(receiver.channel)
        receiver.vanish()
        assert TOKEN not in send(receiver.channel, letter()).answer


class TestDingTalk(RobotContract):
    kind = DingTalk


class TestWeCom(RobotContract):
    kind = WeCom


class TestFeishu(RobotContract):
    kind = Feishu


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def chat(request, tmp_path):
    chat = Chat(request.param, tmp_path)
    yield chat
    chat.close()


def many(count, **facts):
    return [letter(pace_notice(name=f"指标{n:03d}", **facts), key=key(n)) for n in range(count)]


def test_several_letters_are_one_message_with_the_conclusion_of_each(chat):
    notices = [pace_notice(), pace_notice("resolved"), data_notice(), milestone_notice()]
    sent = [letter(notice, key=key(n)) for n, notice in enumerate(notices)]
    assert [attempt.result for attempt in chat.channel.send(sent)] == [Result.SENT] * 4
    (text,) = chat.letters()
    assert "督办通知\uff08共4项\uff09" in text
    for words in (
        "【红色预警】",
        "【预警解除】",
        "【数据催报】",
        "【黄色预警】",
        "请人力社保局牵头分析原因",
        "比时序进度少799人",
    ):
        assert words in text
    assert text.count("发送缘由") == 1


def test_what_does_not_fit_into_one_message_goes_in_several_and_nothing_is_left_out(chat):
    sent = many(chat.channel.at_once, lead=("很长名称的牵头单位" * 8,), asked=("很长名称的牵头单位" * 8,))
    attempts = chat.channel.send(sent)
    assert [attempt.result for attempt in attempts] == [Result.SENT] * len(sent)
    told = [name for text in chat.letters() for name in sorted(set(re.findall(r"指标\d{3}", text)))]
    assert told == [one.notice.name for one in sent]


def test_a_letter_that_is_too_long_is_cut_between_its_sections_and_says_that_it_goes_on(chat):
    long = pace_notice(
        responsible=tuple(f"责任单位{n:04d}" for n in range(250)), origin="数据" * 1200, rule="规" * 1000
    )
    assert send(chat.channel, letter(long)).result is Result.SENT
    texts = chat.letters()
    if chat.kind is WeCom:
        assert len(texts) > 1
        assert all("\uff08续" in text for text in texts[1:])
        assert max(len(body["markdown"]["content"].encode()) for body in chat.server.messages) <= 4096
    else:
        assert len(texts) == 1
    joined = "".join(texts)
    assert "规" * 1000 in joined
    assert "wansheng-2025/urban-jobs" in joined


def test_what_a_letter_has_said_is_not_said_again_by_its_next_try(tmp_path):
    chat = Chat(WeCom, tmp_path)
    long = letter(pace_notice(responsible=tuple(f"责任单位{n:04d}" for n in range(250)), rule="规" * 1000))
    chat.server.faults.extend(["", "busy", "", "busy"])
    assert [send(chat.channel, long).result for _ in range(3)] == [REJECTED, REJECTED, Result.SENT]
    texts = chat.letters()
    chat.close()
    assert len(texts) == len(set(texts)) > 2
    assert [text.count("\uff08续") for text in texts] == [0, *[1] * (len(texts) - 1)]


def test_a_page_is_linked_and_people_are_called_by_their_address(chat):
    channel = chat.another(page=PAGE)
    assert send(channel, letter(address=MENTIONS[chat.kind])).result is Result.SENT
    assert send(channel, letter()).result is Result.SENT
    called, plain = chat.letters()
    assert PAGE in called
    assert PAGE in plain
    marks = {
        DingTalk: "@13800000001 @13800000002",
        WeCom: "<@zhangsan><@lisi>",
        Feishu: "<at id=ou_1a2b></at><at id=3c4d5e6f></at>",
    }
    assert called.endswith(marks[chat.kind]) or chat.kind is Feishu
    assert marks[chat.kind] in called
    channel.close()


def test_dingtalk_sends_a_card_only_where_nobody_is_called(tmp_path):
    chat = Chat(DingTalk, tmp_path)
    channel = chat.another(page=PAGE)
    for address in ("", "13800000001"):
        send(channel, letter(address=address))
    channel.close()
    chat.close()
    assert [body["msgtype"] for body in chat.server.messages] == ["actionCard", "markdown"]


def test_feishu_colours_the_card_by_the_worst_in_it(tmp_path):
    chat = Chat(Feishu, tmp_path)
    for notices in ([pace_notice("resolved")], [pace_notice("eased"), pace_notice("resolved")], [data_notice()]):
        chat.channel.send([letter(notice) for notice in notices])
    chat.close()
    assert [body["card"]["header"]["template"] for body in chat.server.messages] == ["green", "yellow", "blue"]


def test_an_address_that_calls_nobody_is_final_and_nothing_is_sent(chat):
    attempt = send(chat.channel, letter(address="<script>"))
    assert (attempt.result, attempt.permanent) == (MISCONFIGURED, True)
    assert "<script>" in attempt.answer
    assert chat.server.requests == []


@pytest.mark.parametrize(
    ("kind", "code", "said", "result", "permanent", "rest"),
    [
        (DingTalk, 130101, "send too fast", THROTTLED, False, 600),
        (DingTalk, 310000, "sign not match", MISCONFIGURED, False, None),
        (DingTalk, 430104, "inappropriate words", REJECTED, True, None),
        (DingTalk, 400013, "group dismissed", MISCONFIGURED, False, None),
        (DingTalk, 399999, "code=Forbidden.QpsLimit, 请求频率过高", THROTTLED, False, 60),
        (DingTalk, -1, "system busy", REJECTED, False, None),
        (WeCom, 45009, "api freq out of limit", THROTTLED, False, 60),
        (WeCom, 40058, "exceed max length 4096", REJECTED, True, None),
        (WeCom, 93000, "invalid webhook url", MISCONFIGURED, False, None),
        (WeCom, 93004, "robot disabled", MISCONFIGURED, False, None),
        (Feishu, 9499, "too many request", THROTTLED, False, 60),
        (Feishu, 9499, "Bad Request", REJECTED, True, None),
        (Feishu, 11232, "frequency limited", THROTTLED, False, 60),
        (Feishu, 19021, "sign match fail", MISCONFIGURED, False, None),
        (Feishu, 99991400, "request trigger frequency limit", THROTTLED, False, 60),
        (Feishu, 12345, "no one knows", REJECTED, False, None),
    ],
)
def test_the_code_under_http_200_decides(tmp_path, kind, code, said, result, permanent, rest):
    chat = Chat(kind, tmp_path)
    chat.server.says = (code, said)
    attempt = send(chat.channel, letter())
    chat.close()
    assert (attempt.result, attempt.permanent) == (result, permanent)
    assert attempt.retry_after == (timedelta(seconds=rest) if rest else None)
    assert said in attempt.answer
    assert "HTTP 200" in attempt.answer


@pytest.mark.parametrize("body", ["<html>login</html>", "{}", "[]", "null", '{"errcode": null}', ""])
def test_http_200_without_a_code_is_no_success(chat, monkeypatch, body):
    monkeypatch.setattr(chat.server, "reply", lambda *_: body.encode())
    attempt = send(chat.channel, letter())
    assert (attempt.result, attempt.permanent) == (REJECTED, False)
    assert "no code" in attempt.answer


def test_feishu_answers_of_the_older_kind_are_understood(tmp_path, monkeypatch):
    chat = Chat(Feishu, tmp_path)
    monkeypatch.setattr(chat.server, "reply", lambda *_: b'{"StatusCode": 0, "StatusMessage": "success"}')
    assert send(chat.channel, letter()).result is Result.SENT
    chat.close()


@pytest.mark.parametrize("kind", [DingTalk, Feishu])
def test_a_signature_is_made_for_its_hour(tmp_path, kind):
    chat = Chat(kind, tmp_path)
    late = letter(sent_at=letter().sent_at - timedelta(hours=1, seconds=10))
    attempt = send(chat.channel, late)
    assert attempt.result is MISCONFIGURED
    unsigned = chat.another(secret_file=None)
    assert send(unsigned, letter()).result is MISCONFIGURED
    chat.server.signed = False
    assert send(unsigned, letter()).result is Result.SENT
    unsigned.close()
    chat.close()


def test_a_letter_that_is_refused_does_not_take_the_others_down(chat, monkeypatch):
    judged = chat.server.__class__._code
    permanent = next(code for code, trouble in chat.kind.troubles.items() if trouble.permanent)

    def strict(request):
        return (permanent, "bad word") if "指标002" in request.body.decode() else judged(chat.server, request)

    monkeypatch.setattr(chat.server, "_code", strict)
    attempts = chat.channel.send(many(5))
    assert [attempt.result for attempt in attempts] == [Result.SENT, Result.SENT, REJECTED, Result.SENT, Result.SENT]


def test_letters_for_which_there_is_no_room_are_not_touched(chat, monkeypatch):
    monkeypatch.setattr(limits, "clock", lambda: 0.0)
    channel = chat.another(per_minute=3)
    attempts = [attempt for n in range(10) for attempt in channel.send([letter(key=key(n))])]
    assert [attempt.result for attempt in attempts] == [Result.SENT] * 3
    assert len(chat.server.arrivals) == 3
    again = chat.another(per_minute=3)
    assert again.send([letter()]) == []
    for one in (channel, again):
        one.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "缺少 token"),
        ({"token_file": "token", "token_env": "TOKEN"}, "只能填写一项"),
        ({"token": "written here"}, "unknown key"),
        ({"token_file": "token", "host": "oapi.dingtalk.com"}, "not an http address"),
        ({"token_file": "token", "page": "http://user:word@host/"}, "credentials in url"),
        ({"token_file": "token", "per_minute": 0}, "per_minute"),
    ],
)
def test_wrong_options_are_refused_with_the_cure(options, words):
    for kind in KINDS:
        with pytest.raises(Wrong, match=words):
            read(kind.Options, options)


def test_a_token_comes_from_the_environment_as_well(chat, monkeypatch):
    monkeypatch.setenv("DUBAN_ROBOT_TOKEN", TOKEN)
    channel = chat.another(token_file=None, token_env="DUBAN_ROBOT_TOKEN")
    assert send(channel, letter()).result is Result.SENT
    channel.close()
    monkeypatch.delenv("DUBAN_ROBOT_TOKEN")
    with pytest.raises(Invalid, match="DUBAN_ROBOT_TOKEN"):
        chat.another(token_file=None, token_env="DUBAN_ROBOT_TOKEN")
