"""What a rehearsal came to: alerts, flaps, false alarms and misses, lead time, messages. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from statistics import median
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from alerts.alert import Kind
from monitor.rehearsal.history import Moments, second
from monitor.rehearsal.replay import Message, Played
from rules.panel import Panel
from rules.target import Book

METRICS = (
    "alerts",
    "flaps",
    "overdue",
    "false_alarms",
    "misses",
    "lead_days",
    "messages",
    "messages_per_week",
    "busiest_per_week",
    "most_in_a_week",
    "most_in_a_minute",
)
"""What a rehearsal is measured by, in the words of scripts and gates."""


@dataclass(slots=True)
class Tally:
    """How one target fared, all subjects and years together.

    ``alerts`` were raised about its progress, ``flaps`` of them in a year that had one before; ``overdue`` asked for
    its figures. ``met`` and ``missed`` are years of one subject whose outcome is known; ``false_alarms`` are alerts of
    years that met their goal, ``misses`` are years that missed it with no alert standing when the last figure came.
    ``leads`` are the days from the raising of the alert that stood to the end of the year that missed.
    """

    name: str
    alerts: int = 0
    flaps: int = 0
    overdue: int = 0
    met: int = 0
    missed: int = 0
    false_alarms: int = 0
    misses: int = 0
    leads: list[int] = field(default_factory=list)

    @property
    def lead_days(self) -> float | None:
        """The median lead, None where there is none."""
        return median(self.leads) if self.leads else None


@dataclass(frozen=True, slots=True)
class Receiver:
    """What one receiver was told, over all ways: ``most`` in one calendar week; ``digests`` tell of many alerts at once."""

    name: str
    channels: tuple[str, ...]
    messages: int
    digests: int
    per_week: float
    most: int


@dataclass(frozen=True)
class Score:
    """A rehearsal in numbers. ``weeks`` are those of all years, ``busiest`` the receiver with the most messages.

    ``in_a_minute`` is by channel the most messages that were due at once; ``deemed`` and ``refused`` as in ``Known``.
    """

    years: tuple[int, ...]
    first: date
    last: date
    weeks: float
    targets: dict[str, Tally]
    receivers: tuple[Receiver, ...]
    in_a_minute: dict[str, int]
    deemed: int
    refused: int

    @cached_property
    def whole(self) -> Tally:
        """All targets together."""
        found = Tally("合计")
        for one in self.targets.values():
            for name in ("alerts", "flaps", "overdue", "met", "missed", "false_alarms", "misses"):
                setattr(found, name, getattr(found, name) + getattr(one, name))
            found.leads += one.leads
        return found

    @property
    def messages(self) -> int:
        return sum(one.messages for one in self.receivers)

    @property
    def busiest(self) -> Receiver | None:
        return max(self.receivers, key=lambda one: one.messages, default=None)

    @property
    def metrics(self) -> dict[str, float]:
        """What a gate may ask for."""
        whole, busiest = self.whole, self.busiest
        lead = np.nan if whole.lead_days is None else whole.lead_days
        values: list[float] = [whole.alerts, whole.flaps, whole.overdue, whole.false_alarms, whole.misses, lead]
        values += [self.messages, self.messages / self.weeks, busiest.per_week if busiest else 0.0]
        values += [max((one.most for one in self.receivers), default=0), max(self.in_a_minute.values(), default=0)]
        return dict(zip(METRICS, values, strict=True))


def score(played: Sequence[tuple[Book, Played]], first: date, last: date) -> Score:
    """The numbers of the years that were played, from ``first`` on."""
    targets: dict[str, Tally] = {}
    messages = Counter[Message]()
    days = 0.0
    for book, year in played:
        zone = ZoneInfo(book.timezone)
        begin = datetime.combine(first, datetime.min.time(), zone)
        raised = _raised(year)  # a task without figures may be overdue as well
        for target in book.targets:
            if target.source is not None or target.id in raised:
                targets.setdefault(target.id, Tally(target.name))
        _count(targets, year, begin)
        messages.update({one: count for one, count in year.messages.items() if one.at >= begin})
        days += max((year.end - max(begin, year.start)) / timedelta(days=1), 0)
    weeks = max(days / 7, 1 / 7)
    at_once = Counter[tuple[datetime, str]]()
    for one, count in messages.items():
        at_once[one.at, one.told.channel] += count
    minutes: dict[str, int] = {}
    for (_, channel), count in at_once.items():
        minutes[channel] = max(minutes.get(channel, 0), count)
    zone = ZoneInfo(played[0][0].timezone)
    receivers = tuple(sorted(_receivers(messages, weeks, zone), key=lambda one: (-one.messages, one.name)))
    return Score(
        tuple(book.year for book, _ in played), first, last, weeks, targets, receivers, minutes, *_known(played)
    )


def _raised(year: Played) -> set[str]:
    """Targets to whose alerts anything happened."""
    found = set()
    for number, panel in enumerate(year.watch.panels):
        rows = np.flatnonzero(year.history.touched(number))
        index = np.unique(np.searchsorted(panel.block.first_row, rows, side="right") - 1)
        found |= {panel.block.targets[one].id for one in index.tolist()}
    return found


def _known(played: Iterable[tuple[Book, Played]]) -> tuple[int, int]:
    known = [year.watch.known for _, year in played]
    return sum(one.deemed for one in known), sum(one.refused for one in known)


def _count(targets: dict[str, Tally], year: Played, begin: datetime) -> None:
    for number, panel in enumerate(year.watch.panels):
        block, met, settled = panel.block, year.outcome[number], year.settled[number]
        of = np.repeat(np.arange(len(block.targets)), np.diff(block.first_row))
        told, owed = (year.history.spells(number, kind) for kind in (Kind.PACE, Kind.DATA))
        inside = told.since >= second(begin)
        again = np.zeros(len(told.row), np.bool_)
        again[1:] = told.row[1:] == told.row[:-1]
        early = told.since < settled[told.row]  # nothing is, where the outcome is not known
        stood = early & (met[told.row] == 0) & (np.isnat(told.until) | (told.until >= settled[told.row]))
        warned = np.unique(told.row[stood])
        raised = told.since[stood][np.searchsorted(told.row[stood], warned, "right") - 1]
        counts = {
            "alerts": told.row[inside],
            "flaps": told.row[inside & again],
            "overdue": owed.row[owed.since >= second(begin)],
            "met": np.flatnonzero(met == 1),
            "missed": np.flatnonzero(met == 0),
            "false_alarms": told.row[inside & early & (met[told.row] == 1)],
            "misses": np.setdiff1d(np.flatnonzero(met == 0), warned),
        }
        by_target = {name: np.bincount(of[rows], minlength=len(block.targets)) for name, rows in counts.items()}
        leads = np.split(_days(raised, panel), np.searchsorted(of[warned], np.arange(1, len(block.targets))))
        for index, target in enumerate(block.targets):
            if target.id in targets:
                tally = targets[target.id]
                for name, count in by_target.items():
                    setattr(tally, name, getattr(tally, name) + int(count[index]))
                tally.leads += leads[index].tolist()


def _days(raised: Moments, panel: Panel) -> NDArray[np.int64]:
    """How long before the end of the panel's year alerts were raised, in its days."""
    block = panel.block
    moments, place = np.unique(raised, return_inverse=True)
    zone = ZoneInfo(block.timezone)
    days = [one.replace(tzinfo=UTC).astimezone(zone).date() for one in moments.tolist()]
    left = (block.ends[-1] - np.array(days, "datetime64[D]")).astype(np.int64)
    return np.asarray(np.maximum(left, 0)[place])


def _receivers(messages: Mapping[Message, int], weeks: float, zone: ZoneInfo) -> Iterator[Receiver]:
    mine: dict[str, list[tuple[Message, int]]] = defaultdict(list)
    for one, count in messages.items():
        mine[one.told.receiver].append((one, count))
    for name, told in mine.items():
        by_week = Counter[tuple[int, int]]()
        for one, count in told:
            by_week[one.at.astimezone(zone).isocalendar()[:2]] += count
        yield Receiver(
            name,
            tuple(dict.fromkeys(one.told.channel for one, _ in told)),
            by_week.total(),
            sum(count for one, count in told if one.told.bulletin is not None),
            by_week.total() / weeks,
            max(by_week.values()),
        )
