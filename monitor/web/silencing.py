"""``/api/v1/silences``: where silences are set and ended by those who hold the token."""

import hmac
import json
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from monitor import holding
from monitor.app import Daemon
from monitor.intake.pushing import Rejected
from monitor.store.leader import NotLeading
from monitor.web.push import bearer, refusal, whole
from rules.document import Invalid

log = logging.getLogger(__name__)

_LONGEST = 10_000
_NEEDED = ("book", "until", "by", "reason")
_CHOICES = {**dict.fromkeys(holding.PARTS, ""), "level": "yellow"}


def silencing(daemon: Daemon, token: str, news: Callable[[], object]) -> list[Route]:
    """GET lists those in force, POST sets one, DELETE ends one at once (``?by=NAME``)."""

    def added(wanted: dict[str, str]) -> dict[str, Any]:
        return {"id": holding.ordered(daemon.force, daemon.engine, daemon.clock, wanted)}

    def ended(number: int, who: str) -> dict[str, Any]:
        holding.ended(daemon.engine, daemon.clock, number, who)
        news()
        return {"id": number}

    def listed() -> dict[str, Any]:
        return {"silences": holding.listed(daemon.engine, daemon.clock)}

    async def answer(request: Request) -> JSONResponse:
        try:
            _admit(request, token)
            if request.method == "POST":
                wanted = _wanted(await whole(request, _LONGEST))
                return JSONResponse(await run_in_threadpool(_done, added, wanted), 201)
            if request.method == "DELETE":
                number, who = request.path_params["number"], request.query_params.get("by", "")
                return JSONResponse(await run_in_threadpool(_done, ended, number, who))
            return JSONResponse(await run_in_threadpool(_done, listed))
        except Rejected as why:
            return refusal(why)

    path = "/api/v1/silences"
    return [
        Route(path, answer, methods=["GET", "POST"]),
        Route(f"{path}/{{number:int}}", answer, methods=["DELETE"]),
    ]


def _done(work: Callable[..., dict[str, Any]], *given: Any) -> dict[str, Any]:
    """What came of it. Raises Rejected: 422 it cannot be meant, 503 it cannot be kept now."""
    try:
        return work(*given)
    except Invalid as wrong:
        raise Rejected(422, str(wrong)) from None
    except (SQLAlchemyError, NotLeading):
        log.exception("action=silence_failed")
        raise Rejected(503, "暂时无法入库 (store unavailable): 请稍后重试") from None


def _admit(request: Request, token: str) -> None:
    given = bearer(request.headers.get("Authorization", ""))
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise Rejected(401, "口令不对 (invalid token): 请写 Authorization: Bearer 口令")


def _wanted(body: bytes) -> dict[str, str]:
    """What is to be silenced, all of it text."""
    try:
        given = json.loads(body)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise Rejected(422, "应为 JSON 对象，各值为字符串 (not a json object)")
    if missing := [name for name in _NEEDED if name not in given]:
        raise Rejected(422, f"缺少 {'、'.join(missing)} (missing)；须有 {'、'.join(_NEEDED)}")
    if strangers := sorted(given.keys() - {*_NEEDED, *_CHOICES}):
        raise Rejected(422, f"不认识 {'、'.join(strangers)} (unknown)；可写 {'、'.join((*_NEEDED, *_CHOICES))}")
    return {**_CHOICES, **given, "who": given["by"]}
