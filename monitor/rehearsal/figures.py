"""The figures of a rehearsal: everything that was ever stated of a book's series, and since when each was known."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from msgspec import structs
from numpy.typing import NDArray
from sqlalchemy import Engine

from alerts.escalation import OPENS
from connectors.base import ConnectorError
from connectors.observation import COLUMNS, FINAL, Query, Reading
from connectors.strict import near
from monitor import pipeline, wide
from monitor.intake import sieve
from monitor.store import appending, quarantine, registry, stated
from monitor.store.database import emptied, reading
from monitor.store.observations import Figures, Group
from monitor.wiring import Feed
from rules.calendar import period_ends
from rules.derived import Series
from rules.document import Invalid
from rules.past import YEARS
from rules.target import SUMS, Book

NOTHING_KNOWN = Figures(*(np.empty(0, kind) for kind in ("i8", "i8", "datetime64[D]", "f8", "datetime64[s]", "i1")))
_NAMES = dict.fromkeys(("series", "subject", "unit"), "category")
BACKFILLED = np.timedelta64(60, "D")
"""A figure first stored so long after it was due, of which nobody said when it was published, was fetched afterwards."""


class Known(NamedTuple):
    """Stored series, and their figures in the order of becoming known.

    ``deemed`` of them are taken as known when they were due, because nothing says when they were; ``refused`` were not
    let into the store.
    """

    groups: list[Group]
    figures: Figures
    deemed: int
    refused: int


class Stock:
    """Where the figures of a rehearsal come from: what a book's sources state (by source), or a store."""

    def __init__(self, tables: Mapping[str, pd.DataFrame] | None = None, engine: Engine | None = None) -> None:
        # Names repeat: as categories they are looked up once.
        self._tables = tables and {name: table.astype(_NAMES) for name, table in tables.items()}
        self._engine = engine

    def years(self, book: Book) -> list[int]:
        """The years of which there are figures that targets of ``book`` are judged by."""
        if self._tables is not None:
            periods = [
                table["period"][table["series"].isin(book.read_from(name))].to_numpy("datetime64[Y]")
                for name, table in self._tables.items()
            ]
            found = np.unique(np.concatenate([np.empty(0, "datetime64[Y]"), *periods]))
            return [int(year) for year in (found.astype(np.int64) + 1970).tolist()]
        assert self._engine is not None
        with reading(self._engine) as connection:
            return stated.years(connection, book.id)

    def known(self, memory: Engine, book: Book, start: datetime, end: datetime, earlier: int = YEARS) -> Known:
        """What ``book`` reads in its year and so many ``earlier`` ones, as it became known until ``end``.

        What sources state goes through the checks of the store, of which ``memory`` is an empty one, as it would have
        day by day.
        """
        if self._tables is None:
            assert self._engine is not None
            return _dated(book, *_stored(self._engine, book, earlier))
        unsaid = sum(
            int((mine["known_at"].isna() & (mine["period"].dt.year == book.year)).sum())
            for _, mine in self._of(book, 0)
        )
        return _let_in(memory, book, self.stated(book, earlier), (start, end), earlier)._replace(deemed=unsaid)

    def stated(self, book: Book, earlier: int = YEARS) -> dict[str, pd.DataFrame]:
        """What sources state that ``book`` reads, by source; where they do not say when it was known, when it was due."""
        found = {}
        for name, mine in self._of(book, earlier):
            code, series = pd.factorize(mine["series"])
            due = _due(book, code, [Series(name, one) for one in series], mine["period"].to_numpy("datetime64[D]"))
            stamps = pd.Series(pd.to_datetime(due, utc=True), index=mine.index)
            found[name] = mine.assign(known_at=mine["known_at"].fillna(stamps))
        return found

    def _of(self, book: Book, earlier: int) -> Iterator[tuple[str, pd.DataFrame]]:
        """What each source states that ``book`` reads of its year and so many earlier ones."""
        for name, table in (self._tables or {}).items():
            years = pd.Timestamp(book.year - earlier, 1, 1), pd.Timestamp(book.year, 12, 31)
            read = table["period"].between(*years)
            yield name, table[read & table["series"].isin(book.read_from(name))]


