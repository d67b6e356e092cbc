"""How a source knows us: where the secret comes from, and where in a request it stands."""

import base64
import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from connectors.base import ConnectorError, Failure, Options


class Way(StrEnum):
    BEARER = "bearer"
    BASIC = "basic"
    HEADER = "header"
    QUERY = "query"


class Auth(Options):
    """``name`` is the user of ``basic``, the header of ``header``, the parameter of ``query``."""

    by: Way
    name: str | None = None
    secret_file: str | None = None  # file with the secret, relative to the book
    secret_env: str | None = None  # environment variable with the secret

    def __post_init__(self) -> None:
        if (self.name is None) is not (self.by is Way.BEARER):
            need = "不写" if self.by is Way.BEARER else "须写"
            raise ValueError(f"auth: {self.by} {need} name (name): basic 的用户名、header 的头名、query 的参数名")
        if (self.secret_file is None) is (self.secret_env is None):
            raise ValueError("auth: secret_file 和 secret_env 须有且只有一个 (exactly one secret): 口令不写在册里")

    def credentials(self, folder: Path) -> "Credentials":
        """Read the secret anew, so that a changed one needs no restart. Raises ConnectorError MISCONFIGURED."""
        secret = self._secret(folder)
        shown_as = {secret, quote(secret), quote_plus(secret)}
        match self.by:
            case Way.QUERY:
                return Credentials({}, {self.name or "": secret}, frozenset(shown_as))
            case Way.HEADER:
                return Credentials({self.name or "": secret}, {}, frozenset(shown_as))
            case Way.BASIC:
                coded = base64.b64encode(f"{self.name}:{secret}".encode()).decode()
                return Credentials({"Authorization": f"Basic {coded}"}, {}, frozenset(shown_as | {coded}))
            case Way.BEARER:
                return Credentials({"Authorization": f"Bearer {secret}"}, {}, frozenset(shown_as))

    def _secret(self, folder: Path) -> str:
        if self.secret_env is not None:
            place, secret = f"环境变量 {self.secret_env}", os.environ.get(self.secret_env, "").strip()
        else:
            path = folder / (self.secret_file or "")
            place = f"口令文件 {path}"
            try:
                secret = path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeError):
                secret = ""
        if not (secret.isascii() and secret.isprintable() and secret):
            raise ConnectorError(
                Failure.MISCONFIGURED, f"{place} 读不出口令 (no secret): 请检查文件、权限和内容", retryable=False
            )
        return secret


class Credentials(NamedTuple):
    """Headers and parameters to send, and the words that no text may show."""

    headers: Mapping[str, str] = MappingProxyType({})
    params: Mapping[str, str] = MappingProxyType({})
    secrets: frozenset[str] = frozenset()

    def hidden(self, text: str) -> str:
        """``text`` without the secrets."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text
