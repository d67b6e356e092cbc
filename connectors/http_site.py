"""What the options of an HTTP source with an interface of its own share, and how such a source is asked."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from msgspec import Meta

from connectors.base import ConnectorError, Failure
from connectors.border import Networks
from connectors.fields import Constants
from connectors.http_auth import Auth, Credentials
from connectors.http_get import Answer, Call, Client, Limits
from connectors.http_tls import TlsOptions

Ask: TypeAlias = Callable[[str, Mapping[str, str]], Answer]
"""Asks for a path below the site's address, with parameters."""

_STATES = {
    401: (Failure.DENIED, "要求口令 (unauthorized): 请检查 auth"),
    403: (Failure.DENIED, "被拒绝 (forbidden): 请检查口令和权限"),
    404: (Failure.NOT_FOUND, "没有此地址 (not found): 请检查 url"),
    429: (Failure.RATE_LIMITED, "访问过于频繁 (too many requests): 请延长 schedule 的间隔"),
}
_WORDS_SHOWN = 500


def without_password(url: str) -> str:
    """An http or https address without a password in it. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("url 须是 http:// 或 https:// 地址 (not an http address)")
    if parts.username or parts.password:
        raise ValueError("url 里不要写口令 (credentials in url): 请用 auth")
    return url


def _bare(url: str) -> str:
    parts = urlsplit(without_password(url))
    if parts.query or parts.fragment:
        raise ValueError("url 里不要写参数 (query in url): 只写到路径为止")
    return url.rstrip("/")


Address = Annotated[str, _bare]
"""Without parameters and without a password in it."""


class Site(Constants):
    """An address, how we are known there, and the limits of one pull."""

    url: Address
    headers: dict[str, str] = {}
    auth: Auth | None = None
    tls: TlsOptions = TlsOptions()
    allow: Networks = ()  # networks that may be reached although they lie too far inside
    timeout: Annotated[float, Meta(gt=0)] = 10  # seconds for each connect and each read
    budget: Annotated[float, Meta(gt=0)] = 30  # seconds for the whole pull, retries included
    retries: Annotated[int, Meta(ge=0, le=10)] = 2
    max_bytes: Annotated[int, Meta(gt=0)] = 16 * 2**20  # of all answers of a pull, decompressed

    @property
    def document(self) -> str:
        """The address without parameters."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    @contextmanager
    def asking(self, folder: Path) -> Iterator[Ask]:
        """One client for one pull. Every ConnectorError raised inside gets the address, and loses our secrets."""
        credentials = Credentials()
        try:
            if self.auth is not None:
                credentials = self.auth.credentials(folder)
            headers, tls = {**self.headers, **credentials.headers}, self.tls.tls(folder)
            with Client(Limits(self.timeout, self.budget, self.retries, self.max_bytes)) as client:
                yield lambda path, params: client.get(
                    Call(self.url + path, {**params, **credentials.params}, headers, tls, self.allow)
                )
        except ConnectorError as error:
            hidden = credentials._replace(secrets=credentials.secrets | {*filter(None, self.headers.values())})
            detail = f"{self.document}: {hidden.hidden(error.detail)[:_WORDS_SHOWN]}"
            raise ConnectorError(error.reason, detail, retryable=error.retryable) from None


def bad_status(answer: Answer) -> ConnectorError:
    """What to say of an answer whose status is not 200, where its body says nothing better."""
    reason, words = _STATES.get(answer.status, (Failure.BAD_ANSWER, "答复不正常 (bad status)"))
    later = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reason is Failure.RATE_LIMITED
    return ConnectorError(reason, f"HTTP {answer.status} {words}", retryable=later)
