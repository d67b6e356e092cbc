"""The nouns of stage 2: what a plan promised, by whom, how it is measured, and when it counts as behind."""

import math
from calendar import monthrange
from collections import defaultdict
from datetime import date, time, timedelta
from enum import IntEnum, StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from rules.calendar import PUBLISHED, Every, Publication, Workdays
from rules.derived import DERIVED, Derived, Series

if TYPE_CHECKING:
    import pandas as pd


class Op(StrEnum):
    """Direction of a goal."""

    AT_LEAST = ">="
    MORE_THAN = ">"
    AT_MOST = "<="
    LESS_THAN = "<"
    EXACTLY = "="
    BETWEEN = "between"
    ABOUT = "about"


class Measure(StrEnum):
    """What kind of number a target is. The kind decides how it is compared; see the author's guide."""

    CUMULATIVE = "cumulative"
    LEVEL = "level"
    GOOD_DAYS = "good-days"
    REDUCTION = "reduction"
    GROWTH = "growth"
    SHARE = "share"
    RANK = "rank"
    FLOOR = "floor"
    CEILING = "ceiling"
    CLASS = "class"
    ZERO = "zero"
    MILESTONE = "milestone"


# Progress is a share of a plan; everything else is compared directly, in points or units, at any date.
PROGRESS = frozenset({Measure.CUMULATIVE, Measure.LEVEL, Measure.GOOD_DAYS, Measure.REDUCTION})
# Behind in such a unit is told in percentage points as it stands, not as a share of the goal.
PERCENT = frozenset({"%", "个百分点"})
# The year's figure is the sum of its periods'.
SUMS = frozenset({Measure.CUMULATIVE, Measure.GOOD_DAYS})
# Where the year will land can be said from earlier years: of a sum, and of a figure that ends near where it stands.
FORECAST = SUMS | {Measure.LEVEL, Measure.GROWTH, Measure.SHARE, Measure.REDUCTION}
# The less the better.
AT_MOST = frozenset({Op.AT_MOST, Op.LESS_THAN})
# A red line: any breach is red at once.
HARD = frozenset({Measure.FLOOR, Measure.CEILING, Measure.CLASS, Measure.ZERO})


class Level(IntEnum):
    """Colour of a target, as exported in ``duban_target_level``."""

    NOT_JUDGED = -1
    GREEN = 0
    YELLOW = 1
    RED = 2

    @property
    def text(self) -> str:
        return {-1: "未判定", 0: "正常", 1: "黄色", 2: "红色"}[self.value]


