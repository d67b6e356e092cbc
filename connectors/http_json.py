"""The source kind ``http_json``: JSON answers whose rows are figures."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from msgspec import Meta, structs

from connectors.base import ConnectorError, Failure
from connectors.border import Networks
from connectors.fields import Constants, Fields
from connectors.figures import reading
from connectors.http_auth import Auth, Credentials
from connectors.http_cache import Cache
from connectors.http_get import Answer, Call, Client, Limits
from connectors.http_paging import Paging, forward
from connectors.http_rate import Rate
from connectors.http_site import without_password
from connectors.http_template import Request, Template
from connectors.http_tls import TlsOptions
from connectors.json_path import ABSENT, dig, finder
from connectors.json_rows import Page, page_cells, rows_of
from connectors.json_rule import Rule
from connectors.observation import Query, Reading
from connectors.strict import Strict

_STATES = {
    401: (Failure.DENIED, "要求口令 (unauthorized): 请检查 auth"),
    403: (Failure.DENIED, "被拒绝 (forbidden): 请检查口令和权限"),
    404: (Failure.NOT_FOUND, "没有此地址 (not found): 请检查 url"),
    429: (Failure.RATE_LIMITED, "访问过于频繁 (too many requests): 可写 per_minute，或延长 schedule 的间隔"),
}
_WORDS_SHOWN = 500  # counted after secrets are hidden, so that none is cut in two and half shown
_LATER = (408, 425, 429)  # states below 500 that may pass by themselves


def _of_names(codes: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    if not codes.keys() <= {"series", "subject"}:
        raise ValueError("codes 只有 series 和 subject 两项 (unknown key)")
    for known in codes.values():
        if len(set(known.values())) < len(known):
            raise ValueError("codes 中同一代码有两个名称 (ambiguous code)")
    return codes


class HttpOptions(Constants):
    """An address that answers with JSON, and where in it the figures stand.

    ``url``, ``query`` and ``echo`` are templates: see ``connectors.http_template``.
    Paths are dotted or JMESPath, rules as in ``connectors.json_rule``.
    """

    url: Annotated[str, without_password]
    query: dict[str, str | int | float] = {}
    headers: dict[str, str] = {}
    auth: Auth | None = None
    tls: TlsOptions = TlsOptions()
    allow: Networks = ()  # networks that may be reached although they lie too far inside
    paging: Paging | None = None
    timeout: Annotated[float, Meta(gt=0)] = 10  # seconds for each connect and each read
    budget: Annotated[float, Meta(gt=0)] = 30  # seconds for the whole pull, pages and retries included
    retries: Annotated[int, Meta(ge=0, le=10)] = 2
    per_minute: Annotated[int, Meta(gt=0)] | None = None  # requests in any 60 seconds
    max_bytes: Annotated[int, Meta(gt=0)] = 16 * 2**20  # of all answers of a pull, decompressed
    conditional: bool = True  # whether unchanged answers may be left out by ETag
    rows: str = ""  # path to the list of rows; default: the answer is the list
    fields: Fields  # field -> path within a row
    codes: Annotated[dict[str, dict[str, str]], _of_names] = {}  # series, subject -> name in the books -> code
    has: str | None = None  # rule on a row: where it does not hold there is no figure
    success: str | None = None  # rule on the whole answer
    message: str | None = None  # path to the provider's own words when it fails
    echo: dict[str, str | int | float] = {}  # path within a row -> what it must say

    def __post_init__(self) -> None:
        if self.fields.value is None:
            raise ValueError("fields.value 须指明数值所在 (missing value)")
        paging = (self.paging.last, self.paging.next) if self.paging else ()
        for path in filter(None, [self.rows, self.message, *paging, *self.fields.mapped().values(), *self.echo]):
            finder(path)
        for rule in filter(None, [self.has, self.success]):
            Rule.of(rule)
        template = self.template
        if template.names("subject"):
            if not self.codes.get("subject"):
                raise ValueError("url 或 query 里有 {subject}，须在 codes.subject 列出各对象 (subjects to ask for)")
            if self.subject is not None or self.fields.subject is not None:
                raise ValueError("subject 既由 {subject} 逐个查询，又另有来源 (given twice): 请只留一个")
        self.agree_with(self.fields, named_elsewhere=template.names("series"))

    @property
    def template(self) -> Template:
        return Template(self.url, self.query, self.echo, self.codes)


class HttpJson:
    """Asks anew at each fetch, and keeps what the server can say has not changed.

    ``Reading.digest`` is the SHA-256 of the bodies in turn; the document is the address, bare.
    """

    Options: ClassVar[type[Strict]] = HttpOptions

    def __init__(self, options: HttpOptions, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._rate = Rate(options.per_minute)
        self._cache = Cache()
        self._has = Rule.of(options.has) if options.has else None
        self._success = Rule.of(options.success) if options.success else None
        parts = urlsplit(options.url)
        self._document = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self.host = parts.hostname or ""

    def fetch(self, query: Query) -> Reading:
        """The figures of all answers.

        ConnectorError: UNREACHABLE, TLS, TIMEOUT, TOO_LARGE, RATE_LIMITED,
        FORBIDDEN_ADDRESS, DENIED (401, 403), NOT_FOUND (404), MISCONFIGURED
        (a file or a secret), BAD_ANSWER (other states, no JSON, another shape,
        a broken rule). Its words hold no secret.
        """
        options, digest = self._options, hashlib.sha256()
        credentials = Credentials()
        pages = []
        try:
            if options.auth is not None:
                credentials = options.auth.credentials(self._folder)
            with Client(self._limits(), self._rate.wait) as client:
                for request in options.template.requests(query, query.at.astimezone(options.timezone).date()):
                    for answer, rows in self._pages(client, request, credentials):
                        pages.append(Page(rows, request.series, request.subject, request.echo))
                        digest.update(answer.body)
            cells = page_cells(pages, options.rows, options.fields, self._has, options.codes)
            return reading(cells, options, query, self._document, digest.hexdigest())
        except ConnectorError as error:
            hidden = credentials._replace(secrets=credentials.secrets | {*filter(None, options.headers.values())})
            detail = f"{self._document}: {hidden.hidden(error.detail)[:_WORDS_SHOWN]}"
            raise ConnectorError(error.reason, detail, retryable=error.retryable) from None

    def steps(self, query: Query) -> list[Query]:
        """A query for each period that the template asks for by itself, the one under way last."""
        template, today = self._options.template, query.at.astimezone(self._options.timezone).date()
        if not template.names("period"):
            return [query]
        return [structs.replace(query, first=first, last=last) for first, last in template.spans(query, today)]

    def _limits(self) -> Limits:
        options = self._options
        return Limits(options.timeout, options.budget, options.retries, options.max_bytes)

    def _pages(self, client: Client, request: Request, credentials: Credentials) -> Iterator[tuple[Answer, list[Any]]]:
        """The answers to one request with their rows."""
        options = self._options
        call = Call(
            request.url,
            {**request.params, **credentials.params},
            {**options.headers, **credentials.headers},
            options.tls.tls(self._folder),
            options.allow,
        )
        paging = options.paging
        return forward(self._turned(client, call, paging), paging.at_most if paging else 1)

    def _turned(self, client: Client, call: Call, paging: Paging | None) -> Iterator[tuple[Answer, list[Any]]]:
        following: Call | None = paging.first(call) if paging else call
        while following is not None:
            call = following
            answer = self._asked(client, call)
            tree = self._checked(answer)
            rows = rows_of(tree, self._options.rows)
            following = paging.following(call, answer, tree, len(rows)) if paging else None
            yield answer, rows

    def _asked(self, client: Client, call: Call) -> Answer:
        """The answer of the server, or the same one as before where it says that nothing changed."""
        if not self._options.conditional:
            return client.get(call)
        key = (call.url, *call.params.items())
        asked = replace(call, headers={**self._cache.conditions(key), **call.headers})
        return self._cache.fresh(key, client.get(asked))

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
        if self._success is not None and not self._success.holds(tree):
            raise ConnectorError(
                Failure.BAD_ANSWER,
                f"对方报错，不符合 {self._success.text} (rule broken){self._words(answer)}",
                retryable=True,
            )
        return tree

    def _words(self, answer: Answer) -> str:
        """The provider's own words, where the options say where they stand."""
        if self._options.message is None:
            return ""
        try:
            words = dig(_parsed(answer), self._options.message)
        except (ValueError, RecursionError, LookupError):
            return ""
        return "" if words in (ABSENT, None) else f"；对方说：{words}"


def _parsed(answer: Answer) -> Any:
    """The JSON of the body: Unicode where the bytes are that, else in the charset that the server names."""
    try:
        return json.loads(answer.body, parse_constant=str)
    except UnicodeDecodeError:
        return json.loads(answer.body.decode(answer.charset or "utf-8"), parse_constant=str)
