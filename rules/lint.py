"""What is written correctly and still cannot be meant: findings with a stable code, a place and a cure. Pure.

A comment switches findings off: ``# duban: off D103`` behind a line for what is found there, behind the first line of a
target (level, source) for all of it, on an indented line of its own for the next line, and at the very left of a line
for the whole file.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np

from connectors.strict import near
from rules import formula, inherited, phrase
from rules.calendar import Days, Publication, period_ends
from rules.derived import DERIVED
from rules.document import Document
from rules.inherited import LEVELS, Site
from rules.lint_levels import unsound
from rules.loader import Written
from rules.plan import beyond_calendar
from rules.target import AT_MOST, PROGRESS, SUMS, Book, Measure, Op, Source, Target, number
from rules.unit import KNOWN, conversion

CODES = {
    "D100": "停用注释中的代码不存在",
    "D101": "年份与本册不同",
    "D102": "原目标或调整后的目标从未生效",
    "D103": "阈值永远达不到",
    "D104": "按计划完成也达到阈值",
    "D105": "红色比黄色宽",
    "D106": "重写了本来就会继承的值",
    "D107": "册一级的设置没有目标用到",
    "D108": "序列没有来源提供",
    "D109": "来源没有目标读取",
    "D110": "数据总是逾期",
    "D111": "计量单位不一致",
    "D112": "数值或方向与原话不同",
    "D113": "各分项之和与总目标不符",
    "D114": "阈值小于往年波动",
    "D115": "放假安排未知",
    "D116": "两个目标无法区分",
    "D117": "无人接收",
    "D118": "机构文件不完整",
}
"""Every finding there is. A code never changes its meaning."""


class Finding(NamedTuple):
    """``place`` is ``file:line``; ``words`` say what is doubtful and how to mend it."""

    code: str
    place: str
    words: str

    @property
    def line(self) -> str:
        return f"{self.place}: {self.words} [{self.code}]"


def findings(book: Book, written: Written, more: Iterable[Finding] = ()) -> list[Finding]:
    """All that is doubtful in a book, and ``more``, by place, but for what the book's comments switch off."""
    sites = list(inherited.sites(book, written))
    found = [
        *_other_years(book, written, sites),
        *_changes_without_effect(book, sites),
        *(Finding(code, place, words) for code, place, words in unsound(book, written, sites)),
        *_repeated(written, sites),
        *_used_by_nobody(written, sites),
        *_without_source(book, written, sites),
        *_always_late(book, sites),
        *_unlike_the_words(book, sites),
        *_sums(book, sites),
        *_beyond_calendar(book, written),
        *_twins(sites),
        *more,
    ]
    return _kept(found, written)


def _other_years(book: Book, written: Written, sites: Sequence[Site]) -> Iterator[Finding]:
    named = {int(year) for year in re.findall(r"(20\d\d)年", book.title)}
    if named and book.year not in named:
        words = f"标题所写的年份与 year: {book.year} 不同 (other year)；请核对是否沿用了往年的文本"
        yield Finding("D101", written.place("title"), words)
    for site in sites:
        for text in (site.spec.name, site.spec.words):
            past = [int(year) for year in re.findall(r"(20\d\d)年?(?:\d{1,2}月)?[底末]?前", text)]
            if past and max(past) < book.year:
                words = f"“{text}”所写的时限早于 {book.year} 年 (other year)；请核对是否沿用了往年的文本"
                yield Finding("D101", site.place("words" if text == site.spec.words else "name"), words)
    for key in ("holidays", "workdays"):
        for day in written[key] or ():
            if day.year not in (book.year, book.year + 1):
                words = f"{key}: {day} 不在 {book.year} 年及次年之内，不起作用 (other year)"
                yield Finding("D101", written.place(key), words)


def _changes_without_effect(book: Book, sites: Sequence[Site]) -> Iterator[Finding]:
    for site in sites:
        ends = period_ends(book.year, site.target.every)
        for before, change in enumerate(site.target.changes):
            gone = int(np.searchsorted(ends, np.datetime64(change.since)))
            earlier = site.target.changes[before - 1].since if before else date(book.year, 1, 1)
            if gone == int(np.searchsorted(ends, np.datetime64(earlier))) and (before or gone == 0):
                words = f"自 {change.since} 起的目标生效之前没有一期结束，原目标从未生效 (no effect)；请直接改 goal"
                yield Finding("D102", site.place("changes"), words)
            if gone == len(ends):
                words = f"自 {change.since} 起的目标生效之后没有一期结束，从未生效 (no effect)；请核对日期"
                yield Finding("D102", site.place("changes"), words)