def from_file(path: Path, book: Book, *, to_date: bool) -> Stock:
    """A wide monthly table: first column ``month`` (YYYY-MM), each other one a series or ``series@subject``.

    Figures are in the goal's unit. Those of cumulative targets are each month's own, unless they run from the year's
    beginning (``to_date``). Raises Invalid with its place.
    """
    given = wide.read(path)
    readers: dict[str, list[tuple[Series, str, bool]]] = {}
    for target in book.targets:
        if target.source is None:
            continue
        summed = target.measure in SUMS and target.counts is None and not to_date
        for read in book.needed(target):
            own = read == target.reads
            known = (read, target.goal.unit if own else "", summed and own)
            if own or read.series not in readers:
                readers[read.series] = [known, *(one for one in readers.get(read.series, []) if one[0] != read)]
    columns: dict[str, list[int]] = {}
    for place, name in enumerate(given.columns):
        columns.setdefault(str(name).partition("@")[0], []).append(place)
    if not columns.keys() & readers.keys():
        unread = str(given.columns[0])
        raise Invalid(
            [f"{path}: 没有一列是册内的序列 (unknown series){near(unread, readers)}；列名应为序列名，或 序列名@对象"]
        )
    parts: dict[str, list[pd.DataFrame]] = {}
    for series, places in columns.items():
        for read, unit, summed in readers.get(series, ()):
            values = given.iloc[:, places]
            if summed:
                values = values.groupby(pd.PeriodIndex(given.index).year).cumsum(skipna=False)
            parts.setdefault(read.source, []).append(_table(read.series, unit, values, path.name))
    return Stock({name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()})


def _table(series: str, unit: str, values: pd.DataFrame, file: str) -> pd.DataFrame:
    """The figures of one series, a subject per column and a month per row, as a source states them."""
    ends = pd.PeriodIndex(values.index).to_timestamp(how="end").normalize()
    column, month = np.nonzero(values.notna().to_numpy().T)
    names = values.columns.astype(str)
    facts = {
        "series": series,
        "subject": names.str.partition("@").get_level_values(2).to_numpy(object)[column],
        "period": ends.to_numpy("datetime64[s]")[month],
        "value": values.to_numpy()[month, column],
        "unit": unit,
        "known_at": pd.Series(pd.NaT, index=range(len(month)), dtype="datetime64[us, UTC]"),
        "cell": (file + " " + names).to_numpy(object)[column],
        "status": np.int8(FINAL),
    }
    return pd.DataFrame(facts)[list(COLUMNS)]


def from_sources(book: Book, feeds: Iterable[Feed], at: datetime) -> Stock:
    """What the sources of ``book`` state now of its year and the earlier ones. Raises Invalid with a source's words."""
    tables = {}
    for feed in feeds:
        if feed.pushed or not book.read_from(feed.source.name):
            continue
        first, last = date(book.year - 2 * YEARS, 1, 1), date(book.year, 12, 31)
        query = Query(at, first, last, tuple(sorted(book.read_from(feed.source.name))), book.id)
        try:
            tables[feed.source.name] = feed.connector.fetch(query).observations
        except ConnectorError as error:
            raise Invalid([f"{feed.source.key}: {error.detail} ({error.reason})"]) from None
    return Stock(tables)


def begins(book: Book) -> datetime:
    """When the book's year begins where the book is."""
    return datetime(book.year, 1, 1, tzinfo=ZoneInfo(book.timezone))


@dataclass(frozen=True, slots=True)
class Released:
    """A source that states at any moment what was known by then."""

    table: pd.DataFrame

    def fetch(self, query: Query) -> Reading:
        """Everything of the query's periods that was known at its moment."""
        period, known = self.table["period"], self.table["known_at"]
        out = (known <= query.at) & period.between(pd.Timestamp(query.first), pd.Timestamp(query.last))
        return Reading(self.table[out].reset_index(drop=True), (), "", "")


