"""Filing forms: made for a unit from books and store, taken back into the store, and answered with a receipt."""

import hashlib
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from sqlalchemy import Connection

from connectors.base import ConnectorError
from connectors.drop_folder import read
from connectors.filing_form import KIND, Form, Line
from connectors.filing_workbook import Filing, FilingWorkbook, filed
from connectors.observation import Refused
from connectors.period import period_end
from connectors.strict import near
from monitor import pipeline
from monitor.app import open_store
from monitor.force import InForce
from monitor.intake import receipts
from monitor.intake.filing_sheet import Receipt, workbook
from monitor.store import history
from monitor.store.database import reading
from monitor.wiring import Feed
from rules.calendar import Every, label, period_ends
from rules.document import Invalid
from rules.plausible import limits
from rules.target import Book, Measure, Target, quantity
from rules.unit import COUNTED

_MOST = 20 << 20
_SCOPES = {
    Measure.CUMULATIVE: "年初至今累计",
    Measure.LEVEL: "期末数",
    Measure.GOOD_DAYS: "年初至今累计天数",
    Measure.REDUCTION: "压降幅度",
    Measure.GROWTH: "公布的增速",
    Measure.SHARE: "占比",
    Measure.RANK: "位次",
    Measure.FLOOR: "期末数",
    Measure.CEILING: "期末数",
    Measure.CLASS: "类别",
    Measure.ZERO: "年初至今发生数",
    Measure.MILESTONE: "完成百分比",
}


class Made(NamedTuple):
    """A form that was written."""

    path: Path
    form: Form


@dataclass(frozen=True, slots=True)
class Taken:
    """A filing that went into the store: its form, what became of each row, and where the receipt was written."""

    form: Form
    receipt: Receipt
    path: Path

    @property
    def refused(self) -> list[str]:
        """What was not taken, one line each."""
        names = {line.key: f"{line.name}{line.subject}" for line in self.form.lines}
        rows = [f"{names[key]}：{mark.words}" for key, mark in self.receipt.marks.items() if mark.taken is False]
        return rows + [f"{words}：{reason}" for words, reason in self.receipt.strangers]


def make(force: InForce, unit: str, period: str, out: Path) -> list[Made]:
    """Write a form for every source of the books in force to which ``unit`` owes figures for ``period``. Raises Invalid."""
    try:
        end = period_end(period)
    except ValueError as error:
        raise Invalid([str(error)]) from None
    engine, clock = open_store(force.settings)
    with reading(engine) as connection:
        forms = [form for book in force.books for form in _forms(connection, book, unit, end, clock.now())]
    if not forms:
        raise Invalid([_nothing(force.books, unit, end)])
    made = []
    for form in forms:
        path = out / f"{_file_name(form, several=len(forms) > 1)}.xlsx"
        try:
            content = workbook(form)
        except ValueError as error:
            raise Invalid([str(error)]) from None
        _write(path, content, "")
        made.append(Made(path, form))
    return made


def take(force: InForce, file: Path, out: Path | None) -> Taken:
    """Put a returned form into the folder of its source, pull that at once, and write the receipt into ``out``.

    Without ``out`` the receipt lies beside the file. Raises Invalid where nothing of it can be taken.
    """
    try:
        data = read(file, _MOST).data
        filing = filed(data, file.name, _MOST)
    except ConnectorError as error:
        raise Invalid([error.detail]) from None
    feed = _feed(force, filing, file)
    connector = feed.connector
    assert isinstance(connector, FilingWorkbook)
    engine, clock = open_store(force.settings)
    kept = _put(connector, filing.form, data, file)
    at = clock.now()
    pulled = pipeline.pull(engine, feed, at, force.settings.archive)
    if pulled.failed:
        raise Invalid([f"{kept}: 已收存，但来源 {feed.source.key} 读取失败（{pulled.reason}）{pulled.detail}"])
    receipt = receipts.receipt(engine, feed, filing, kept.name, at)
    beside = out or (connector.receipts if file.parent.resolve() == connector.folder.resolve() else file.parent)
    path = receipts.place(beside, file)
    content = workbook(filing.form, receipt)
    for where in {path, receipts.place(connector.receipts, kept)}:
        _write(where, content, "填报表已收回，但回执")
    return Taken(filing.form, receipt, path)


def _forms(connection: Connection, book: Book, unit: str, end: date, at: datetime) -> Iterator[Form]:
    """One form per source of kind ``filing``.

    A target has a line if the unit is its reporter, it reads the source itself, and one of its periods ends on ``end``:
    the form of September asks for the month's figures and the third quarter's.
    """
    for source in book.sources.values():
        due = [
            target
            for target in book.targets
            if source.connector == KIND and target.source == source.name and unit in target.reporter
            if _due(book, target, end)
        ]
        if due:
            lines = tuple(_lines(connection, book, source.key, due, end, at))
            shown = label(Every.DAY if end not in _ends(book.year, Every.MONTH) else Every.MONTH, end)
            yield Form(book.id, book.title, source.key, unit, end.isoformat(), shown, lines)


def _due(book: Book, target: Target, end: date) -> bool:
    january = target.published.january_with_february and end.month == 1
    return end in _ends(book.year, target.every) and not january