def _repeated(written: Written, sites: Sequence[Site]) -> Iterator[Finding]:
    for site in sites:
        for place, above in inherited.repeated(site, written):
            words = f"与 {_short(above)} 所写的相同，不写也会继承 (repeats inherited)；请删去，以免日后只改一处"
            yield Finding("D106", place, words)


def _used_by_nobody(written: Written, sites: Sequence[Site]) -> Iterator[Finding]:
    """What a book says for many targets, and none of them has, since each is told otherwise more specifically."""
    used = {pair for site in sites for pair in inherited.origins(site, written).items()}
    told = Counter(loc for site in sites for _, loc in inherited.layers(site.target.measure, written))
    wide: dict[tuple[str, ...], Any] = {
        ("measures", measure): layer for measure, layer in (written["measures"] or {}).items()
    }
    wide |= {("levels",): written["levels"]} if written["levels"] is not None else {}
    for loc, layer in wide.items():
        if not told[loc]:
            kinds = "、".join(sorted(PROGRESS)) if loc == ("levels",) else loc[-1]
            yield Finding("D107", written.place(*loc), f"册内没有 {kinds} 类的目标，此项不起作用 (unused)；请删去")
            continue
        for key, word in LEVELS.items():
            if getattr(layer, key) is not None and (key, written.place(*loc, word)) not in used:
                yield Finding("D107", written.place(*loc, word), f"{word}: {_HIDDEN}")
    for key in ("every", "published", "source"):
        if sites and written[key] is not None and (key, written.place(key)) not in used:
            yield Finding("D107", written.place(key), f"{key}: {_HIDDEN}")


_HIDDEN = "用得到此项的目标都另有所写，此项不起作用 (hidden override)；请删去，或删去各目标所写的"


def _without_source(book: Book, written: Written, sites: Sequence[Site]) -> Iterator[Finding]:
    lonely = sum(site.target.source is None and site.target.goal.by is None for site in sites)
    at_all = bool(book.sources) or lonely < 2
    if not at_all:
        words = f"册内还没有来源，{lonely} 个目标都不会有数据 (no source)；请写 sources，并在册上写 source"
        yield Finding("D108", written.place("book"), words)
    for site in sites:
        target = site.target
        if at_all and target.source is None and target.goal.by is None:
            words = f"{target.name} 没有写来源 source，不会有数据 (no source)；请写 source，或在册上写 source"
            yield Finding("D108", site.place(), words)
        for read in sorted(book.roots(target.reads)):
            names = _stated_series(book.sources.get(read.source))
            if names and read.series not in names:
                words = f"来源 {read.source} 只提供 {'、'.join(sorted(names))}，没有 '{read.series}' (no such series){near(read.series, names)}"
                yield Finding("D108", site.place("source"), words)
    for name in book.sources:
        if not book.read_from(name):
            words = f"没有目标读取来源 '{name}' (unused source)；请删去，或在目标中写 source: {name}"
            yield Finding("D109", written.place("sources", name), words)


_STATED = ("columns", "fields", "labels", "dimensions", "across", "above")


def _stated_series(source: Source | None) -> set[str]:
    """The only series that a source can state, where its options say so; empty where that is not known."""
    if source is None or "to_date" in source.options:
        return set()
    told = (source.options.get(key) for key in _STATED)
    if any("series" in one for one in told if isinstance(one, dict | list)):
        return set()
    constant, values = source.options.get("series"), source.options.get("values")
    if isinstance(values, dict):
        said = [one if isinstance(one, str) else one.get("series", constant) for one in values.values()]
        return {name for name in said if isinstance(name, str)}
    return {constant} if isinstance(constant, str) else set()


def _always_late(book: Book, sites: Sequence[Site]) -> Iterator[Finding]:
    for site in sites:
        target = site.target
        source = book.sources.get(target.source or "")
        if source is None or target.goal.by is not None:
            continue
        ends = period_ends(book.year, target.every)
        due = target.published.due(ends, book.workdays)
        known = _known(source, ends, book)
        if known is not None and (known > due).all():
            words = (
                f"来源 {source.name} 写明 known: {source.options['known']}，每期都晚于报送时限 {target.published.text}"
                " (always late)；请改 published，或核对 known"
            )
            yield Finding("D110", site.place("published"), words)
        elif source.schedule.at is not None and not _asked_in_time(source, ends, due, book):
            words = f"来源 {source.name} 的拉取时间 {source.schedule.text} 每期都在报送时限 {target.published.text} 之后 (always late)"
            yield Finding("D110", site.place("published"), words)


