"""From a book's folder to a Book, all or nothing: one error anywhere in it and nothing of it is in force."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from connectors.strict import near
from rules import defaults, leaning
from rules.calendar import Every, Publication, Workdays
from rules.derived import DERIVED, Derived
from rules.document import Document, Invalid
from rules.spec import BookFile, DerivedSpec, HistorySpec, ItemSpec, LevelsSpec, TargetSpec
from rules.target import Against, Book, Goal, Import, Item, Measure, Op, Source, Target

if TYPE_CHECKING:
    import pandas as pd

_LISTS = ("items", "targets", "derived", "history")
_REQUIRED = ("book", "title", "year")
_OF_LEVELS = ("yellow", "red", "clear")
_NUMBER = r"-?[0-9]+(\.[0-9]+)?"
_AT_DEADLINE = Publication("0 days after period", days=0)


class Library(NamedTuple):
    """The books that are right, and everything that is wrong with the others."""

    books: tuple[Book, ...]
    errors: tuple[str, ...]


def load_books(folder: Path) -> Library:
    """Every book under ``folder``, one sub-folder each. A book with an error is left out whole; the others go on."""
    folders = sorted({path.parent for path in folder.glob("*/*.yaml")})
    if not folders:
        return Library((), (f"{folder}: 没有目标册 (no books); 每册一个子目录，内放 *.yaml",))
    books: dict[str, Book] = {}
    errors: list[str] = []
    for path in folders:
        try:
            book = load_book(path)
        except Invalid as found:
            errors.extend(found.errors)
            continue
        if book.id in books:
            errors.append(f"{path}: 册号 '{book.id}' 与 {books[book.id].folder} 重复 (duplicate book)")
        else:
            books[book.id] = book
    return Library(tuple(books.values()), tuple(errors))


def load_book(folder: Path) -> Book:
    """The book in ``folder``. Raises Invalid with every error found, each as ``file:line: 说明``."""
    return made(read(folder))


def made(written: "Written") -> Book:
    """The book that is written so. Raises Invalid with every error found."""
    folder = written.folder
    items = _items(written)
    sources = _sources(written)
    default = written["source"].connector if written["source"] else None
    derived = leaning.derived_series(written.derived, sources, default, written["every"], written.errors)
    targets = _targets(written, items, sources, default, derived)
    targets += _tasks(written, items, targets)
    targets.sort(key=lambda target: target.item or 0)  # in the plan's own order
    if not targets:
        written.errors.append(f"{folder}: 册内没有目标 (no targets); 请写 targets: 或 items:")
    subjects, goals = _subjects(written, folder, targets)
    workdays = _workdays(written)
    if written.errors:
        raise Invalid(list(dict.fromkeys(written.errors)))  # what many targets inherit is wrong once
    return Book(
        id=written["book"],
        title=written["title"],
        year=written["year"],
        timezone=str(written["timezone"] or "Asia/Shanghai"),
        supervisor=written["supervisor"] or "督查办",
        folder=folder,
        items=tuple(items.values()),
        targets=tuple(targets),
        sources=sources,
        subjects=subjects,
        goals=goals,
        workdays=workdays,
        derived=tuple(derived.values()),
        history=tuple(Import(one.at, one.by, one.why, one.changed) for one in written.history),
    )


class Written(Struct):
    """All files of a book put together: each single key once, the lists joined, every place remembered.

    ``parts`` are the files one by one, ``instead`` are texts that are to stand in some of them.
    """

    folder: Path
    parts: list[tuple[Document, BookFile]] = []
    single: dict[str, Any] = {}
    places: dict[str, Document] = {}
    items: list[tuple[ItemSpec, str]] = []
    targets: list[tuple[TargetSpec, str]] = []
    derived: list[tuple[DerivedSpec, str]] = []
    history: list[HistorySpec] = []
    instead: Mapping[Path, str] = {}
    errors: list[str] = []

    def __getitem__(self, key: str) -> Any:
        return self.single.get(key)

    def place(self, key: str, *loc: str) -> str:
        return self.places[key].place(key, *loc)

    def key_of(self, target: int, key: str) -> str:
        """Where the key of a target is written: its own, the book's that it inherits, or else where the target begins."""
        document, number = [(one, n) for one, part in self.parts for n in range(len(part.targets))][target]
        if key in self.places and key not in document.node["targets"][number]:
            return self.place(key)
        return document.place("targets", number, *(("levels", key) if key in _OF_LEVELS else (key,)))


