"""Letters by HTTP POST, in the payload of Alertmanager's webhook (version 4)."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace
from urllib3.util import parse_url

from alerts.channels import base
from alerts.channels.base import Letter
from alerts.channels.http import Address, HeaderName, HeaderValue, Http, Timeout
from alerts.channels.payload import Told, group, told
from alerts.delivery import Attempt, Result
from alerts.message import Form, render


class WebhookOptions(base.Options):
    """``url`` receives the POST. ``secret`` is the key of the signature; ``headers`` are sent along.

    One request carries at most ``most`` alerts, and at most ``max_bytes`` of them unless a single one is longer.
    ``timeout`` is in seconds, for the whole exchange. The certificate of an https
    url is checked against the system's authorities, or those of $SSL_CERT_FILE.
    """

    url: Address
    secret_file: Path | None = None
    secret_env: str | None = None
    timeout: Timeout = 10
    headers: Mapping[HeaderName, HeaderValue] = {}
    most: Annotated[int, Meta(ge=1, le=1000)] = 500
    max_bytes: Annotated[int, Meta(ge=1)] = 900_000  # many a server takes a mebibyte


class Webhook(base.Channel):
    """Posts what one receiver is told at a time, one alert or many, over kept connections.

    Each alert has its ``key`` among the annotations, the same for every attempt of one letter: by it a receiver
    recognises a repetition, in whatever company it comes. ``Idempotency-Key`` is the same for every attempt of one
    request: the letter's own where it is alone. With a secret,
    ``X-Duban-Timestamp`` holds Unix seconds and ``X-Duban-Signature`` holds
    ``sha256=`` and the hex HMAC-SHA256 of ``<timestamp>.<body>`` under it; a receiver
    compares it in constant time and refuses a timestamp more than a few minutes old.
    """

    Options = WebhookOptions
    apart = True

    def __init__(self, options: WebhookOptions, folder: Path) -> None:
        """Raises Invalid where the secret cannot be read."""
        self._url, self.at_once, self._max_bytes = options.url, options.most, options.max_bytes
        self._headers = {"Content-Type": "application/json", **options.headers}
        secret = options.secret("secret", folder)
        self._secret = secret.encode()
        self._http = Http(options.timeout, [secret, parse_url(options.url).query or "", *options.headers.values()])

    def send(self, letters: Sequence[Letter]) -> list[Attempt]:
        ones = [_alone(letter) for letter in letters]
        found = iter(told(list(chain.from_iterable(ones))))
        alerts = [list(islice(found, len(mine))) for mine in ones]
        written = [b",".join([alert.json for alert in mine]) for mine in alerts]
        count = max(1, sum(size <= self._max_bytes for size in accumulate(map(len, written))))
        attempt = self._post(letters[:count], alerts[:count], written[:count])
        if count == 1 or not (attempt.permanent or attempt.result is Result.MISCONFIGURED):
            return [attempt] * count
        # One of them may be at fault: the others must not go under with it.
        attempts: list[Attempt] = []
        for letter, mine, text in zip(letters[:count], alerts, written, strict=False):
            attempts.append(self._post([letter], [mine], [text]))
            if attempts[-1].result is not Result.SENT and not attempts[-1].permanent:
                break
        return attempts

    def close(self) -> None:
        self._http.close()

    def _post(self, letters: Sequence[Letter], alerts: Sequence[Sequence[Told]], written: Sequence[bytes]) -> Attempt:
        head = group(letters[0].receiver, list(chain.from_iterable(alerts)))
        if len(letters) == 1 and letters[0].notice.told:
            head["commonAnnotations"] = _digest(letters[0])
        body = b'%s,"alerts":[%s]}' % (_json(head)[:-1], b",".join(written))
        keys = [letter.key for letter in letters]
        key = keys[0] if len(keys) == 1 else hashlib.sha256("".join(keys).encode()).hexdigest()[:32]
        at = letters[0].sent_at
        headers = {**self._headers, "Idempotency-Key": key, **self._signature(body, at)}
        return self._http.ask(self._url, body, headers, at).attempt

    def _signature(self, body: bytes, at: datetime) -> dict[str, str]:
        if not self._secret:
            return {}
        stamp = str(int(at.timestamp()))
        digest = hmac.digest(self._secret, stamp.encode() + b"." + body, hashlib.sha256).hex()
        return {"X-Duban-Timestamp": stamp, "X-Duban-Signature": f"sha256={digest}"}


_json = msgspec.json.Encoder().encode


def _digest(letter: Letter) -> dict[str, str]:
    """What is to be said of all the alerts that a digest tells."""
    title, text = render(letter, Form.TEXT)
    return {"title": title, "text": text, "why": letter.why, "key": letter.key, "changed_at": letter.notice.at}


def _alone(letter: Letter) -> list[Letter]:
    """The letter as one of each alert that a digest tells together, or the letter itself."""
    ones = enumerate(letter.notice.told)
    return [replace(letter, notice=one, key=f"{letter.key}-{place}") for place, one in ones] or [letter]
