"""HTTP as channels use it: one request over kept connections, and what came of it, with no secret in the words."""

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote, quote_plus

import urllib3
from msgspec import Meta
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, LocationParseError, LocationValueError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError
from urllib3.util import Url, parse_url

from alerts.channels import base
from alerts.delivery import Attempt, Result

_LONGEST_REPLY = 4096
"""Bytes of a reply that are read."""
_LONGEST_WAIT = timedelta(days=1)
_WRONG_ADDRESS = frozenset({401, 403, 404, 405, 407, 410})
_TOO_EARLY = frozenset({409, 425})
_TELLING = 4
"""Text shorter than this is no secret, and blanking it would spoil the answers."""

HeaderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]+$", description="只用英文字母、数字和连字符")]
Timeout = Annotated[float, Meta(gt=0, le=60)]
"""Seconds for a whole exchange."""


def _printable(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("只能含可打印的 ASCII 字符 (not ascii)")  # the value itself may be secret
    return value


HeaderValue = Annotated[str, _printable]


def without_password(url: str) -> str:
    try:
        parts = parse_url(url)
    except LocationParseError:
        parts = Url()
    if parts.scheme not in ("http", "https") or not parts.host:
        raise ValueError("须是 http:// 或 https:// 地址 (not an http address)")
    if parts.auth:
        raise ValueError("url 里不要写口令 (credentials in url): 请用 *_file 或 *_env")
    return url


Address = Annotated[str, without_password]
"""An http or https address without a password in it."""


class Reply(NamedTuple):
    """What came of a request: ``attempt`` as the status alone judges it, the status (0 for none), the body's beginning."""

    attempt: Attempt
    status: int
    text: str


class Http:
    """Connections that are kept, to whatever hosts are asked; ``secrets`` are blanked in every answer.

    2xx is sent; 429 and 503 wait as Retry-After asks; 408, 409, 425 and other 5xx are tried again. So is what says
    that the address or the login is wrong, which every letter meets until people have mended it: redirects (they are
    not followed), 401, 403, 404, 405, 407, 410. Every other answer is final. Certificates are checked against the system's authorities, or those of
    $SSL_CERT_FILE.
    """

    def __init__(self, timeout: float, secrets: Iterable[str]) -> None:
        self._timeout, self._pools = timeout, urllib3.PoolManager(maxsize=4)
        spelt = {spell(secret) for secret in secrets for spell in (str, quote, quote_plus)}
        self._telling = sorted((text for text in spelt if len(text) >= _TELLING), key=len, reverse=True)

    def ask(self, url: str, body: bytes, headers: Mapping[str, str], at: datetime, method: str = "POST") -> Reply:
        """Never raises for what the network or the server does. ``at`` is the moment of sending."""
        deadline = time.monotonic() + self._timeout
        try:
            reply = self._pools.urlopen(
                method,
                url,
                body=body,
                headers={"User-Agent": "duban", **headers},
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(total=self._timeout),
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            return Reply(self._unanswered(url, error), 0, "")
        text = _text(reply, deadline)
        return Reply(self._answered(reply, text, at), reply.status, text)

    def clean(self, text: str) -> str:
        """Text fit to be stored and shown."""
        return base.answer(text, self._telling)

    def close(self) -> None:
        """Let go of connections; the next request opens new ones."""
        self._pools.clear()

    def _answered(self, reply: urllib3.BaseHTTPResponse, text: str, at: datetime) -> Attempt:
        status = reply.status
        said = self.clean(f"HTTP {status} {text}")
        if 200 <= status < 300:
            return Attempt(Result.SENT, said)
        if status in (429, 503):
            return Attempt(Result.THROTTLED, said, retry_after=wait(reply.headers, at))
        if status in (408, 504):
            return Attempt(Result.TIMEOUT, said)
        if status < 400 or status in _WRONG_ADDRESS:
            return Attempt(Result.MISCONFIGURED, said)
        return Attempt(Result.REJECTED, said, permanent=status < 500 and status not in _TOO_EARLY)

    def _unanswered(self, url: str, error: Exception) -> Attempt:
        if isinstance(error, LocationValueError):
            return Attempt(Result.MISCONFIGURED, self.clean(f"地址不可用 (bad address): {error}"), permanent=True)
        host = parse_url(url).host
        cause = error.__cause__ or error.__context__ or error
        timeout = isinstance(error, HTTPTimeoutError) and not isinstance(error, NewConnectionError)
        if timeout or isinstance(cause, TimeoutError):
            return Attempt(Result.TIMEOUT, f"{host}: {self._timeout:g} 秒内没有答复")
        said = self.clean(f"{host}: {type(cause).__name__} {cause}")
        return Attempt(Result.MISCONFIGURED if isinstance(error, SSLError) else Result.UNREACHABLE, said)


def _text(reply: urllib3.BaseHTTPResponse, deadline: float) -> str:
    """The beginning of the reply's body. The status has been given: a body that breaks off changes nothing."""
    body = b""
    try:
        while part := reply.read1(_LONGEST_REPLY):
            body += part
            left = deadline - time.monotonic()
            if len(body) >= _LONGEST_REPLY or left <= 0:
                reply.close()
                break
            if isinstance(reply.connection, HTTPConnection) and reply.connection.sock is not None:
                reply.connection.sock.settimeout(left)
    except (HTTPError, OSError):
        reply.close()
    reply.release_conn()
    return body[:_LONGEST_REPLY].decode("utf-8", errors="replace")


def wait(headers: Any, at: datetime) -> timedelta | None:
    """Retry-After, as seconds or as a date (seen from the receiver's own clock if it tells it), at most a day."""
    wish = headers.get("Retry-After", "").strip()
    if wish.isdecimal():
        return min(timedelta(seconds=min(int(wish), 10**6)), _LONGEST_WAIT)
    until = _http_date(wish)
    if until is None:
        return None
    return min(max(until - (_http_date(headers.get("Date", "")) or at), timedelta()), _LONGEST_WAIT)


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