def _let_in(
    memory: Engine, book: Book, tables: Mapping[str, pd.DataFrame], span: tuple[datetime, datetime], earlier: int
) -> Known:
    """What the store takes of all that the sources state, at each moment at which they state more.

    Where every series goes forward and nothing comes to be doubted, one look at the end finds what all of them would,
    and need not be stored.
    """
    moments = moments_of((table["known_at"] for table in tables.values()), *span)
    if not book.derived and all(map(_forward, tables.values())):
        known = _unstored(memory, book, tables, moments[-1], earlier)
        if known is not None:
            return known
        emptied(memory)
    _looked(memory, book, tables, moments, earlier)
    with reading(memory) as connection:
        refused = sum(sum(counts.values()) for counts in quarantine.counts(connection).values())
    groups, figures, _ = _stored(memory, book, earlier)
    return Known(groups, figures, 0, refused)


def _unstored(
    memory: Engine, book: Book, tables: Mapping[str, pd.DataFrame], at: datetime, earlier: int
) -> Known | None:
    """What an empty store would take at one moment; None where it would doubt anything."""
    parts, refused = [NOTHING_KNOWN], 0
    with memory.begin() as connection:
        for name, table in tables.items():
            feed = Feed(book, book.sources[name], Released(table))  # type: ignore[arg-type]  # made without options
            answer = Released(table).fetch(pipeline.asked(feed, at, earlier))
            taken, unreadable = sieve.readable(feed, answer, (), at)
            found = appending.compare(connection, feed.source.key, taken, at)
            if found.refusals or sieve.doubts(connection, feed, found, (), at) is not None:
                return None
            parts.append(_first_known(found))
            refused += len(unreadable)
        groups = list(registry.series(connection))
    order = np.argsort(np.concatenate([part.known_at for part in parts]), kind="stable")
    columns = {name: np.concatenate([getattr(part, name) for part in parts])[order] for name in Figures.__slots__}
    return Known(groups, Figures(**(columns | {"id": np.arange(1, len(order) + 1)})), 0, refused)


