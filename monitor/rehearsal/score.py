"""What a rehearsal came to: alerts, flaps, false alarms and misses, lead time, messages. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from alerts.alert import Change, Identity, Kind, State
from monitor.rehearsal.replay import Message, Played
from rules.target import Book, Level

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


class Spell(NamedTuple):
    """An alert from its first message to its end (None: it still stood), the ``worst`` level that it had."""

    identity: Identity
    since: datetime
    until: datetime | None
    worst: Level


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


@dataclass(frozen=True, slots=True)
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

    @property
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


def spells(changes: Iterable[Change]) -> Iterator[Spell]:
    """The times at which alerts stood, in the order of their end; those that still stand last."""
    standing: dict[Identity, tuple[datetime, Level]] = {}
    for change in changes:
        since, worst = standing.get(change.identity, (change.at, Level.GREEN))
        if change.state is State.FIRING:
            standing[change.identity] = since, max(worst, change.level)
        elif change.identity in standing:
            del standing[change.identity]
            yield Spell(change.identity, since, change.at, worst)
    yield from (Spell(identity, since, None, worst) for identity, (since, worst) in standing.items())


def score(played: Sequence[tuple[Book, Played]], first: date, last: date) -> Score:
    """The numbers of the years that were played, from ``first`` on."""
    targets: dict[str, Tally] = {}
    messages: list[Message] = []
    days = 0.0
    for book, year in played:
        zone = ZoneInfo(book.timezone)
        begin = datetime.combine(first, datetime.min.time(), zone)
        raised = {change.identity.target for change in year.changes}  # a task without figures may be overdue as well
        for target in book.targets:
            if target.source is not None or target.id in raised:
                targets.setdefault(target.id, Tally(target.name))
        _count(targets, year, begin)
        messages += [one for one in year.messages if one.at >= begin]
        days += max((year.end - max(begin, year.start)) / timedelta(days=1), 0)
    weeks = max(days / 7, 1 / 7)
    minutes: dict[str, int] = {}
    for (_, channel), count in Counter((one.at, one.told.channel) for one in messages).items():
        minutes[channel] = max(minutes.get(channel, 0), count)
    zone = ZoneInfo(played[0][0].timezone)
    receivers = tuple(sorted(_receivers(messages, weeks, zone), key=lambda one: (-one.messages, one.name)))
    return Score(
        tuple(book.year for book, _ in played), first, last, weeks, targets, receivers, minutes, *_known(played)
    )


def _known(played: Iterable[tuple[Book, Played]]) -> tuple[int, int]:
    known = [year.watch.known for _, year in played]
    return sum(one.deemed for one in known), sum(one.refused for one in known)


def _count(targets: dict[str, Tally], year: Played, begin: datetime) -> None:
    found: dict[Identity, list[Spell]] = defaultdict(list)
    for spell in spells(year.changes):
        if spell.identity.kind is Kind.DATA:
            targets[spell.identity.target].overdue += spell.since >= begin
        else:
            found[spell.identity].append(spell)
    for panel, outcome in zip(year.watch.panels, year.outcome, strict=True):
        for index, target in enumerate(panel.block.targets):
            if target.source is not None:
                tally, mine = targets[target.id], outcome[slice(*panel.block.first_row[index : index + 2].tolist())]
                tally.met += int((mine == 1).sum())
                tally.missed += int((mine == 0).sum())
                tally.misses += int((mine == 0).sum())
    for identity, told in found.items():
        tally, inside = targets[identity.target], [spell for spell in told if spell.since >= begin]
        tally.alerts += len(inside)
        tally.flaps += sum(spell is not told[0] for spell in inside)
        place = year.watch.place(*identity[:3])
        if place is not None and year.outcome[place[0]][place[1]] >= 0:
            _judge(tally, told, year, place, begin)


def _judge(tally: Tally, told: Sequence[Spell], year: Played, place: tuple[int, int], begin: datetime) -> None:
    """Whether the alerts of a row whose outcome is known were right."""
    block, row = place
    final = year.settled[block][row].item().replace(tzinfo=UTC)
    early = [spell for spell in told if spell.since < final]
    if year.outcome[block][row] == 1:
        tally.false_alarms += sum(spell.since >= begin for spell in early)
    elif stood := [spell for spell in early if spell.until is None or spell.until >= final]:
        panel = year.watch.panels[block].block
        raised = stood[-1].since.astimezone(ZoneInfo(panel.timezone)).date()
        tally.leads.append(max((panel.ends[-1].item() - raised).days, 0))
        tally.misses -= 1


def _receivers(messages: Sequence[Message], weeks: float, zone: ZoneInfo) -> Iterator[Receiver]:
    mine: dict[str, list[Message]] = defaultdict(list)
    for one in messages:
        mine[one.told.receiver].append(one)
    for name, told in mine.items():
        by_week = Counter(one.at.astimezone(zone).isocalendar()[:2] for one in told)
        yield Receiver(
            name,
            tuple(dict.fromkeys(one.told.channel for one in told)),
            len(told),
            sum(one.told.bulletin is not None for one in told),
            len(told) / weeks,
            max(by_week.values()),
        )
