"""Letters by HTTP POST, in the payload of Alertmanager's webhook (version 4)."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import accumulate, chain
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec.structs import replace
from pydantic import BaseModel, Field
from urllib3.util import parse_url

from alerts.alert import State
from alerts.channels import base
from alerts.channels.base import Letter
from alerts.channels.http import Address, HeaderName, HeaderValue, Http, Timeout
from alerts.delivery import Attempt, Result
from alerts.message import Form, Rendered, render, texts
from alerts.notice import Notice

ALERTNAMES = {
    "pace": "DubanTargetBehind",
    "data": "DubanFigureOwed",
    "drill": "DubanDrill",
    "heartbeat": "DubanHeartbeat",
}
SEVERITIES = {1: "warning", 2: "critical"}
_IDENTITY = ("book", "target", "subject", "kind")
_NOT_ENDED = "0001-01-01T00:00:00Z"


class WebhookOptions(base.Options):
    """``url`` receives the POST. ``secret`` is the key of the signature; ``headers`` are sent along.

    One request carries at most ``most`` alerts, and at most ``max_bytes`` of them unless a single one is longer.
    ``timeout`` is in seconds, for the whole exchange. The certificate of an https
    url is checked against the system's authorities, or those of $SSL_CERT_FILE.
    """

    url: Address = Field(repr=False)
    secret_file: Path | None = None
    secret_env: str | None = None
    timeout: Timeout = 10
    headers: Mapping[HeaderName, HeaderValue] = Field(default_factory=dict, repr=False)
    most: Annotated[int, Field(ge=1, le=1000)] = 500
    max_bytes: Annotated[int, Field(ge=1)] = 900_000  # many a server takes a mebibyte


class Webhook(base.Channel):
    """Posts what one receiver is told at a time, one alert or many, over kept connections.

    Each alert has its ``key`` among the annotations, the same for every attempt of one letter: by it a receiver
    recognises a repetition, in whatever company it comes. ``Idempotency-Key`` is the same for every attempt of one
    request: the letter's own where it is alone. With a secret,
    ``X-Duban-Timestamp`` holds Unix seconds and ``X-Duban-Signature`` holds
    ``sha256=`` and the hex HMAC-SHA256 of ``<timestamp>.<body>`` under it; a receiver
    compares it in constant time and refuses a timestamp more than a few minutes old.
    """

    Options: ClassVar[type[BaseModel]] = WebhookOptions

    def __init__(self, options: WebhookOptions, folder: Path) -> None:
        """Raises Invalid where the secret cannot be read."""
        self._url, self.at_once, self._max_bytes = options.url, options.most, options.max_bytes
        self._headers = {"Content-Type": "application/json", **options.headers}
        secret = options.secret("secret", folder)
        self._secret = secret.encode()
        self._http = Http(options.timeout, [secret, parse_url(options.url).query or "", *options.headers.values()])

    def send(self, letters: Sequence[Letter]) -> list[Attempt]:
        ones = [_alone(letter) for letter in letters]
        said = texts(chain.from_iterable(ones))
        told = [[_alert(one, next(said)) for one in mine] for mine in ones]
        written = [b",".join(map(_json, alerts)) for alerts in told]
        count = max(1, sum(size <= self._max_bytes for size in accumulate(map(len, written))))
        attempt = self._post(letters[:count], told[:count], written[:count])
        if count == 1 or not (attempt.permanent or attempt.result is Result.MISCONFIGURED):
            return [attempt] * count
        # One of them may be at fault: the others must not go under with it.
        attempts: list[Attempt] = []
        for letter, alerts, text in zip(letters[:count], told, written, strict=False):
            attempts.append(self._post([letter], [alerts], [text]))
            if attempts[-1].result is not Result.SENT and not attempts[-1].permanent:
                break
        return attempts

    def close(self) -> None:
        self._http.close()

    def _post(
        self, letters: Sequence[Letter], told: Sequence[Sequence[Mapping[str, Any]]], written: Sequence[bytes]
    ) -> Attempt:
        head = group(letters[0].receiver, list(chain.from_iterable(told)))
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


def group(receiver: str, alerts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What Alertmanager would post of a group beside its ``alerts``: what they have in common."""
    labels, facts = (_common([alert[name] for alert in alerts]) for name in ("labels", "annotations"))
    identity = {name: labels[name] for name in _IDENTITY if name in labels}
    names = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in identity.items())
    return {
        "version": "4",
        "groupKey": f"{{}}:{{{names}}}",
        "truncatedAlerts": 0,
        "status": "firing" if any(alert["status"] == "firing" for alert in alerts) else "resolved",
        "receiver": receiver,
        "groupLabels": identity,
        "commonLabels": labels,
        "commonAnnotations": facts,
        "externalURL": "",
    }