def _first_known(found: appending.Compared) -> Figures:
    """What would be stored, as if it were."""
    rows, kept = found.rows, found.kept
    return Figures(
        id=kept,
        series=rows.series[kept],
        period=rows.period[kept].astype("datetime64[D]"),
        value=rows.value[kept],
        known_at=(found.known_at // 1_000_000).astype("datetime64[s]"),
        status=rows.status[kept],
    )


def _looked(
    memory: Engine, book: Book, tables: Mapping[str, pd.DataFrame], moments: Sequence[datetime], earlier: int
) -> None:
    """Have the store take what the sources state at ``moments``."""
    for moment in moments:
        for name, table in tables.items():
            fresh = table["known_at"] == moment
            if moment > moments[0] and not fresh.any():
                continue
            feed = Feed(book, book.sources[name], Released(table))  # type: ignore[arg-type]  # made without options
            query = pipeline.asked(feed, moment, earlier)
            if moment > moments[0] and (table["period"][fresh].dt.year >= book.year).all():
                query = structs.replace(query, first=date(book.year, 1, 1))
            pipeline.pull(memory, feed, moment, query=query)


def _forward(table: pd.DataFrame) -> bool:
    """Whether each series states every period once, and one after the other."""
    series = table["series"].cat.codes.to_numpy(np.int64) * len(table["subject"].cat.categories)
    known, _ = pd.factorize(table["known_at"], sort=True)
    period, ends = pd.factorize(table["period"], sort=True)
    key = (series + table["subject"].cat.codes.to_numpy()) * (known.max(initial=0) + 1) + known
    ordered = np.sort(key * len(ends) + period)  # by series, then in the order of becoming known
    same = np.diff(ordered // max((known.max(initial=0) + 1) * len(ends), 1)) == 0
    return not (same & (np.diff(ordered % max(len(ends), 1)) <= 0)).any()


def moments_of(columns: Iterable["pd.Series[pd.Timestamp]"], start: datetime, end: datetime) -> list[datetime]:
    """``start`` and every later moment until ``end`` at which something becomes known."""
    known = pd.concat([pd.Series([pd.Timestamp(start)]).dt.tz_convert("UTC"), *columns]).drop_duplicates().sort_values()
    return [one.to_pydatetime() for one in known if start <= one <= end]


def _stored(engine: Engine, book: Book, earlier: int) -> tuple[list[Group], Figures, NDArray[np.bool_]]:
    """What the store has of the book's year and so many earlier ones; see ``stated.everything``."""
    with reading(engine) as connection:
        return stated.everything(connection, book.id, date(book.year - earlier, 1, 1), date(book.year, 12, 31))


def _dated(book: Book, groups: list[Group], figures: Figures, unsaid: NDArray[np.bool_]) -> Known:
    """What was fetched long afterwards is taken as known when it was due; ``unsaid`` (N,) may have been."""
    place = {int(number): Series(group.source.partition("/")[2], group.name) for group in groups for number in group.id}
    late = np.flatnonzero(unsaid & _first(figures) & (figures.known_at > figures.period + BACKFILLED))
    code, series = pd.factorize(figures.series[late])
    due = _due(book, code, [place[number] for number in series.tolist()], figures.period[late])
    moved = figures.known_at[late] > due + BACKFILLED
    known_at = figures.known_at.copy()
    known_at[late[moved]] = due[moved]
    order = np.lexsort((figures.id, known_at))
    figures = replace(figures, known_at=known_at)
    ordered = Figures(*(getattr(figures, name)[order] for name in Figures.__slots__))
    of_year = figures.period[late[moved]] >= np.datetime64(f"{book.year}-01-01")
    return Known(groups, ordered, int(of_year.sum()), 0)


def _first(figures: Figures) -> NDArray[np.bool_]:
    """Which figures are the first of their series and period; they come in the order of becoming known."""
    key = pd.DataFrame({"series": figures.series, "period": figures.period})
    return ~key.duplicated().to_numpy()


def _due(
    book: Book, code: NDArray[np.intp], reads: Sequence[Series], periods: NDArray[np.datetime64]
) -> NDArray[np.datetime64]:
    """When the figures of ``periods`` were due, (N,) UTC: by the calendar of the first target that reads them.

    ``code`` is a place in ``reads``. Those of an earlier year were due as much later as those of this one are.
    """
    found = periods.copy()
    calendars = _calendars(book)
    for number, read in enumerate(reads):
        mine = np.flatnonzero(code == number)
        ends, lags = calendars.get(
            read, (np.array([f"{book.year}-12-31"], "M8[D]"), np.array([np.timedelta64(0, "D")]))
        )
        years = book.year - 1970 - periods[mine].astype("M8[Y]").astype(np.int64)
        months = periods[mine].astype("M8[M]")
        # The same day of the book's year; a leap day is taken for the end of its month.
        day = (periods[mine] - months.astype("M8[D]")) + (months + 12 * years).astype("M8[D]")
        found[mine] = periods[mine] + lags[np.minimum(np.searchsorted(ends, day), len(ends) - 1)]
    zone = ZoneInfo(book.timezone)
    code, days = pd.factorize(found)
    opened = [datetime.combine(day, OPENS, zone).astimezone(ZoneInfo("UTC")) for day in days.astype("M8[D]").tolist()]
    return np.array([one.replace(tzinfo=None) for one in opened], "datetime64[s]")[code]


def _calendars(book: Book) -> dict[Series, tuple[NDArray[np.datetime64], NDArray[np.timedelta64]]]:
    """Of each series that is read: the ends of periods and how long after them its figures are due."""
    found: dict[Series, tuple[NDArray[np.datetime64], NDArray[np.timedelta64]]] = {}
    for target in book.targets:
        if target.source is None:
            continue
        ends = period_ends(book.year, target.every)
        lags = target.published.due(ends, book.workdays) - ends
        for read in {*book.needed(target), target.reads}:
            if read not in found or len(found[read][0]) < len(ends):
                found[read] = ends, lags
            elif len(found[read][0]) == len(ends):
                found[read] = ends, np.minimum(found[read][1], lags)
    return found
