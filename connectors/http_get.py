"""HTTP GETs within limits: of time in all, of size, of redirects, of attempts, of where they may go.

The time budget holds against a server that answers drop by drop, even inside
the status line or the TLS handshake: when it ends, every socket in use is shut.
Only name resolution stands outside it, since the system decides that.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from connectors.base import ConnectorError, Failure
from connectors.border import Border, Network
from connectors.deadline import Deadline
from connectors.http_connection import ADAPTER, TERMS, Terms

logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)  # its DEBUG lines hold addresses with parameters

_REDIRECTS = 3
_PIECE = 64 * 1024
_FIRST_PAUSE = 0.5  # seconds before the second attempt, doubled for each further one
_BUSY = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take.

    ``timeout``: seconds for each connect and each read; ``budget``: seconds
    for everything it does, retries included; ``max_bytes``: of all its answers
    together, decompressed.
    """

    timeout: float
    budget: float
    retries: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Tls:
    """``verify``: False, True, or the path of the authorities to trust; ``cert``: paths of a certificate and its key."""

    verify: bool | str = True
    cert: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked. ``headers`` and ``params`` may hold secrets: they go to the first host only, and into no text.

    ``allowed`` are networks that may be reached although they lie beyond the border.
    """

    url: str
    params: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    tls: Tls = Tls()
    allowed: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole: the final status and body, and the headers (any case)."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(repr=False)

    @property
    def charset(self) -> str | None:
        """The charset where the server names one."""
        found = re.search(r"charset=[\"']?([\w.:-]+)", self.headers.get("Content-Type", ""))
        return found[1] if found else None

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, from a number of seconds or a date; None where the server says nothing that can be read."""
        said = self.headers.get("Retry-After")
        if said is None:
            return None
        if said.strip().isdecimal():
            return float(said)
        try:
            return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError):
            return None


class _BrokenConnectionError(ConnectorError):
    """A failure of the connection, which another attempt may not meet."""


def get(call: Call, limits: Limits) -> Answer:
    """One call by a client of its own."""
    with Client(limits) as client:
        return client.get(call)


