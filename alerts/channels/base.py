"""What every channel is: a class made from checked options that carries one letter and says what came of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from alerts.delivery import Attempt
from alerts.notice import Notice
from rules.document import Invalid

_LONGEST_ANSWER = 500
"""Characters of an answer that are kept."""


class Options(BaseModel):
    """Base of a channel's options: strict, so that a misspelt key is an error with its place."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice on its way to one receiver. ``key`` is the same for every attempt, ``why`` tells why they get it."""

    key: str
    receiver: str
    address: str
    why: str
    notice: Notice
    sent_at: datetime


class Channel(Protocol):
    """Carries letters. Made with its options and the folder that relative paths start from."""

    Options: ClassVar[type[BaseModel]]

    def __init__(self, options: Any, folder: Path) -> None: ...

    def send(self, letter: Letter) -> Attempt:
        """Carry one letter. Never raises for what the network or the receiver does: that is the Attempt's answer."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def answer(text: str, secrets: Iterable[str] = ()) -> str:
    """What a receiver said, fit to be stored and shown: on one line, at most 500 characters, no secret in it."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return " ".join(text.split())[:_LONGEST_ANSWER]


def read_secret(path: Path, option: str) -> str:
    """The secret in the file that ``option`` names. Raises Invalid where it cannot be read or holds nothing."""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "不是 UTF-8 文本"
        raise Invalid([f"{path}: 无法读取 {option} (cannot read): {why}"]) from None
    if not secret:
        raise Invalid([f"{path}: {option} 是空文件 (empty)"])
    return secret
