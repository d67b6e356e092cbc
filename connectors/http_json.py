"""The source kind ``http_json``: one GET of a JSON answer whose rows are figures."""

import hashlib
import json
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator, model_validator

from connectors.base import ConnectorError, Failure
from connectors.fields import Constants, Fields
from connectors.figures import reading
from connectors.http_get import Answer, Call, Limits, get
from connectors.json_path import ABSENT, Rule, dig
from connectors.json_rows import row_cells
from connectors.observation import Query, Reading

_STATES = {
    401: (Failure.DENIED, "要求令牌 (unauthorized): 请检查 token_file"),
    403: (Failure.DENIED, "被拒绝 (forbidden): 请检查令牌和权限"),
    404: (Failure.NOT_FOUND, "没有此地址 (not found): 请检查 url"),
}
_LATER = (408, 425, 429)  # states below 500 that may pass by themselves
_TEMPLATE = re.compile(r"\{(year|first|last)\}")


class HttpOptions(Constants):
    """An address that answers with JSON, and where in it the figures stand.

    In ``params``, ``{first}`` and ``{last}`` stand for the first and last
    period end asked for (2025-01-31) and ``{year}`` for the year of the last.
    """

    url: str = Field(repr=False)
    params: dict[str, str | int | float] = Field(default={}, repr=False)
    headers: dict[str, str] = Field(default={}, repr=False)
    token_file: str | None = Field(default=None, description="file with the token, relative to the configuration")
    token_header: str = Field(default="Authorization", description="under Authorization the token is sent as Bearer")
    timeout: float = Field(default=10, gt=0, description="seconds for each connect and each read")
    budget: float = Field(default=30, gt=0, description="seconds for everything, retries included")
    retries: int = Field(default=2, ge=0, le=10)
    max_bytes: int = Field(default=16 * 2**20, gt=0)
    rows: str = Field(default="", description="dotted path to the list of rows; default: the answer is the list")
    fields: Fields = Field(description="field -> dotted path within a row")
    has: str | None = Field(default=None, description="dotted path within a row: where it is false there is no figure")
    ok: tuple[str, ...] = Field(default=(), description='rules on the whole answer: returncode == 200, status == "ok"')
    error: str | None = Field(default=None, description="dotted path to the provider's own words when it fails")

    @field_validator("url")
    @classmethod
    def _url_is_public_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url 须是 http:// 或 https:// 地址 (not an http address)")
        if parts.username or parts.password:
            raise ValueError("url 里不要写口令 (credentials in url): 请用 token_file")
        return url

    @field_validator("ok")
    @classmethod
    def _ok_holds_rules(cls, ok: tuple[str, ...]) -> tuple[str, ...]:
        for text in ok:
            Rule.of(text)
        return ok

    @model_validator(mode="after")
    def _one_source_per_field(self) -> Self:
        if self.fields.value is None:
            raise ValueError("fields.value 须指明数值所在 (missing value)")
        return self.agree_with(self.fields)


class HttpJson:
    """Asks anew at each fetch. ``Reading.digest`` is the SHA-256 of the body; the document is the address, bare."""

    Options: ClassVar[type[BaseModel]] = HttpOptions

    def __init__(self, options: HttpOptions, folder: Path) -> None:
        self._options = options
        self._token_file = folder / options.token_file if options.token_file else None
        parts = urlsplit(options.url)
        self._document = f"{parts.scheme}://{parts.netloc}{parts.path}"

    def fetch(self, query: Query) -> Reading:
        """The figures of the answer.

        ConnectorError: UNREACHABLE, TIMEOUT, TOO_LARGE, DENIED (401, 403),
        NOT_FOUND (404), MISCONFIGURED (token file), BAD_ANSWER (other states,
        no JSON, another shape, a broken rule). Its words hold no secret.
        """
        secrets = list(self._options.headers.values())
        try:
            token = self._token()
            secrets += [*token.values(), *(value.removeprefix("Bearer ") for value in token.values())]
            answer = get(self._call(query, token), self._limits())
            options = self._options
            cells = row_cells(self._checked(answer), options.rows, options.fields, options.has)
            return reading(cells, options, query, self._document, hashlib.sha256(answer.body).hexdigest())
        except ConnectorError as error:
            detail = f"{self._document}: {_without(secrets, error.detail)}"
            raise ConnectorError(error.reason, detail, retryable=error.retryable) from None

    def _token(self) -> dict[str, str]:
        if self._token_file is None:
            return {}
        try:
            token = self._token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError):
            token = ""
        if not (token.isascii() and token.isprintable() and token):
            raise ConnectorError(
                Failure.MISCONFIGURED,
                f"令牌文件 {self._token_file} 读不出令牌 (no token): 请检查文件、权限和内容",
                retryable=False,
            )
        header = self._options.token_header
        return {header: f"Bearer {token}" if header.lower() == "authorization" else token}

    def _call(self, query: Query, token: dict[str, str]) -> Call:
        known = {"year": str(query.last.year), "first": query.first.isoformat(), "last": query.last.isoformat()}
        params = {
            name: _TEMPLATE.sub(lambda found: known[found[1]], str(value))
            for name, value in self._options.params.items()
        }
        return Call(self._options.url, params, {**self._options.headers, **token})

    def _limits(self) -> Limits:
        options = self._options
        return Limits(options.timeout, options.budget, options.retries, options.max_bytes)

    def _checked(self, answer: Answer) -> Any:
        """The JSON of a good answer; a ConnectorError with the provider's words for a bad one."""
        if answer.status != HTTPStatus.OK:
            reason, words = _STATES.get(answer.status, (Failure.BAD_ANSWER, "答复不正常 (bad status)"))
            raise ConnectorError(
                reason,
                f"HTTP {answer.status} {words}{self._words(answer)}",
                retryable=answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _LATER,
            )
        try:
            tree = _parsed(answer)
        except (ValueError, RecursionError, LookupError):
            raise ConnectorError(Failure.BAD_ANSWER, "答复不是 JSON (invalid JSON)", retryable=True) from None
        for rule in map(Rule.of, self._options.ok):
            if not rule.holds(tree):
                raise ConnectorError(
                    Failure.BAD_ANSWER,
                    f"对方报错，不符合 {rule.text} (rule broken){self._words(answer)}",
                    retryable=True,
                )
        return tree

    def _words(self, answer: Answer) -> str:
        """The provider's own words, where the options say where they stand."""
        if self._options.error is None:
            return ""
        try:
            words = dig(_parsed(answer), self._options.error)
        except (ValueError, RecursionError, LookupError):
            return ""
        return "" if words is ABSENT else f"; 对方说: {str(words)[:200]}"


def _parsed(answer: Answer) -> Any:
    """The JSON of the body: Unicode where the bytes are that, else in the charset that the server names."""
    try:
        return json.loads(answer.body, parse_constant=str)
    except UnicodeDecodeError:
        return json.loads(answer.body.decode(answer.charset or "utf-8"), parse_constant=str)


def _without(secrets: list[str], text: str) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text
