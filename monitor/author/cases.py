"""Test cases of a book as written beside it: figures in, level, alert, receiver and words out."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from connectors.observation import Status
from connectors.period import moment, period_end
from connectors.strict import Names, Strict, near
from monitor.clock import parse_moment
from rules import inherited, loader
from rules.calendar import period_ends
from rules.derived import DERIVED, Series
from rules.document import Document, Invalid
from rules.target import Book, Level, Target
from rules.unit import conversion
from rules.verdict import Reason

FOLDER = "tests"
"""Folder of a book that holds its cases; it is no part of the book."""
LEVELS = {
    **{level.text: level for level in Level},
    **{level.name.lower(): level for level in Level},
    "not judged": Level.NOT_JUDGED,
    "绿色": Level.GREEN,
}
ALERTS = ("无", "待定", "黄色", "红色", "催报")
"""What may stand of a target; 无 for nothing at all."""
_ALERTS = {"none": "无", "pending": "待定", "yellow": "黄色", "red": "红色", "data": "催报"}
_STATUS = {"快报": Status.PARTIAL, "初步数": Status.PARTIAL, "partial": Status.PARTIAL, "": Status.FINAL}


class ExpectedSpec(Strict):
    """What must be so at a moment; what is left out may be as it likes. ``to`` and ``says`` look at the messages since the moment before."""

    level: str | None = None
    reason: str | None = None
    alert: Names | None = None
    to: Names | None = None
    says: Names = ()


class CaseSpec(Strict):
    """One case: figures of one target, and what comes of them."""

    name: str
    target: str
    subject: str = ""
    figures: dict[Any, Any] = {}
    series: dict[str, dict[Any, Any]] = {}
    peers: dict[str, dict[Any, Any]] = {}
    expect: dict[Any, Any]


class CaseFile(Strict):
    """What a file of cases holds."""

    cases: tuple[CaseSpec, ...]


class Figure(NamedTuple):
    """One stated figure, in the target's unit: NaN and NIL where there was nothing to report. ``known`` is aware."""

    period: date
    value: float
    known: datetime
    status: Status


class Expected(NamedTuple):
    """What must be so at ``at``; None where it may be as it likes."""

    at: datetime
    shown: str
    place: str
    level: Level | None = None
    reason: Reason | None = None
    alert: frozenset[str] | None = None
    to: frozenset[str] | None = None
    says: tuple[str, ...] = ()

    @property
    def told(self) -> bool:
        """Whether it looks at messages."""
        return self.to is not None or bool(self.says)


class Case(NamedTuple):
    """A case, read against its book. ``series`` are other series by name, ``peers`` the same one of other subjects."""

    name: str
    place: str
    target: Target
    subject: str
    figures: tuple[Figure, ...]
    series: Mapping[str, tuple[Figure, ...]]
    peers: Mapping[str, tuple[Figure, ...]]
    expected: tuple[Expected, ...]


