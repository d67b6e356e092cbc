"""Answers that come in pages: which one is next, and when there is none."""

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from msgspec import Meta
from requests.utils import parse_header_links

from connectors.base import ConnectorError, Failure, Options
from connectors.http_get import Answer, Call
from connectors.json_path import ABSENT, dig


class Turn(StrEnum):
    PAGE = "page"
    CURSOR = "cursor"
    LINK = "link"


class Paging(Options):
    """How the next page is asked for.

    ``page`` counts up a parameter until ``last`` or an empty page, ``cursor``
    sends back what stands at ``next``, ``link`` goes to the address at ``next``
    (default: the header Link).
    """

    by: Turn
    parameter: str | None = None  # of page and cursor: the parameter that turns the page
    start: int = 1  # of page: the number of the first page
    step: Annotated[int, Meta(gt=0)] = 1  # of page: added for the next one; the page size where it is an offset
    last: str | None = None  # of page: path to the number of the last page
    next: str | None = None  # of cursor and link: path to the next cursor or address
    at_most: Annotated[int, Meta(gt=0)] = 100  # pages; more are an error, never cut off

    def __post_init__(self) -> None:
        if (self.parameter is None) is not (self.by is Turn.LINK):
            raise ValueError("paging: page 和 cursor 须写 parameter，link 不写 (parameter)")
        if self.by is Turn.CURSOR and self.next is None:
            raise ValueError("paging: cursor 须写 next (next): 下一页游标在答复中的路径")
        if (self.by is Turn.PAGE and self.next is not None) or (self.by is not Turn.PAGE and self.last is not None):
            raise ValueError("paging: last 只用于 page，next 只用于 cursor 和 link (misplaced)")

    def first(self, call: Call) -> Call:
        """The call for the first page."""
        return self._at(call, self.start) if self.by is Turn.PAGE else call

    def following(self, call: Call, answer: Answer, tree: Any, rows: int) -> Call | None:
        """The call for the page after ``answer``, which held ``rows`` rows; None after the last one."""
        if self.by is Turn.PAGE:
            page = int(call.params[self.parameter or ""])
            last = dig(tree, self.last) if self.last else ABSENT
            if rows == 0 or (last is not ABSENT and page >= _count(last, self.last or "")):
                return None
            return self._at(call, page + self.step)
        if self.next is None:
            links = parse_header_links(answer.headers.get("Link", ""))
            found = next((link["url"] for link in links if link.get("rel") == "next"), None)
        else:
            found = dig(tree, self.next)
        if found in (ABSENT, None, "", False):
            return None
        return self._at(call, found) if self.by is Turn.CURSOR else _linked(call, str(found))

    def _at(self, call: Call, turn: object) -> Call:
        return replace(call, params={**call.params, self.parameter or "": str(turn)})


def _count(found: Any, path: str) -> int:
    try:
        return int(found)
    except (TypeError, ValueError):
        raise _stuck(f"{path} 不是页数") from None


def _linked(call: Call, link: str) -> Call:
    """The same call to ``link``: on the same host only, for it takes the credentials along."""
    target = urljoin(call.url, link)
    here, there = urlsplit(call.url), urlsplit(target)
    if (here.scheme, here.netloc) != (there.scheme, there.netloc):
        raise _stuck(f"下一页在另一主机 {there.scheme}://{there.hostname}，未予跟随")
    stated = dict(parse_qsl(there.query, keep_blank_values=True))
    return replace(call, url=target, params={k: v for k, v in call.params.items() if k not in stated})


def _stuck(words: str) -> ConnectorError:
    return ConnectorError(Failure.BAD_ANSWER, f"翻页有误 (paging): {words}", retryable=False)


def forward(answers: Iterator[tuple[Answer, Any]], at_most: int) -> Iterator[tuple[Answer, Any]]:
    """The same pages. Raises ConnectorError where one repeats the page before it, or where there are too many."""
    before = None
    for number, (answer, tree) in enumerate(answers, 1):
        if number > at_most:
            raise ConnectorError(
                Failure.TOO_LARGE,
                f"超过 {at_most} 页 (too many pages): 可缩小查询，或加大 paging.at_most",
                retryable=False,
            )
        if answer.body == before:
            raise _stuck(f"第{number}页与前一页相同，请检查 parameter")
        before = answer.body
        yield answer, tree
