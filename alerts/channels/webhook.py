"""Letters by HTTP POST, in the payload of Alertmanager's webhook (version 4)."""

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar

import urllib3
from pydantic import BaseModel, Field, StringConstraints, field_validator
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, LocationParseError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError
from urllib3.util import Url, parse_url

from alerts.alert import State
from alerts.channels import base
from alerts.channels.base import Letter
from alerts.delivery import Attempt, Result
from alerts.message import Form, render
from alerts.notice import Notice

_ALERTNAMES = {"pace": "DubanTargetBehind", "data": "DubanFigureOwed"}
_SEVERITIES = {1: "warning", 2: "critical"}
_NOT_ENDED = "0001-01-01T00:00:00Z"
_LONGEST_REPLY = 4096
"""Bytes of a reply that are read."""
_LONGEST_WAIT = timedelta(days=1)
_TELLING = 4
"""A header value shorter than this is no secret, and blanking it would spoil the answers."""

_ASCII = StringConstraints(pattern=r"^[\x20-\x7e]*$")


class WebhookOptions(base.Options):
    """``url`` receives the POST. ``secret_file`` holds the key of the signature; ``headers`` are sent along.

    ``timeout`` is in seconds, for the whole exchange. The certificate of an https
    url is checked against the system's authorities, or those of $SSL_CERT_FILE.
    """

    url: str = Field(repr=False)
    secret_file: Path | None = None
    timeout: Annotated[float, Field(gt=0, le=60)] = 10
    headers: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$")], Annotated[str, _ASCII]] = Field(
        default_factory=dict, repr=False
    )

    @field_validator("url")
    @classmethod
    def _http_without_password(cls, url: str) -> str:
        try:
            parts = parse_url(url)
        except LocationParseError:
            parts = Url()
        if parts.scheme not in ("http", "https") or not parts.host:
            raise ValueError("url 须是 http:// 或 https:// 地址 (not an http address)")
        if parts.auth:
            raise ValueError("url 里不要写口令 (credentials in url): 请用 headers 或 secret_file")
        return url


class Webhook:
    """Posts one alert at a time over kept connections.

    ``Idempotency-Key`` is the same for every attempt of one letter. With a secret,
    ``X-Duban-Timestamp`` holds Unix seconds and ``X-Duban-Signature`` holds
    ``sha256=`` and the hex HMAC-SHA256 of ``<timestamp>.<body>`` under it; a receiver
    compares it in constant time and refuses a timestamp more than a few minutes old.

    2xx is sent; 429 and 503 wait as Retry-After asks; 408 and other 5xx are tried
    again; redirects are not followed and, like every other answer, are final.
    """

    Options: ClassVar[type[BaseModel]] = WebhookOptions

    def __init__(self, options: WebhookOptions, folder: Path) -> None:
        """Raises Invalid where the secret cannot be read."""
        url = parse_url(options.url)
        self._url, self._pool = options.url, _pool(options.url)
        self._host, self._path, self._timeout = url.host, url.request_uri, options.timeout
        self._headers = {"Content-Type": "application/json", "User-Agent": "duban", **options.headers}
        self._secret = (
            base.read_secret(folder / options.secret_file, "secret_file").encode() if options.secret_file else None
        )
        telling = [self._secret.decode() if self._secret else "", url.query or "", *options.headers.values()]
        self._telling = sorted({text for text in telling if len(text) >= _TELLING}, key=len, reverse=True)

    def send(self, letter: Letter) -> Attempt:
        body = json.dumps(payload(letter), ensure_ascii=False, separators=(",", ":")).encode()
        deadline = time.monotonic() + self._timeout
        try:
            reply = self._pool.urlopen(
                "POST",
                self._path,
                body=body,
                headers={**self._headers, "Idempotency-Key": letter.key, **self._signature(body, letter.sent_at)},
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(total=self._timeout),
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            return self._unanswered(error)
        return self._answered(reply, _text(reply, deadline), letter.sent_at)

    def close(self) -> None:
        old, self._pool = self._pool, _pool(self._url)
        old.close()

    def _signature(self, body: bytes, at: datetime) -> dict[str, str]:
        if self._secret is None:
            return {}
        stamp = str(int(at.timestamp()))
        digest = hmac.digest(self._secret, stamp.encode() + b"." + body, hashlib.sha256).hex()
        return {"X-Duban-Timestamp": stamp, "X-Duban-Signature": f"sha256={digest}"}

    def _answered(self, reply: urllib3.BaseHTTPResponse, text: str, at: datetime) -> Attempt:
        status = reply.status
        said = base.answer(f"HTTP {status} {text}", self._telling)
        if 200 <= status < 300:
            return Attempt(Result.SENT, said)
        if status in (429, 503):
            return Attempt(Result.THROTTLED, said, retry_after=wait(reply.headers, at))
        if status in (408, 504):
            return Attempt(Result.TIMEOUT, said)
        return Attempt(Result.REJECTED, said, permanent=status < 500)

    def _unanswered(self, error: Exception) -> Attempt:
        cause = error.__cause__ or error.__context__ or error
        timeout = isinstance(error, HTTPTimeoutError) and not isinstance(error, NewConnectionError)
        if timeout or isinstance(cause, TimeoutError):
            return Attempt(Result.TIMEOUT, f"{self._host}: {self._timeout:g} 秒内没有答复")
        said = base.answer(f"{self._host}: {type(cause).__name__} {cause}", self._telling)
        return Attempt(Result.MISCONFIGURED if isinstance(error, SSLError) else Result.UNREACHABLE, said)


def _pool(url: str) -> urllib3.HTTPConnectionPool:
    """Kept connections to the host of ``url``; none is open yet."""
    return urllib3.connection_from_url(url, maxsize=4)


def payload(letter: Letter) -> dict[str, Any]:
    """The letter as Alertmanager would post it: a group of one alert. Labels identify, annotations inform."""
    notice = letter.notice
    identity = {"book": notice.book, "target": notice.target, "subject": notice.subject, "kind": notice.kind}
    identity = {name: value for name, value in identity.items() if value}
    labels, annotations = _labels(notice, identity), _annotations(letter)
    status = "resolved" if notice.state == State.RESOLVED else "firing"
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": notice.since,
        "endsAt": notice.at if status == "resolved" else _NOT_ENDED,
        "generatorURL": "",
        "fingerprint": hashlib.sha256("\0".join(identity.values()).encode()).hexdigest()[:16],
    }
    group = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in identity.items())
    return {
        "version": "4",
        "groupKey": f"{{}}:{{{group}}}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": letter.receiver,
        "groupLabels": identity,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    }


