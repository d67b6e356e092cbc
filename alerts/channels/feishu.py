"""Letters to a group of Feishu 飞书 (Lark), by the group's own robot."""

import base64
import hmac
import re
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from alerts.channels.http import Address
from alerts.channels.limits import Limit, PerMinute
from alerts.channels.robot import BUTTON, Message, Robot, SigningOptions, Trouble
from alerts.delivery import Result
from alerts.message import Form


class FeishuOptions(SigningOptions):
    """``token`` is the last part of the robot's address; ``host`` is https://open.larksuite.com for Lark."""

    host: Address = "https://open.feishu.cn"
    per_minute: PerMinute = 100


class Feishu(Robot):
    """An interactive card, coloured by the alert; the address holds the ids to mention, or ``all``."""

    Options = FeishuOptions
    at_once = 20
    form = Form.FEISHU
    most_bytes = 16_000
    bursts = (Limit(5, 1.0),)
    mention = re.compile(r"[\w-]{1,64}")
    troubles: ClassVar[dict[int, Trouble]] = {
        11232: Trouble(Result.THROTTLED, rest=timedelta(minutes=1)),
        # The robot's address; the signature or its time; the address from which we ask; the key words.
        19001: Trouble(Result.MISCONFIGURED),
        19021: Trouble(Result.MISCONFIGURED),
        19022: Trouble(Result.MISCONFIGURED),
        19024: Trouble(Result.MISCONFIGURED),
        19002: Trouble(Result.REJECTED, permanent=True),
        11246: Trouble(Result.REJECTED, permanent=True),
    }

    def _request(self, message: Message, at: datetime) -> tuple[str, dict[str, Any]]:
        sections: list[dict[str, Any]] = []
        for section in self._text(message).split("\n\n"):
            sections += [{"tag": "hr"}, {"tag": "div", "text": {"tag": "lark_md", "content": section}}]
        if self._options.page:
            button = {"tag": "button", "text": _plain(BUTTON), "type": "primary", "url": self._options.page}
            sections.append({"tag": "action", "actions": [button]})
        card = {
            "config": {"wide_screen_mode": True},
            "header": {"title": _plain(message.title), "template": message.tone},
            "elements": sections[1:],
        }
        body = {"msg_type": "interactive", "card": card, **self._signature(at)}
        return f"{self._host}/open-apis/bot/v2/hook/{quote(self._token, safe='')}", body

    def _text(self, message: Message) -> str:
        called = "".join(f"<at id={user}></at>" for user in message.mentions)
        return "\n\n".join(filter(None, [message.text, called]))

    def _code(self, answer: dict[str, Any]) -> int:
        return int(answer["code"] if "code" in answer else answer["StatusCode"])

    def _trouble(self, code: int, said: str) -> Trouble:
        trouble = super()._trouble(code, said)
        # 9499 is a code for two things: too many messages, or one that cannot be read.
        return trouble._replace(permanent=True) if code == 9499 and trouble.result is Result.REJECTED else trouble

    def _signature(self, at: datetime) -> dict[str, str]:
        if not self._secret:
            return {}
        stamp = str(int(at.timestamp()))
        digest = hmac.digest(f"{stamp}\n{self._secret}".encode(), b"", "sha256")
        return {"timestamp": stamp, "sign": base64.b64encode(digest).decode()}


def _plain(text: str) -> dict[str, str]:
    return {"tag": "plain_text", "content": text}
