"""What the robots of group chats have in common: one message for many letters, few messages a minute, a code for success."""

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from alerts.channels import base, limits
from alerts.channels.base import Letter
from alerts.channels.http import Address, Http, Reply, Timeout
from alerts.channels.limits import Limit, PerMinute, shorten, size, split
from alerts.delivery import Attempt, Result
from alerts.message import Form, headline, render

BUTTON = "查看督办页面"
_LONGEST_TITLE = 600
"""Bytes."""
_TOO_MANY = re.compile(r"too (many|fast|frequent)|freq\w* (out of )?limit|rate limit|频率|限流", re.IGNORECASE)
_SEPARATOR = re.compile(r"[,\s\uff0c\u3001]+")


class RobotOptions(base.Options):
    """``token`` is the robot's own word, the part of its address that nobody else may know; ``host`` its server.

    ``page`` is the address of the status page, to which messages link. ``per_minute`` is how many messages the
    robot takes.
    """

    needs: ClassVar[tuple[str, ...]] = ("token",)

    token_file: Path | None = None
    token_env: str | None = None
    host: Address
    page: Address | None = None
    per_minute: PerMinute = 20
    timeout: Timeout = 10


class SigningOptions(RobotOptions):
    """``secret`` is the key of the signature, where the robot asks for one."""

    secret_file: Path | None = None
    secret_env: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """``text`` is in the robot's form, ``tone`` is red, yellow, green or blue, ``mentions`` are the people to call."""

    title: str
    text: str
    tone: str
    mentions: tuple[str, ...]


class Trouble(NamedTuple):
    """What a code other than 0 means, and for how long to stay away."""

    result: Result
    permanent: bool = False
    rest: timedelta | None = None


