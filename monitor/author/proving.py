"""``duban test``: cases judged, told and held against what they expect, in memory, by the parts that the daemon runs.

A case is a row of a block, so that all cases of a file are judged together at each moment at which anything can change.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from alerts import escalation, lifecycle
from alerts.alert import Alert, Identity, Kind, State
from alerts.escalation import Office
from alerts.moving import Moved, Telling, as_told, corrections, moves, running, step_routes
from alerts.notice import Notice, notice, waiting
from alerts.organisation import Organisation
from alerts.routing import Matter, Route
from connectors.observation import STATUSES
from monitor.author.cases import Case, Cases, Expected, Figure
from rules.derived import DERIVED, Series, Vintages, compute
from rules.judging import judge, verdict
from rules.panel import Panel
from rules.past import YEARS
from rules.plan import compile_plan
from rules.target import Against, Book
from rules.verdict import Verdict


class Told(NamedTuple):
    """A message that would be sent."""

    notice: Notice
    route: Route


class Seen(NamedTuple):
    """What a case saw at a moment: the verdict, what stands, and what was told since the moment before."""

    verdict: Verdict
    stands: frozenset[str]
    told: tuple[Told, ...]


class Failed(NamedTuple):
    """A moment at which something is not as expected; ``wrong`` are sentences."""

    expected: Expected
    seen: Seen
    wrong: tuple[str, ...]


class Proof(Struct):
    """What came of a case."""

    case: Case
    failed: list[Failed] = []


class _Row(Struct):
    """A case at work: its place in the panel, its alerts, what they told of which period, and messages not looked at yet."""

    proof: Proof
    row: int
    follows: bool
    alerts: dict[Identity, Alert] = {}
    of_period: dict[tuple[Identity, date], Alert] = {}
    told: list[Told] = []


def prove(cases: Cases, organisation: Organisation) -> list[Proof]:
    """Run every case of a file; the proofs are in the order of the cases."""
    proofs = [Proof(case) for case in cases.cases]
    together, alone = list[Proof](), list[Proof]()
    for proof in proofs:
        (alone if _has_peers(proof.case) else together).append(proof)
    for group in ([together] if together else []) + [[proof] for proof in alone]:
        _prove(cases.book, group, Telling(organisation))
    return proofs


def _has_peers(case: Case) -> bool:
    levels = case.target.levels
    return bool(case.peers) or any(
        one.against is Against.AVERAGE for one in (*levels.yellow, *levels.red, *levels.clear)
    )


def _prove(book: Book, proofs: Sequence[Proof], telling: Telling) -> None:
    """Cases that do not touch each other are subjects of their targets; one with peers has the book's subjects."""
    by_target: dict[str, list[Proof]] = defaultdict(list)
    for proof in proofs:
        by_target[proof.case.target.id].append(proof)
    worlds, subjects = list[Book](), dict[tuple[str, str], Proof]()
    for mine in by_target.values():
        case = mine[0].case
        own = list(book.subjects) if _has_peers(case) else [str(number) for number in range(len(mine))]
        names = [case.subject] if _has_peers(case) else own
        subjects |= {(case.target.id, name): proof for name, proof in zip(names, mine, strict=True)}
        goals = None
        if book.goals is not None:
            goals = book.goals.loc[
                own if _has_peers(case) else [proof.case.subject for proof in mine], [case.target.id]
            ]
        worlds.append(replace(book, targets=(case.target,), subjects=tuple(own), goals=goals))
    for block in compile_plan(worlds):
        panel = Panel(block)
        rows = {
            row: _Row(
                subjects[target.id, subject], row, any(one.told for one in subjects[target.id, subject].case.expected)
            )
            for row in range(block.rows)
            for target, subject in [block.target_at(row)]
            if (target.id, subject) in subjects
        }
        _Replay(book, panel, rows, telling).run()


class _Figures(NamedTuple):
    """Figures to enter, columns of one length in the order of becoming known (µs)."""

    since: NDArray[np.int64]
    row: NDArray[np.int64]
    slot: NDArray[np.int64]
    value: NDArray[np.float64]
    status: NDArray[np.int8]

    @staticmethod
    def of(panel: Panel, stated: Iterable[tuple[int, Figure]]) -> "_Figures":
        slots = {end: slot for slot, end in enumerate(panel.block.ends.tolist())}
        rows = [
            (_micros(one.known), row, slots[one.period], one.value, STATUSES.index(one.status))
            for row, one in stated
            if one.period in slots
        ]
        rows.sort(key=lambda entry: entry[0])
        since, row, slot, value, status = zip(*rows, strict=True) if rows else ((), (), (), (), ())
        return _Figures(
            np.array(since, np.int64),
            np.array(row, np.int64),
            np.array(slot, np.int64),
            np.array(value, np.float64),
            np.array(status, np.int8),
        )