def read(folder: Path, instead: Mapping[Path, str] | None = None) -> Written:
    """What is written in ``folder``, each part well-formed by itself, with ``instead`` in place of files. Raises Invalid."""
    written = Written(folder, instead=instead or {})
    for path in sorted({*folder.glob("*.yaml"), *(path for path in written.instead if path.suffix == ".yaml")}):
        try:
            document = Document(path, written.instead.get(path))
            part = _part(document)
        except Invalid as found:
            written.errors.extend(found.errors)
            continue
        written.parts.append((document, part))
        written.items += [(item, document.place("items", i)) for i, item in enumerate(part.items)]
        written.targets += [(target, document.place("targets", i)) for i, target in enumerate(part.targets)]
        written.derived += [(one, document.place("derived", i)) for i, one in enumerate(part.derived)]
        written.history += part.history
        for key in [key for key in document.node if key not in _LISTS]:
            if key in written.single:
                first = written.place(key)
                written.errors.append(
                    f"{document.place(key)}: 键 '{key}' 已写在 {first} (duplicate key); 一册只能写一次"
                )
            written.single[key] = getattr(part, key)
            written.places[key] = document
    if written.errors:
        # A file that does not parse leaves holes that would only produce errors about errors.
        raise Invalid(written.errors)
    missing = [key for key in _REQUIRED if written[key] is None]
    if missing:
        raise Invalid([f"{folder}: 缺少必填项 {'、'.join(missing)} (missing key)"])
    return written


def _part(document: Document) -> BookFile:
    if "cases" in document.node:
        place = document.place("cases")
        raise Invalid([f"{place}: 这是测试，不是目标册 (case file)；请移到册的文件夹之下的 tests 文件夹"])
    return document.parse(BookFile)


def _items(written: Written) -> dict[int, Item]:
    items: dict[int, Item] = {}
    for spec, place in written.items:
        if spec.item in items:
            written.errors.append(f"{place}: 第 {spec.item} 项重复 (duplicate item)")
        if not spec.lead:
            written.errors.append(f"{place}: 第 {spec.item} 项缺少牵头单位 lead (missing key)")
        items[spec.item] = Item(spec.item, spec.section, spec.text, spec.lead, spec.responsible)
    return items


def _sources(written: Written) -> dict[str, Source]:
    if DERIVED in (written["sources"] or {}):
        place = written.place("sources", DERIVED)
        written.errors.append(f"{place}: '{DERIVED}' 是推算序列的专名，来源请另取名称 (reserved name)")
    return {
        name: Source(
            book=written["book"],
            name=name,
            connector=spec.connector,
            schedule=spec.schedule,
            mark=spec.mark,
            options=spec.options,
            place=written.place("sources", name),
        )
        for name, spec in (written["sources"] or {}).items()
    }


def _workdays(written: Written) -> Workdays:
    workdays = Workdays(written["holidays"] or (), written["workdays"] or ())
    written.errors += [
        f"{written.place('workdays')}: {day} 既是 holidays 又是 workdays (both off and worked)；只能写在一处"
        for day in workdays.workdays
        if day in workdays.holidays
    ]
    return workdays


