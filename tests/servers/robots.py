"""Robots of group chats on loopback, as strict as the real ones: a code under HTTP 200 says what came of a message.

They check the token and the signature with its time, refuse what is too long, and block a sender that is too fast.
They know no keys: what is sent twice is said twice.
"""

import base64
import hmac
import html
import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from tests.alerts.channels.http_receiver import HttpReceiver, Request

TOKEN = "t0ken-4f2a9c"
SECRET = "s3cret-Key-of-ours"
_HOUR = 3600.0
_HALF = str.maketrans("＜＞＊｀［］", "<>*`[]")


def at_nine() -> float:
    """Just after the letters of the builders are sent."""
    return datetime.fromisoformat("2025-10-27T09:00:06+08:00").timestamp()


@dataclass
class Robot(HttpReceiver):
    """``messages`` are those it took, ``arrivals`` the times of all that came; ``says`` is a code to refuse with.

    ``faults`` are met one by one: "busy" is a code, "reset" takes the message and hangs up, "slow" and "error" take none.
    """

    clock: Callable[[], float] = at_nine
    per_minute: int = 20
    block: float = 600.0
    signed: bool = True
    says: tuple[int, str] | None = None
    faults: deque = field(default_factory=deque)
    messages: list[dict] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    blocked_until: float = 0.0
    blocked: int = 0
    pause_of_slow: float = 0.5

    too_fast = (130101, "send too fast, exceed 20 times per minute")
    wrong_token = (300001, "token is not exist")
    wrong_sign = (310000, "sign not match")
    too_long = (40035, "too long")

    def answer(self, request: Request) -> bytes:
        fault = self.faults.popleft() if self.faults else ""
        self.status, self.delay, self.reset = 200, 0, fault == "reset"
        if fault == "slow":
            self.delay = self.pause_of_slow
            return b"{}"
        if fault == "error":
            self.status = 502
            return b"<html>Bad Gateway</html>"
        code, said = (-1, "system busy") if fault == "busy" else self._code(request)
        return self.reply(code, said)

    def _code(self, request: Request) -> tuple[int, str]:
        now, body = self.clock(), json.loads(request.body)
        if self.token(request) != TOKEN:
            return self.wrong_token
        if self.signed and not self.sign_fits(request, body, now):
            return self.wrong_sign
        self.arrivals.append(now)
        if now < self.blocked_until:
            return self.too_fast
        if sum(arrived > now - 60 for arrived in self.arrivals) > self.per_minute:
            self.blocked_until, self.blocked = now + self.block, self.blocked + 1
            return self.too_fast
        if self.says:
            return self.says
        if self.length(body) > self.most:
            return self.too_long
        self.messages.append(body)
        return 0, "ok"

    most = 20_000

    def length(self, body: dict) -> int:
        return len(json.dumps(body, ensure_ascii=False).encode())

    def reply(self, code: int, said: str) -> bytes:
        return json.dumps({"errcode": code, "errmsg": said}, ensure_ascii=False).encode()

    def token(self, request: Request) -> str:
        raise NotImplementedError

    def sign_fits(self, request: Request, body: dict, now: float) -> bool:
        raise NotImplementedError

    def seen(self, body: dict) -> str:
        """What a reader sees of a message."""
        raise NotImplementedError

    def letters(self) -> list[str]:
        return [self.seen(body) for body in self.messages]


@dataclass
class DingTalkRobot(Robot):
    def token(self, request):
        assert urlsplit(request.path).path == "/robot/send"
        return _query(request, "access_token")

    def sign_fits(self, request, body, now):
        stamp = _query(request, "timestamp")
        made = hmac.digest(SECRET.encode(), f"{stamp}\n{SECRET}".encode(), "sha256")
        fresh = stamp.isdecimal() and abs(int(stamp) / 1000 - now) <= _HOUR
        return fresh and _query(request, "sign") == base64.b64encode(made).decode()

    def seen(self, body):
        if body["msgtype"] == "actionCard":
            card = body["actionCard"]
            return f"{card['text']}\n{card['singleTitle']} {card['singleURL']}".translate(_HALF)
        assert all(f"@{mobile}" in body["markdown"]["text"] for mobile in body["at"]["atMobiles"])
        return body["markdown"]["text"].translate(_HALF)


@dataclass
class WeComRobot(Robot):
    signed: bool = False
    too_fast = (45009, "api freq out of limit")
    wrong_token = (93000, "invalid webhook url")
    too_long = (40058, "markdown.content exceed max length 4096")
    most = 4096

    def token(self, request):
        assert urlsplit(request.path).path == "/cgi-bin/webhook/send"
        return _query(request, "key")

    def length(self, body):
        return len(body["markdown"]["content"].encode())

    def seen(self, body):
        return re.sub(r"</?font[^>]*>", "", body["markdown"]["content"]).translate(_HALF)


@dataclass
class FeishuRobot(Robot):
    per_minute: int = 100
    too_fast = (9499, "too many request")
    wrong_token = (19001, "param invalid: incoming webhook access token invalid")
    wrong_sign = (19021, "sign match fail or timestamp is not within one hour from current time")
    too_long = (11246, "card content too long")

    def token(self, request):
        path, _, token = request.path.rpartition("/")
        assert path == "/open-apis/bot/v2/hook"
        return token

    def sign_fits(self, request, body, now):
        stamp = body.get("timestamp", "")
        made = hmac.digest(f"{stamp}\n{SECRET}".encode(), b"", "sha256")
        fresh = stamp.isdecimal() and abs(int(stamp) - now) <= _HOUR
        return fresh and body.get("sign") == base64.b64encode(made).decode()

    def reply(self, code, said):
        return json.dumps({"code": code, "msg": said, "data": {}}, ensure_ascii=False).encode()

    def seen(self, body):
        card = body["card"]
        parts = [card["header"]["title"]["content"]]
        for element in card["elements"]:
            if element["tag"] == "div":
                parts.append(html.unescape(element["text"]["content"]))
            elif element["tag"] == "action":
                parts += [f"{button['text']['content']} {button['url']}" for button in element["actions"]]
            else:
                assert element == {"tag": "hr"}
        return "\n\n".join(parts)


def _query(request: Request, name: str) -> str:
    return parse_qs(urlsplit(request.path).query).get(name, [""])[0]
