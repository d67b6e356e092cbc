"""Letters by any HTTP request that a template can write: SMS gateways, 政务钉钉, an office's own message bus."""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from msgspec import field

from alerts.channels import base, limits
from alerts.channels.base import Letter
from alerts.channels.http import HeaderName, Http, Reply, Timeout, without_password
from alerts.channels.limits import Limit, PerMinute
from alerts.delivery import Attempt, Result
from alerts.message import facts
from alerts.specimens import specimens
from connectors.json_rule import Rule
from connectors.strict import Before, listed
from rules.document import Invalid


def _is_a_rule(text: str) -> str:
    Rule.of(text)
    return text


_Rules = Annotated[list[Annotated[str, _is_a_rule]], Before(listed, str | list[str])]


class Secret(base.Options):
    """One secret by a name of the author's."""

    needs: ClassVar[tuple[str, ...]] = ("secret",)

    secret_file: Path | None = None
    secret_env: str | None = None


class GatewayOptions(base.Options):
    """``url``, each of the ``headers`` and ``body`` are Jinja2 templates, kept in a sandbox.

    They may speak of every fact of the letter (``title``, ``summary``, ``text``, ``about``, ``unit``, ``actual`` ...),
    of ``receiver``, ``address``, ``key``, ``timestamp`` (Unix seconds), ``sent_at`` (ISO 8601), and of
    ``secrets.NAME``. ``|json`` writes a value as JSON, quotes included; ``|urlencode`` for an address; a value
    ``|hmac_sha256(secrets.NAME)`` is its signature in base64.

    ``status`` are the HTTP states and ``success`` the rules (``errcode == 0``) of an answer that means success, all
    of them; ``throttled`` is the rule of one that asks for patience.
    """

    url: str
    method: Literal["POST", "PUT", "PATCH", "GET"] = "POST"
    headers: Mapping[HeaderName, str] = {}
    body: str = ""
    secrets: Mapping[str, Secret] = {}
    status: list[int] = field(default_factory=lambda: [200, 201, 202, 204])
    success: _Rules = []
    throttled: _Rules = []
    per_minute: PerMinute | None = None
    timeout: Timeout = 10


class Gateway(base.Channel):
    """One request for each letter."""

    Options = GatewayOptions

    def __init__(self, options: GatewayOptions, folder: Path) -> None:
        """Raises Invalid where a template or a secret is wrong: every template is tried on a letter of odd words."""
        self._options = options
        self._secrets = {name: secret.secret("secret", folder) for name, secret in options.secrets.items()}
        headers = {"Content-Type": "application/json; charset=utf-8", **options.headers}
        self._url, self._body = _template("url", options.url), _template("body", options.body)
        self._headers = {name: _template(f"headers.{name}", text) for name, text in headers.items()}
        self._success = [Rule.of(text) for text in options.success]
        self._throttled = [Rule.of(text) for text in options.throttled]
        self._http = Http(options.timeout, self._secrets.values())
        minute = options.per_minute
        self.slots = limits.slots(options.url, Limit(minute, 60.0)) if minute else None
        self._try_out()

    def send(self, letters: Sequence[Letter]) -> list[Attempt]:
        if self.slots is not None and not self.slots.take(len(letters)):
            return []
        return [self._ask(letter) for letter in letters]

    def close(self) -> None:
        self._http.close()

    def _ask(self, letter: Letter) -> Attempt:
        words = self._words(letter)
        headers = {name: template.render(words).strip() for name, template in self._headers.items()}
        body = self._body.render(words).encode()
        url = self._url.render(words).strip()
        return self._judged(self._http.ask(url, body, headers, letter.sent_at, self._options.method))

    def _judged(self, reply: Reply) -> Attempt:
        by_status, options = reply.attempt, self._options
        if reply.status and reply.status not in options.status and by_status.result is Result.SENT:
            return Attempt(Result.REJECTED, by_status.answer)
        if reply.status not in options.status:
            return by_status
        if not self._success and not self._throttled:
            return Attempt(Result.SENT, by_status.answer)
        try:
            answer = json.loads(reply.text)
        except ValueError:
            return Attempt(Result.REJECTED, base.answer(f"答复不是 JSON (not json): {by_status.answer}"))
        if all(rule.holds(answer) for rule in self._success):
            return Attempt(Result.SENT, by_status.answer)
        patience = any(rule.holds(answer) for rule in self._throttled)
        return Attempt(Result.THROTTLED if patience else Result.REJECTED, by_status.answer)

    def _words(self, letter: Letter) -> dict[str, Any]:
        return {
            **facts(letter),
            "receiver": letter.receiver,
            "address": letter.address,
            "key": letter.key,
            "timestamp": int(letter.sent_at.timestamp()),
            "sent_at": letter.sent_at.isoformat(),
            "secrets": self._secrets,
        }

    def _try_out(self) -> None:
        words, templates = self._words(next(specimens())), {"url": self._url, "body": self._body, **self._headers}
        made, errors = {}, []
        for name, template in templates.items():
            try:
                made[name] = template.render(words).strip()
            except (TemplateError, TypeError, ValueError) as error:
                errors.append(f"{name}: 模板无法使用 (bad template): {error}")
        if errors:
            raise Invalid(errors)
        try:
            without_password(made["url"])
        except ValueError as error:
            raise Invalid([f"url: {error}"]) from None
        for name in self._headers:
            if not (made[name].isascii() and made[name].isprintable()):
                raise Invalid([f"headers.{name}: 只能含 ASCII 字符 (not ascii): 请写作 {{{{ … | urlencode }}}}"])
        if made["body"] and "json" in made["Content-Type"]:
            try:
                json.loads(made["body"])
            except ValueError:
                cure = "每个值请写作 {{ title | json }}，且不另加引号"
                raise Invalid([f"body: 名称含引号或换行时不是合法的 JSON (not json): {cure}"]) from None


def _template(place: str, text: str) -> Template:
    try:
        return _ENVIRONMENT.from_string(text)
    except TemplateError as error:
        raise Invalid([f"{place}: 模板语法错误 (bad template): {error.message}"]) from None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)  # what is undefined says so as text


def _hmac_sha256(text: str, key: str) -> str:
    return base64.b64encode(hmac.digest(key.encode(), str(text).encode(), "sha256")).decode()


_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
_ENVIRONMENT.filters |= {"json": _json, "hmac_sha256": _hmac_sha256}