def _targets(
    written: Written,
    items: dict[int, Item],
    sources: dict[str, Source],
    default: str | None,
    derived: dict[str, Derived],
) -> list[Target]:
    targets: dict[str, Target] = {}
    for number, (spec, place) in enumerate(written.targets):
        target = _target(spec, place, written, items.get(spec.item or 0))
        target, wrong_goals = leaning.with_goals(target, spec, written["year"], sources, default, derived)
        problems = defaults.objections(target.measure, target.every, target.goal, target.expect, target.levels)
        if spec.id in targets:
            problems.append(f"目标编号 '{spec.id}' 与 {targets[spec.id].place} 重复 (duplicate id)")
        if items and spec.item is not None and spec.item not in items:
            problems.append(f"item: 册内没有第 {spec.item} 项 (unknown item)")
        if spec.words and spec.item in items and spec.words not in items[spec.item].text:
            problems.append(f"words: 第 {spec.item} 项原文中没有“{spec.words}” (words not found)")
        if not target.lead:
            problems.append("缺少牵头单位 lead (missing key); 写在目标或其所属事项上")
        problems += wrong_goals
        if target.source == DERIVED:
            problems += leaning.wrongly_derived(target, target.reads, derived)
        elif target.source is not None and target.source not in sources:
            problems.append(f"source: 没有名为 '{target.source}' 的来源 (unknown source){near(target.source, sources)}")
        if _against_peers(target) and written["subjects"] is None:
            problems.append("levels: behind average 只用于有对象表 subjects 的册 (peers)")
        problems += _wrong_in_time(target, written["year"])
        written.errors += [f"{written.key_of(number, problem.partition(':')[0])}: {problem}" for problem in problems]
        targets[spec.id] = target
    return list(targets.values())


def _wrong_in_time(target: Target, year: int) -> list[str]:
    """What does not fit the year of the book or the frequency of the figures."""
    found = []
    if wrong := target.published.objection(year, target.every):
        found.append(f"published: {wrong}")
    if target.counts is not None and target.measure is not Measure.GOOD_DAYS:
        found.append("counts: 只用于 measure: good-days (counts)")
    if target.counts is not None and target.every is not Every.DAY:
        found.append("counts: 逐日计数应写 every: day (counts)")
    days = (target.goal.by, *(day for day, _ in target.expect.points))
    return found + [f"日期 {day} 不在 {year} 年内 (wrong year)" for day in days if day is not None and day.year != year]


def _target(spec: TargetSpec, place: str, written: Written, item: Item | None) -> Target:
    ref = spec.source or written["source"]
    goal = defaults.stated(spec.measure, spec.goal)
    milestone = goal.by is not None
    every = spec.every or (Every.YEAR if milestone else written["every"]) or Every.MONTH
    by_measure = (written["measures"] or {}).get(spec.measure)
    lead = spec.lead or (item.lead if item else ())
    return Target(
        book=written["book"],
        id=spec.id,
        item=spec.item,
        name=spec.name,
        words=spec.words,
        lead=lead,
        responsible=spec.responsible or (item.responsible if item else ()),
        reporter=spec.reporter or lead,
        goal=goal,
        measure=spec.measure,
        every=every,
        published=spec.published
        or (_AT_DEADLINE if milestone else written["published"])
        or Publication("15 workdays after period", workdays=15),
        expect=spec.expect or defaults.expect(spec.measure, goal),
        levels=defaults.levels(spec.measure, spec.levels, by_measure, written["levels"]),
        source=ref.connector if ref else None,
        series=(ref.series if ref else None) or spec.name,
        counts=float(spec.counts.removeprefix("at most ")) if spec.counts else None,
        place=place,
        labels=spec.labels,
    )


def _against_peers(target: Target) -> bool:
    return any(level.against is Against.AVERAGE for level in (*target.levels.yellow, *target.levels.red))


def _tasks(written: Written, items: dict[int, Item], targets: Iterable[Target]) -> list[Target]:
    """Items without a number of their own stay in view as tasks that must be done by the end of the year."""
    measured = {target.item for target in targets}
    goal = Goal(Op.AT_LEAST, 100.0, "%", by=date(written["year"], 12, 31))
    return [
        Target(
            book=written["book"],
            id=f"task-{item.item:02d}",
            item=item.item,
            name=re.split(r"[，,。；;]", item.text)[0],
            words="",
            lead=item.lead,
            responsible=item.responsible,
            reporter=item.lead,
            goal=goal,
            measure=Measure.MILESTONE,
            every=Every.YEAR,
            published=_AT_DEADLINE,
            expect=defaults.expect(Measure.MILESTONE, goal),
            levels=defaults.levels(Measure.MILESTONE, LevelsSpec(), None, None),
            source=None,
            series="",
            counts=None,
            place=str(written.folder),
        )
        for item in items.values()
        if item.item not in measured
    ]