def _labels(notice: Notice, identity: dict[str, str]) -> dict[str, str]:
    """What the alert is. A resolved one keeps the severity that it had, so that receivers recognise it."""
    labels = {
        "alertname": _ALERTNAMES.get(notice.kind, "Duban"),
        **identity,
        "severity": _SEVERITIES.get(notice.level or notice.previous_level, "info"),
        "lead": "、".join(notice.lead),
        "supervisor": notice.supervisor,
        "section": notice.section,
        "item": str(notice.item or ""),
        "mark": notice.mark,
    }
    return {name: value for name, value in labels.items() if value}


def _annotations(letter: Letter) -> dict[str, str]:
    """The message, and its facts one by one; what is not known is left out.

    ``judged_level`` and ``corrected_*`` are of corrections alone: the level of ``period`` by the revised figure, and the
    moment, level and figure of the message that is taken back.
    """
    notice = letter.notice
    title, text = render(letter, Form.TEXT)
    facts = {
        "title": title,
        "text": text,
        "event": notice.event,
        "cause": notice.cause,
        "reason": notice.reason,
        "name": notice.name,
        "responsible": "、".join(notice.responsible),
        "goal": notice.goal,
        "by": notice.by,
        "period": notice.period,
        "owed": notice.owed,
        "unit": notice.unit,
        "goal_value": _number(notice.goal_value),
        "actual": _number(notice.actual),
        "expected": _number(notice.expected),
        "shortfall": _number(notice.shortfall),
        "gap": notice.gap_text,
        "pace": notice.pace_text,
        "probability": _number(notice.probability),
        "outlook": notice.outlook_text,
        "rule": notice.rule,
        "edit": notice.edit,
        "judged_level": str(notice.judged) if notice.told_at else "",
        "corrected_at": notice.told_at,
        "corrected_level": "" if notice.told_level is None else str(notice.told_level),
        "corrected_actual": _number(notice.told_actual),
        "origin": notice.origin,
        "plan": notice.book_title,
        "why": letter.why,
        "changed_at": notice.at,
    }
    return {name: value for name, value in facts.items() if value}


def _number(value: float | None) -> str:
    """For machines: every digit, no ``.0``."""
    return "" if value is None else f"{value:.15g}"


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
