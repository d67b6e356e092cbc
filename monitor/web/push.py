"""``POST /api/v1/observations``: where figures are handed in."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from connectors.push import Push
from monitor.intake.pushing import Inbox, Rejected

_FORMS = {"": False, "application/json": False, "text/csv": True}
"""Content types, and whether the body is a table."""


def handing_in(inbox: Inbox) -> Route:
    """Lets figures be handed in."""

    async def observations(request: Request) -> JSONResponse:
        headers, source = request.headers, request.query_params.get("source")
        try:
            feed = await run_in_threadpool(inbox.source, bearer(headers.get("Authorization", "")), source)
            table = _is_table(headers.get("Content-Type", ""))
            assert isinstance(feed.connector, Push)
            body = await whole(request, feed.connector.options.max_bytes)
            key = headers.get("Idempotency-Key", "")
            answer = await run_in_threadpool(inbox.receive, feed, body, key, table=table)
        except Rejected as why:
            return refusal(why)
        return JSONResponse(answer)

    return Route("/api/v1/observations", observations, methods=["POST"])


def refusal(why: Rejected) -> JSONResponse:
    """What a client is told whose request was not taken."""
    told = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}.get(why.status)
    return JSONResponse({"error": str(why)}, why.status, told)


def bearer(authorization: str) -> str:
    """The token in a header. Raises Rejected where there is none."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Rejected(401, "缺少口令 (token needed): 请写 Authorization: Bearer 口令")
    return token.strip()


def _is_table(content_type: str) -> bool:
    form = content_type.partition(";")[0].strip().lower()
    if form not in _FORMS:
        raise Rejected(415, f"不收 {form} (unsupported type): Content-Type 请写 application/json 或 text/csv")
    return _FORMS[form]


async def whole(request: Request, most: int) -> bytes:
    """The whole body, never more of it in memory than may be. Raises Rejected."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise Rejected(413, f"一次推送至多 {most} 字节 (too large): 请分批推送")
    return bytes(body)
