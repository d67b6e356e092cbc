"""One HTTP GET within limits: of time in all, of size, of redirects, of attempts.

The time budget holds against a server that answers drop by drop, even inside
the status line or the TLS handshake: when it ends, every socket opened under
it is shut. Two things stand outside it, since the system decides them: name
resolution, and each further address of a host whose first one is silent.
"""

import re
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from connectors.base import ConnectorError, Failure

_REDIRECTS = 3
_PIECE = 64 * 1024
_FIRST_PAUSE = 0.5  # seconds before the second attempt, doubled for each further one
_BUSY = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Limits:
    """``timeout``: seconds for each connect and each read; ``budget``: seconds for everything, retries included."""

    timeout: float
    budget: float
    retries: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked. ``headers`` may hold secrets: they go to the first host only, and into no text."""

    url: str
    params: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole: the final status and body, and the charset where the server names one."""

    status: int
    body: bytes
    charset: str | None
    retry_after: float | None


class _BrokenConnectionError(ConnectorError):
    """A failure of the connection, which another attempt may not meet."""


def get(call: Call, limits: Limits) -> Answer:
    """Ask, and again after a broken connection, 429, 502, 503 or 504; honours Retry-After within the budget.

    Raises ConnectorError: UNREACHABLE, TIMEOUT, TOO_LARGE, or BAD_ANSWER for
    redirects that go on too long or to another scheme.
    """
    with _Deadline(limits.budget) as deadline, requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, _WatchedAdapter(deadline))
        for attempt in range(limits.retries + 1):
            pause = _FIRST_PAUSE * 2**attempt
            last = attempt == limits.retries
            try:
                answer = _attempt(session, call, limits, deadline)
            except _BrokenConnectionError:
                if last or pause >= deadline.left():
                    raise
            else:
                pause = pause if answer.retry_after is None else answer.retry_after
                if answer.status not in _BUSY or last or pause >= deadline.left():
                    return answer
            time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


class _Deadline:
    """A moment at which every socket opened under it is shut, whatever it waits for."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock, ExitStack() as closing:
            for one in self._sockets:
                closing.callback(one.close)
            self._sockets.clear()

    def left(self) -> float:
        """Seconds until the end, negative after it."""
        return self._ends - time.monotonic()

    def watch(self, opened: socket.socket) -> None:
        """Shut ``opened`` at the end. A duplicate is kept, since TLS takes the original over."""
        with self._lock:
            self._sockets.append(opened.dup())
        if self.left() <= 0:
            self._shut()

    def passed(self) -> ConnectorError:
        """What to say once the time is over."""
        return ConnectorError(
            Failure.TIMEOUT, f"{self._seconds:g} 秒内没有答完 (over the time budget): 可加大 budget", retryable=True
        )

    def _shut(self) -> None:
        with self._lock:
            for one in self._sockets:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # closed by the other side


class _WatchedAdapter(HTTPAdapter):
    """Opens every connection, proxied or not, under the deadline."""

    def __init__(self, deadline: _Deadline) -> None:
        self._deadline = deadline
        super().__init__(max_retries=0)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        deadline, plain = self._deadline, pool.ConnectionCls
        if not getattr(plain, "watched", False):

            class Watched(plain):  # type: ignore[misc, valid-type]
                watched = True

                def _new_conn(self) -> socket.socket:
                    opened: socket.socket = super()._new_conn()
                    deadline.watch(opened)
                    return opened

            pool.ConnectionCls = Watched
        return pool


def _attempt(session: requests.Session, call: Call, limits: Limits, deadline: _Deadline) -> Answer:
    """One attempt with its redirects."""
    for _ in range(_REDIRECTS + 1):
        if deadline.left() <= 0:
            raise deadline.passed()
        try:
            with session.get(
                call.url,
                params=call.params,
                headers={"Accept": "application/json", "User-Agent": "duban", **call.headers},
                auth=_as_it_is,
                stream=True,
                allow_redirects=False,
                timeout=min(limits.timeout, deadline.left()),
            ) as response:
                if not response.is_redirect:
                    return _answer(response, limits, deadline)
                target = urljoin(call.url, response.headers["Location"])
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise deadline.passed() if deadline.left() <= 0 else _failure(error) from None
        here, there = urlsplit(call.url), urlsplit(target)
        if here.scheme != there.scheme:
            raise _bad_redirect(f"改道到另一协议 {there.scheme} (redirect to another scheme)")
        call = Call(target, {}, call.headers if here.netloc == there.netloc else {})
    raise _bad_redirect(f"改道超过 {_REDIRECTS} 次 (too many redirects)")


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep our own headers: without an auth, requests would send what a .netrc file says."""
    return request


def _answer(response: requests.Response, limits: Limits, deadline: _Deadline) -> Answer:
    """Read piece by piece as it comes in, so that neither size nor time runs away."""
    body = bytearray()
    while piece := response.raw.read1(_PIECE, decode_content=True):
        body += piece
        if len(body) > limits.max_bytes:
            raise ConnectorError(
                Failure.TOO_LARGE,
                f"答复超过 {limits.max_bytes} 字节 (too large): 可缩小查询，或加大 max_bytes",
                retryable=False,
            )
    if deadline.left() <= 0:  # a socket that was shut reads like a body that ended
        raise deadline.passed()
    charset = re.search(r"charset=[\"']?([\w.:-]+)", response.headers.get("Content-Type", ""))
    return Answer(
        response.status_code,
        bytes(body),
        charset[1] if charset else None,
        _retry_after(response.headers.get("Retry-After")),
    )


def _retry_after(header: str | None) -> float | None:
    """Seconds to wait, from a number of seconds or a date; None where the server says nothing that can be read."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _failure(error: Exception) -> ConnectorError:
    """What to say of an exception. Its own text is not shown: it holds the whole address with its parameters."""
    if isinstance(error, requests.ConnectTimeout):
        return _BrokenConnectionError(Failure.TIMEOUT, "连接超时 (connect timeout): 请检查地址和网络", retryable=True)
    if isinstance(error, requests.Timeout | urllib3.exceptions.ReadTimeoutError):
        return ConnectorError(Failure.TIMEOUT, "等不到答复 (read timeout): 可加大 timeout", retryable=True)
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return ConnectorError(Failure.UNREACHABLE, "TLS 失败 (TLS failure): 请检查证书", retryable=False)
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