class Client:
    """Several calls under one time budget and one limit of size. Cookies are kept between them, and nothing after.

    ``before`` is called with the deadline before each attempt, and may wait or raise.
    """

    def __init__(self, limits: Limits, before: Callable[[Deadline], None] = lambda _: None) -> None:
        self._limits = limits
        self._before = before
        self._deadline = Deadline(limits.budget)
        self._room = limits.max_bytes
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, ADAPTER)

    def __enter__(self) -> Self:
        self._deadline.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._deadline.__exit__()

    def get(self, call: Call) -> Answer:
        """Ask, and again after a broken connection, 429, 502, 503 or 504; honours Retry-After within the budget.

        Raises ConnectorError: UNREACHABLE, TLS, TIMEOUT, TOO_LARGE,
        FORBIDDEN_ADDRESS, MISCONFIGURED for what cannot be sent, or BAD_ANSWER
        for redirects that go on too long or to another scheme.
        """
        for attempt in range(self._limits.retries + 1):
            pause = _FIRST_PAUSE * 2**attempt
            last = attempt == self._limits.retries
            try:
                answer = self._attempt(call)
            except _BrokenConnectionError:
                if last or pause >= self._deadline.left():
                    raise
            else:
                pause = pause if answer.retry_after is None else answer.retry_after
                if answer.status not in _BUSY or last or pause >= self._deadline.left():
                    return answer
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, call: Call) -> Answer:
        """One attempt with its redirects."""
        border = Border.around(call.url, call.allowed)
        for _ in range(_REDIRECTS + 1):
            self._before(self._deadline)
            if self._deadline.left() <= 0:
                raise self._deadline.passed()
            answer = self._once(call, border)
            if not isinstance(answer, str):
                return answer
            here, there = urlsplit(call.url), urlsplit(answer)
            if here.scheme != there.scheme:
                raise _bad_redirect(f"改道到另一协议 {there.scheme} (redirect to another scheme)")
            if here.netloc == there.netloc:
                call = Call(answer, {}, call.headers, call.tls, call.allowed)
            else:
                border = border.behind(here.hostname or "")
                call = Call(answer, {}, {}, Tls(call.tls.verify), call.allowed)
        raise _bad_redirect(f"改道超过 {_REDIRECTS} 次 (too many redirects)")

    def _once(self, call: Call, border: Border) -> Answer | str:
        """The answer, or where it redirects to."""
        border.check_literal(urlsplit(call.url).hostname or "")
        token = TERMS.set(Terms(self._deadline, border))
        try:
            with self._session.get(
                call.url,
                params=call.params,
                headers={"Accept": "application/json", "User-Agent": "duban", **call.headers},
                auth=_as_it_is,
                stream=True,
                allow_redirects=False,
                timeout=min(self._limits.timeout, max(self._deadline.left(), 0.001)),
                verify=call.tls.verify,
                cert=call.tls.cert,
            ) as response:
                if response.is_redirect:
                    return urljoin(call.url, response.headers["Location"])
                body = self._body(response)
                return Answer(response.status_code, body, response.headers)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._deadline.passed() if self._deadline.left() <= 0 else _failure(error) from None
        finally:
            self._deadline.let_go()
            TERMS.reset(token)

    def _body(self, response: requests.Response) -> bytes:
        """Read piece by piece as it comes in, so that neither size nor time runs away."""
        body = bytearray()
        while piece := response.raw.read1(_PIECE, decode_content=True):
            body += piece
            self._room -= len(piece)
            if self._room < 0:
                raise ConnectorError(
                    Failure.TOO_LARGE,
                    f"答复超过 {self._limits.max_bytes} 字节 (too large): 可缩小查询，或加大 max_bytes",
                    retryable=False,
                )
        if self._deadline.left() <= 0:  # a socket that was shut reads like a body that ended
            raise self._deadline.passed()
        return bytes(body)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep our own headers: without an auth, requests would send what a .netrc file says."""
    return request


def _failure(error: Exception) -> ConnectorError:
    """What to say of an exception. Its own text is not shown: it holds the whole address with its parameters."""
    if isinstance(error, requests.ConnectTimeout):
        return _BrokenConnectionError(Failure.TIMEOUT, "连接超时 (connect timeout): 请检查地址和网络", retryable=True)
    if isinstance(error, requests.Timeout | urllib3.exceptions.ReadTimeoutError):
        return ConnectorError(Failure.TIMEOUT, "等不到答复 (read timeout): 可加大 timeout", retryable=True)
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return ConnectorError(
            Failure.TLS, "TLS 失败 (TLS failure): 请检查证书；自签的证书请写 tls.ca_file", retryable=False
        )
    if isinstance(error, urllib3.exceptions.DecodeError):
        return ConnectorError(Failure.BAD_ANSWER, "解不开压缩的答复 (bad content encoding)", retryable=True)
    if isinstance(error, ValueError):  # of requests: an address or a header that cannot be sent
        return ConnectorError(
            Failure.MISCONFIGURED, f"发不出请求 ({type(error).__name__}): 请检查 url 和 headers", retryable=False
        )
    return _BrokenConnectionError(
        Failure.UNREACHABLE, f"连接失败 (connection failed): {_system_words(error)}；请检查地址和网络", retryable=True
    )


def _system_words(error: BaseException) -> str:
    """What the system said, from the innermost of the chained exceptions that has its words."""
    words, cause = type(error).__name__, error.__cause__ or error.__context__
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            words = cause.strerror
        cause = cause.__cause__ or cause.__context__
    return words


def _bad_redirect(words: str) -> ConnectorError:
    return ConnectorError(Failure.BAD_ANSWER, f"{words}: 请在 url 里写最终地址", retryable=False)
