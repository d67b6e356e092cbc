"""Letters by HTTP POST, in the payload of Alertmanager's webhook (version 4)."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, Field
from urllib3.util import parse_url

from alerts.alert import State
from alerts.channels import base
from alerts.channels.base import Letter
from alerts.channels.http import Address, HeaderName, HeaderValue, Http, Timeout
from alerts.delivery import Attempt
from alerts.message import Form, render
from alerts.notice import Notice

ALERTNAMES = {
    "pace": "DubanTargetBehind",
    "data": "DubanFigureOwed",
    "drill": "DubanDrill",
    "heartbeat": "DubanHeartbeat",
}
SEVERITIES = {1: "warning", 2: "critical"}
_NOT_ENDED = "0001-01-01T00:00:00Z"


class WebhookOptions(base.Options):
    """``url`` receives the POST. ``secret`` is the key of the signature; ``headers`` are sent along.

    ``timeout`` is in seconds, for the whole exchange. The certificate of an https
    url is checked against the system's authorities, or those of $SSL_CERT_FILE.
    """

    url: Address = Field(repr=False)
    secret_file: Path | None = None
    secret_env: str | None = None
    timeout: Timeout = 10
    headers: Mapping[HeaderName, HeaderValue] = Field(default_factory=dict, repr=False)


class Webhook(base.Channel):
    """Posts one alert at a time, or those of a digest together, over kept connections.

    ``Idempotency-Key`` is the same for every attempt of one letter. With a secret,
    ``X-Duban-Timestamp`` holds Unix seconds and ``X-Duban-Signature`` holds
    ``sha256=`` and the hex HMAC-SHA256 of ``<timestamp>.<body>`` under it; a receiver
    compares it in constant time and refuses a timestamp more than a few minutes old.
    """

    Options: ClassVar[type[BaseModel]] = WebhookOptions

    def __init__(self, options: WebhookOptions, folder: Path) -> None:
        """Raises Invalid where the secret cannot be read."""
        self._url = options.url
        self._headers = {"Content-Type": "application/json", **options.headers}
        secret = options.secret("secret", folder)
        self._secret = secret.encode()
        self._http = Http(options.timeout, [secret, parse_url(options.url).query or "", *options.headers.values()])

    def send(self, letters: Sequence[Letter]) -> list[Attempt]:
        return [self._post(letter) for letter in letters]

    def close(self) -> None:
        self._http.close()

    def _post(self, letter: Letter) -> Attempt:
        body = json.dumps(payload(letter), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {**self._headers, "Idempotency-Key": letter.key, **self._signature(body, letter.sent_at)}
        return self._http.ask(self._url, body, headers, letter.sent_at).attempt

    def _signature(self, body: bytes, at: datetime) -> dict[str, str]:
        if not self._secret:
            return {}
        stamp = str(int(at.timestamp()))
        digest = hmac.digest(self._secret, stamp.encode() + b"." + body, hashlib.sha256).hex()
        return {"X-Duban-Timestamp": stamp, "X-Duban-Signature": f"sha256={digest}"}


def payload(letter: Letter) -> dict[str, Any]:
    """The letter as Alertmanager would post it: a group of one alert, or of those that a digest tells."""
    notice = letter.notice
    alerts = [_alert(replace(letter, notice=one)) for one in notice.told or (notice,)]
    group = _identity(notice)
    named = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in group.items())
    title, text = render(letter, Form.TEXT)
    digest = {"title": title, "text": text, "why": letter.why, "key": letter.key, "changed_at": notice.at}
    return {
        "version": "4",
        "groupKey": f"{{}}:{{{named}}}",
        "truncatedAlerts": 0,
        "status": "firing" if any(alert["status"] == "firing" for alert in alerts) else "resolved",
        "receiver": letter.receiver,
        "groupLabels": group,
        "commonLabels": _common([alert["labels"] for alert in alerts]),
        "commonAnnotations": digest if notice.told else alerts[0]["annotations"],
        "externalURL": "",
        "alerts": alerts,
    }


def _alert(letter: Letter) -> dict[str, Any]:
    """Labels identify, annotations inform."""
    notice, identity = letter.notice, _identity(letter.notice)
    status = "resolved" if notice.state == State.RESOLVED else "firing"
    return {
        "status": status,
        "labels": _labels(notice, identity),
        "annotations": annotations(letter),
        "startsAt": notice.since,
        "endsAt": notice.at if status == "resolved" else _NOT_ENDED,
        "generatorURL": "",
        "fingerprint": hashlib.sha256("\0".join(identity.values()).encode()).hexdigest()[:16],
    }


def _identity(notice: Notice) -> dict[str, str]:
    identity = {"book": notice.book, "target": notice.target, "subject": notice.subject, "kind": notice.kind}
    return {name: value for name, value in identity.items() if value}


def _common(labels: Sequence[dict[str, str]]) -> dict[str, str]:
    first, *others = labels
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}


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


def annotations(letter: Letter) -> dict[str, str]:
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
        "clear": notice.clear_text,
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