def number(value: float) -> str:
    """A figure as people write it: at most two decimals, no trailing zeros, no minus before zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


_CLASSES = {1: "Ⅰ", 2: "Ⅱ", 3: "Ⅲ", 4: "Ⅳ", 5: "Ⅴ", 6: "劣Ⅴ"}


def quantity(value: float, unit: str) -> str:
    """A figure with its unit: 4500人, 5.2%, Ⅲ类, 第3位."""
    if unit == "类" and value in _CLASSES:
        return f"{_CLASSES[int(value)]}类"
    if unit == "位":
        return f"第{number(value)}位"
    return number(value) + unit


_DIRECTIONS = {
    Op.AT_LEAST: "不低于",
    Op.MORE_THAN: "超过",
    Op.AT_MOST: "不超过",
    Op.LESS_THAN: "低于",
    Op.EXACTLY: "等于",
}


class Goal(Struct, frozen=True):
    """What must be true at the end of the year.

    ``value`` is in ``unit``. ``upper`` belongs to BETWEEN, ``tolerance`` (same
    unit) to ABOUT, ``by`` to a milestone, whose value is 100 %, ``stages``
    (name, day) to a milestone in stages, whose value is the number of them.
    ``value`` is NaN where it is not set yet, and where the goal leans on a series:
    then it is, at each period's end, that series' figure ``plus`` something;
    ``reference`` is the series as the book calls it.
    """

    op: Op
    value: float
    unit: str
    upper: float | None = None
    tolerance: float = 0.0
    by: date | None = None
    stages: tuple[tuple[str, date], ...] = ()
    reference: str = ""
    plus: float = 0.0

    @property
    def nodes(self) -> tuple[tuple[str, date], ...]:
        """What must be done by which day."""
        return (("完成", self.by),) if self.by is not None else self.stages

    @property
    def text(self) -> str:
        """The goal as an office writes it: 不低于4500人, 5%左右、2025年12月31日前完成."""
        return self.of(self.value)

    def figure(self, value: float) -> str:
        """A figure in its unit, as ``quantity`` has it; of a task in stages the stage reached: “开工”阶段."""
        if not self.stages:
            return quantity(value, self.unit)
        reached = min(int(value), len(self.stages))
        return f"“{self.stages[reached - 1][0]}”阶段" if reached > 0 else f"“{self.stages[0][0]}”之前"

    def of(self, value: float) -> str:
        """The same with another value, as one subject or one period has it."""
        if self.reference:
            return self._leaning(value)
        if math.isnan(value):
            return "未定"
        if self.by or self.stages:
            return "、".join(f"{when.year}年{when.month}月{when.day}日前{name}" for name, when in self.nodes)
        if self.upper is not None and self.op is Op.BETWEEN:
            return f"{number(value)}—{quantity(self.upper, self.unit)}"
        amount = quantity(value, self.unit)
        if self.unit in ("位", "类") and self.op is Op.AT_MOST:
            return f"保持前{number(value)}位" if self.unit == "位" else f"达到或优于{amount}"
        if words := _DIRECTIONS.get(self.op):
            return f"{words}{amount}"
        unit = "个百分点" if self.unit == "%" else self.unit
        return f"{amount}左右（容差{number(self.tolerance)}{unit}）"

    def _leaning(self, value: float) -> str:
        """不低于全市平均增速加1个百分点（本期6.8%）: with the value of one period, where it is known."""
        margin = quantity(abs(self.plus), "个百分点" if self.unit == "%" else self.unit)
        words = f"{_DIRECTIONS[self.op]}{self.reference}"
        words += f"{'加' if self.plus > 0 else '减'}{margin}" if self.plus else ""
        return words if math.isnan(value) else f"{words}（本期{quantity(value, self.unit)}）"


class ChangedGoal(Struct, frozen=True):
    """The goal in force for periods that end on ``since`` or later, and why it was changed."""

    since: date
    goal: Goal
    why: str


class Against(StrEnum):
    """What a threshold's number is compared with."""

    SHARE = "share"  # shortfall as a fraction of what is expected by now
    POINTS = "points"  # shortfall in percentage points (of the goal, for progress that is not itself in percent)
    UNITS = "units"  # shortfall in the target's unit
    BELOW = "below"  # the figure itself
    ABOVE = "above"
    PERIOD = "period"  # shortfall as a fraction of this period's own task
    AVERAGE = "average"  # the mean of the same target's subjects
    SPREAD = "spread"  # shortfall in multiples of how much the season differs from year to year
    PROBABILITY = "probability"  # the chance of still meeting the goal
    OUTLOOK = (
        "outlook"  # shortfall as a fraction of what is expected by now, unless the forecast is sure of the opposite
    )
    LATE = "late"  # what had to be reached so long ago
    OVERDUE = "overdue"  # the goal, from its last day on


class Threshold(Struct, frozen=True):
    """When a level is reached: more than ``value`` behind, or below/above ``value``, for ``periods`` running.

    SHARE, OUTLOOK, POINTS, PERIOD and PROBABILITY are in percent (5 means 5 %), SPREAD is a
    multiple, LATE is in ``unit`` 天 or 个月, the others in ``unit`` ("" for the target's own).
    ``narrows_to``: what ``value``, which holds at New Year, becomes in a straight line by the year's end.
    """

    against: Against
    value: float
    unit: str
    periods: int
    text: str
    narrows_to: float | None = None


