"""What was changed between two editions of books, in words. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from rules import edit, wording
from rules.judging import judge, verdict
from rules.panel import Panel
from rules.plan import compile_plan
from rules.target import Book, Target, number

_LISTED = 5


class Difference(NamedTuple):
    """A change of one target, or of the whole book (``target`` and ``name`` are "")."""

    book: str
    target: str
    name: str
    words: str


def differences(old: Sequence[Book], new: Sequence[Book]) -> Iterator[Difference]:
    """Every change that people can feel, book by book, in the order of the new one."""
    before, now = ({book.id: book for book in books} for books in (old, new))
    for name in (*now, *(gone for gone in before if gone not in now)):
        if name not in before or name not in now:
            title = (now.get(name) or before[name]).title
            yield Difference(name, "", "", f"{'新增' if name in now else '删去'}目标册《{title}》")
            continue
        yield from _of_book(before[name], now[name])


def _of_book(old: Book, new: Book) -> Iterator[Difference]:
    for said, was, now in _settings(old, new):
        if was != now:
            yield Difference(new.id, "", "", f"{said}由“{was or '未设'}”改为“{now or '未设'}”")
    yield from (
        Difference(new.id, "", "", f"改动记录：{one.at} {one.by}：{one.why}")
        for one in new.history
        if one not in old.history
    )
    before, after = _rules(old), _rules(new)
    olds, news = ({target.id: target for target in book.targets} for book in (old, new))
    for key, target in news.items():
        if key not in olds:
            yield Difference(new.id, key, target.name, f"新增，{target.goal.text}，牵头单位{'、'.join(target.lead)}")
            continue
        by_table = old.goals is not None and new.goals is not None and olds[key].goal == target.goal
        for found in edit.edits(before[key], after[key]):
            if not (by_table and found.label == "年度目标"):  # that of one subject; the table's are told by name
                yield Difference(new.id, key, target.name, found.text)
        for words in _words(olds[key], target):
            yield Difference(new.id, key, target.name, words)
        yield from (Difference(new.id, key, target.name, words) for words in _of_subjects(old, new, key))
    for key, target in olds.items():
        if key not in news:
            yield Difference(new.id, key, target.name, "删去，已有的预警将撤销")


def _settings(old: Book, new: Book) -> Iterator[tuple[str, str, str]]:
    yield "标题", old.title, new.title
    yield "年份", str(old.year), str(new.year)
    yield "时区", old.timezone, new.timezone
    yield "督办部门", old.supervisor, new.supervisor
    for said, days, others in (
        ("放假日", old.workdays.holidays, new.workdays.holidays),
        ("上班日", old.workdays.workdays, new.workdays.workdays),
    ):
        yield said, "、".join(map(str, days)), "、".join(map(str, others))
    for name in dict.fromkeys((*old.sources, *new.sources)):
        was, now = (book.sources.get(name) for book in (old, new))
        yield f"来源 {name} 的种类", was.connector if was else "", now.connector if now else ""
        yield f"来源 {name} 的拉取时间", was.schedule.said if was else "", now.schedule.said if now else ""
        yield f"来源 {name} 的标注", was.mark if was else "", now.mark if now else ""
        for key in sorted((was.options.keys() if was else set()) | (now.options.keys() if now else set())):
            first, second = (str(one.options.get(key, "")) if one else "" for one in (was, now))
            yield f"来源 {name} 的 {key}", first, second
    for one in dict.fromkeys(item.series for item in (*old.derived, *new.derived)):
        was_of, now_of = ({item.series: item.formula.text for item in book.derived} for book in (old, new))
        yield f"推算序列 {one} 的公式", was_of.get(one, ""), now_of.get(one, "")


def _words(was: Target, now: Target) -> Iterator[str]:
    """What the rule in words does not tell."""
    for said, one, other in (
        ("名称", was.name, now.name),
        ("频次", was.every.text, now.every.text),
        ("报送时限", wording.publication(was.published, was), wording.publication(now.published, now)),
        ("牵头单位", "、".join(was.lead), "、".join(now.lead)),
        ("责任单位", "、".join(was.responsible), "、".join(now.responsible)),
        ("报送单位", "、".join(was.reporter), "、".join(now.reporter)),
        ("标签", "、".join(was.labels), "、".join(now.labels)),
    ):
        # The reporter is the lead unless the book says otherwise: told once.
        follows = said == "报送单位" and (was.reporter, now.reporter) == (was.lead, now.lead)
        if one != other and not follows:
            yield f"{said}由“{one or '未设'}”改为“{other or '未设'}”"


def _of_subjects(old: Book, new: Book, target: str) -> Iterator[str]:
    """Goals that single subjects have, where there is a table of them."""
    if old.goals is None or new.goals is None:
        if (old.goals is None) != (new.goals is None):
            yield f"{'改为' if old.goals is None else '不再'}逐个对象设定目标"
        return
    was, now = ({str(name): float(value) for name, value in goals[target].items()} for goals in (old.goals, new.goals))
    changed = [
        f"{subject} {_number(was, subject)}→{_number(now, subject)}"
        for subject in dict.fromkeys((*was, *now))
        if _number(was, subject) != _number(now, subject)
    ]
    if changed:
        more = f"等 {len(changed)} 个对象" if len(changed) > _LISTED else ""
        yield f"对象表的目标：{'、'.join(changed[:_LISTED])}{more}"


def _number(goals: Mapping[str, float], subject: str) -> str:
    value = goals.get(subject, np.nan)
    return "未定" if np.isnan(value) else number(value)


def _rules(book: Book) -> dict[str, str]:
    """The rule of each target in words, as the verdict of New Year's Day on no figure has it."""
    found = {}
    for block in compile_plan([book]):
        panel = Panel(block)
        nothing = judge(panel, date(book.year, 1, 1))
        for index, target in enumerate(block.targets):
            row = int(block.first_row[index])
            found[target.id] = edit.of_pace(verdict(panel, nothing, row, row))
    return found
