"""The daemon's face: status page, metrics, health, API. All but what is handed in only reads snapshots."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated

from msgspec import Meta
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.strict import Strict, Wrong, read
from monitor.intake.pushing import Inbox
from monitor.metrics import Exposition, Format
from monitor.snapshot import Snapshot
from monitor.web import api
from monitor.web.page import STYLE_HASH, render, waiting
from monitor.web.push import handing_in
from rules.target import Level

HANGS = "停滞：判定久无进展，等待重新启动"
_WAITING = "尚未完成首轮判定，请稍后再试"
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_GZIP = 16 + zlib.MAX_WBITS
_MOST = 10_000  # objects in one answer of the API


def create_app(
    snapshot: Callable[[], Snapshot | None],
    exposition: Exposition,
    reload: Callable[[], str] | None = None,
    inbox: Inbox | None = None,
    grafana: str | None = None,
    standing_by: Callable[[], str] = lambda: "",
    hangs: Callable[[], bool] = lambda: False,
    silences: Sequence[Route] = (),
) -> Starlette:
    """Build the web application.

    ``snapshot`` gives the latest state, None before the first cycle. ``reload``
    reads the configuration anew and returns what is wrong with it, "" where it
    is now in force; without it there is no way to reload over HTTP. ``inbox``
    takes what is handed in; without it nothing can be. ``grafana`` is where the page finds dashboards.
    ``standing_by`` says why this process leaves the work to another one, "" while it does it itself; ``hangs`` whether
    only a new start can help it. ``silences`` are where silences are set.
    """
    routes = [
        *_pages(snapshot, exposition, grafana, standing_by),
        *_health(snapshot, standing_by, hangs),
        *_api(snapshot),
        *([] if reload is None else [_reloading(reload)]),
        *([] if inbox is None else [handing_in(inbox)]),
        *silences,
    ]
    return Starlette(routes=routes, middleware=[Middleware(_Headers)])


class _Asked(Strict):
    """What may be asked of the targets."""

    book: str | None = None
    level: Annotated[int, Meta(ge=Level.NOT_JUDGED.value, le=Level.RED.value)] | None = None
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=_MOST)] = 1000


def _pages(
    snapshot: Callable[[], Snapshot | None],
    exposition: Exposition,
    grafana: str | None,
    standing_by: Callable[[], str],
) -> list[Route]:
    def page(_: Request) -> HTMLResponse:
        if words := standing_by():
            return HTMLResponse(waiting("备用", words), status_code=503)
        now = snapshot()
        return HTMLResponse(render(now, grafana), status_code=200 if now is not None else 503)

    def metrics(request: Request) -> Response:
        wanted = _offers(request.headers.get("Accept", ""))
        plain = max(wanted.get(kind, 0) for kind in ("text/plain", "text/*", "*/*"))
        opened = wanted.get("application/openmetrics-text", 0)
        form = Format.OPENMETRICS if opened and opened >= plain else Format.TEXT
        headers = {"Content-Type": form.value, "Vary": "Accept, Accept-Encoding"}
        if request.method == "HEAD":
            return Response(headers=headers)
        pieces: Iterable[bytes] = exposition.chunks(snapshot(), form)
        codings = _offers(request.headers.get("Accept-Encoding", ""))
        if codings.get("gzip", codings.get("*", 0)):
            headers["Content-Encoding"] = "gzip"
            pieces = _zipped(pieces)
        return StreamingResponse(pieces, headers=headers)

    return [Route("/", page), Route("/metrics", metrics)]


def _health(
    snapshot: Callable[[], Snapshot | None], standing_by: Callable[[], str], hangs: Callable[[], bool]
) -> list[Route]:
    async def healthy(_: Request) -> PlainTextResponse:
        if hangs():
            return PlainTextResponse(f"{HANGS}\n", status_code=503)
        return PlainTextResponse("正常\n")

    async def ready(_: Request) -> PlainTextResponse:
        # A stand-by has no page and takes no figures: whoever spreads requests must pass it by.
        if words := standing_by():
            return PlainTextResponse(f"{words}\n", status_code=503)
        if snapshot() is None:
            return PlainTextResponse(f"{_WAITING}\n", status_code=503)
        return PlainTextResponse("就绪\n")

    return [Route("/-/healthy", healthy), Route("/-/ready", ready)]


def _api(snapshot: Callable[[], Snapshot | None]) -> list[Route]:
    not_yet = {"error": _WAITING}

    def targets(request: Request) -> JSONResponse:
        try:
            asked = read(_Asked, dict(request.query_params))
        except Wrong as wrong:
            return JSONResponse({"error": "；".join(words for _, words in wrong.errors)}, status_code=422)
        now = snapshot()
        if now is None:
            return JSONResponse(not_yet, status_code=503)
        return JSONResponse(api.targets(now, asked.book, asked.level, asked.offset, asked.limit))

    def alerts(_: Request) -> JSONResponse:
        now = snapshot()
        return JSONResponse(not_yet, status_code=503) if now is None else JSONResponse(api.alerts(now))

    return [Route("/api/v1/targets", targets), Route("/api/v1/alerts", alerts)]


def _reloading(reload: Callable[[], str]) -> Route:
    def reload_now(_: Request) -> PlainTextResponse:
        errors = reload()
        if errors:
            return PlainTextResponse(f"新配置有误，未予采用，原配置继续有效：\n{errors}\n", status_code=400)
        return PlainTextResponse("新配置已生效\n")

    return Route("/-/reload", reload_now, methods=["POST"])


def _offers(header: str) -> dict[str, float]:
    """What a client takes, the best weight of each; 0 is a refusal."""
    found: dict[str, float] = {}
    for offer in header.lower().replace(" ", "").split(","):
        name, *options = offer.split(";")
        weights = [option.removeprefix("q=") for option in options if option.startswith("q=")]
        try:
            weight = float(weights[0]) if weights else 1.0
        except ValueError:
            weight = 0.0
        found[name] = max(weight, found.get(name, 0.0))
    return found


def _zipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Compress as it comes, quickly: a scrape waits for us."""
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


class _Headers:
    """Adds the security headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
