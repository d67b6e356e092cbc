"""Why a target stands as it does: every number with its origin, the curve and the rule, in words."""

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from alerts.alert import Kind
from alerts.delivery import Sending, Status
from alerts.suppression import Reason as Held
from connectors.observation import where
from monitor.moves import local_day
from monitor.snapshot import Judged, Trail
from monitor.store.observations import Vintage
from monitor.watch import Watch
from rules import wording
from rules.calendar import label
from rules.judging import judge, verdict
from rules.panel import Panel
from rules.target import Book, Goal, Level, Target
from rules.verdict import CODE, UNSURE, Outcome, Reason, Verdict


def explanation(
    watch: Watch,
    judged: Judged,
    row: int,
    vintages: Sequence[Vintage],
    at: datetime,
    origins: Mapping[str, str] | None = None,
    trail: Trail | None = None,
) -> str:
    """The verdict of one row as a page of text. ``vintages`` are the stored figures of its series, oldest first.

    ``origins`` are where the target's settings were written, "" for a default; ``trail`` is what its alerts went through.
    """
    panel = judged.panel
    found = verdict(panel, judged.verdicts, row, row)
    target, book = found.target, watch.by_id[found.target.book]
    facts = [(name, _written(name, value, origins)) for name, value in _facts(book, found, at)]
    parts = [_heading(book, found), _pairs(facts), _figures(panel, row, target, vintages, at), _trail(book, trail, at)]
    return "\n\n".join(part for part in parts if part)


_WRITTEN = {
    "目标": "goal",
    "牵头单位": "lead",
    "责任单位": "responsible",
    "报送单位": "reporter",
    "进度曲线": "expect",
    "黄色": "yellow",
    "红色": "red",
    "解除": "clear",
    "起判时点": "not_before",
    "报送时限": "published",
    "数据来源": "source",
}
"""The settings behind the facts of a page."""


def _written(name: str, value: str, origins: Mapping[str, str] | None) -> str:
    """A setting with where it was written: 落后应完成数超过5%〔book.yaml:16〕."""
    key = _WRITTEN.get(name)
    if not value or key is None or origins is None:
        return value
    place = origins.get(key, "") or (origins.get("clear_for", "") if key == "clear" else "")
    return f"{value}〔{place.rpartition('/')[2] or '缺省'}〕"


def _trail(book: Book, trail: Trail | None, at: datetime) -> str:
    """What the target's alerts went through until ``at``, and what became of every message about it."""
    zone = ZoneInfo(book.timezone)
    steps = [(number, change, said) for number, change, said in trail.changes if change.at <= at] if trail else []
    if trail is None or not steps:
        return ""
    lines = ["预警经过:"]
    for number, change, said in steps:
        levels = f"{change.previous_level.text}→{change.level.text}"
        facts = "；".join(
            filter(None, (said.period, said.actual_text, said.gap_text, said.owed and f"{said.owed}未报", said.edit))
        )
        kind = "催报" if change.identity.kind is Kind.DATA else "进度"
        lines.append(
            f"  {change.at.astimezone(zone):%Y-%m-%d %H:%M} {kind}{change.event.text}（{change.cause.text}）{levels}：{facts}"
        )
        lines += [f"    {_sent(one, zone)}" for one in trail.sendings if one.change_id == number]
    return "\n".join(lines)


def _sent(one: Sending, zone: ZoneInfo) -> str:
    """What became of a message: 致人力社保局（folder）已送达 2025-10-20 09:00；未逐条即时发送：静默时段；人力社保局是该目标的牵头单位."""
    when = one.finished_at or one.due_at
    held = f"；未逐条即时发送：{Held(one.suppressed).text}" if one.suppressed else ""
    answer = (
        f"；{one.tries[-1].result.text} {one.tries[-1].answer}".rstrip()
        if one.tries and one.status is not Status.SENT
        else ""
    )
    return f"致{one.receiver}（{one.channel}）{one.status.text} {when.astimezone(zone):%Y-%m-%d %H:%M}{held}{answer}；{one.why}"


_SMALL = 5
_LISTED = 60
"""A book of at most _SMALL targets is listed whole; of any other, at most _LISTED verdicts that call for action."""


def summary(watch: Watch, judged: Sequence[Judged], at: datetime) -> str:
    """How the targets stand: a count per book and reason, then those that are behind or owe a figure, worst first."""
    lines: list[str] = []
    for book in watch.books:
        counts: Counter[Reason] = Counter()
        found: list[Verdict] = []
        for panel, verdicts in ((j.panel, j.verdicts) for j in judged):
            mine = np.repeat([t.book == book.id for t in panel.block.targets], np.diff(panel.block.first_row))
            counts.update({reason: int((mine & (verdicts.reason == code)).sum()) for reason, code in CODE.items()})
            worth = mine & ((verdicts.level > Level.GREEN) | (verdicts.owed >= 0) | (len(book.targets) <= _SMALL))
            worst = np.flatnonzero(worth)[np.argsort(-verdicts.level[worth], kind="stable")][:_LISTED]
            found += [verdict(panel, verdicts, int(row), int(row)) for row in worst]
        when = f"{at.astimezone(ZoneInfo(book.timezone)):%Y-%m-%d %H:%M}"
        told = "、".join(f"{reason.text}{count}" for reason, count in counts.items() if count)
        lines += [f"{book.title}（{book.id}）{when}：{told}", *map(_line, sorted(found, key=_worst)[:_LISTED])]
    return "\n".join(lines)