def _subjects(written: Written, folder: Path, targets: list[Target]) -> "tuple[tuple[str, ...], pd.DataFrame | None]":
    """Goals per subject from the table ``subjects:`` names; its columns are subject, target, goal (target's unit)."""
    if written["subjects"] is None:
        return ("",), None
    import pandas as pd  # a book about one place does without, and is read in a third of the time

    place, path = written.place("subjects"), folder / written["subjects"]
    try:
        file = StringIO(written.instead[path]) if path in written.instead else path
        table = pd.read_csv(file, dtype="str", keep_default_na=False, skip_blank_lines=False).fillna("")
    except (OSError, ValueError) as error:
        written.errors.append(f"{place}: 读不了对象表 {path} (subjects): {error}")
        return ("",), None
    columns = ["subject", "target", "goal"]
    problems = [f"{path}:1: 缺少列 {name} (missing column)" for name in columns if name not in table.columns]
    if "from" in table.columns:
        problems.append(f"{path}:1: 对象表不能写 from 列 (changed goal)；年中调整目标请写在目标的 changes 中")
    if not problems:
        table = table[(table != "").any(axis=1)]
        problems = _wrong_cells(table, path, {target.id: target for target in targets})
    if table.empty and not problems:
        problems = [f"{path}:1: 对象表没有数据行 (empty table)"]
    if problems:
        written.errors += problems
        return ("",), None
    goals = table.assign(goal=pd.to_numeric(table["goal"])).pivot(index="subject", columns="target", values="goal")
    goals = goals.loc[table["subject"].unique()]  # as the table has them: places have an order of their own
    for target in targets:
        if target.id not in goals:
            # A target that the table does not name has one goal for all.
            goals[target.id] = target.goal.value
    return tuple(goals.index), goals[[target.id for target in targets]]


def _wrong_cells(table: "pd.DataFrame", path: Path, known: dict[str, Target]) -> list[str]:
    """What is wrong in the table of subjects, by line. An empty goal is a goal that is not set yet."""
    problems = []
    double = table.duplicated(["subject", "target"])
    particular = [
        name
        for name, target in known.items()
        if target.goal.stages or target.goal.reference or target.changes or target.goal.op is Op.BETWEEN
    ]
    numbers = [goal for goal in table["goal"].unique() if re.fullmatch(_NUMBER, goal)]
    plain = (
        table["goal"].isin(["", *numbers])
        & ~double
        & (table["subject"] != "")
        & table["target"].isin(set(known) - set(particular))
    )
    # A country's table has a row for each of its 430,000 targets: only those that may be wrong are looked at one by one.
    for row, subject, target, goal in table.loc[~plain, ["subject", "target", "goal"]].itertuples():
        if not subject:
            problems.append((row, "subject 不得为空 (missing cell)"))
        if target not in known:
            problems.append((row, f"没有目标 '{target}' (unknown target){near(target, known)}"))
        if goal and not re.fullmatch(_NUMBER, goal):
            problems.append((row, f"goal: '{goal}' 不是数值 (not a number); 单位随目标，只写半角的数，不加千分位"))
        elif target in known:
            problems += [(row, words) for words in _wrong_cell(known[target], goal)]
        if double[row]:
            problems.append((row, f"'{subject}' 的 '{target}' 重复 (duplicate row)"))
    return [f"{path}:{row + 2}: {problem}" for row, problem in problems]


def _wrong_cell(target: Target, goal: str) -> Iterator[str]:
    """What a subject's own goal cannot be."""
    if goal and target.goal.op is Op.BETWEEN and target.goal.upper is not None and float(goal) >= target.goal.upper:
        yield f"goal: '{target.id}' 的上限为{target.goal.upper:g}，对象表中的下限应小于它 (empty range)"
    if goal and target.goal.stages and float(goal) != target.goal.value:
        yield f"goal: '{target.id}' 共{target.goal.value:g}个阶段，只能写此数或留空 (stages)"
    if target.goal.reference:
        yield f"goal: '{target.id}' 与其他序列对照，不能写在对象表中 (leaning)"
    if target.changes:
        yield f"goal: '{target.id}' 有年中调整 changes，不能写在对象表中 (changed goal)"
