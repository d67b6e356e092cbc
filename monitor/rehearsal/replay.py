"""A year of a book in virtual time: the daemon's own cycle, run at the moments at which something can come of it."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from alerts.alert import Change, Kind
from alerts.bulletin import Bulletin
from alerts.digest import letters
from alerts.moving import Telling
from alerts.organisation import Organisation
from alerts.suppression import Quiet
from monitor import pipeline
from monitor.following import found_steps
from monitor.moves import local_day
from monitor.rehearsal.alike import Alike
from monitor.rehearsal.figures import NOTHING_KNOWN, Known
from monitor.rehearsal.hearing import Hearing
from monitor.rehearsal.history import History, second
from monitor.snapshot import Judged
from monitor.store import outbox, silences
from monitor.store.observations import Figures
from monitor.store.outbox import Told
from monitor.watch import NEVER, Watch
from rules.judging import judge
from rules.past import YEARS
from rules.target import Book

_AGAIN = timedelta(seconds=15)
"""What a cycle leaves for the next one is done so much later."""
_SECOND = timedelta(seconds=1)


class Message(NamedTuple):
    """A message that would have gone out ``at`` that moment."""

    at: datetime
    told: Told


@dataclass(frozen=True)
class Setting:
    """What decides who is told and when."""

    organisation: Organisation
    quiet: Quiet | None = None
    crowds: Mapping[str, int] = field(default_factory=dict)

    @property
    def at_once(self) -> bool:
        """Whether no message ever waits, for its hour or for another alert; what goes together does so at once."""
        return not (self.quiet or self.organisation.patient or self.organisation.inhibit)

    @cached_property
    def hearing(self) -> Hearing:
        """Who hears of what, for all years of one book."""
        return Hearing(self.organisation)


class Played(NamedTuple):
    """What a year came to.

    By row of each of ``watch.panels``: ``outcome``, 1 where the goal was met, 0 where it was missed, -1 where the year's
    last figure is not known; ``settled``, when that figure became known (NaT where it did not).
    """

    watch: "Replay"
    history: History
    messages: Counter[Message]
    outcome: list[NDArray[np.int8]]
    settled: list[NDArray[np.datetime64]]
    start: datetime
    end: datetime
    cycles: int

    @property
    def changes(self) -> list[Change]:
        """What happened, one by one: of a country that is a lot."""
        return list(self.history)


class Replay(Watch):
    """A watch whose figures lie ready: each cycle enters those that were known by then. It needs no store for it."""

    def __init__(self, book: Book) -> None:
        super().__init__([book], complete=True)
        self.known, self._entered = Known([], NOTHING_KNOWN, 0, 0), 0
        for panel in self.panels:
            panel.landings.asks = panel.block.foreseen  # nobody reads what only a message would say

    @property
    def earlier(self) -> int:
        """How many earlier years figures are read of: none where no curve and no threshold asks for them."""
        drawn = any(panel.block.foreseen or len(panel.block.learnt) for panel in self.panels)
        return YEARS if drawn or self.books[0].derived else 0

    def feed(self, known: Known) -> None:
        """Lay the figures ready, once."""
        self.known = known
        self._link(known.groups)
        for read in self.series_of:
            read[:] = -1  # nobody reads in which cell a figure stood

    def take(self, _engine: Engine | None, at: datetime) -> bool:
        """Enter what has become known since the last look. Returns whether anything has."""
        until = int(np.searchsorted(self.known.figures.known_at, second(at), "right"))
        part = slice(self._entered, until)
        self._entered = max(until, self._entered)
        if until <= part.start:
            return False
        self._enter(Figures(*(getattr(self.known.figures, name)[part] for name in Figures.__slots__)))
        return True

    @property
    def next_known(self) -> np.datetime64:
        """When the next figure becomes known."""
        return self.known.figures.known_at[self._entered] if self._entered < len(self.known.figures.id) else NEVER


def ends(watch: Replay) -> datetime:
    """When the last figure of the year is overdue: nothing of the year is owed any more."""
    zone = ZoneInfo(watch.books[0].timezone)
    last = max(panel.block.due.max().item() for panel in watch.panels)
    return datetime.combine(last + timedelta(days=1), time.min, zone).astimezone(UTC)


def play(
    engine: Engine,
    watch: Replay,
    setting: Setting,
    start: datetime,
    end: datetime,
    told: Callable[[float], object] | None = None,
) -> Played:
    """Run the cycles of ``start`` to ``end`` on an empty store in memory, and take every message as delivered at once.

    ``told`` hears which share of the time is done.
    """
    history, messages = History(watch), Counter[Message]()
    days, at, cycles = _Days(watch), start, 0
    cycle = _AtOnce(watch, setting, history) if setting.at_once else _Patient(engine, watch, setting, history)
    while at <= end:
        cycles += 1
        found = cycle(at)
        for one, count in found.told.items():
            messages[Message(at, one)] += count
        upcoming = min(watch.next_known, days.next(at), found.waits, _next_step(watch), NEVER)
        if told is not None:
            told((at - start) / (end - start))
        at = max(_moment(upcoming), at + _SECOND)
    if told is not None:
        told(1.0)
    ended = outcome(watch)
    watch.known = watch.known._replace(figures=NOTHING_KNOWN)  # they are in the panels: of a country they are a lot
    return Played(watch, history, messages, *ended, start, end, cycles)


class _Cycle(NamedTuple):
    """What a cycle told, and when there is something to do again that no figure, day or step brings about."""

    told: Counter[Told]
    waits: np.datetime64


class _Patient:
    """The daemon's cycle, the store included: it knows which messages wait and what has become of them by then."""

    def __init__(self, engine: Engine, watch: Replay, setting: Setting, history: History) -> None:
        self._engine, self._watch, self._setting, self._history = engine, watch, setting, history
        self._telling = Telling(setting.organisation)

    def __call__(self, at: datetime) -> _Cycle:
        organisation, quiet, crowds = self._setting.organisation, self._setting.quiet, self._setting.crowds
        judged, moves = pipeline.judge(self._engine, self._watch, organisation, (), at, quiet, crowds)
        self._history.add_all(move.change for move in moves)
        with self._engine.begin() as connection:
            told = Counter(outbox.arrive(connection, at))
            waits = _second_up(silences.next_due(connection))
        # The next cycle looks again at what has changed, and finds when it will ask for something.
        if moves and found_steps(self._watch, judged, [], self._telling, at):
            waits = min(waits, second(at + _AGAIN))
        return _Cycle(told, waits)


