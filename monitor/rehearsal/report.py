"""A rehearsal on the terminal, and as facts for a script."""

import math
from typing import Any

from rich.console import Console
from rich.table import Table

from monitor.rehearsal.score import Score, Tally
from rules.target import Book

_LISTED = 60
"""Targets shown; of more, those with the most alerts."""


def facts(book: Book, score: Score) -> dict[str, Any]:
    """All of it, for a script; times are days, None is not known."""
    return {
        "book": book.id,
        "from": score.first.isoformat(),
        "to": score.last.isoformat(),
        "years": list(score.years),
        "weeks": round(score.weeks, 2),
        "metrics": {name: None if math.isnan(value) else round(value, 3) for name, value in score.metrics.items()},
        "targets": [{"target": key, **_tally(one)} for key, one in score.targets.items()],
        "receivers": [
            {
                "receiver": one.name,
                "channels": list(one.channels),
                "messages": one.messages,
                "digests": one.digests,
                "per_week": round(one.per_week, 3),
                "most_in_a_week": one.most,
            }
            for one in score.receivers
        ],
        "most_in_a_minute": dict(score.in_a_minute),
        "deemed": score.deemed,
        "refused": score.refused,
    }


def _tally(one: Tally) -> dict[str, Any]:
    counts = ("alerts", "flaps", "overdue", "met", "missed", "false_alarms", "misses", "lead_days")
    return {"name": one.name, **{name: getattr(one, name) for name in counts}}


def show(book: Book, score: Score, limits: dict[str, int | None]) -> None:
    """Print it. ``limits`` are messages that a channel carries in a minute, where it has such a limit."""
    console = Console()
    whole = score.whole
    console.print(
        f"推演 {book.id}：{score.first} 至 {score.last}，{_years(score)}，共 {score.weeks:.0f} 周", highlight=False
    )
    console.print(_targets(score))
    console.print(_receivers(score))
    console.print("\n".join(conclusions(score, whole, limits)), highlight=False)


def _years(score: Score) -> str:
    return "、".join(str(year) for year in score.years) + "年"


def _targets(score: Score) -> Table:
    table = Table(title=f"各项目标（预警最多的在前，至多列 {_LISTED} 项）", title_justify="left")
    table.add_column("目标", overflow="fold")
    for name in ("预警", "反复", "催报", "达标/未达标", "虚警", "漏报", "提前（天）"):
        table.add_column(name, justify="right")
    rows = sorted(score.targets.values(), key=lambda one: (-one.alerts, -one.overdue))
    for one in [*rows[:_LISTED], score.whole]:
        table.add_row(one.name, *cells(one), end_section=one is rows[min(_LISTED, len(rows)) - 1])
    return table


def cells(one: Tally) -> tuple[str, ...]:
    """The numbers of a target in the order of the columns."""
    known = one.met + one.missed
    return (
        str(one.alerts),
        str(one.flaps),
        str(one.overdue),
        f"{one.met}/{one.missed}" if known else "未知",
        str(one.false_alarms) if known else "",
        str(one.misses) if known else "",
        "" if one.lead_days is None else f"{one.lead_days:g}",
    )


def _receivers(score: Score) -> Table:
    table = Table(title="各接收人", title_justify="left")
    for name in ("接收人", "渠道"):
        table.add_column(name, overflow="fold")
    for name in ("消息", "其中汇总", "每周", "最多一周"):
        table.add_column(name, justify="right")
    for one in score.receivers:
        numbers = (str(one.messages), str(one.digests), f"{one.per_week:.2f}", str(one.most))
        table.add_row(one.name, "、".join(one.channels), *numbers)
    return table


def conclusions(score: Score, whole: Tally, limits: dict[str, int | None]) -> list[str]:
    """What it comes to, and what has to be known about the figures it rests on."""
    lines = [f"合计每周 {score.messages / score.weeks:.2f} 条消息，预警 {whole.alerts} 项，其中反复 {whole.flaps} 项。"]
    if whole.missed:
        lead = "" if whole.lead_days is None else f"，提前天数的中位数为 {whole.lead_days:g} 天"
        lines.append(f"未达标 {whole.missed} 项次，其中 {whole.missed - whole.misses} 项次事前有预警{lead}。")
    if whole.met:
        lines.append(f"达标 {whole.met} 项次，其间虚警 {whole.false_alarms} 项。")
    for channel, most in score.in_a_minute.items():
        limit = limits.get(channel)
        if limit is not None and most > limit:
            late = math.ceil(most / limit) - 1
            lines.append(
                f"渠道 {channel} 曾在一分钟内须发 {most} 条，超出每分钟 {limit} 条的上限，最末一条迟 {late} 分钟。"
            )
    if score.deemed:
        lines.append(f"有 {score.deemed} 个数值的来源未载明发布时间，按报送期限视为已知。")
    if score.refused:
        lines.append(f"有 {score.refused} 个数值核验未通过，未参与推演；可用 duban connector try 逐格查看。")
    return lines
