"""What the daemon holds in memory: targets in columns, their figures, and where their alerts stand.

All of it is rebuilt from the books and the store; nothing here is the only copy.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from alerts import lifecycle
from alerts.alert import Alert, Identity, Kind, State
from monitor.store import alerts as alert_store
from monitor.store import history, observations
from monitor.store.database import reading
from monitor.store.observations import Figures, Group
from monitor.store.quarantine import Doubted
from rules.calendar import Every, period_ends
from rules.panel import Panel
from rules.past import YEARS
from rules.plan import Block, compile_plan
from rules.plausible import Figures as Stood
from rules.target import Book, Target
from rules.unit import conversion
from rules.verdict import Verdicts

NEVER = np.datetime64("9999-12-31", "s")
AT_ONCE = np.datetime64(0, "s")
_LINKED = ("series", "row", "factor", "offset")


class Kept(NamedTuple):
    """What a watch knew once: up to the ``position`` in the feed, in the store that has this ``mark`` there."""

    position: int
    mark: str
    columns: Mapping[str, NDArray[Any]]


class Reads(NamedTuple):
    """Rows of a block that read series, one each: columns of one length, and how their unit is read in the target's."""

    series: NDArray[np.int64]
    row: NDArray[np.int64]
    factor: float
    offset: float