def _known(source: Source, ends: Days, book: Book) -> Days | None:
    """When a source says that each period's figure became known, where it counts from the period's end."""
    try:
        rule: Publication = phrase.published(str(source.options.get("known", "")))
    except ValueError:
        return None
    return None if rule.dates else rule.due(ends, book.workdays)


def _asked_in_time(
    source: Source,
    ends: Days,
    due: Days,
    book: Book,
) -> bool:
    """Whether the source is asked between the end of any period and its due day."""
    spans = zip(ends.tolist(), due.tolist(), strict=True)
    return any(
        source.schedule.includes(first + timedelta(days=n), book.workdays)
        for first, last in spans
        for n in range(1, (last - first).days + 1)
    )


_AMOUNT = re.compile(rf"(\d+(?:\.\d+)?)\s*({'|'.join(sorted(map(re.escape, KNOWN), key=len, reverse=True))})")


_FLOOR = re.compile(r"\d\S{0,5}?以上|突破|不低于|不少于|超过?\d")
_CEILING = re.compile(r"\d\S{0,5}?以[内下]|控制在|不超过|不高于")


def _unlike_the_words(book: Book, sites: Sequence[Site]) -> Iterator[Finding]:
    """The goal against the words of the plan it was read from, and its unit against that of its source."""
    for site in sites:
        target, goal = site.target, site.target.goal
        said = [(float(value), unit) for value, unit in _AMOUNT.findall(target.words)]
        own = [one for one in (goal.value, goal.upper) if one is not None]
        same = [(value, unit, found) for value, unit in said if (found := conversion(unit, goal.unit)) is not None]
        if (
            goal.unit
            and goal.unit not in ("类", "位")
            and not any(
                abs(value * found[0] + found[1] - mine) < 1e-6 * max(abs(mine), 1)
                for value, _, found in same
                for mine in own
            )
        ):
            if other := [f"{number(value)}{unit}" for value, unit in said if value in own and unit != goal.unit]:
                words = f"目标以{goal.unit}计，原话为“{other[0]}” (unit mismatch)；请核对计量单位"
                yield Finding("D111", site.place("goal"), words)
            elif same and not goal.nodes and not np.isnan(goal.value):
                written = "、".join(f"{number(value)}{unit}" for value, unit, _ in same)
                words = f"目标为 {goal.text}，原话中是“{written}” (not the words)；请核对数值"
                yield Finding("D112", site.place("goal"), words)
        floor, ceiling = _FLOOR.search(target.words), _CEILING.search(target.words)
        turned = floor if goal.op in AT_MOST else ceiling if goal.op in (Op.AT_LEAST, Op.MORE_THAN) else None
        if turned and not (floor and ceiling) and _of_goal(turned[0], own):
            words = f"目标为 {goal.text}，原话为“{turned[0]}” (other direction)；请核对方向"
            yield Finding("D112", site.place("goal"), words)
        source = book.sources.get(target.source or "")
        unit = source.options.get("unit") if source is not None else None
        if isinstance(unit, str) and unit in KNOWN and target.counts is None and conversion(unit, goal.unit) is None:
            words = f"来源 {source.name if source else ''} 的数以{unit}计，不能换算为目标的{goal.unit} (unit mismatch)；数据将全部拒收"
            yield Finding("D111", site.place("goal"), words)


def _of_goal(said: str, own: Sequence[float]) -> bool:
    """Whether a direction is that of the goal's number: ``3岁以下`` of 4.6 places for the young says nothing of it."""
    figure = re.search(r"\d+(?:\.\d+)?", said)
    return figure is None or any(number(mine).endswith(figure[0]) for mine in own)


def _sums(book: Book, sites: Sequence[Site]) -> Iterator[Finding]:
    """A total whose parts, each fulfilled, do not make it: by a formula that adds series, or by the table of subjects."""
    by_series = {site.target.reads: site.target for site in sites}
    for site in sites:
        target = site.target
        if np.isnan(target.goal.value):
            continue
        one = next((one for one in book.derived if target.reads == (DERIVED, one.series)), None)
        if one is not None and formula.adds_up(one.formula):
            parts = [by_series.get(read) for read in one.inputs]
            if all(part is not None and part.goal.op is target.goal.op for part in parts):
                goals = [_read_in(part, target) for part in parts if part is not None]
                yield from _short_of(site, sum(goals), f"公式 {one.formula.text} 的各分项目标")
        if book.goals is not None and target.measure in SUMS and book.goals[target.id].notna().all():
            own = book.goals[target.id]
            if (own != target.goal.value).any():
                yield from _short_of(site, float(own.sum()), f"{len(own)} 个对象的目标")


