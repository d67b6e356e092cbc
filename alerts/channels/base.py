"""What every channel is: a class made from checked options that carries letters and says what came of each."""

import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Protocol

from msgspec import Struct

import connectors.base
from alerts.channels.limits import Slots
from alerts.delivery import Attempt
from alerts.notice import Notice
from connectors.strict import Strict
from rules.document import Invalid

_LONGEST_ANSWER = 500
"""Characters of an answer that are kept."""


class Options(connectors.base.Options):
    """Base of a channel's options.

    A secret NAME is never written among the options: the field ``NAME_file`` names the file that holds it,
    or ``NAME_env`` the environment variable. ``needs`` are the secrets that a channel cannot do without.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    def secret(self, name: str, folder: Path) -> str:
        """The secret ``name``; "" where none is given. Raises Invalid where it cannot be read or is empty."""
        path, variable = getattr(self, f"{name}_file"), getattr(self, f"{name}_env")
        if path is not None:
            return _in_file(folder / path, f"{name}_file")
        if variable is None:
            return ""
        if not (found := os.environ.get(variable, "").strip()):
            raise Invalid([f"{name}_env: 没有环境变量 {variable} 或其值为空 (no such variable)"])
        return found

    def __post_init__(self) -> None:
        for name in [field.removesuffix("_env") for field in self.__struct_fields__ if field.endswith("_env")]:
            given = [getattr(self, f"{name}_{way}") for way in ("file", "env")]
            if None not in given:
                raise ValueError(f"{name}_file 与 {name}_env 只能填写一项 (two ways to a secret)")
            if name in self.needs and given == [None, None]:
                raise ValueError(f"缺少 {name} (missing secret): 请填写 {name}_file 或 {name}_env")


class Letter(Struct, frozen=True, gc=False):
    """A notice on its way to one receiver. ``key`` is the same for every attempt, ``why`` tells why they get it."""

    key: str
    receiver: str
    address: str
    why: str
    notice: Notice
    sent_at: datetime


class Channel(Protocol):
    """Carries letters. Made with its options and the folder that relative paths start from.

    ``at_once`` is how many letters, of one receiver at one address, ``send`` may be given. Where ``repeat`` is set,
    letters about alerts that still stand are sent again so often: the other end forgets what it is not told.
    ``slots`` count what is sent, where the other end takes only so much. ``apart``: a machine reads there, and is told
    every alert by itself, however many there are at one moment.
    """

    Options: ClassVar[type[Strict]]
    at_once: int = 1
    repeat: timedelta | None = None
    slots: Slots | None = None
    apart: bool = False

    def __init__(self, options: Any, folder: Path) -> None: ...

    def send(self, letters: Sequence[Letter]) -> list[Attempt]:
        """Carry letters; returns what came of each, in their order.

        Fewer attempts than letters mean that the rest was not touched, because the channel's limits leave no room
        for them now: they stay in the queue. Never raises for what the network or the receiver does.
        """
        ...

    def objection(self, address: str) -> str:  # noqa: ARG002
        """What is wrong with an address, "" where letters may go there."""
        return ""

    def close(self) -> None:
        """Let go of connections."""
        ...


def answer(text: str, secrets: Iterable[str] = ()) -> str:
    """What a receiver said, fit to be stored and shown: on one line, at most 500 characters, no secret in it."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return " ".join(text.split())[:_LONGEST_ANSWER]


def _in_file(path: Path, option: str) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "不是 UTF-8 文本"
        raise Invalid([f"{path}: 无法读取 {option} (cannot read): {why}"]) from None
    if not secret:
        raise Invalid([f"{path}: {option} 是空文件 (empty)"])
    return secret