class Levels(Struct, frozen=True):
    """When each level is reached: when any of its thresholds is; one without thresholds never is.

    Nothing is judged before ``not_before`` (0-1) of the year's periods are over. An alert that stands is solved
    when none of ``clear`` has held for ``clear_for`` published periods running; without either, as soon as no level
    is reached any more.
    """

    yellow: tuple[Threshold, ...] = ()
    red: tuple[Threshold, ...] = ()
    not_before: float = 0.0
    clear: tuple[Threshold, ...] = ()
    clear_for: int = 1

    @property
    def keeping(self) -> tuple[Threshold, ...]:
        """What keeps an alert standing below the levels, each for so many periods; empty where nothing does."""
        usual = (self.yellow or self.red) if self.clear_for > 1 else ()
        return tuple(replace(one, periods=self.clear_for) for one in self.clear or usual)


class Shape(StrEnum):
    """Family of a plan curve."""

    LINEAR = "linear"
    WORKDAYS = "workdays"
    SEASONAL = "seasonal"
    LAST_YEAR = "last year"
    HOLD = "hold"
    PATH = "path"
    CHECKPOINTS = "checkpoints"
    STAGES = "stages"


LEARNT = {Shape.SEASONAL: 2, Shape.LAST_YEAR: 1}
"""Curves that are read from earlier years, and how many complete ones they take."""


class Expect(Struct, frozen=True):
    """The plan curve: what should be true by now.

    ``base`` (the target's unit) is where a PATH starts; ``points`` are
    (day, share of the goal 0-1) of CHECKPOINTS, joined by straight lines, or of STAGES, joined by steps.
    """

    shape: Shape
    text: str
    base: float = 0.0
    points: tuple[tuple[date, float], ...] = ()


class Item(Struct, frozen=True):
    """One numbered item of the published plan, in its own words."""

    item: int
    section: str
    text: str
    lead: tuple[str, ...]
    responsible: tuple[str, ...]


class Schedule(Struct, frozen=True):
    """When a source is asked: every ``interval``, or ``at`` a time of day (the book's time zone). Exactly one is given.

    That is each day, or only on ``workdays``, on some ``weekdays`` (0 is Monday), or on one ``day`` of the month: its
    last one where it has fewer.
    """

    text: str
    interval: timedelta | None = None
    at: time | None = None
    workdays: bool = False
    weekdays: tuple[int, ...] = ()
    day: int | None = None

    def includes(self, day: date, workdays: Workdays) -> bool:
        """Whether ``at`` is meant on ``day``."""
        if self.workdays:
            return workdays.include(day)
        if self.weekdays:
            return day.weekday() in self.weekdays
        return self.day is None or day.day == min(self.day, monthrange(day.year, day.month)[1])

    @property
    def said(self) -> str:
        """In Chinese: 每10分钟、每日09:30、工作日09:30、每周一、周四08:00、每月15日10:00."""
        if self.interval is not None:
            seconds = int(self.interval.total_seconds())
            size, word = next((s, w) for s, w in ((3600, "小时"), (60, "分钟"), (1, "秒")) if seconds % s == 0)
            return f"每{seconds // size}{word}"
        days = "每日" if self.day is None else f"每月{self.day}日"
        if self.weekdays:
            days = "每" + "、".join(f"周{'一二三四五六日'[day]}" for day in self.weekdays)
        return f"{'工作日' if self.workdays else days}{self.at:%H:%M}"


class Source(Struct, frozen=True):
    """Where figures come from: a connector kind, its options as written, and when to ask it.

    ``mark`` is shown wherever figures of this source appear (演示数据).
    ``place`` is ``file:line`` of its definition.
    """

    book: str
    name: str
    connector: str
    schedule: Schedule
    mark: str
    options: dict[str, Any]
    place: str

    @property
    def key(self) -> str:
        """``book/name``: two books may each have a source called filings."""
        return f"{self.book}/{self.name}"


