"""Letters to a group of WeCom 企业微信, by the group's own robot."""

import re
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote_plus

from alerts.channels.http import Address
from alerts.channels.robot import BUTTON, Message, Robot, RobotOptions, Trouble
from alerts.delivery import Result
from alerts.message import Form, marks

_COLOURS = {"red": "warning", "yellow": "warning", "green": "info", "blue": "info"}


class WeComOptions(RobotOptions):
    """``token`` is what follows ``key=`` in the robot's address."""

    host: Address = "https://qyapi.weixin.qq.com"


class WeCom(Robot):
    """Markdown of at most 4096 bytes; the address holds the user ids to mention."""

    Options = WeComOptions
    form = Form.WECOM
    most_bytes = 4096
    mention = re.compile(r"@?[\w.@-]{1,64}")
    troubles: ClassVar[dict[int, Trouble]] = {
        45009: Trouble(Result.THROTTLED, rest=timedelta(minutes=1)),
        45033: Trouble(Result.THROTTLED, rest=timedelta(minutes=1)),
        # No such key; a robot that is switched off; one that is in the group no more.
        93000: Trouble(Result.MISCONFIGURED),
        93004: Trouble(Result.MISCONFIGURED),
        93008: Trouble(Result.MISCONFIGURED),
        40058: Trouble(Result.REJECTED, permanent=True),
        40008: Trouble(Result.REJECTED, permanent=True),
        44004: Trouble(Result.REJECTED, permanent=True),
    }

    def _request(self, message: Message, at: datetime) -> tuple[str, dict[str, Any]]:  # noqa: ARG002
        url = f"{self._host}/cgi-bin/webhook/send?key={quote_plus(self._token)}"
        return url, {"msgtype": "markdown", "markdown": {"content": self._text(message)}}

    def _text(self, message: Message) -> str:
        parts = [f'### <font color="{_COLOURS[message.tone]}">{marks(message.title)}</font>', message.text]
        if self._options.page:
            parts.append(f"[{BUTTON}]({self._options.page})")
        if message.mentions:
            parts.append("".join(f"<@{user.removeprefix('@')}>" for user in message.mentions))
        return "\n\n".join(parts)
