"""What is handed in: whose it is, whether it came before, and what became of each figure."""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from connectors.base import ConnectorError, Failure
from connectors.figures import objects
from connectors.number import numbers
from connectors.observation import LeftOut, Query, Refusal
from connectors.push import Batch, Push
from monitor.app import Daemon
from monitor.pipeline import Taken
from monitor.store import runs
from monitor.store.database import reading
from monitor.store.leader import NotLeading
from monitor.wiring import Feed

log = logging.getLogger(__name__)

_EVER = Query(datetime.max.replace(tzinfo=UTC), date.min, date.max)
"""Whatever is handed in is public, and nobody would hand it in again: no period is left out."""
_LONGEST_KEY = 200
_NO_DATA = "没有数据的请不要推送，确无报送事项的 status 请写 无"


class Became(StrEnum):
    """What became of one figure."""

    ACCEPTED = "accepted"
    REVISED = "revised"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class Rejected(Exception):
    """Nothing was taken: the HTTP status, and in Chinese why and what to do."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Inbox:
    """Takes figures from those who hold a source's token, one body of a source at a time, and has them judged at once."""

    def __init__(self, daemon: Daemon, news: Callable[[], object]) -> None:
        self._daemon = daemon
        self._news = news
        self._turns: dict[str, threading.Lock] = {}

    def source(self, token: str, named: str | None) -> Feed:
        """The source that ``token`` belongs to; of several the one ``named`` (``book/source``).

        Raises Rejected: 401 no token, or nobody's; 403 not that of the source named; 400 several and none named.
        """
        mine = [feed for feed in self._daemon.force.feeds.values() if _admits(feed, token)]
        if not mine:
            raise Rejected(401, "口令不对 (invalid token): 请写 Authorization: Bearer 口令")
        if named is not None:
            found = next((feed for feed in mine if feed.source.key == named), None)
            if found is None:
                raise Rejected(403, f"此口令不能推送到 '{named}' (wrong source): source 请写作 册号/来源名")
            return found
        if len(mine) > 1:
            raise Rejected(400, "此口令可推送到几个来源 (ambiguous source): 请写 ?source=册号/来源名")
        return mine[0]

    def receive(self, feed: Feed, body: bytes, key: str, *, table: bool) -> dict[str, Any]:
        """Take one body (JSON, or CSV where it is a ``table``); returns what became of each of its figures.

        The same body under the same ``key`` ("" for none) is taken once, and answered as it was then.
        Raises Rejected: 400 the key cannot be one; 409 another body came under it; 413 too many figures;
        422 not to be read; 503 it cannot be kept now.
        """
        if not (key.isascii() and (key.isprintable()) and len(key) <= _LONGEST_KEY):
            raise Rejected(400, f"Idempotency-Key 应为至多 {_LONGEST_KEY} 个 ASCII 字符 (bad key)")
        assert isinstance(feed.connector, Push)
        batch = feed.connector.handed_in(body, table=table)
        with self._turns.setdefault(feed.source.key, threading.Lock()):
            try:
                return self._answer(feed, batch, key)
            except (SQLAlchemyError, NotLeading):
                log.exception("action=push_failed source=%s", feed.source.key)
                raise Rejected(503, "暂时无法入库 (store unavailable): 请稍后以同一内容重试") from None

    def _answer(self, feed: Feed, batch: Batch, key: str) -> dict[str, Any]:
        daemon, job = self._daemon, f"push:{feed.source.key}:{key}"
        if key:
            with reading(daemon.engine) as connection:
                before = runs.answer(connection, job)
            if before is not None:
                known: dict[str, Any] = json.loads(before)
                if known["digest"] != batch.digest:
                    raise Rejected(409, "此 Idempotency-Key 已用于另一内容 (key reused): 新的内容请用新的键")
                return known
        answer = self._taken(feed, batch)
        if key:
            with daemon.engine.begin() as connection:
                runs.answered(connection, job, daemon.clock.now(), "ok", json.dumps(answer, ensure_ascii=False))
        return answer

    def _taken(self, feed: Feed, batch: Batch) -> dict[str, Any]:
        taken = self._daemon.take(replace(feed, connector=batch, settled=None), _EVER)
        self._news()
        if taken.pulled.failed:
            status = {Failure.TOO_LARGE: 413, Failure.BAD_ANSWER: 422}.get(Failure(taken.pulled.reason), 503)
            raise Rejected(status, taken.pulled.detail)
        rows = _rows(batch, taken)
        counts = {str(became): sum(row["result"] == became for row in rows) for became in Became}
        log.info("action=pushed source=%s %s", feed.source.key, " ".join(f"{k}={v}" for k, v in counts.items()))
        unasked = _stated(taken) - feed.book.read_from(feed.source.name)
        return {
            "source": feed.source.key,
            "digest": batch.digest,
            **counts,
            "unasked": sorted(unasked),
            "rows": rows,
        }


def _admits(feed: Feed, token: str) -> bool:
    if not isinstance(feed.connector, Push):
        return False
    try:
        return feed.connector.admits(token)
    except ConnectorError as error:
        log.error("action=push_closed source=%s error=%s", feed.source.key, error.detail)  # noqa: TRY400  no crash
        return False


def _stated(taken: Taken) -> set[str]:
    return set() if taken.found is None else set(map(str, taken.found.table["series"].unique()))


def _rows(batch: Batch, taken: Taken) -> list[dict[str, Any]]:
    """What became of each row of the body, in its order."""
    stated = batch.rows()
    became: dict[str, Became] = {}
    if taken.found is not None:
        cells = taken.found.table["cell"].to_numpy()
        became = dict.fromkeys(map(str, cells), Became.UNCHANGED)
        fresh = cells[taken.found.rows.row[taken.found.kept]]
        for cell, revised in zip(fresh, taken.found.revised, strict=True):
            became[cell] = Became.REVISED if revised else Became.ACCEPTED
    refused = {refusal.cell: refusal for refusal in taken.refused}
    blank = numbers(objects([row.get("value") for row in stated])).blank
    return [
        {"cell": cell, **_told(became.get(cell), refused.get(cell), blank=empty)}
        for cell, empty in zip(map(batch.place, range(len(stated))), blank.tolist(), strict=True)
    ]


def _told(became: Became | None, refusal: Refusal | None, *, blank: bool) -> dict[str, str]:
    if refusal is not None:
        why = {
            "reason": refusal.reason.value,
            "said": f"“{refusal.text}”{refusal.reason.said}",
            "cure": refusal.reason.cure,
        }
        return {"result": Became.REFUSED, **why}
    if became is None and blank:
        return {"result": Became.REFUSED, "reason": LeftOut.BLANK, "said": LeftOut.BLANK.said, "cure": _NO_DATA}
    # What is neither stored nor refused nor blank repeats another row of the body.
    return {"result": became or Became.UNCHANGED}