def _worst(found: Verdict) -> int:
    return -found.level


def _line(found: Verdict) -> str:
    target = found.target
    figures = ""
    if found.actual is not None and found.expected is not None:
        figures = f"实际{wording.actual(found)}，预期{target.goal.figure(found.expected)}，{wording.gap(found)}"
    owed = f"{wording.owed(found)}未报" if found.owed else ""
    who = f"{found.subject} {target.name}" if found.subject else target.name
    told = "；".join(filter(None, (wording.because(found), wording.nil(found), owed, figures)))
    return f"  [{found.level.text}] {who}（{target.key}，{'、'.join(target.lead)}）：{told}"


def _heading(book: Book, found: Verdict) -> str:
    mark = book.mark(found.target)
    name = f"{found.subject} {found.target.name}" if found.subject else found.target.name
    return f"{name} ({found.target.key})" + (f" 【{mark}】" if mark else "")


def _facts(book: Book, found: Verdict, at: datetime) -> list[tuple[str, str]]:
    target = found.target
    item = book.item(target.item)
    cause = wording.because(found)
    conclusion = cause if found.outcome is Outcome.NOT_JUDGED else f"{found.level.text}：{cause}"
    if found.pending > Level.GREEN:
        conclusion += f"（已触及{found.pending.text}阈值，尚未满连续期数）"
    if found.keep and found.level is Level.GREEN:
        conclusion += "（尚未达到解除条件，已有的预警不解除）"
    return [
        ("目标册", f"{book.title} ({target.place})"),
        ("原文", f"第{item.item}项：{target.words or item.text}" if item else ""),
        ("目标", wording.goal(found)),
        ("目标调整", wording.goals(target)),
        ("牵头单位", "、".join(target.lead)),
        ("责任单位", "、".join(target.responsible)),
        ("报送单位", "、".join(target.reporter) if target.reporter != target.lead else ""),
        ("判定时点", f"{at.astimezone(ZoneInfo(book.timezone)):%Y-%m-%d %H:%M}，以当时已发布的数据为准"),
        ("结论", conclusion),
        ("判定期", label(target.every, found.period) if found.period else ""),
        ("实际", wording.actual(found)),
        ("报送情况", wording.nil(found)),
        ("预期", "" if found.expected is None else target.goal.figure(found.expected)),
        ("差距", wording.gap(found)),
        ("所需进度", wording.pace(found, book.workdays)),
        ("解除所需", wording.enough(found)),
        ("年底预测", wording.outlook(found)),
        ("应报数据" if found.reason in UNSURE else "逾期未报", wording.owed(found)),
        ("进度曲线", f"{wording.curve(found)} (expect: {target.expect.text})"),
        ("黄色", wording.thresholds(target.levels.yellow, target)),
        ("红色", wording.thresholds(target.levels.red, target)),
        ("解除", wording.clearing(target)),
        ("起判时点", wording.not_before(target)),
        ("报送时限", wording.publication(target.published, target)),
        ("数据来源", wording.source(book, target) or "未设来源"),
        *(
            ("改动记录", f"{one.at} {one.by}：{one.changed[target.id]}（{one.why}）")
            for one in book.history
            if target.id in one.changed
        ),
    ]


_SHOWN = 12
"""Figures shown: the latest periods; a daily series has hundreds."""


def _figures(panel: Panel, row: int, target: Target, vintages: Sequence[Vintage], at: datetime) -> str:
    block = panel.block
    slots = {end: slot for slot, end in enumerate(block.ends.astype(object))}
    known = [v for v in vintages if v.known_at <= at and v.period in slots]
    if not known:
        return "尚无数据。"
    zone = ZoneInfo(block.timezone)
    shown = known[-_SHOWN:]
    periods = np.array([slots[found.period] for found in shown], np.int16)
    levels = judge(panel, local_day(panel, at), rows=np.full(len(shown), row), slots=periods).level.tolist()
    rows = [("期间", "来源数值", "状态", "判定值", "预期", "本期结论", "版本", "发布时间", "出处")]
    versions = _versions(known)[-_SHOWN:]
    for found, slot, level, version in zip(shown, periods.tolist(), levels, versions, strict=True):
        judged = float(panel.values[slot, row])
        rows.append(
            (
                label(target.every, found.period),
                "无" if found.value is None else f"{found.value:g}{found.unit}",
                found.status.text,
                "" if math.isnan(judged) else target.goal.figure(judged),
                _known(float(panel.expected[slot, row]), target.goal),
                "" if math.isnan(judged) else Level(level).text,
                f"修订{version}" if version else "首报",
                f"{found.known_at.astimezone(zone):%Y-%m-%d}",
                where(found.document, found.cell),
            )
        )
    left = len(known) - _SHOWN
    return _table(rows) + (f"\n（更早的{left}条从略）" if left > 0 else "")


def _versions(known: Sequence[Vintage]) -> list[int]:
    """How often each figure had been revised: 0 for the first stated of its period."""
    counts: Counter[date] = Counter()
    found = []
    for vintage in known:
        found.append(counts[vintage.period])
        counts[vintage.period] += 1
    return found


def _known(value: float, goal: Goal) -> str:
    return "未知" if np.isnan(value) else goal.figure(value)


def _pairs(facts: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{_pad(name, 10)}{value}" for name, value in facts if value)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(_width(row[column]) for row in rows) + 2 for column in range(len(rows[0]))]
    return "\n".join(
        "".join(_pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _width(text: str) -> int:
    """Columns a text takes in a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
