"""One threshold at many values: how false alarms pay for lead time, stepped in columns for all values at once."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from alerts import lifecycle
from monitor.moves import local_day
from monitor.rehearsal.figures import Stock, begins
from monitor.rehearsal.replay import Replay, ends, outcome
from monitor.rehearsal.year import redated
from monitor.store.database import emptied, in_memory
from rules import phrase
from rules.document import Invalid
from rules.judging import judge
from rules.panel import Panel
from rules.plan import Block, compile_plan
from rules.target import Book, Levels, Threshold, number
from rules.verdict import Verdicts

_MOST = 60
_CHECKED = 3
"""Values that are rehearsed in full, at most, to find the one that keeps to a budget."""
_NEVER = np.datetime64("NaT", "s")
_WORDS = r"behind|below|above|period below|probability below|late"


class Knob(NamedTuple):
    """The thresholds of a ``level`` that begin with ``word`` and whose number is in ``unit``, and the values to try."""

    level: str
    word: str
    unit: str
    steps: tuple[float, ...]

    def says(self, value: float) -> str:
        """The threshold as the book would have it."""
        return f"{self.level}: {self.word} {number(value)}{self.unit}"

    def turned(self, book: Book, value: float) -> Book:
        """``book`` with these thresholds at ``value``. Raises Invalid where it has none."""
        targets = tuple(replace(one, levels=self._levels(one.levels, value)) for one in book.targets)
        if not any(self._mine(rule) for one in book.targets for rule in getattr(one.levels, self.level)):
            words = f"{self.word} 数值{self.unit}"
            raise Invalid([f"--sweep: {book.id} 没有形如 {self.level}: {words} 的阈值 (nothing to sweep)"])
        return replace(book, targets=targets)

    def _mine(self, threshold: Threshold) -> re.Match[str] | None:
        return re.match(rf"{self.word} (\d+(?:\.\d+)?) ?{re.escape(self.unit.strip())}(?![^ ])", threshold.text)

    def _levels(self, levels: Levels, value: float) -> Levels:
        def turn(one: Threshold) -> Threshold:
            found = self._mine(one)
            return (
                phrase.threshold(one.text[: found.start(1)] + number(value) + one.text[found.end(1) :])
                if found
                else one
            )

        old: tuple[Threshold, ...] = getattr(levels, self.level)
        new = tuple(turn(one) for one in old)
        return replace(levels, yellow=new) if self.level == "yellow" else replace(levels, red=new)


class Point(NamedTuple):
    """What one value comes to; ``told`` are the changes of alerts that people hear of. Other counts as in ``Tally``."""

    value: float
    alerts: int
    flaps: int
    false_alarms: int
    missed: int
    misses: int
    lead_days: float | None
    told: int


def knob(text: str) -> Knob:
    """``yellow.behind=2..20``, ``red.behind 天=5..30 by 5``; percent where no unit is named. Raises Invalid."""
    found = re.fullmatch(
        rf"(yellow|red)\.({_WORDS})(?: ([^=\s]+))?=(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)(?: by (\d+(?:\.\d+)?))?", text
    )
    if found:
        first, last, step = float(found[4]), float(found[5]), float(found[6] or 1)
        count = int((last - first) / step + 1e-9) + 1 if step > 0 else 0
        if 1 <= count <= _MOST and first <= last:
            unit = "%" if found[3] in (None, "%") else f" {found[3]}"
            values = tuple(round(first + place * step, 9) for place in range(count))
            return Knob(found[1], found[2], unit, values)
    examples = f"yellow.behind=2..20、red.behind 天=5..30 by 5、yellow.below=90..99 by 0.5，至多 {_MOST} 个数值"
    raise Invalid([f"看不懂的试调 '{text}' (bad sweep); 应如 {examples}"])


def within(
    points: Sequence[Point], budget: float, per_change: float | None, rehearsed: Callable[[Point], float]
) -> tuple[Point, float] | None:
    """The value that warns best within ``budget`` messages a week, and how many it makes; None if none is found to.

    ``per_change`` is how many messages a week a change of an alert makes, as far as that is known: by it the values are
    ordered, and those that seem to keep to the budget are ``rehearsed`` in full, the best first.
    """
    left = list(points)
    for _ in range(_CHECKED):
        likely = [one for one in left if per_change is None or one.told * per_change <= budget]
        if not likely:
            return None
        best = min(likely, key=lambda one: (one.misses, -(one.lead_days or 0), one.told))
        found = rehearsed(best)
        if found <= budget:
            return best, found
        # It makes more of each change than was thought: no value with as many changes will do.
        left = [one for one in left if one.told < best.told]
        per_change = found / best.told if best.told else None
    return None


def sweep(
    book: Book,
    stock: Stock,
    tried: Knob,
    days: tuple[date, date],
    until: datetime,
    told: Callable[[int, int], object] | None = None,
) -> tuple[Point, list[Point]]:
    """What ``book`` as it is, and with each value, comes to over the years of ``days``.

    Of alerts about pace alone: no debt has a threshold.
    """
    memory, known_years = in_memory(), set(stock.years(book))
    years = [year for year in range(days[0].year, days[1].year + 1) if year in known_years]
    turned = [book, *(tried.turned(book, value) for value in tried.steps)]
    counts = [_Counts() for _ in turned]
    begin = np.datetime64(
        datetime.combine(days[0], time.min, ZoneInfo(book.timezone)).astimezone(UTC).replace(tzinfo=None)
    )
    for place, year in enumerate(years):
        emptied(memory)
        one = redated(book, year)
        watch, whole = Replay(one), Replay(one)
        start, end = begins(one).astimezone(UTC), min(ends(watch), until)
        known = stock.known(memory, one, start, end, watch.earlier)
        watch.feed(known)
        whole.feed(known)
        limits = [compile_plan([redated(each, year)]) for each in turned]
        _year(watch, outcome(whole), limits, counts, (start, end, begin))
        if told is not None:
            told(place + 1, len(years))
    written, *points = (found.point(value) for value, found in zip((math.nan, *tried.steps), counts, strict=True))
    return written, points


class _Counts:
    """What one value has come to so far."""

    def __init__(self) -> None:
        self.alerts = self.flaps = self.false_alarms = self.missed = self.misses = self.told = 0
        self.leads: list[NDArray[np.int64]] = []

    def point(self, value: float) -> Point:
        leads = np.concatenate([np.empty(0, np.int64), *self.leads])
        median = float(np.median(leads)) if len(leads) else None
        return Point(value, self.alerts, self.flaps, self.false_alarms, self.missed, self.misses, median, self.told)


class _Rows:
    """How the alerts of a block stand at one value: columns (R,)."""

    def __init__(
        self, panel: Panel, limits: Block, met: NDArray[np.int8], settled: NDArray[np.datetime64], counts: _Counts
    ) -> None:
        # What is known stays one and the same for all values.
        block = replace(panel.block, yellow=limits.yellow, red=limits.red, clear=limits.clear)
        self._panel = panel.held_against(block)
        self._met, self._settled, self._counts = met, settled, counts
        rows = panel.block.rows
        self._standing = np.zeros(rows, np.int8)
        self._since = np.full(rows, _NEVER)
        self._raised = np.full(rows, -1, np.int16)  # by the figure of which period, while nothing has changed since
        self._again = np.zeros(rows, np.bool_)
        self._warned = np.full(rows, _NEVER)

    def step(self, at: datetime, anew: NDArray[np.bool_] | None, begin: np.datetime64) -> Verdicts:
        """One cycle."""
        second = np.datetime64(at.replace(tzinfo=None), "s")
        verdicts = judge(self._panel, local_day(self._panel, at))
        final = (self._settled == second) & (self._standing > 0)
        self._warned[final] = self._since[final]
        free = None if anew is None else anew & (self._raised == verdicts.slot)
        now = lifecycle.asked(self._standing, verdicts, free)
        rows = np.flatnonzero(now != self._standing)
        was, found = np.maximum(self._standing[rows], 0), np.maximum(now[rows], 0)
        begun, counts = rows[(was == 0) & (found > 0)], self._counts
        if second >= begin:
            counts.told += int((was != found).sum())
            counts.alerts += len(begun)
            counts.flaps += int(self._again[begun].sum())
            counts.false_alarms += int(((self._met[begun] == 1) & (second < self._settled[begun])).sum())
        self._again[begun] = True
        self._since[begun] = second
        self._raised[rows] = -1
        self._raised[begun] = verdicts.slot[begun]
        self._standing = now
        return verdicts

    def finish(self, end: np.datetime64) -> None:
        """Count what the year came to: an alert that stood as the last figure came had warned."""
        block, missed = self._panel.block, self._met == 0
        still = (self._settled > end) & (self._standing > 0)
        self._warned[still] = self._since[still]
        stood = missed & ~np.isnat(self._warned)
        self._counts.missed += int(missed.sum())
        self._counts.misses += int((missed & ~stood).sum())
        zone = ZoneInfo(block.timezone)
        raised, place = np.unique(self._warned[stood], return_inverse=True)
        days = [(block.ends[-1].item() - _utc(one).astimezone(zone).date()).days for one in raised]
        self._counts.leads.append(np.maximum(np.array(days, np.int64), 0)[place])


def _year(
    watch: Replay,
    ended: tuple[list[NDArray[np.int8]], list[NDArray[np.datetime64]]],
    limits: Sequence[Sequence[Block]],
    counts: Sequence[_Counts],
    span: tuple[datetime, datetime, np.datetime64],
) -> None:
    start, end, begin = span
    blocks = [
        [_Rows(panel, each[number], met, settled, found) for each, found in zip(limits, counts, strict=True)]
        for number, (panel, met, settled) in enumerate(zip(watch.panels, *ended, strict=True))
    ]
    for at in _moments(watch, start, end):
        watch.take(None, at)
        judged = []
        for panel, revised, values in zip(watch.panels, watch.revised, blocks, strict=True):
            anew = revised[panel.latest, np.arange(panel.block.rows)] if revised.any() else None
            verdicts = [one.step(at, anew, begin) for one in values]
            judged.append(verdicts[0])
        watch.settled(judged)  # whether a figure is judged at all has nothing to do with thresholds
    for values in blocks:
        for one in values:
            one.finish(np.datetime64(end.replace(tzinfo=None), "s"))


def _moments(watch: Replay, start: datetime, end: datetime) -> Iterator[datetime]:
    """When the level of an alert about pace may change: a figure becomes known, or the day of a milestone has passed."""
    zone = ZoneInfo(watch.books[0].timezone)
    days = np.unique(np.concatenate([panel.block.judged_from for panel in watch.panels])).tolist()
    found = {start, *(datetime.combine(day, time.min, zone).astimezone(UTC) for day in days)}
    found |= {_utc(second) for second in np.unique(watch.known.figures.known_at)}
    return (at for at in sorted(found) if start <= at <= end)


def _utc(second: np.datetime64) -> datetime:
    return datetime.fromtimestamp(second.astype("datetime64[s]").astype(np.int64).item(), UTC)