class _AtOnce:
    """The same where no message ever waits: no store is asked for anything, and nothing is moved one by one.

    And nothing is judged again until a figure became known or a day came from which more is: until then nothing but
    steps are due.
    """

    def __init__(self, watch: Replay, setting: Setting, history: History) -> None:
        self._crowds = setting.crowds
        self._watch, self._alerts = watch, Alike(watch, setting.organisation, setting.hearing, history)
        self._judged, self._days, self._gone = list[Judged](), _days(watch), -1

    def __call__(self, at: datetime) -> _Cycle:
        watch, alerts = self._watch, self._alerts
        gone = bisect_right(self._days, local_day(watch.panels[0], at))
        if watch.take(None, at) or gone > self._gone:
            self._gone = gone
            self._judged = pipeline.verdicts_at(watch, (), at)
            alerts.move(self._judged, at)
            watch.settled([found.verdicts for found in self._judged])
        changed = alerts.follow(self._judged, at)
        again = changed and alerts.ask(self._judged, at)
        return _Cycle(self._together(alerts.told_since()), second(at + _AGAIN) if again else NEVER)

    def _together(self, told: Counter[Told]) -> Counter[Told]:
        """What is told, that of crowds as the digests that they make."""
        found = Counter[Told]()
        for one, count in told.items():
            if count > self._crowds.get(one.channel, count):
                found[one._replace(bulletin=Bulletin.DIGEST)] += letters(count)
            else:
                found[one] += count
        return found


def _days(watch: Replay) -> list[date]:
    """The days from whose midnight on more is judged, or more is owed, than before."""
    named = [np.unique(panel.block.due) + 1 for panel in watch.panels]
    named += [np.unique(panel.block.judged_from) for panel in watch.panels]
    found: list[date] = np.unique(np.concatenate(named)).tolist()
    return found


class _Days:
    """The midnights of ``_days``, one after the other."""

    def __init__(self, watch: Replay) -> None:
        self._watch, self._zone = watch, ZoneInfo(watch.books[0].timezone)
        self._days, self._next = _days(watch), 0

    def next(self, at: datetime) -> np.datetime64:
        """The first one after ``at`` on which a figure is owed that is not there yet, or a day has passed."""
        while self._next < len(self._days):
            midnight = datetime.combine(self._days[self._next], time.min, self._zone)
            if midnight > at:
                if self._watch.next_known <= second(midnight):
                    return NEVER  # with that figure it is seen whether anything is owed
                if self._matters():
                    return second(midnight)
            self._next += 1
        return NEVER

    def _matters(self) -> bool:
        day = np.datetime64(self._days[self._next])
        for panel, standing in zip(self._watch.panels, self._watch.standing, strict=True):
            block = panel.block
            if (block.judged_from == day).any():
                return True
            owed = (block.due < day).sum(axis=1).astype(np.int16) - np.int16(1)
            if ((owed[block.due_of] > panel.reported) & (standing[Kind.DATA] <= 0)).any():
                return True
        return False


def _next_step(watch: Watch) -> np.datetime64:
    """When an alert that stands may ask for a reminder or an escalation."""
    found = NEVER
    for due, standing in zip(watch.due, watch.standing, strict=True):
        for kind in Kind:
            firing = due[kind][standing[kind] > 0]
            if len(firing):
                found = min(found, firing.min())
    return found


def outcome(watch: Replay) -> tuple[list[NDArray[np.int8]], list[NDArray[np.datetime64]]]:
    """How the year ended for each row, by everything that is known of it."""
    watch.take(None, datetime(9998, 1, 1, tzinfo=UTC))
    ended, settled = [], []
    for panel in watch.panels:
        block = panel.block
        verdicts = judge(panel, block.ends[-1].item() + timedelta(days=3660))
        over = (verdicts.slot == len(block.ends) - 1) & ~np.isnan(verdicts.shortfall)
        met = np.where(verdicts.shortfall > block.slack, np.int8(0), np.int8(1))
        ended.append(np.where(over, met, np.int8(-1)).astype(np.int8))
        settled.append(np.where(over, panel.known_at, np.datetime64("NaT", "s")))
    return ended, settled


def _second_up(when: datetime | None) -> np.datetime64:
    if when is None:
        return NEVER
    found = second(when)
    return found + np.timedelta64(1, "s") if when.microsecond else found


def _moment(second: np.datetime64) -> datetime:
    return datetime.fromtimestamp(second.astype(np.int64).item(), UTC)
