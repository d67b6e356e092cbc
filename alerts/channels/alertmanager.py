"""Letters as alerts of a Prometheus Alertmanager (API v2), which then decides whom to tell, and how."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import replace

from alerts.alert import State
from alerts.channels import base
from alerts.channels.base import Letter
from alerts.channels.http import Address, Http, Timeout
from alerts.channels.payload import ALERTNAMES, SEVERITIES, annotations
from alerts.delivery import Attempt, Result
from alerts.message import Form, render

_LabelName = Annotated[
    str, Meta(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", description="只用英文字母、数字和下划线，不以数字开头")
]
_LEFT_ALONE = 30.0
"""Seconds."""
_OURS = ("alertname", "book", "target", "subject", "kind", "severity")


class AlertmanagerOptions(base.Options):
    """``urls`` are all peers of the cluster (``http://host:9093``); ``token`` goes along as a bearer's.

    ``labels`` are added to every alert. What stands is told again every ``resend`` seconds, and ends by itself
    ``ends_after`` seconds after it was told last: when the daemon is gone, not when it is slow. ``page`` is the
    address of the status page.
    """

    urls: Annotated[list[Address], Meta(min_length=1)]
    token_file: Path | None = None
    token_env: str | None = None
    labels: Mapping[_LabelName, Annotated[str, Meta(min_length=1)]] = {}
    resend: Annotated[int, Meta(ge=5)] = 60
    ends_after: int = 3600
    page: Address | None = None
    timeout: Timeout = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ends_after < 3 * self.resend:
            raise ValueError("ends_after 应不小于 resend 的 3 倍 (ends too soon)，否则少报一次即被误作解除")
        if taken := sorted(set(self.labels) & set(_OURS)):
            raise ValueError(f"labels 不能使用 {taken[0]} (reserved label)：该标签由系统填写")


class Alertmanager(base.Channel):
    """One alert for (book, target, subject, kind) and severity: a change of level ends one and begins another.

    All peers get every alert, as they do not tell each other; one that takes it is enough, for the others hear of it
    when it is told again, resolved ones included. One that is gone is left alone for a while as long as there are
    others, which need not wait for it. A demonstration's clock is not theirs: nothing ends in their future.
    """

    Options = AlertmanagerOptions
    at_once = 100
    apart = True

    def __init__(self, options: AlertmanagerOptions, folder: Path) -> None:
        """Raises Invalid where the token cannot be read."""
        self._options, self.repeat = options, timedelta(seconds=options.resend)
        token = options.secret("token", folder)
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._http = Http(options.timeout, [token])
        self._away: dict[str, float] = {}

    def send(self, letters: Sequence[Letter]) -> list[Attempt]:
        attempt = self._post([alert for letter in letters for alert in self._alerts(letter)], letters[0].sent_at)
        if attempt.permanent and len(letters) > 1:
            # One of them may be at fault: the others must not go under with it.
            return [self.send([letter])[0] for letter in letters]
        return [attempt] * len(letters)

    def close(self) -> None:
        self._http.close()

    def _post(self, alerts: Sequence[Mapping[str, Any]], at: datetime) -> Attempt:
        body = json.dumps(alerts, ensure_ascii=False, separators=(",", ":")).encode()
        began, attempts = time.monotonic(), dict[str, Attempt]()
        for url in [url for url in self._options.urls if self._away.get(url, began) <= began] or self._options.urls:
            attempts[url] = self._http.ask(f"{url.rstrip('/')}/api/v2/alerts", body, self._headers, at).attempt
            gone = attempts[url].result in (Result.UNREACHABLE, Result.TIMEOUT)
            self._away[url] = time.monotonic() + _LEFT_ALONE if gone else 0.0
        failed = {url: attempt for url, attempt in attempts.items() if attempt.result is not Result.SENT}
        if not failed:
            return next(iter(attempts.values()))
        said = base.answer("；".join(f"{url}: {attempt.answer}" for url, attempt in failed.items()))
        if len(failed) < len(attempts):
            return Attempt(Result.SENT, said)
        worst = min(failed.values(), key=lambda attempt: attempt.permanent)
        return Attempt(worst.result, said, worst.permanent, worst.retry_after)

    def _alerts(self, letter: Letter) -> list[dict[str, Any]]:
        """The alert as it stands; and where its severity has just changed, the end of the one that it was."""
        notice, now = letter.notice, letter.sent_at
        if notice.told:
            return [alert for one in notice.told for alert in self._alerts(replace(letter, notice=one))]
        at = datetime.fromisoformat(notice.at)
        since, lasts = datetime.fromisoformat(notice.since), timedelta(seconds=self._options.ends_after)
        if notice.state == State.RESOLVED:
            # The correction of a past period may come when nothing stands any more.
            return [self._alert(letter, notice.previous_level, since, min(at, now))] if notice.previous_level else []
        found = [self._alert(letter, notice.level, since, now + lasts)]
        if notice.previous_level not in (0, notice.level) and now - at < lasts:
            found.insert(0, self._alert(letter, notice.previous_level, since, min(at, now)))
        return found

    def _alert(self, letter: Letter, level: int, since: datetime, until: datetime) -> dict[str, Any]:
        notice = letter.notice
        labels = {
            **self._options.labels,
            "alertname": ALERTNAMES.get(notice.kind, "Duban"),
            "book": notice.book,
            "target": notice.target,
            "subject": notice.subject,
            "kind": notice.kind,
            "severity": SEVERITIES.get(level, "info"),
        }
        return {
            "labels": {name: value for name, value in labels.items() if value},
            "annotations": annotations(letter, render(letter, Form.TEXT)),
            "startsAt": min(since, until, letter.sent_at).isoformat(),
            "endsAt": until.isoformat(),
            "generatorURL": self._options.page or "",
        }