def _common(all_of: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What stands in all of them."""
    common = dict(all_of[0])
    for one in all_of:
        common = {name: value for name, value in common.items() if one.get(name) == value}
    return common


_json = msgspec.json.Encoder().encode


def _digest(letter: Letter) -> dict[str, str]:
    """What is to be said of all the alerts that a digest tells."""
    title, text = render(letter, Form.TEXT)
    return {"title": title, "text": text, "why": letter.why, "key": letter.key, "changed_at": letter.notice.at}


def _alone(letter: Letter) -> list[Letter]:
    """The letter as one of each alert that a digest tells together, or the letter itself."""
    told = letter.notice.told
    return [replace(letter, notice=one, key=f"{letter.key}-{i}") for i, one in enumerate(told)] or [letter]


def _alert(letter: Letter, said: Rendered) -> dict[str, Any]:
    """Labels identify, annotations inform."""
    notice = letter.notice
    identity = {name: value for name in _IDENTITY if (value := getattr(notice, name))}
    status = "resolved" if notice.state == State.RESOLVED else "firing"
    return {
        "status": status,
        "labels": _labels(notice, identity),
        "annotations": annotations(letter, said),
        "startsAt": notice.since,
        "endsAt": notice.at if status == "resolved" else _NOT_ENDED,
        "generatorURL": "",
        "fingerprint": hashlib.sha256("\0".join(identity.values()).encode()).hexdigest()[:16],
    }


def _labels(notice: Notice, identity: dict[str, str]) -> dict[str, str]:
    """What the alert is. A resolved one keeps the severity that it had, so that receivers recognise it."""
    labels = {
        "alertname": ALERTNAMES.get(notice.kind, "Duban"),
        **identity,
        "severity": SEVERITIES.get(notice.level or notice.previous_level, "info"),
        "lead": "、".join(notice.lead),
        "supervisor": notice.supervisor,
        "section": notice.section,
        "item": str(notice.item or ""),
        "mark": notice.mark,
    }
    return {name: value for name, value in labels.items() if value}


def annotations(letter: Letter, said: Rendered) -> dict[str, str]:
    """The message as it is ``said``, and its facts one by one; what is not known is left out.

    ``judged_level`` and ``corrected_*`` are of corrections alone: the level of ``period`` by the revised figure, and the
    moment, level and figure of the message that is taken back.
    """
    notice = letter.notice
    facts = {
        "title": said.title,
        "text": said.body,
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
        "clear": notice.clear_text,
        "enough": notice.enough_text,
        "edit": notice.edit,
        "judged_level": str(notice.judged) if notice.told_at else "",
        "corrected_at": notice.told_at,
        "corrected_level": "" if notice.told_level is None else str(notice.told_level),
        "corrected_actual": _number(notice.told_actual),
        "origin": notice.origin,
        "plan": notice.book_title,
        "why": letter.why,
        "key": letter.key,
        "changed_at": notice.at,
    }
    return {name: value for name, value in facts.items() if value}


def _number(value: float | None) -> str:
    """For machines: every digit, no ``.0``."""
    return "" if value is None else f"{value:.15g}"