class _Replay:
    """The rows of one panel through the year."""

    def __init__(self, book: Book, panel: Panel, rows: dict[int, _Row], telling: Telling) -> None:
        self.book, self.panel, self.rows, self.telling = book, panel, rows, telling
        self.zone, self.office = ZoneInfo(book.timezone), Office(book.workdays, ZoneInfo(book.timezone))
        self.standing = {kind: np.zeros(panel.block.rows, np.int8) for kind in Kind}
        self.revised = np.zeros((len(panel.block.ends), panel.block.rows), np.bool_)
        self.targets = {target.id: index for index, target in enumerate(panel.block.targets)}
        self.changes = 0
        own, leaning = list[tuple[int, Figure]](), list[tuple[int, Figure]]()
        for row, one in rows.items():
            self._state(row, one.proof.case, own, leaning)
        self.own, self.leaning = _Figures.of(panel, own), _Figures.of(panel, leaning)
        self._remember(own)
        self.moments = self._moments()

    def _state(self, row: int, case: Case, own: list[tuple[int, Figure]], leaning: list[tuple[int, Figure]]) -> None:
        """What a case states for its row, for its peers, and for the series that its goal leans on."""
        own += [(row, figure) for figure in case.figures]
        block, target = self.panel.block, case.target
        index = self.targets[target.id]
        for subject, figures in case.peers.items():
            there = int(block.first_row[index]) + block.subject_index[index][subject]
            own += [(there, figure) for figure in figures]
        made = _derived(self.book, case) if case.series and self.book.derived else {}
        own += [(row, figure) for figure in made.get(target.series, ()) if target.source == DERIVED]
        if target.leans_on is not None:
            name = target.leans_on.series
            leaning += [(row, figure) for figure in (*case.series.get(name, ()), *made.get(name, ()))]

    def _remember(self, own: Sequence[tuple[int, Figure]]) -> None:
        past = [(row, one) for row, one in own if one.period.year != self.book.year]
        if past:
            rows = np.array([row for row, _ in past], np.int64)
            days = np.array([one.period for _, one in past], "datetime64[D]")
            self.panel.put_past(rows, days, np.array([one.value for _, one in past]))

    def _moments(self) -> list[tuple[int, int]]:
        """A heap of (µs, row): figures that come in, days on which one is overdue or a milestone's day is over, and looks."""
        block, found = self.panel.block, set[tuple[int, int]]()
        last: dict[int, int] = {}
        for row, one in self.rows.items():
            looks = [_micros(expected.at) for expected in one.proof.case.expected]
            last[row] = max(looks, default=0)
            days = {*(block.due[block.due_of[row]] + 1).tolist(), block.judged_from[row].item()}
            found |= {(moment, row) for moment in (*looks, *(_midnight(day, self.zone) for day in days))}
        for figures in (self.own, self.leaning):
            found.update(zip(figures.since.tolist(), figures.row.tolist(), strict=True))
        # A figure of a peer is a moment of its row, which nobody looks at, and of the case's own.
        peers = {moment for moment, row in found if row not in self.rows}
        found |= {(moment, row) for moment in peers for row in self.rows}
        heap = [(moment, row) for moment, row in found if row in self.rows and moment <= last[row]]
        heapq.heapify(heap)
        self.last = last
        return heap

    def run(self) -> None:
        looks: dict[tuple[int, int], list[Expected]] = defaultdict(list)
        for row, one in self.rows.items():
            for expected in one.proof.case.expected:
                looks[_micros(expected.at), row].append(expected)
        entered = [0, 0]
        while self.moments:
            now, due = self.moments[0][0], set[int]()
            while self.moments and self.moments[0][0] == now:
                due.add(heapq.heappop(self.moments)[1])
            entered = [self._enter(now, entered[0]), self._lean(now, entered[1])]
            self._judge(now, np.array(sorted(due), np.int64), looks)

    def _enter(self, now: int, first: int) -> int:
        last, figures = int(np.searchsorted(self.own.since, now, side="right")), self.own
        if last > first:
            part = slice(first, last)
            known = figures.since[part].astype("datetime64[us]").astype("datetime64[s]")
            self.revised[
                self.panel.put(figures.row[part], figures.slot[part], figures.value[part], known, figures.status[part])
            ] = True
        return last

    def _lean(self, now: int, first: int) -> int:
        last, figures = int(np.searchsorted(self.leaning.since, now, side="right")), self.leaning
        if last > first:
            part = slice(first, last)
            self.panel.lean(figures.row[part], figures.slot[part], figures.value[part])
        return last

    def _judge(self, now: int, rows: NDArray[np.int64], looks: dict[tuple[int, int], list[Expected]]) -> None:
        """One cycle for some rows: as the daemon's, but that what it changes is kept here."""
        at = datetime.fromtimestamp(now / 1e6, UTC)
        today = at.astimezone(self.zone).date()
        verdicts = judge(self.panel, today, rows=rows)
        standing = {kind: column[rows] for kind, column in self.standing.items()}
        moved = list(moves(self.panel, verdicts, standing, self._alert, at, self.revised, rows))
        told = self._told_of_revised(rows)
        newer = {step.alert.identity: step.alert for step in moved if step.alert is not None}
        taken_back = corrections(
            self.panel, told, lambda identity: newer.get(identity) or self._alert(identity), today, at
        )
        for step in [*taken_back, *moved]:
            self._take(self.rows[step.row], step)
        self._settle(rows, verdicts.level)
        for index, row in enumerate(rows.tolist()):
            one = self.rows[row]
            if one.follows and one.alerts:
                self._follow(one, verdict(self.panel, verdicts, index, row), at)
            for expected in looks.get((now, row), ()):
                if int(verdicts.level[index]) == expected.level and _level_alone(expected):
                    continue
                seen = Seen(verdict(self.panel, verdicts, index, row), _stands(one), tuple(one.told))
                if wrong := tuple(_wrong(expected, seen)):
                    one.proof.failed.append(Failed(expected, seen, wrong))
            if (now, row) in looks:
                one.told.clear()

    def _alert(self, identity: Identity) -> Alert | None:
        return self._of(identity).alerts.get(identity)

    def _of(self, identity: Identity) -> _Row:
        block = self.panel.block
        index = self.targets[identity.target]
        return self.rows[int(block.first_row[index]) + block.subject_index[index][identity.subject]]

    def _told_of_revised(self, rows: NDArray[np.int64]) -> list[tuple[Alert, tuple[int, int]]]:
        """What was told of earlier periods whose figure was revised."""
        slots, places = np.nonzero(self.revised[:, rows])
        ends = self.panel.block.ends
        found = []
        for slot, row in zip(slots.tolist(), rows[places].tolist(), strict=True):
            if slot < self.panel.latest[row]:
                told = self.rows[row].of_period
                found += [(alert, (slot, row)) for (_, day), alert in told.items() if day == ends[slot].item()]
        return found

    def _settle(self, rows: NDArray[np.int64], level: NDArray[np.int8]) -> None:
        """Dealt with; a revision of the newest period waits while that is not judged."""
        waiting = rows[(self.panel.latest[rows] >= 0) & (level < 0)]
        kept = self.revised[self.panel.latest[waiting], waiting]
        self.revised[:, rows] = False
        self.revised[self.panel.latest[waiting], waiting] = kept

    def _take(self, one: _Row, step: Moved) -> None:
        self.changes += 1
        change, found = step.change, step.verdict
        if step.alert is not None:
            alert = replace(step.alert, change_id=self.changes)
            one.alerts[change.identity] = alert
            self.standing[change.identity.kind][one.row] = lifecycle.standing(alert)
        if change.event.told and change.basis.period is not None and change.identity.kind is Kind.PACE:
            one.of_period[change.identity, change.basis.period] = as_told(change, self.changes)
        if change.event.told and one.follows:
            said = notice(change, _named(found, one), self.book, "", step.before)
            one.told += [Told(said, route) for route in self.telling.of(Matter.of(said), step.before)]

    def _follow(self, one: _Row, found: Verdict, at: datetime) -> None:
        """Reminders and escalations of what stands, and when to look again."""
        for identity, alert in list(one.alerts.items()):
            if alert.state is not State.FIRING:
                continue
            periods = running(self.panel.block, alert.basis.period, found.period) if found.level == alert.level else 1
            steps, later = escalation.due(alert, periods, self.telling.organisation, self.office, at)
            for step in steps:
                moved, change = escalation.take(one.alerts[identity], step, at)
                said = waiting(notice(change, _named(found, one), self.book), step.waited, step.attention)
                routes = step_routes(step, Matter.of(said), self.telling.organisation)
                if routes:
                    one.alerts[identity] = moved
                    one.told += [Told(said, route) for route in routes]
            if steps:
                _, later = escalation.due(one.alerts[identity], periods, self.telling.organisation, self.office, at)
            if later is not None and _micros(later) <= self.last[one.row]:
                heapq.heappush(self.moments, (_micros(later), one.row))