class Cases:
    """All cases of one file, and the book above it."""

    def __init__(self, path: Path) -> None:
        """Raises Invalid for what is wrong in the file or in its book, each with its place."""
        self.path = path
        folder = path.parent.parent if path.parent.name == FOLDER else path.parent
        self._written = loader.read(folder)
        self.book: Book = loader.made(self._written)
        self._document = Document(path)
        self._targets = {target.id: target for target in self.book.targets}
        self._zone = ZoneInfo(self.book.timezone)
        self._due: dict[str, dict[date, date]] = {}
        spec = self._document.parse(CaseFile)
        errors: list[str] = []
        self.cases = tuple(case for number, one in enumerate(spec.cases) for case in self._case(number, one, errors))
        if errors:
            raise Invalid(errors)

    @cached_property
    def origins(self) -> dict[str, dict[str, str]]:
        """Where each target's settings were written."""
        sites = inherited.sites(self.book, self._written)
        return {site.target.id: inherited.origins(site, self._written) for site in sites}

    def _case(self, number: int, spec: CaseSpec, errors: list[str]) -> Iterator[Case]:
        target = self._targets.get(spec.target)
        place = self._document.place("cases", number)
        if target is None:
            where = self._document.place("cases", number, "target")
            errors.append(f"{where}: 册内没有目标 '{spec.target}' (unknown target){near(spec.target, self._targets)}")
            return
        if spec.subject not in self.book.subjects:
            where = self._document.place("cases", number, "subject")
            errors.append(
                f"{where}: 没有对象 '{spec.subject}' (unknown subject){near(spec.subject, self.book.subjects)}"
            )
            return
        unknown = spec.peers.keys() - set(self.book.subjects)
        errors += [
            f"{self._document.place('cases', number, 'peers', name)}: 没有对象 '{name}' (unknown subject)"
            for name in unknown
        ]
        wanted = {read.series for read in self._inputs(target)}
        errors += [
            f"{self._document.place('cases', number, 'series', name)}: {target.id} 不用序列 '{name}' (unknown series)"
            f"{near(name, wanted)}"
            for name in spec.series.keys() - wanted
        ]
        found: list[Case] = []
        try:
            figures = tuple(self._figures(target, spec.figures, "cases", number, "figures"))
            series = {
                name: tuple(self._figures(target, said, "cases", number, "series", name, own=False))
                for name, said in spec.series.items()
            }
            peers = {
                name: tuple(self._figures(target, said, "cases", number, "peers", name))
                for name, said in spec.peers.items()
            }
            expected = tuple(sorted(self._expected(key, said, number) for key, said in spec.expect.items()))
            found = [Case(spec.name, place, target, spec.subject, figures, series, peers, expected)]
        except Invalid as wrong:
            errors += wrong.errors
        yield from found

    def _inputs(self, target: Target) -> set[Series]:
        """Series beside its own that a target is judged by: of formulas, and what its goal leans on."""
        found = set(self.book.roots(target.reads)) if target.source == DERIVED else set()
        if target.leans_on is not None:
            found |= {target.leans_on, *self.book.roots(target.leans_on)}
        return found

    def _figures(self, target: Target, said: Mapping[Any, Any], *loc: str | int, own: bool = True) -> Iterator[Figure]:
        for key, stated in said.items():
            place = self._document.place(*loc, key)
            try:
                period = period_end(str(key))
                for one in stated if isinstance(stated, list) else [stated]:
                    yield self._figure(target, period, one, own)
            except ValueError as error:
                raise Invalid([f"{place}: {error}"]) from None

    def _figure(self, target: Target, period: date, stated: Any, own: bool) -> Figure:
        said = stated if isinstance(stated, dict) else {"value": stated}
        if wrong := said.keys() - {"value", "known", "status"}:
            raise ValueError(f"未知的键 '{min(wrong)}' (unknown key); 可用: value、known、status")
        status = _STATUS.get(str(said.get("status", "")))
        if status is None:
            raise ValueError(f"不认识的状态 '{said['status']}' (unknown value); 可用: 初步数")
        value = _number(said.get("value"), target, own)
        if math.isnan(value):
            status = Status.NIL
        known = moment(str(said["known"]), self._zone) if "known" in said else self._due_on(target, period)
        if known is None:
            raise ValueError("known 不得为空 (missing value)")
        return Figure(period, value, known, status)

    def _due_on(self, target: Target, period: date) -> datetime:
        """A figure without a day of its own comes on the last day on which it is not late; of another year, at once."""
        if target.id not in self._due:
            ends = period_ends(self.book.year, target.every)
            due = (
                [target.goal.by] * len(ends)
                if target.goal.by
                else target.published.due(ends, self.book.workdays).tolist()
            )
            self._due[target.id] = dict(zip(ends.tolist(), due, strict=True))
        day = self._due[target.id].get(period, period)
        return datetime(day.year, day.month, day.day, tzinfo=self._zone)

    def _expected(self, key: Any, said: Any, number: int) -> Expected:
        place = self._document.place("cases", number, "expect", key)
        spec = (
            ExpectedSpec(level=said)
            if isinstance(said, str)
            else self._document.parse(ExpectedSpec, "cases", number, "expect", key)
        )
        try:
            return Expected(
                at=parse_moment(str(key), self.book.timezone),
                shown=str(key),
                place=place,
                level=None if spec.level is None else _word(spec.level, LEVELS, "级别"),
                reason=None if spec.reason is None else _word(spec.reason, _REASONS, "缘由"),
                alert=None if spec.alert is None else frozenset(_alert(word) for word in spec.alert),
                to=None if spec.to is None else frozenset(spec.to) - {"无"},
                says=spec.says,
            )
        except ValueError as error:
            raise Invalid([f"{place}: {error}"]) from None


_REASONS: dict[str, Reason] = {
    **{reason.value: reason for reason in Reason},
    **{reason.text: reason for reason in Reason},
    "未达目标要求": Reason.BEHIND_SCHEDULE,
}


def _word(word: str, known: Mapping[str, Any], what: str) -> Any:
    if word not in known:
        raise ValueError(f"不认识的{what} '{word}' (unknown value); 可用: {'、'.join(known)}")
    return known[word]


def _alert(word: str) -> str:
    found = _ALERTS.get(word, word.removesuffix("预警"))
    if found not in ALERTS:
        raise ValueError(f"不认识的预警 '{word}' (unknown value); 可用: {'、'.join(ALERTS)}")
    return found


def _number(said: Any, target: Target, own: bool) -> float:
    """A figure in the target's unit: a plain number, or one with its unit. 无 is no figure: NaN."""
    if isinstance(said, int | float) and not isinstance(said, bool):
        return float(said)
    if said == "无":
        return math.nan
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*(\S+)", str(said))
    reading = conversion(found[2], target.goal.unit) if found and own else None
    if found is None or reading is None:
        raise ValueError(f"'{said}' 应为数值（以{target.goal.unit}计）、带同类计量单位的数值，或“无” (bad figure)")
    return float(found[1]) * reading[0] + reading[1]


def files(given: list[Path], books: Path) -> list[Path]:
    """The files of cases named, those of the folders named, or those of all books. Raises Invalid where there are none."""
    found = [
        path
        for one in given or [books]
        for path in (
            sorted(one.glob("*.yaml" if one.name == FOLDER else f"**/{FOLDER}/*.yaml")) if one.is_dir() else [one]
        )
    ]
    if not found:
        raise Invalid(
            [f"{'、'.join(map(str, given or [books]))}: 没有测试 (no cases)；请写在 册的文件夹/{FOLDER}/*.yaml"]
        )
    if lost := [path for path in found if not path.is_file()]:
        raise Invalid([f"{path}: 没有这个文件 (no such file)" for path in lost])
    return found
