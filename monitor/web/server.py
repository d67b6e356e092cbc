"""The daemon's face: status page, metrics, health, API. All but what is handed in only reads snapshots."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.metrics import Exposition, Format
from monitor.pushing import Inbox
from monitor.snapshot import Snapshot
from monitor.web import api
from monitor.web.page import STYLE_HASH, render, waiting
from monitor.web.push import add_push
from rules.target import Level

_READ = ["GET", "HEAD"]
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
) -> FastAPI:
    """Build the web application.

    ``snapshot`` gives the latest state, None before the first cycle. ``reload``
    reads the configuration anew and returns what is wrong with it, "" where it
    is now in force; without it there is no way to reload over HTTP. ``inbox``
    takes what is handed in; without it nothing can be. ``grafana`` is where the page finds dashboards.
    ``standing_by`` says why this process leaves the work to another one, "" while it does it itself.
    """
    app = FastAPI(title="duban", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_Headers)
    _add_page(app, snapshot, exposition, grafana, standing_by)
    _add_health(app, snapshot, standing_by)
    _add_api(app, snapshot)
    if reload is not None:
        _add_reload(app, reload)
    if inbox is not None:
        add_push(app, inbox)
    return app


def _add_page(
    app: FastAPI,
    snapshot: Callable[[], Snapshot | None],
    exposition: Exposition,
    grafana: str | None,
    standing_by: Callable[[], str],
) -> None:
    @app.api_route("/", methods=_READ)
    def page() -> HTMLResponse:
        if words := standing_by():
            return HTMLResponse(waiting("备用", words), status_code=503)
        now = snapshot()
        return HTMLResponse(render(now, grafana), status_code=200 if now is not None else 503)

    @app.api_route("/metrics", methods=_READ)
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


def _add_health(app: FastAPI, snapshot: Callable[[], Snapshot | None], standing_by: Callable[[], str]) -> None:
    @app.api_route("/-/healthy", methods=_READ)
    async def healthy() -> PlainTextResponse:
        return PlainTextResponse("正常\n")

    @app.api_route("/-/ready", methods=_READ)
    async def ready() -> PlainTextResponse:
        # A stand-by has no page and takes no figures: whoever spreads requests must pass it by.
        if words := standing_by():
            return PlainTextResponse(f"{words}\n", status_code=503)
        if snapshot() is None:
            return PlainTextResponse(f"{_WAITING}\n", status_code=503)
        return PlainTextResponse("就绪\n")


def _add_api(app: FastAPI, snapshot: Callable[[], Snapshot | None]) -> None:
    not_yet = {"error": _WAITING}

    @app.get("/api/v1/targets")
    def targets(
        book: str | None = None,
        level: Annotated[Level | None, Query()] = None,
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 1000,
    ) -> JSONResponse:
        now = snapshot()
        if now is None:
            return JSONResponse(not_yet, status_code=503)
        return JSONResponse(api.targets(now, book, level, offset, limit))

    @app.get("/api/v1/alerts")
    def alerts() -> JSONResponse:
        now = snapshot()
        return JSONResponse(not_yet, status_code=503) if now is None else JSONResponse(api.alerts(now))


def _add_reload(app: FastAPI, reload: Callable[[], str]) -> None:
    @app.post("/-/reload")
    def reload_now() -> PlainTextResponse:
        errors = reload()
        if errors:
            return PlainTextResponse(f"新配置有误，未予采用，原配置继续有效：\n{errors}\n", status_code=400)
        return PlainTextResponse("新配置已生效\n")


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
