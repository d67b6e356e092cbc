"""A rehearsal as one page that needs nothing else: numbers, and pictures of when alerts stood and what was told."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import groupby

import numpy as np
import pandas as pd

from alerts.alert import Kind
from monitor.rehearsal.history import second
from monitor.rehearsal.replay import Played
from monitor.rehearsal.report import (
    TRIED,
    Finding,
    Trial,
    cells,
    changed,
    comparison,
    conclusions,
    figure,
    heading,
    named,
    tried,
)
from monitor.web.chart import COLOURS
from rules.target import Book, Level

_WIDTH, _LEFT, _ROW = 960, 220, 18
_STRIPS = 40
"""Targets whose alerts are drawn: those with the most."""
_INK, _PALE, _BAR = "#24292f", "#d0d7de", "#4f6f9f"
_STYLE = """
body { font: 15px/1.6 "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; color: #24292f; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1.5rem } th, td { border: 1px solid #d0d7de; padding: .2rem .6rem }
td { text-align: right } td:first-child, th:first-child { text-align: left } svg { width: 100%; height: auto }
.failed { color: #b42318; font-weight: bold }
"""


def page(found: Finding, played: Sequence[tuple[Book, Played]]) -> str:
    """The whole page."""
    score = found.score
    parts = [
        f"<h1>{escape(found.book.title)}</h1><p>{escape(heading(found))}</p>",
        *(f'<p class="failed">未通过：{escape(text)}</p>' for text in found.failed),
        *(f"<p>{escape(line)}</p>" for line in conclusions(score, {})),
        "<h2>每周消息</h2>",
        _weeks(played),
        "<h2>预警起止</h2><p>黄色、红色为预警，灰色为数据催报。</p>",
        _strips(played),
        "<h2>各项目标</h2>",
        _table(
            ("目标", "预警", "反复", "催报", "达标/未达标", "虚警", "漏报", "提前（天）"),
            ((one.name, *cells(one)) for one in (*score.targets.values(), score.whole)),
        ),
        "<h2>各接收人</h2>",
        _table(
            ("接收人", "渠道", "消息", "其中汇总", "每周", "最多一周"),
            (
                (one.name, "、".join(one.channels), one.messages, one.digests, f"{one.per_week:.2f}", one.most)
                for one in score.receivers
            ),
        ),
    ]
    if found.against is not None:
        rows = ((name, figure(old), figure(new)) for name, old, new in comparison(score, found.against[0]))
        parts += ["<h2>与另一册相比</h2>", _table(("指标", "另一册", "本册"), rows)]
        parts += [f"<p>{escape(line)}</p>" for line in changed(found.against[1])]
    if found.trial is not None:
        parts += ["<h2>逐一试调</h2>", _trade_off(found.trial), _table(TRIED, tried(found.trial))]
        parts += [f"<p>{escape(line)}</p>" for line in named(found.trial)]
    title = escape(f"推演 {found.book.id}")
    return (
        f'<!doctype html><html lang="zh"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    lines = ("".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><tr>{head}</tr>{body}</table>"


def _svg(height: float, said: str, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" xmlns="http://www.w3.org/2000/svg" font-family="sans-serif"'
        f' font-size="12"><title>{escape(said)}</title>{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_INK}">{escape(words)}</text>'


class _Time:
    """Moments laid from left to right."""

    def __init__(self, played: Sequence[tuple[Book, Played]]) -> None:
        self.first, self.last = min(year.start for _, year in played), max(year.end for _, year in played)
        self.years = [book.year for book, _ in played]

    def x(self, at: datetime) -> float:
        return _LEFT + (at - self.first) / (self.last - self.first) * (_WIDTH - _LEFT - 10)

    def grid(self, height: float) -> Iterator[str]:
        """A line where each year begins."""
        for year in self.years:
            x = max(self.x(datetime(year, 1, 1, tzinfo=UTC)), _LEFT)
            yield f'<path d="M{x:.1f} 16V{height:.0f}" stroke="{_PALE}"/>' + _text(x + 2, 12, f"{year}年")


def _weeks(played: Sequence[tuple[Book, Played]]) -> str:
    time = _Time(played)
    told = Counter[int]()
    for _, year in played:
        for one, messages in year.messages.items():
            told[(one.at - time.first).days // 7] += messages
    most = max(told.values(), default=0)
    week = (_WIDTH - _LEFT - 10) * 7 / max((time.last - time.first).days, 7)
    parts = [*time.grid(136), _text(_LEFT - 6, 24, f"{most} 条", "end"), _text(_LEFT - 6, 136, "0", "end")]
    for number, count in sorted(told.items()):
        height = 116 * count / most
        x = _LEFT + number * week
        parts.append(
            f'<rect x="{x:.1f}" y="{136 - height:.1f}" width="{max(week - 0.5, 0.5):.2f}" height="{height:.1f}" fill="{_BAR}"/>'
        )
    return _svg(140, f"每周消息，最多 {most} 条", parts)


def _strips(played: Sequence[tuple[Book, Played]]) -> str:
    time = _Time(played)
    names = {target.id: target.name for book, _ in played for target in book.targets}
    stood = pd.concat([_stood(year) for _, year in played])
    shown = (
        stood["target"].value_counts(sort=False).sort_values(ascending=False, kind="stable").index[:_STRIPS].tolist()
    )
    # Of a country many stood for the same time.
    alike = stood.drop_duplicates().groupby("target")
    if not shown:
        return "<p>没有预警。</p>"
    height = 20 + _ROW * len(shown)
    parts = [*time.grid(height)]
    for row, key in enumerate(shown):
        y = 20 + _ROW * row
        parts.append(_text(_LEFT - 6, y + 12, names[key][:16], "end"))
        for since, until, level, owed in zip(
            *(alike.get_group(key)[name] for name in ("since", "until", "worst", "owed")), strict=True
        ):
            x, worst = time.x(since), Level(level)
            colour = COLOURS[Level.NOT_JUDGED if owed or worst <= Level.GREEN else worst]
            words = f"{names[key]} {since:%Y-%m-%d} 至 {until:%Y-%m-%d} {'催报' if owed else worst.text}"
            parts.append(
                f'<rect x="{x:.1f}" y="{y + 3}" width="{max(time.x(until) - x, 1):.1f}" height="{_ROW - 6}"'
                f' fill="{colour}" fill-opacity=".75"><title>{escape(words)}</title></rect>'
            )
    return _svg(height + 4, f"各目标预警的起止，共 {len(shown)} 项", parts)


def _stood(year: Played) -> pd.DataFrame:
    """The times at which alerts stood, with the target of each."""
    parts = []
    for number, panel in enumerate(year.watch.panels):
        target, _ = panel.block.names
        for kind in Kind:
            found = year.history.spells(number, kind)
            until = np.where(np.isnat(found.until), second(year.end), found.until)
            facts = {"target": target[found.row], "since": found.since, "until": until, "worst": found.worst}
            facts["owed"] = np.full(len(until), kind is Kind.DATA)
            parts.append(pd.DataFrame(facts))
    return pd.concat(parts).assign(
        **{name: lambda one, name=name: one[name].dt.tz_localize("UTC") for name in ("since", "until")}
    )


def _trade_off(trial: Trial) -> str:
    """False alarms against the days of warning, a dot a value."""
    points = [one for one in trial.points if one.lead_days is not None]
    if not points:
        return "<p>没有未达标的年份，提前天数无从比较。</p>"
    alarms, days = max(one.false_alarms for one in points) or 1, max(one.lead_days or 0 for one in points) or 1
    best = trial.named[0].value if trial.named else None
    right, bottom = _WIDTH - 60, 300
    parts = [
        f'<path d="M60 20V{bottom}H{right}" fill="none" stroke="{_INK}"/>',
        _text(60, 14, f"提前天数（上端 {days:g} 天）"),
        _text(54, bottom, "0", "end"),
        _text(60, bottom + 18, "0"),
        _text(right, bottom + 18, f"虚警（右端 {alarms} 项）", "end"),
    ]
    labels: dict[tuple[int, float | None], str] = {}
    for place, run in groupby(points, key=lambda one: (one.false_alarms, one.lead_days)):
        first, *more = [f"{one.value:g}" for one in run]
        words = f"{first}—{more[-1]}" if more else first
        labels[place] = f"{labels[place]}、{words}" if place in labels else words
    for one in points:
        x, y = 60 + (right - 60) * one.false_alarms / alarms, bottom - (bottom - 30) * (one.lead_days or 0) / days
        colour = COLOURS[Level.RED] if one.value == best else _BAR
        words = f"{trial.tried.says(one.value)}：虚警 {one.false_alarms} 项，漏报 {one.misses} 项，提前 {one.lead_days:g} 天"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"><title>{escape(words)}</title></circle>')
        if words := labels.pop((one.false_alarms, one.lead_days), ""):
            parts.append(_text(x + 7, y - 5, words))
    return _svg(bottom + 24, "虚警与提前天数的取舍", parts)