def _read_in(part: Target, whole: Target) -> float:
    found = conversion(part.goal.unit, whole.goal.unit)
    return np.nan if found is None else part.goal.value * found[0] + found[1]


def _short_of(site: Site, total: float, what: str) -> Iterator[Finding]:
    goal = site.target.goal
    slack = 1e-9 * max(abs(goal.value), 1.0)
    short = total < goal.value - slack if goal.op in (Op.AT_LEAST, Op.MORE_THAN) else total > goal.value + slack
    if goal.op in (Op.AT_LEAST, Op.MORE_THAN, Op.AT_MOST, Op.LESS_THAN) and short:
        words = f"{what}合计{number(total)}{goal.unit}，不足以实现总目标{goal.text} (does not add up)；请核对各分项"
        yield Finding("D113", site.place("goal"), words)


def _beyond_calendar(book: Book, written: Written) -> Iterator[Finding]:
    if found := beyond_calendar(book):
        words = (
            f"{book.id}: {len(found)} 个目标的报送期限晚于 {book.workdays.known_until}，其后放假安排未知，暂按周末推算"
            " (workdays unknown)；放假通知公布后，请在册内写 holidays: 和 workdays:"
        )
        yield Finding("D115", written.place("year"), words)


def _twins(sites: Sequence[Site]) -> Iterator[Finding]:
    names: dict[str, Site] = {}
    reads: dict[tuple[object, ...], Site] = {}
    for site in sites:
        target = site.target
        same = names.setdefault(target.name, site)
        if same is not site:
            words = f"名称与 {_short(same.place())} 的 {same.target.id} 相同，消息中无法区分 (same name)；请改名"
            yield Finding("D116", site.place("name"), words)
        if target.source is None or target.measure is Measure.MILESTONE:
            continue
        asked = (*target.reads, target.measure, target.counts, target.every, target.goal.op, target.goal.value)
        twin = reads.setdefault(asked, site)
        if twin is not site and twin is not same:
            words = f"与 {_short(twin.place())} 的 {twin.target.id} 读同一序列、目标也相同 (same target)；同一事项将告警两次"
            yield Finding("D116", site.place(), words)


def _short(place: str) -> str:
    """The place without its folder."""
    return place.rpartition("/")[2]


_OFF = re.compile(r"#\s*duban:\s*off\s+([A-Z]\d{3}(?:[\s,，、]+[A-Z]\d{3})*)")


def _kept(found: Iterable[Finding], written: Written) -> list[Finding]:
    """Those that no comment of the book switches off, by place."""
    off: dict[str, list[tuple[int, int, frozenset[str]]]] = defaultdict(list)
    known = list(found)
    for document, _ in written.parts:
        for line, first, last, codes in _switches(document):
            off[str(document.path)].append((first, last, codes))
            wrong = sorted(codes - CODES.keys())
            known += [
                Finding("D100", f"{document.path}:{line}", f"没有 {code} 这一项检查 (unknown code)") for code in wrong
            ]

    def stays(finding: Finding) -> bool:
        path, _, line = finding.place.rpartition(":")
        return not line.isdecimal() or not any(
            first <= int(line) <= last and finding.code in codes for first, last, codes in off[path]
        )

    return sorted({finding for finding in known if stays(finding)}, key=_by_place)


def _by_place(finding: Finding) -> tuple[str, int, str]:
    path, _, line = finding.place.rpartition(":")
    return (path, int(line), finding.code) if line.isdecimal() else (finding.place, 0, finding.code)


def _switches(document: Document) -> Iterator[tuple[int, int, int, frozenset[str]]]:
    """Line of a comment, the first and last line it is for, and what it switches off."""
    try:
        lines = document.path.read_text(encoding="utf-8").splitlines()
    except OSError:  # gone since it was read
        return
    starts = sorted(_starts(document))
    for line, text in enumerate(lines, start=1):
        if not (said := _OFF.search(text)):
            continue
        codes = frozenset(re.findall(r"[A-Z]\d{3}", said[1]))
        if text.startswith("#"):
            yield line, 1, len(lines), codes
            continue
        first = line + 1 if text.lstrip().startswith("#") else line
        last = next((start for start in starts if start > first), len(lines) + 1) - 1 if first in starts else first
        yield line, first, last, codes


def _starts(document: Document) -> Iterator[int]:
    """First lines of all keys at the top, and of the entries under each."""
    yield from document.starts()
    for key in document.node:
        yield from document.starts(key)
