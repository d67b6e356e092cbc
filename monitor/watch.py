"""What the daemon holds in memory: targets in columns, their figures, and where their alerts stand.

All of it is rebuilt from the books and the store; nothing here is the only copy.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Engine

from alerts import lifecycle
from alerts.alert import Alert, Identity, Kind
from monitor.store import alerts as alert_store
from monitor.store import observations
from monitor.store.database import reading
from monitor.store.observations import Figures, SeriesTable
from rules.panel import Panel
from rules.plan import Block, compile_plan
from rules.target import Book
from rules.unit import conversion
from rules.verdict import Verdict


class Links:
    """Which rows of a block read which series, and how its unit is read in the target's: sorted columns (L,)."""

    def __init__(self, parts: Sequence[pd.DataFrame] = ()) -> None:
        """From frames with the columns series, row, factor, offset."""
        empty = pd.DataFrame({"series": [], "row": [], "factor": [], "offset": []})
        joined = pd.concat(parts or [empty]).sort_values("series", kind="stable")
        self.series = joined["series"].to_numpy(np.int64)
        self.row = joined["row"].to_numpy(np.int64)
        self.factor = joined["factor"].to_numpy(np.float64)
        self.offset = joined["offset"].to_numpy(np.float64)

    def of(self, series: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """For figures of ``series`` (N,): pairs (figure index, link index), in the figures' order."""
        first = np.searchsorted(self.series, series, "left")
        count = np.searchsorted(self.series, series, "right") - first
        figure = np.repeat(np.arange(len(series)), count)
        within = np.arange(len(figure)) - np.repeat(np.cumsum(count) - count, count)
        return figure, np.repeat(first, count) + within


class Watch:
    """The books in force with every figure known so far. Not thread-safe: one cycle at a time.

    Per block: its ``panels`` entry, how its alerts stand (``standing``, see lifecycle), which rows read which series
    (``links``) and the id of the series that each row reads (``series_of``, -1 for none yet).
    """

    def __init__(self, books: Sequence[Book]) -> None:
        self.books = tuple(books)
        self.by_id = {book.id: book for book in books}
        self.panels = [Panel(block) for block in compile_plan(books)]
        self.links = [Links() for _ in self.panels]
        self.series_of = [np.full(panel.block.rows, -1, np.int64) for panel in self.panels]
        self.standing = [{kind: np.zeros(panel.block.rows, np.int8) for kind in Kind} for panel in self.panels]
        self.alerts: dict[Identity, Alert] = {}
        self.position = 0
        self._linked = 0
        self._index = {
            (target.book, target.id): (block, index)
            for block, panel in enumerate(self.panels)
            for index, target in enumerate(panel.block.targets)
        }

    def load(self, engine: Engine, at: datetime) -> None:
        """Read everything known at ``at`` from the store, and how the alerts stand."""
        first = min(panel.block.ends[0] for panel in self.panels).item()
        last = max(panel.block.ends[-1] for panel in self.panels).item()
        with reading(engine) as connection:
            self.position = observations.last_position(connection)
            figures = observations.known(connection, at, first, last)
            table = observations.series(connection)
            standing = alert_store.standing(connection)
        self._link(table)
        self._enter(figures)
        for alert in standing:
            self.stand(alert)

    def take(self, engine: Engine, at: datetime) -> bool:
        """Enter what has been published since the last look. Returns whether anything was."""
        with reading(engine) as connection:
            figures = observations.since(connection, self.position, at)
            if not len(figures.id):
                return False
            if int(figures.series.max()) > self._linked:
                self._link(observations.series(connection))
        self._enter(figures)
        self.position = int(figures.id[-1])
        return True

    def stand(self, alert: Alert) -> None:
        """Remember where an alert stands. One whose target is no longer in a book stands in the store only."""
        row = self.place(*alert.identity[:3])
        if row is None:
            return
        self.alerts[alert.identity] = alert
        block, index = row
        self.standing[block][alert.identity.kind][index] = lifecycle.standing(alert)

    def alert(self, kind: Kind, verdict: Verdict) -> Alert | None:
        """Where the alert of a verdict's target stands, if it is pending or firing or was since the start."""
        return self.alerts.get(Identity(verdict.target.book, verdict.target.id, verdict.subject, kind))

    def place(self, book: str, target: str, subject: str) -> tuple[int, int] | None:
        """Block and row of a target and subject, if a book in force has them."""
        found = self._index.get((book, target))
        if found is None:
            return None
        block, index = found
        offset = self.panels[block].block.subject_index[index].get(subject)
        return None if offset is None else (block, int(self.panels[block].block.first_row[index]) + offset)

    def failed_rows(self, failed: Iterable[str]) -> list[NDArray[np.bool_] | None]:
        """Per block: rows whose source (``book/name``) is among ``failed``; None where none is."""
        keys = set(failed)
        masks: list[NDArray[np.bool_] | None] = []
        for panel in self.panels:
            block = panel.block
            hit = [f"{target.book}/{target.source}" in keys for target in block.targets]
            masks.append(np.repeat(hit, np.diff(block.first_row)) if any(hit) else None)
        return masks

    def _link(self, table: SeriesTable) -> None:
        """Find the rows that read each stored series. Bulk: loops over distinct names, never over series."""
        self._linked = int(table.id.max()) if len(table.id) else 0
        readers: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for block, panel in enumerate(self.panels):
            for index, target in enumerate(panel.block.targets):
                readers.setdefault((f"{target.book}/{target.source}", target.series), []).append((block, index))
        parts: list[list[pd.DataFrame]] = [[] for _ in self.panels]
        stored = pd.DataFrame(
            {
                "series": table.id,
                "source": table.source,
                "name": table.name,
                "unit": table.unit,
                "subject": table.subject,
            }
        )
        for (source, name, unit), group in stored.groupby(["source", "name", "unit"], sort=False):
            for block, index in readers.get((str(source), str(name)), ()):
                parts[block].append(_rows(self.panels[block].block, index, group, str(unit)))
        self.links = [Links(part) for part in parts]
        for read, links in zip(self.series_of, self.links, strict=True):
            read[links.row] = links.series

    def _enter(self, figures: Figures) -> None:
        for panel, links in zip(self.panels, self.links, strict=True):
            figure, link = links.of(figures.series)
            ends = panel.block.ends
            slot = np.minimum(np.searchsorted(ends, figures.period[figure]), len(ends) - 1)
            # A figure of another year, or of a period this target is not judged at, is not this block's.
            mine = ends[slot] == figures.period[figure]
            figure, link, slot = figure[mine], link[mine], slot[mine]
            values = figures.value[figure] * links.factor[link] + links.offset[link]
            panel.put(links.row[link], slot, values, figures.known_at[figure], figures.status[figure])


def _rows(block: Block, index: int, series: pd.DataFrame, unit: str) -> pd.DataFrame:
    """The rows of one target that read ``series``; none where the units do not measure the same thing."""
    offsets = series["subject"].map(block.subject_index[index])
    found = conversion(unit, block.targets[index].goal.unit)
    mine = offsets.notna() & (found is not None)
    factor, offset = found or (1.0, 0.0)
    rows = block.first_row[index] + offsets[mine].astype("int64")
    return pd.DataFrame({"series": series["series"][mine], "row": rows, "factor": factor, "offset": offset})