class Target(Struct, frozen=True, eq=False):
    """One measurable commitment.

    ``reporter`` files the figure: the lead, unless the book names another unit.
    ``counts`` (good-days only) is the highest daily value that still counts as good.
    ``leans_on`` is the series of ``goal.reference``; ``changes`` are later goals, oldest first.
    By its ``labels`` an organisation may choose who is told. No two are equal: what is kept by one is found at once.
    """

    book: str
    id: str
    item: int | None
    name: str
    words: str
    lead: tuple[str, ...]
    responsible: tuple[str, ...]
    reporter: tuple[str, ...]
    goal: Goal
    measure: Measure
    every: Every
    published: Publication
    expect: Expect
    levels: Levels
    source: str | None
    series: str
    counts: float | None
    place: str
    leans_on: Series | None = None
    changes: tuple[ChangedGoal, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """``book/id``, as people and commands name it."""
        return f"{self.book}/{self.id}"

    @property
    def reads(self) -> Series:
        """Where its own figures come from."""
        return Series(self.source or "", self.series)


class Import(Struct, frozen=True):
    """Edits of a book that came by a table: when, by whom, why, and for each target what was changed, in words."""

    at: date
    by: str
    why: str
    changed: dict[str, str]


class Book(Struct, frozen=True, dict=True, eq=False):
    """A year's plan in force. ``goals`` holds the goal of each target (columns) for each subject (rows).

    A book about one place has the single subject "". A target that the table
    of subjects names has that table's goals, NaN where a subject has none yet
    (it is not judged there); any other target has its own goal for all. No two are equal.
    """

    id: str
    title: str
    year: int
    timezone: str
    supervisor: str
    folder: Path
    items: tuple[Item, ...]
    targets: tuple[Target, ...]
    sources: dict[str, Source]
    subjects: tuple[str, ...] = ("",)
    goals: "pd.DataFrame | None" = None
    workdays: Workdays = PUBLISHED
    derived: tuple[Derived, ...] = ()
    history: tuple[Import, ...] = ()

    def item(self, number: int | None) -> Item | None:
        """The item a target belongs to, if the book carries the plan's text."""
        return self._items.get(number)

    def mark(self, target: Target) -> str:
        """The words that must stand wherever this target's figures appear, or ""."""
        if not self._marks:
            return ""
        asked = {read.source for read in self.roots(target.reads)}
        return "、".join(dict.fromkeys(mark for name, mark in self._marks if name in asked))

    def roots(self, read: Series) -> frozenset[Series]:
        """The series of sources that a series is made of: itself, where it is not derived."""
        return self._roots.get(read.series, frozenset()) if read.source == DERIVED else frozenset({read})

    def needed(self, target: Target) -> frozenset[Series]:
        """The series of sources that a target is judged by: its own and what it leans on."""
        leans_on = self.roots(target.leans_on) if target.leans_on is not None else frozenset()
        return self.roots(target.reads) | leans_on

    def read_from(self, source: str) -> frozenset[str]:
        """The series that the book reads from a source: for its targets, and for what is derived."""
        return self._read_from.get(source, frozenset())

    def targets_of(self, source: str) -> tuple[Target, ...]:
        """The targets whose own figures a source states."""
        return self._targets_of.get(source, ())

    @cached_property
    def _items(self) -> dict[int | None, Item]:
        return {item.item: item for item in reversed(self.items)}

    @cached_property
    def _marks(self) -> list[tuple[str, str]]:
        return [(name, source.mark) for name, source in self.sources.items() if source.mark]

    @cached_property
    def _read_from(self) -> dict[str, frozenset[str]]:
        found = defaultdict[str, set[str]](set)
        for reads in (*map(self.needed, self.targets), *self._roots.values()):
            for read in reads:
                found[read.source].add(read.series)
        return {source: frozenset(series) for source, series in found.items()}

    @cached_property
    def _targets_of(self) -> dict[str, tuple[Target, ...]]:
        found = defaultdict[str, list[Target]](list)
        for target in self.targets:
            found[target.source or ""].append(target)
        return {source: tuple(targets) for source, targets in found.items()}

    @cached_property
    def _roots(self) -> dict[str, frozenset[Series]]:
        found: dict[str, frozenset[Series]] = {}
        for one in self.derived:
            parts = (found[read.series] if read.source == DERIVED else {read} for read in one.inputs)
            found[one.series] = frozenset().union(*parts)
        return found