def _ends(year: int, every: Every) -> set[date]:
    return set(period_ends(year, every).tolist())


def _lines(
    connection: Connection, book: Book, source: str, due: Sequence[Target], end: date, at: datetime
) -> Iterator[Line]:
    ids, units = receipts.series_of(connection, source, {target.series for target in due})
    earlier = {
        day
        for every in {target.every for target in due}
        for year in (book.year - 1, book.year)
        for day in _ends(year, every)
    }
    wanted = np.array(sorted(set(ids.values())), np.int64)
    last = history.nearest(connection, wanted, sorted(day for day in earlier if day < end), at)
    before = {
        int(series): (np.datetime64(int(day), "D").item(), float(value))
        for series, day, value in zip(last.series, last.period, last.value, strict=True)
    }
    for target in due:
        for subject in book.subjects:
            number = ids.get((target.series, subject), -1)
            # A series keeps the unit that it began with.
            unit = units.get(number) or target.goal.unit
            stated = before.get(number)
            same = unit == target.goal.unit
            least, most = limits(target) if same else (-math.inf, math.inf)
            yield Line(
                key=f"{target.id}/{subject}".rstrip("/"),
                series=target.series,
                subject=subject,
                name=target.name,
                unit=unit,
                scope=_scope(book, target, subject),
                last=f"{quantity(stated[1], unit)}（{label(target.every, stated[0])}）" if stated else "",
                least=least if math.isfinite(least) else None,
                most=most if math.isfinite(most) else None,
                whole=unit in COUNTED,
            )


def _scope(book: Book, target: Target, subject: str) -> str:
    goal = target.goal
    if book.goals is not None and target.id in book.goals.columns:
        goal = replace(goal, value=float(book.goals[target.id].loc[[subject]].to_numpy()[0]))
    kind = "当日数" if target.counts is not None else _SCOPES[target.measure]
    if target.measure is Measure.MILESTONE and goal.stages:
        kind = "已到阶段的序号（尚未到第一个的填 0）"
    period = "" if target.every is Every.MONTH else f"{_EVERY[target.every]}报，"
    return f"{period}{kind}；目标：{goal.text}"


_EVERY = {Every.DAY: "逐日", Every.QUARTER: "按季", Every.HALF: "按半年", Every.YEAR: "按年"}


def _nothing(books: Sequence[Book], unit: str, end: date) -> str:
    """Why there is no form, with what to look at."""
    targets = [target for book in books for target in book.targets if _by_form(book, target)]
    if not targets:
        named = "、".join(book.id for book in books)
        return f"{named}：没有目标由填报表报送 (no filing source)；请在册内写 sources: 来源名: {{connector: filing, path: in/*.xlsx}}"
    reporters = list(dict.fromkeys(name for target in targets for name in target.reporter))
    if unit not in reporters:
        return f"没有应由“{unit}”以填报表报送的目标 (unknown unit){near(unit, reporters)}；有: {'、'.join(reporters)}"
    years = "、".join(str(year) for year in sorted({book.year for book in books}))
    return f"“{unit}”没有在 {end} 结束的一期应报的目标 (nothing due)；请核对 --period，在册年度为 {years}"


def _by_form(book: Book, target: Target) -> bool:
    return target.source in book.sources and book.sources[target.source].connector == KIND


def _file_name(form: Form, *, several: bool) -> str:
    parts = ["填报表", form.unit, form.period[:7] if form.label.endswith("月") else form.period]
    parts += [form.source.replace("/", "-")] if several else []
    return re.sub(r'[\\/:*?"<>|\s]+', "_", "-".join(parts))


def _feed(force: InForce, filing: Filing, file: Path) -> Feed:
    form = filing.form
    feed = force.feeds.get(form.source)
    if filing.trouble:
        raise Invalid([f"{file}: {filing.trouble} ({Refused.WRONG_FORM})；{Refused.WRONG_FORM.cure}"])
    if feed is None or not isinstance(feed.connector, FilingWorkbook):
        known = "、".join(key for key, one in force.feeds.items() if isinstance(one.connector, FilingWorkbook)) or "无"
        whose = f"“{form.title}”（{form.book}）{form.unit}{form.label}的填报表"
        words = f"现行各册没有来源 {form.source} ({Refused.WRONG_FORM})；现有: {known}；{Refused.WRONG_FORM.cure}"
        raise Invalid([f"{file}: 这是{whose}，{words}"])
    return feed


def _write(path: Path, content: bytes, what: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        receipts.write(path, content)
    except OSError as error:
        raise Invalid([f"{path}: {what}无法写出 (cannot write): {error.strerror}；请检查文件夹及其写权限"]) from None


def _put(connector: FilingWorkbook, form: Form, data: bytes, file: Path) -> Path:
    """The file in the folder of its source, under a name of its own, as the latest there."""
    if file.parent.resolve() == connector.folder.resolve():
        place = file
    else:
        digest = hashlib.sha256(data).hexdigest()[:8]
        place = connector.folder / f"{_file_name(form, several=False)}-{digest}.xlsx"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if place != file:
            receipts.write(place, data)
        os.utime(place)
    except OSError as error:
        raise Invalid([f"{place}: 无法收存 (cannot keep): {error.strerror}；请检查文件夹的写权限"]) from None
    return place