class Robot(base.Channel):
    """One letter is told in full, cut into several messages if it is too long; several are told in brief, in one.

    The letter's address lists whom to mention. Only the code in the answer decides, whatever the HTTP status.
    An unknown code is tried again: it may pass.
    """

    at_once = 10
    form: ClassVar[Form]
    slots: limits.Slots
    most_bytes: ClassVar[int]
    """Of a message's text."""
    bursts: ClassVar[tuple[Limit, ...]] = ()
    """Limits beside that of the minute."""
    troubles: ClassVar[Mapping[int, Trouble]]
    mention: ClassVar[re.Pattern[str]]
    """What may stand in an address."""

    def __init__(self, options: RobotOptions, folder: Path) -> None:
        """Raises Invalid where a secret cannot be read."""
        self._options, self._host = options, options.host.rstrip("/")
        self._token = options.secret("token", folder)
        self._secret = options.secret("secret", folder) if isinstance(options, SigningOptions) else ""
        self._http = Http(options.timeout, [self._token, self._secret])
        self._said: dict[str, int] = {}
        limit = Limit(options.per_minute, 60.0)
        self.slots = limits.slots(f"{self._host} {self._token}", limit, *self.bursts)

    def send(self, letters: Sequence[Letter]) -> list[Attempt]:
        if said := self.objection(letters[0].address):
            return [Attempt(Result.MISCONFIGURED, base.answer(said), permanent=True)] * len(letters)
        mentions = _mentions(letters[0].address)
        attempts: list[Attempt] = []
        waiting = deque(self._groups(letters, mentions))
        while waiting:
            group = waiting.popleft()
            messages = self._messages(group, mentions)
            if len(messages) > 1:  # what a letter has said is not said again by its next try
                messages = messages[min(self._said.get(group[0].key, 0), len(messages) - 1) :]
            if len(messages) > self.slots.most:
                attempts.append(Attempt(Result.REJECTED, "消息过长，超过每分钟可发条数 (too long)", permanent=True))
                continue
            if not self.slots.take(len(messages)):
                break
            attempt = self._carry(messages, group[0])
            if attempt.permanent and len(group) > 1:
                # One of them may be at fault: the others must not go under with it.
                waiting.extendleft([letter] for letter in reversed(group))
                continue
            attempts += [attempt] * len(group)
            if attempt.result is not Result.SENT and not attempt.permanent:
                break
        return attempts

    def objection(self, address: str) -> str:
        wrong = [name for name in _mentions(address) if not self.mention.fullmatch(name)]
        return f"无法提醒 '{wrong[0]}' (bad mention)；应符合 {self.mention.pattern}" if wrong else ""

    def close(self) -> None:
        self._http.close()

    def _request(self, message: Message, at: datetime) -> tuple[str, dict[str, Any]]:
        """Where the message goes, and the body that carries it."""
        raise NotImplementedError

    def _text(self, message: Message) -> str:
        """The text as it is sent, with what stands around it: it must keep within ``most_bytes``."""
        raise NotImplementedError

    def _code(self, answer: dict[str, Any]) -> int:
        """The code in an answer. Raises KeyError where there is none."""
        return int(answer["errcode"])

    def _trouble(self, code: int, said: str) -> Trouble:
        """What a code means; of one that nobody wrote down, whether its words ask for patience."""
        patience = Trouble(Result.THROTTLED, rest=timedelta(minutes=1)) if _TOO_MANY.search(said) else None
        return self.troubles.get(code) or patience or Trouble(Result.REJECTED)

    def _groups(self, letters: Sequence[Letter], mentions: tuple[str, ...]) -> Iterator[list[Letter]]:
        """As many letters to a message as fit into it in brief; a digest is told in full, by itself."""
        group: list[Letter] = []
        for letter in letters:
            alone = letter.notice.told or (group and group[-1].notice.told)
            if group and (alone or size(self._text(self._digest([*group, letter], mentions))) > self.most_bytes):
                yield group
                group = []
            group.append(letter)
        yield group

    def _messages(self, group: Sequence[Letter], mentions: tuple[str, ...]) -> list[Message]:
        if len(group) > 1:
            return [self._digest(group, mentions)]
        (letter,) = group
        said = headline(letter)
        title, tone = shorten(said.title, _LONGEST_TITLE), said.tone
        whole = Message(title, render(letter, self.form).body.strip(), tone, mentions)
        if size(self._text(whole)) <= self.most_bytes:
            return [whole]
        room = self.most_bytes - size(self._text(replace(whole, title=f"{title}（续99）", text="")))
        parts = split(whole.text, room)
        return [
            replace(whole, title=f"{title}（续{number}）" if number else title, text=part)
            for number, part in enumerate(parts)
        ]

    def _digest(self, group: Sequence[Letter], mentions: tuple[str, ...]) -> Message:
        briefs = [_brief(letter, self.form) for letter in group]
        tones = {tone for tone, _ in briefs}
        tone = next((tone for tone in ("red", "yellow", "blue") if tone in tones), "green")
        why = "；".join(dict.fromkeys(letter.why for letter in group))
        return Message(
            f"督办通知（共{len(group)}项）",
            "\n\n".join([*(text for _, text in briefs), f"发送缘由：{why}"]),
            tone,
            mentions,
        )

    def _carry(self, messages: Sequence[Message], letter: Letter) -> Attempt:
        """The messages of ``letter``, or the one of several of which it is the first."""
        attempt, at, said = Attempt(Result.SENT, ""), letter.sent_at, self._said.pop(letter.key, 0)
        for number, message in enumerate(messages):
            url, body = self._request(message, at)
            data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
            reply = self._http.ask(url, data, {"Content-Type": "application/json; charset=utf-8"}, at)
            attempt = self._judged(reply)
            if attempt.result is not Result.SENT:
                if said + number:
                    self._said[letter.key] = said + number
                break
        return attempt

    def _judged(self, reply: Reply) -> Attempt:
        by_status = reply.attempt
        try:
            code = self._code(json.loads(reply.text))
        except (ValueError, KeyError, TypeError):
            if by_status.result is not Result.SENT:
                return by_status
            return Attempt(Result.REJECTED, base.answer(f"答复中没有业务码 (no code): {by_status.answer}"))
        if code == 0 or (code not in self.troubles and by_status.result is Result.THROTTLED):
            return by_status
        result, permanent, rest = self._trouble(code, reply.text)
        return Attempt(result, by_status.answer, permanent, rest)


def _mentions(address: str) -> tuple[str, ...]:
    return tuple(filter(None, _SEPARATOR.split(address)))


@lru_cache(maxsize=1024)
def _brief(letter: Letter, form: Form) -> tuple[str, str]:
    """Tone and text of a letter among others: asked for again while a message is being filled."""
    return headline(letter).tone, render(letter, form, brief=True).body.strip()