def _named(found: Verdict, one: _Row) -> Verdict:
    """With the subject that the book knows it by."""
    return replace(found, subject=one.proof.case.subject)


def _level_alone(expected: Expected) -> bool:
    return expected.reason is None and expected.alert is None and not expected.told


def _stands(one: _Row) -> frozenset[str]:
    """What stands of a case's target, in the words of ``cases.ALERTS``."""
    found = set()
    for identity, alert in one.alerts.items():
        if alert.state is State.RESOLVED:
            continue
        data = identity.kind is Kind.DATA
        found.add("催报" if data else "待定" if alert.state is State.PENDING else alert.level.text)
    return frozenset(found or {"无"})


def _wrong(expected: Expected, seen: Seen) -> Iterator[str]:
    found = seen.verdict
    if expected.level is not None and expected.level != found.level:
        yield f"级别应为{expected.level.text}，实为{found.level.text}"
    if expected.reason is not None and expected.reason is not found.reason:
        yield f"缘由应为{expected.reason.text}，实为{found.reason.text}"
    if expected.alert is not None and expected.alert != seen.stands:
        yield f"预警应为{'、'.join(sorted(expected.alert))}，实为{'、'.join(sorted(seen.stands))}"
    receivers = frozenset(told.route.receiver for told in seen.told)
    if expected.to is not None and expected.to != receivers:
        yield f"接收人应为{_listed(expected.to)}，实为{_listed(receivers)}"
    if expected.says:
        texts = [text(told) for told in seen.told]
        yield from (f"没有消息含有“{words}”" for words in expected.says if not any(words in one for one in texts))