class Links:
    """Which rows of a block read which series, and how its unit is read in the target's: sorted columns (L,)."""

    def __init__(self, parts: Sequence[Reads] = ()) -> None:
        nothing = np.empty(0, np.int64)
        series = np.concatenate([nothing, *(part.series for part in parts)])
        order, sizes = np.argsort(series, kind="stable"), np.array([len(part.row) for part in parts], np.intp)
        self.series = series[order]
        self.row = np.concatenate([nothing, *(part.row for part in parts)])[order]
        self.factor = np.repeat(np.array([part.factor for part in parts], np.float64), sizes)[order]
        self.offset = np.repeat(np.array([part.offset for part in parts], np.float64), sizes)[order]

    def of(self, series: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """For figures of ``series`` (N,): pairs (figure index, link index), in the figures' order."""
        first = np.searchsorted(self.series, series, "left")
        count = np.searchsorted(self.series, series, "right") - first
        figure = np.repeat(np.arange(len(series)), count)
        within = np.arange(len(figure)) - np.repeat(np.cumsum(count) - count, count)
        return figure, np.repeat(first, count) + within

    def kept(self, name: str) -> dict[str, NDArray[Any]]:
        """The columns, named for what the links are."""
        return {f"{name}/{column}": getattr(self, column) for column in _LINKED}

    def take_back(self, kept: Callable[[str], NDArray[Any]], name: str) -> None:
        """Become those that were ``kept``."""
        for column in _LINKED:
            setattr(self, column, kept(f"{name}/{column}"))


class Watch:
    """The books in force with every figure known so far. Not thread-safe: one cycle at a time.

    Per block: its ``panels`` entry, how its alerts stand (``standing``, see lifecycle), which rows read which series
    (``links``), the id of the series that each row reads (``series_of``, -1 for none yet), which rows lean on which
    series (``leans``), and where a known figure became another one that no cycle has dealt with (``revised``, (P, R)).

    ``due`` is when an alert that stands may ask for a reminder or an escalation, and ``looked`` the slot of the newest
    figure when it was last asked: a look that finds nothing to do sets both, and the alert's next change sets them back.

    ``gone`` are open alerts whose target is in no book; nothing is known of them unless the books are ``complete``:
    every one that is written, each without error. ``loaded`` says that no cycle has seen this yet.
    """

    def __init__(self, books: Sequence[Book], *, complete: bool = False) -> None:
        self.books = tuple(books)
        self.by_id = {book.id: book for book in books}
        self.panels = [Panel(block) for block in compile_plan(books)]
        self.links = [Links() for _ in self.panels]
        self.leans = [Links() for _ in self.panels]
        self.series_of = [np.full(panel.block.rows, -1, np.int64) for panel in self.panels]
        self.standing = [{kind: np.zeros(panel.block.rows, np.int8) for kind in Kind} for panel in self.panels]
        self.due = [{kind: np.full(panel.block.rows, NEVER) for kind in Kind} for panel in self.panels]
        self.looked = [{kind: np.full(panel.block.rows, -1, np.int16) for kind in Kind} for panel in self.panels]
        self.revised = [np.zeros((len(panel.block.ends), panel.block.rows), np.bool_) for panel in self.panels]
        self.alerts: dict[Identity, Alert] = {}
        self.gone: list[Identity] = []
        self.loaded = False
        self.position = 0
        self._complete = complete
        self._linked = 0
        self._index = {
            (target.book, target.id): (block, index)
            for block, panel in enumerate(self.panels)
            for index, target in enumerate(panel.block.targets)
        }

    @property
    def rows(self) -> int:
        return sum(panel.block.rows for panel in self.panels)

    def load(self, engine: Engine, at: datetime) -> None:
        """Read everything known at ``at`` from the store, and how the alerts stand."""
        with reading(engine) as connection:
            self.position = observations.last_position(connection, at)
            self._link(observations.series(connection))
            self._enter_known(connection, at)
            self._remember(connection)

    def resume(self, engine: Engine, at: datetime, kept: Kept) -> bool:
        """Like ``load``, from what another watch of the same plan knew before ``at``, and what was stored since.

        Returns False, with nothing done, if that was of another store.
        """
        with reading(engine) as connection:
            if observations.mark(connection, kept.position) != kept.mark:
                return False
            self.position = kept.position
            self._take_back(kept.columns)
            self._take(connection, at)
            for revised in self.revised:
                revised[:] = False  # the cycles before may have dealt with it; what is told says whether they have
            self._remember(connection)
        return True

    def columns(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """All that is known of the figures, by name, for ``Kept``."""
        for block, (panel, links, leans) in enumerate(zip(self.panels, self.links, self.leans, strict=True)):
            for name, column in (panel.kept() | links.kept("links") | leans.kept("leans")).items():
                yield f"{block}/{name}", column
        yield "linked", np.array(self._linked)

    def _take_back(self, columns: Mapping[str, NDArray[Any]]) -> None:
        for block, panel in enumerate(self.panels):

            def kept(name: str, block: int = block) -> NDArray[Any]:
                return columns[f"{block}/{name}"]

            panel.take_back(kept)
            self.links[block].take_back(kept, "links")
            self.leans[block].take_back(kept, "leans")
            self.series_of[block][self.links[block].row] = self.links[block].series
        self._linked = int(columns["linked"])

    def _remember(self, connection: Connection) -> None:
        """How the alerts stand, and what was told of figures that are others now."""
        standing = alert_store.standing(connection, self._newest())
        told = alert_store.told(connection, [day for panel in self.panels for day in panel.block.ends.tolist()])
        self.stand(standing)
        self.gone = [
            alert.identity
            for alert in standing
            if self._complete and alert.state is not State.RESOLVED and self.place(*alert.identity[:3]) is None
        ]
        for alert in told:
            self._recall(alert)
        self.loaded = True

    def take(self, engine: Engine, at: datetime) -> bool:
        """Enter what has been published since the last look. Returns whether anything was."""
        with reading(engine) as connection:
            return self._take(connection, at)

    def _take(self, connection: Connection, at: datetime) -> bool:
        figures = observations.since(connection, self.position, at)
        if not len(figures.id):
            return False
        if int(figures.series.max()) > self._linked and self._link(observations.series(connection)):
            self._enter_known(connection, at)
        self._enter(figures)
        self.position = int(figures.id[-1])
        return True

    def _enter_known(self, connection: Connection, at: datetime) -> None:
        years = {panel.block.year for panel in self.panels}
        every = {panel.block.every for panel in self.panels}
        series = np.unique(np.concatenate([links.series for links in self.links]))
        for first, last in _months(range(min(years) - YEARS, min(years)), every):
            self._enter_past(history.whole(connection, series, first, last, at))
        for first, last in _months(range(min(years), max(years) + 1), every):
            self._enter(observations.known(connection, at, first, last))

    def stand(self, alerts: Iterable[Alert]) -> None:
        """Remember where alerts stand. One whose target is no longer in a book stands in the store only."""
        found = defaultdict[tuple[int, Kind], dict[int, np.int8]](dict)
        for alert in alerts:
            place = self.place(*alert.identity[:3])
            if place is not None:
                self.alerts[alert.identity] = alert
                block, row = place
                found[block, alert.identity.kind][row] = lifecycle.standing(alert)
        for (block, kind), stands in found.items():
            rows = list(stands)
            self.standing[block][kind][rows] = list(stands.values())
            self.due[block][kind][rows] = AT_ONCE

    def settled(self, judged: Sequence[Verdicts]) -> None:
        """A cycle has dealt with all there was. A revision of the newest period waits while that is not judged."""
        for panel, revised, verdicts in zip(self.panels, self.revised, judged, strict=True):
            if revised.any():
                waiting = np.flatnonzero((panel.latest >= 0) & (verdicts.level < 0))
                kept = revised[panel.latest[waiting], waiting]
                revised[:] = False
                revised[panel.latest[waiting], waiting] = kept
        self.gone = []
        self.loaded = False

    def target(self, alert: Identity) -> Target:
        """The target of an alert, which a book in force has."""
        block, index = self._index[alert.book, alert.target]
        return self.panels[block].block.targets[index]

    def place(self, book: str, target: str, subject: str) -> tuple[int, int] | None:
        """Block and row of a target and subject, if a book in force has them."""
        found = self._index.get((book, target))
        if found is None:
            return None
        block, index = found
        offset = self.panels[block].block.subject_index[index].get(subject)
        return None if offset is None else (block, int(self.panels[block].block.first_row[index]) + offset)

    def spot(self, alert: Alert) -> tuple[int, int, int] | None:
        """Block, slot and row of the period that an alert stands on, if a book in force judges such a period."""
        found = self.place(*alert.identity[:3])
        if found is None or alert.basis.period is None:
            return None
        ends, day = self.panels[found[0]].block.ends, np.datetime64(alert.basis.period)
        slot = int(np.searchsorted(ends, day))
        return (found[0], slot, found[1]) if slot < len(ends) and ends[slot] == day else None

    def failed_rows(self, failed: Iterable[str]) -> list[NDArray[np.bool_] | None]:
        """Per block: rows whose source (``book/name``) is among ``failed``; None where none is."""
        keys = set(failed)
        if not keys:
            return [None] * len(self.panels)
        masks: list[NDArray[np.bool_] | None] = []
        for panel in self.panels:
            block = panel.block
            hit = [
                any(f"{target.book}/{read.source}" in keys for read in self.by_id[target.book].roots(target.reads))
                for target in block.targets
            ]
            masks.append(np.repeat(hit, np.diff(block.first_row)) if any(hit) else None)
        return masks

    def doubted_rows(self, doubted: Iterable[Doubted]) -> list[NDArray[np.int16] | None]:
        """Per block: of each row (R,) the latest period that a figure in doubt is of, -1 for none; None where none is."""
        found: list[NDArray[np.int16] | None] = [None] * len(self.panels)
        for one in doubted:
            for number, index in self._readers.get((one.source, one.series), ()):
                block, column = self.panels[number].block, found[number]
                offset = block.subject_index[index].get(one.subject)
                slot = int(_slots(block, np.array([one.period], "datetime64[D]"))[0])
                if offset is not None and slot >= 0:
                    if column is None:
                        column = found[number] = np.full(block.rows, -1, np.int16)
                    row = block.first_row[index] + offset
                    column[row] = max(column[row], slot)
        return found

    @cached_property
    def _readers(self) -> dict[tuple[str, str], list[tuple[int, int]]]:
        """Block and place of the targets that a series of a source is read for, be it by what is derived of it."""
        found: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for block, panel in enumerate(self.panels):
            for index, target in enumerate(panel.block.targets):
                for read in self.by_id[target.book].roots(target.reads):
                    found.setdefault((f"{target.book}/{read.source}", read.series), []).append((block, index))
        return found

    def _link(self, groups: Iterable[Group]) -> bool:
        """Find the rows that read each stored series. Bulk: loops over distinct names, never over series.

        Returns whether a row now leans on another series than before, so that all must be entered anew.
        """
        readers: dict[tuple[str, str], list[tuple[int, int]]] = {}
        leaning: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for block, panel in enumerate(self.panels):
            for index, target in enumerate(panel.block.targets):
                readers.setdefault((f"{target.book}/{target.source}", target.series), []).append((block, index))
                if target.leans_on is not None:
                    key = (f"{target.book}/{target.leans_on.source}", target.leans_on.series)
                    leaning.setdefault(key, []).append((block, index))
        parts: list[list[Reads]] = [[] for _ in self.panels]
        own: list[list[Reads]] = [[] for _ in self.panels]
        common: list[list[Reads]] = [[] for _ in self.panels]
        for group in groups:
            self._linked = max(self._linked, int(group.id.max()))
            for block, index in readers.get((group.source, group.name), ()):
                parts[block] += _rows(self.panels[block].block, index, group)
            for block, index in leaning.get((group.source, group.name), ()):
                own[block] += _rows(self.panels[block].block, index, group)
                common[block] += _all_rows(self.panels[block].block, index, group)
        self.links = [Links(part) for part in parts]
        for read, links in zip(self.series_of, self.links, strict=True):
            read[links.row] = links.series
        before, self.leans = self.leans, [Links(_nearest(*part)) for part in zip(own, common, strict=True)]
        again = False
        for panel, was, now in zip(self.panels, before, self.leans, strict=True):
            rows = _moved(was, now, panel.block.rows)
            panel.expected[:, rows] = np.nan
            again |= len(rows) > 0
        return again

    def _enter(self, figures: Figures) -> None:
        for panel, links, leans, revised in zip(self.panels, self.links, self.leans, self.revised, strict=True):
            figure, link = links.of(figures.series)
            row, period, slot = links.row[link], figures.period[figure], _slots(panel.block, figures.period[figure])
            values = figures.value[figure] * links.factor[link] + links.offset[link]
            mine = slot >= 0
            known_at, status = figures.known_at[figure][mine], figures.status[figure][mine]
            revised[panel.put(row[mine], slot[mine], values[mine], known_at, status)] = True
            panel.put_past(row[~mine], period[~mine], values[~mine])
            if len(leans.row):
                figure, link = leans.of(figures.series)
                slot = _slots(panel.block, figures.period[figure])
                values = figures.value[figure] * leans.factor[link] + leans.offset[link]
                mine = slot >= 0
                panel.lean(leans.row[link][mine], slot[mine], values[mine])

    def _enter_past(self, figures: Stood) -> None:
        """Enter figures that are of an earlier year for all blocks: of these only the values matter."""
        period = figures.period.astype("datetime64[D]")
        for panel, links in zip(self.panels, self.links, strict=True):
            figure, link = links.of(figures.series)
            values = figures.value[figure] * links.factor[link] + links.offset[link]
            panel.put_past(links.row[link], period[figure], values)

    def _recall(self, told: Alert) -> None:
        """What was told of a period, held against its figure as it is now: a revision may have come in between."""
        spot = self.spot(told)
        if spot is None:
            return
        block, slot, row = spot
        value = self.panels[block].values[slot, row]
        self.revised[block][slot, row] = not np.isnan(value) and value != told.basis.actual

    def _newest(self) -> set[date]:
        """The periods that newest figures are of."""
        return {
            day
            for panel in self.panels
            for day in panel.block.ends[np.unique(panel.latest[panel.latest >= 0])].tolist()
        }


def _slots(block: Block, period: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """The place of each period in the block's year; -1 for one of another year, or at which its targets are not judged."""
    slot = np.minimum(np.searchsorted(block.ends, period), len(block.ends) - 1)
    return np.where(block.ends[slot] == period, slot, -1)


def _months(years: range, every: Iterable[Every]) -> Iterator[tuple[date, date]]:
    """First and last end of a period in each month of the years that has one: all at once would take a lot of memory."""
    ends = np.unique(np.concatenate([period_ends(year, one) for year in years for one in every]))
    _, first = np.unique(ends.astype("datetime64[M]"), return_index=True)
    return zip(ends[first].tolist(), ends[[*first[1:] - 1, -1]].tolist(), strict=True)


def _rows(block: Block, index: int, group: Group) -> list[Reads]:
    """The rows of one target that read the series of their subject; none where the units do not measure the same thing."""
    found = conversion(group.unit, block.targets[index].goal.unit)
    if found is None:
        return []
    place = block.subject_index[index]
    offsets = np.array([place.get(subject, -1) for subject in group.subject], np.int64)
    mine = offsets >= 0
    return [Reads(group.id[mine], block.first_row[index] + offsets[mine], *found)]


def _all_rows(block: Block, index: int, group: Group) -> list[Reads]:
    """All rows of one target of subjects, if ``group`` has a series of no subject that they may lean on."""
    found = conversion(group.unit, block.targets[index].goal.unit)
    if found is None or "" not in group.subject or "" in block.subject_index[index]:
        return []
    rows = np.arange(*block.first_row[index : index + 2])
    return [Reads(np.full(len(rows), group.id[group.subject.index("")]), rows, *found)]


def _nearest(own: Sequence[Reads], common: Sequence[Reads]) -> list[Reads]:
    """A row leans on the series of its own subject, if there is one, else on that of none."""
    taken = np.concatenate([np.empty(0, np.int64), *(part.row for part in own)])
    left = [(part, ~np.isin(part.row, taken)) for part in common]
    return [*own, *(part._replace(series=part.series[free], row=part.row[free]) for part, free in left)]


def _moved(before: Links, now: Links, rows: int) -> NDArray[np.intp]:
    """Rows that lean on another series than ``before``."""
    was, found = np.full(rows, -1), np.full(rows, -1)
    was[before.row], found[now.row] = before.series, now.series
    return np.flatnonzero((was >= 0) & (was != found))
