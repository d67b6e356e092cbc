"""A rehearsal on the terminal, and as facts for a script."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from monitor.rehearsal.difference import Difference
from monitor.rehearsal.score import METRICS, Score, Tally
from monitor.rehearsal.sweep import Knob, Point
from rules.target import Book

_LISTED = 60
"""Targets shown; of more, those with the most alerts."""


class Trial(NamedTuple):
    """A sweep: what each value comes to, ``per_change`` messages a week for a change, and what was found for a budget.

    ``named`` is the value that keeps to it with how many messages a week it was found to make in full.
    """

    tried: Knob
    points: Sequence[Point]
    per_change: float | None
    budget: float | None
    named: tuple[Point, float] | None

    def messages(self, point: Point) -> float | None:
        """Messages a week, as far as can be told from the book as it is."""
        return None if self.per_change is None else point.told * self.per_change


class Finding(NamedTuple):
    """A rehearsal, beside that of another book, its sweep, and the gates that it did not pass."""

    book: Book
    score: Score
    against: tuple[Score, Difference] | None
    trial: Trial | None
    failed: Sequence[str]


def facts(found: Finding) -> dict[str, Any]:
    """All of it, for a script; times are days, None is not known."""
    score = found.score
    return {
        "book": found.book.id,
        "from": score.first.isoformat(),
        "to": score.last.isoformat(),
        "years": list(score.years),
        "weeks": round(score.weeks, 2),
        "metrics": _metrics(score),
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
        "failed": list(found.failed),
        "against": None if found.against is None else _against(*found.against),
        "sweep": None if found.trial is None else _swept(found.trial),
    }


def _metrics(score: Score) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else round(value, 3) for name, value in score.metrics.items()}


def _against(old: Score, difference: Difference) -> dict[str, Any]:
    return {
        "metrics": _metrics(old),
        "added": [one._asdict() | {"worst": one.worst.name.lower()} for one in difference.added],
        "gone": [one._asdict() | {"worst": one.worst.name.lower()} for one in difference.gone],
    }


def _swept(trial: Trial) -> dict[str, Any]:
    points = [one._asdict() | {"messages_per_week": trial.messages(one)} for one in trial.points]
    named = None
    if trial.named is not None:
        named = {"rule": trial.tried.says(trial.named[0].value), **trial.named[0]._asdict()}
        named["messages_per_week"] = trial.named[1]
    return {"points": points, "budget": trial.budget, "named": named}


def _tally(one: Tally) -> dict[str, Any]:
    counts = ("alerts", "flaps", "overdue", "met", "missed", "false_alarms", "misses", "lead_days")
    return {"name": one.name, **{name: getattr(one, name) for name in counts}}


def show(found: Finding, limits: Mapping[str, int | None]) -> None:
    """Print it. ``limits`` are messages that a channel carries in a minute, where it has such a limit."""
    console, score = Console(), found.score
    console.print(heading(found), highlight=False)
    console.print(_targets(score))
    console.print(_receivers(score))
    console.print("\n".join(conclusions(score, limits)), highlight=False)
    if found.against is not None:
        console.print(_compared(score, found.against[0]))
        console.print("\n".join(changed(found.against[1])), highlight=False, markup=False)
    if found.trial is not None:
        console.print(_trial(found.trial))
        console.print("\n".join(named(found.trial)), highlight=False)
    if found.failed:
        console.print(f"未通过：{'、'.join(found.failed)} (gate)", highlight=False)


def heading(found: Finding) -> str:
    """What was rehearsed."""
    score = found.score
    return f"推演 {found.book.id}：{score.first} 至 {score.last}，{_years(score)}，共 {score.weeks:.0f} 周"


NAMES = dict(
    zip(
        METRICS,
        (
            "预警",
            "反复",
            "催报",
            "虚警",
            "漏报",
            "提前（天）",
            "消息",
            "每周消息",
            "最忙者每周",
            "最多一周",
            "最多一分钟",
        ),
        strict=True,
    )
)
"""The metrics in Chinese."""


def _compared(new: Score, old: Score) -> Table:
    table = Table(title="与另一册相比", title_justify="left")
    table.add_column("指标")
    for name in ("另一册", "本册", "相差"):
        table.add_column(name, justify="right")
    for name, before, after in comparison(new, old):
        table.add_row(
            name, figure(before), figure(after), "" if math.isnan(after - before) else f"{after - before:+.4g}"
        )
    return table


def comparison(new: Score, old: Score) -> list[tuple[str, float, float]]:
    """Each metric in Chinese with the old and the new figure."""
    return [(NAMES[name], old.metrics[name], new.metrics[name]) for name in METRICS]


def figure(value: float) -> str:
    """A metric in short, "" where it is not known."""
    return "" if math.isnan(value) else f"{value:.4g}"


def changed(found: Difference) -> list[str]:
    """The alerts that only one of the books raises, so many at most."""
    lines = []
    for words, mine in (("只有本册预警", found.added), ("只有另一册预警", found.gone)):
        lines.append(f"{words} {len(mine)} 项" + ("：" if mine else "。"))
        lines += [f"  {one.line}" for one in mine[:_LISTED]]
        if len(mine) > _LISTED:
            lines.append(f"  （其余 {len(mine) - _LISTED} 项从略）")
    return lines


def _trial(trial: Trial) -> Table:
    table = Table(title="逐一试调", title_justify="left")
    for name in TRIED:
        table.add_column(name, justify="left" if name == TRIED[0] else "right")
    for row in tried(trial):
        table.add_row(*row)
    return table


TRIED = ("阈值", "预警", "反复", "虚警", "漏报", "提前（天）", "每周消息（估）")
"""The columns of a sweep."""


def tried(trial: Trial) -> Iterator[tuple[str, ...]]:
    """A row for each value of a sweep, in the order of the columns."""
    for one in trial.points:
        lead, messages = one.lead_days, trial.messages(one)
        counts = (str(one.alerts), str(one.flaps), str(one.false_alarms), str(one.misses))
        known = ("" if lead is None else f"{lead:g}", "" if messages is None else f"{messages:.2f}")
        yield trial.tried.says(one.value), *counts, *known


def named(trial: Trial) -> list[str]:
    """The value that keeps to the budget, and what the estimates are made of."""
    lines = ["每周消息按本册现行写法下每次变动的消息数推算，不含数据催报的增减。"]
    if trial.budget is None:
        return lines
    if trial.named is None:
        return [*lines, f"所试各值都超出每周 {trial.budget:g} 条；请放宽阈值，或改用汇总。"]
    point, messages = trial.named
    counts = f"每周 {messages:.2f} 条，虚警 {point.false_alarms} 项，漏报 {point.misses} 项"
    rule = trial.tried.says(point.value)
    return [*lines, f"每周 {trial.budget:g} 条以内，以 {rule} 为宜：完整推演为{counts}。"]


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


def conclusions(score: Score, limits: Mapping[str, int | None]) -> list[str]:
    """What it comes to, and what has to be known about the figures it rests on."""
    whole = score.whole
    lines = [f"合计每周 {score.messages / score.weeks:.2f} 条消息，预警 {whole.alerts} 项，其中反复 {whole.flaps} 项。"]
    if whole.overdue:
        chased = sum(one.overdue > 0 for one in score.targets.values())
        lines.append(f"催报 {whole.overdue} 项，涉及 {chased} 个目标。")
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