def _listed(names: frozenset[str]) -> str:
    return "、".join(sorted(names)) or "无"


def text(told: Told) -> str:
    """The message as plain text, its title first."""
    from alerts.channels.base import Letter
    from alerts.message import Form, render

    at = datetime.fromisoformat(told.notice.at)
    said = render(Letter("", told.route.receiver, told.route.address, told.route.why, told.notice, at), Form.TEXT)
    return f"{said.title}\n{said.body}"


def _derived(book: Book, case: Case) -> dict[str, list[Figure]]:
    """What the book derives from the case's series, each time one of them became known."""
    roots = sorted({root for one in book.derived for root in book.roots(Series(DERIVED, one.series))})
    stated = sorted(
        ((_micros(one.known), roots.index(root), one) for root in roots for one in case.series.get(root.series, ())),
        key=lambda entry: entry[0],
    )
    if not stated:
        return {}
    vintages = Vintages(
        inputs=tuple(roots),
        units=("",),
        series=np.array([series for _, series, _ in stated], np.int64),
        subject=np.full(len(stated), -1, np.int64),
        unit=np.zeros(len(stated), np.int64),
        period=np.array([one.period for _, _, one in stated], "datetime64[D]").astype(np.int64),
        value=np.array([one.value for _, _, one in stated], np.float64),
        since=np.array([since for since, _, _ in stated], np.int64),
        status=np.array([STATUSES.index(one.status) for _, _, one in stated], np.int8),
    )
    found: dict[str, dict[tuple[date, int], Figure]] = defaultdict(dict)
    years = range(book.year - YEARS, book.year + 1)
    for column in compute(book.derived, years, 1, vintages, np.unique(vintages.since).tolist()):
        cells = (column.period, column.value, column.since, column.status)
        for period, value, since, status in zip(*(cell.tolist() for cell in cells), strict=True):
            known = datetime.fromtimestamp(since / 1e6, UTC)
            found[column.derived.series][period, since] = Figure(period, value, known, STATUSES[status])
    return {name: list(figures.values()) for name, figures in found.items()}


def _micros(when: datetime) -> int:
    return round(when.timestamp() * 1e6)


@lru_cache(maxsize=4096)
def _midnight(day: date, zone: ZoneInfo) -> int:
    return _micros(datetime(day.year, day.month, day.day, tzinfo=zone))
