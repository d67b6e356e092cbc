"""What a source would bring, shown cell by cell before anything of it is stored."""

from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd
from rich.console import Console
from rich.table import Column, Table

from connectors.base import ConnectorError, Failure
from connectors.observation import STATUSES, Query, Reading, Refusal, Status
from monitor.clock import Clock, parse_moment
from monitor.force import InForce, source_of
from monitor.intake import sieve
from monitor.pipeline import asked
from monitor.wiring import Feed
from rules.document import Invalid

_SHOWN = ("cell", "series", "subject", "period", "value", "unit", "status", "published")


class Trial(NamedTuple):
    """One answer of a source: what would be taken, what would be refused before the store is looked at."""

    feed: Feed
    query: Query
    answer: Reading
    taken: pd.DataFrame
    refused: list[Refusal]


def tried(force: InForce, name: str, at: str | None) -> Trial:
    """Ask the source ``name`` of the one book in force. Raises Invalid with the words of the source."""
    feed = source_of(force, name)
    moment = _moment(at, force.settings.clock, feed)
    try:
        query = asked(feed, moment)
        answer = feed.connector.fetch(query)
    except ConnectorError as error:
        raise Invalid([f"{feed.source.key}: {error.detail} ({error.reason})"]) from None
    except Exception as error:  # a third party's connector may do anything
        words = f"连接器 {feed.source.connector} 出错: {type(error).__name__}: {error} ({Failure.INTERNAL})"
        raise Invalid([f"{feed.source.key}: {words}"]) from error
    taken, unreadable = sieve.readable(feed, answer, frozenset(), moment)
    return Trial(feed, query, answer, taken, [*answer.refusals, *unreadable])


def facts(trial: Trial) -> dict[str, Any]:
    """All of it, for a script."""
    return {
        "source": trial.feed.source.key,
        "document": trial.answer.document,
        "digest": trial.answer.digest,
        "figures": [_figure(row, trial) for row in trial.taken.itertuples()],
        "refused": [
            {
                "cell": one.cell,
                "text": one.text,
                "reason": one.reason.value,
                "said": one.reason.said,
                "cure": one.reason.cure,
                "series": one.series,
                "subject": one.subject,
            }
            for one in trial.refused
        ],
        "left_out": {why.value: count for why, count in trial.answer.left_out.items()},
        "unread": list(trial.answer.unread),
        "unasked": _unasked(trial),
    }


def show(trial: Trial, limit: int) -> None:
    """Two tables and a line of counts, at most ``limit`` rows of each (0: all)."""
    console = Console(soft_wrap=True)
    answer = trial.answer
    console.print(f"{trial.feed.source.key}：{answer.document}（SHA-256 {answer.digest[:12]}…）", markup=False)
    table = _table(
        f"读到 {len(trial.taken)} 个数值", "单元格", "序列", "对象", "期间", "数值", "单位", "状态", "公布时间"
    )
    for row in trial.taken.head(limit or len(trial.taken)).itertuples():
        figure = _figure(row, trial)
        figure["status"] = Status(figure["status"]).text
        table.add_row(*(_plain(figure[name]) for name in _SHOWN))
    console.print(table)
    if trial.refused:
        table = _table(f"拒收 {len(trial.refused)} 处", "单元格", "原文", "原因", "如何改正")
        for one in trial.refused[: limit or None]:
            table.add_row(_plain(one.cell), _plain(one.text), f"{one.reason.said} ({one.reason})", one.reason.cure)
        console.print(table)
    left_out = "，".join(f"{why.said} {count}" for why, count in answer.left_out.items())
    console.print(f"未作数值：{left_out or '无'}", markup=False)
    if answer.unread:
        console.print(f"未取的列：{'、'.join(answer.unread)}", markup=False)
    if unasked := _unasked(trial):
        console.print(f"没有目标读取的序列：{'、'.join(unasked)}；请核对目标的 source", markup=False)


def _figure(row: Any, trial: Trial) -> dict[str, Any]:
    known, zone = row.known_at, trial.feed.book.timezone
    return {
        "cell": row.cell,
        "series": row.series,
        "subject": row.subject,
        "period": f"{row.period:%Y-%m-%d}",
        "value": None if pd.isna(row.value) else row.value,
        "unit": row.unit,
        "status": STATUSES[row.status].value,
        "published": None if pd.isna(known) else known.tz_convert(zone).isoformat(timespec="minutes"),
    }


def _table(title: str, *columns: str) -> Table:
    """A table that shows all words in narrow columns too: rich would cut Chinese, which has no blanks to break at."""
    return Table(*(Column(one, overflow="fold") for one in columns), title=title)


def _plain(content: Any) -> str:
    if isinstance(content, float):
        return f"{content:.15g}"
    return str(content or "").replace("[", r"\[")


def _unasked(trial: Trial) -> list[str]:
    """Series that no target of the book reads."""
    wanted = trial.query.series
    return sorted(set(trial.taken["series"].unique()) - set(wanted))


def _moment(at: str | None, clock: datetime | None, feed: Feed) -> datetime:
    if at is None:
        return clock or Clock.real()
    try:
        return parse_moment(at, feed.book.timezone)
    except ValueError as error:
        raise Invalid([str(error)]) from None
