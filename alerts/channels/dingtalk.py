"""Letters to a group of DingTalk 钉钉, by the group's own robot."""

import base64
import hmac
import re
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote_plus

from alerts.channels.http import Address
from alerts.channels.robot import BUTTON, Message, Robot, SigningOptions, Trouble
from alerts.delivery import Result
from alerts.message import Form, marks


class DingTalkOptions(SigningOptions):
    """``token`` is what follows ``access_token=`` in the robot's address, ``secret`` the 加签 key (SEC...)."""

    host: Address = "https://oapi.dingtalk.com"


class DingTalk(Robot):
    """Markdown, with the mobiles to mention in the address; an action card where there is a page and nobody to mention.

    Cards cannot mention. Beyond 20 messages a minute the robot is blocked for ten minutes.
    """

    Options = DingTalkOptions
    at_once = 20
    form = Form.DINGTALK
    most_bytes = 16_000
    mention = re.compile(r"\+?[0-9-]{5,20}")
    troubles: ClassVar[dict[int, Trouble]] = {
        130101: Trouble(Result.THROTTLED, rest=timedelta(minutes=10)),
        410100: Trouble(Result.THROTTLED, rest=timedelta(minutes=10)),
        90030: Trouble(Result.THROTTLED, rest=timedelta(minutes=10)),
        # The signature, the key words or the address from which we ask; the token; the group dissolved; the robot
        # switched off or removed.
        310000: Trouble(Result.MISCONFIGURED),
        300001: Trouble(Result.MISCONFIGURED),
        400013: Trouble(Result.MISCONFIGURED),
        400101: Trouble(Result.MISCONFIGURED),
        400102: Trouble(Result.MISCONFIGURED),
        400106: Trouble(Result.MISCONFIGURED),
        # Words, links or pictures that it does not let through; a sort of message or a body that it cannot read.
        400105: Trouble(Result.REJECTED, permanent=True),
        430101: Trouble(Result.REJECTED, permanent=True),
        430102: Trouble(Result.REJECTED, permanent=True),
        430103: Trouble(Result.REJECTED, permanent=True),
        430104: Trouble(Result.REJECTED, permanent=True),
        40035: Trouble(Result.REJECTED, permanent=True),
    }

    def _request(self, message: Message, at: datetime) -> tuple[str, dict[str, Any]]:
        text, page = self._text(message), self._options.page
        url = f"{self._host}/robot/send?access_token={quote_plus(self._token)}{self._signature(at)}"
        if page and not message.mentions:
            card = {"title": message.title, "text": text, "singleTitle": BUTTON, "singleURL": page}
            return url, {"msgtype": "actionCard", "actionCard": card}
        called = {"atMobiles": list(message.mentions), "isAtAll": False}
        return url, {"msgtype": "markdown", "markdown": {"title": message.title, "text": text}, "at": called}

    def _text(self, message: Message) -> str:
        parts = [f"### {marks(message.title)}", message.text]
        if message.mentions:
            parts += [f"[{BUTTON}]({self._options.page})"] if self._options.page else []
            parts.append(" ".join(f"@{mobile}" for mobile in message.mentions))
        return "\n\n".join(parts)

    def _signature(self, at: datetime) -> str:
        if not self._secret:
            return ""
        stamp = int(at.timestamp() * 1000)
        digest = hmac.digest(self._secret.encode(), f"{stamp}\n{self._secret}".encode(), "sha256")
        return f"&timestamp={stamp}&sign={quote_plus(base64.b64encode(digest).decode())}"
