"""Which of the figures just read are let into the store: the first check, before it, and the second, against it."""

from collections.abc import Container, Iterator, Sequence
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection

from connectors.observation import NIL, Reading, Refusal, Refused, refuse
from monitor.store import history
from monitor.store.appending import Candidates, Doubt
from monitor.wiring import Feed
from rules import plausible, stale
from rules.calendar import period_ends
from rules.plausible import REASONS, Figures
from rules.unit import conversion

EARLIEST = timedelta(days=31)
"""How long before its end a period's figure may arrive: offices report the month from the 20th on."""
_SAMPLE = 100
"""Series of a source that are asked whether it says anything new: all of them, but of a country's."""
_LOOK = 31
"""Periods that are looked at for it."""
_REPEATED, _MISLABELLED = (np.int8(REASONS.index(reason)) for reason in (Refused.REPEATED, Refused.MISLABELLED))
Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]
Released = Container[tuple[str, str, str, float | None]]
"""Series, subject, period (ISO) and value (None: nothing to report) of figures that a person let through."""


def readable(feed: Feed, answer: Reading, released: Released, at: datetime) -> tuple[pd.DataFrame, list[Refusal]]:
    """Figures that can be judged, and why the others cannot: unit, period, subject."""
    units = {target.series: target.goal.unit for target in feed.book.targets if target.source == feed.source.name}
    # Names repeat: as categories they are looked up once, here and in all that follows.
    table = _with_units(answer.observations, units).astype(dict.fromkeys(("series", "subject", "unit"), "category"))
    pairs = table[["series", "unit"]].drop_duplicates()
    strange = {
        (series, unit)
        for series, unit in zip(pairs["series"], pairs["unit"], strict=True)
        if series in units and conversion(unit, units[series]) is None
    }
    unit = np.zeros(len(table), bool)
    if strange:
        unit = pd.MultiIndex.from_frame(table[["series", "unit"]]).isin(strange)
    stranger = np.zeros(len(table), bool)
    if feed.book.subjects != ("",):
        stranger = (~table["subject"].isin(feed.book.subjects) & table["series"].isin(list(units))).to_numpy()
    future = (table["period"] > pd.Timestamp((at + EARLIEST).date())).to_numpy()
    reason = np.select([unit, future, stranger], [1, 2, 3], 0)
    words = (None, Refused.WRONG_DIMENSION, Refused.FUTURE_PERIOD, Refused.UNKNOWN_SUBJECT)
    rows = np.flatnonzero(reason)
    refused = refuse(table.iloc[rows], filter(None, (words[code] for code in reason[rows].tolist())))
    passed = [figure(refusal) in released for refusal in refused]
    reason[rows[passed]] = 0
    taken = table if not reason.any() else table[reason == 0]
    return taken, [refusal for refusal, fine in zip(refused, passed, strict=True) if not fine]


def _with_units(table: pd.DataFrame, units: dict[str, str]) -> pd.DataFrame:
    """A nil report that names no unit, which its series may begin with, gets that of other figures, or of the goal."""
    nil = table["status"] == NIL
    if not nil.any():
        return table
    stated = table[~nil].drop_duplicates("series")
    known = units | dict(zip(stated["series"], stated["unit"], strict=True))
    bare = nil & (table["unit"] == "")
    found = table["series"][bare].map(known).fillna("")
    return table.assign(unit=table["unit"].mask(bare, found))


def figure(refusal: Refusal) -> tuple[str, str, str, float | None]:
    """What a refused figure states, as ``Released`` has it."""
    return refusal.series, refusal.subject, refusal.period.isoformat() if refusal.period else "", refusal.value


def plausibility(connection: Connection, feed: Feed, table: pd.DataFrame, released: Released, at: datetime) -> Doubt:
    """The check of figures that are about to be stored against their targets and what their series said before."""

    def doubt(found: Candidates) -> Sequence[Refused | None] | None:
        first, last = (np.datetime64(f"{feed.book.year}-{day}").astype(np.int64) for day in ("01-01", "12-31"))
        stated = table["status"].to_numpy()[found.row] != NIL
        of_year = (found.period >= first) & (found.period <= last) & stated
        codes = np.zeros(len(found.row), np.int8)
        if (found.kept & of_year).any():
            codes[found.kept & of_year] = _codes(connection, feed, table, found, of_year, at)
        return _reasons(codes[found.kept], table, found.row[found.kept], released)

    return doubt


def _codes(
    connection: Connection, feed: Feed, table: pd.DataFrame, found: Candidates, of_year: Mask, at: datetime
) -> plausible.Codes:
    """What is said of the figures of the book's year that are to be stored."""
    fresh = found.kept & of_year
    rows = table[["series", "subject", "unit", "period", "value"]].iloc[found.row[fresh]]
    promise = plausible.promised(feed.book, feed.source.name, rows)
    value, series, period = promise.read(rows["value"].to_numpy(np.float64)), found.series[fresh], found.period[fresh]
    codes, wanted, deep = plausible.alone(promise, value)
    look = _marked(found, series[wanted])[series] & (codes == 0)
    if look.any():
        same = ~found.kept & of_year & _marked(found, series[wanted])[found.series]
        there = table["value"].to_numpy(np.float64)[found.row[same]]
        earlier = _earlier(connection, feed, found, series[wanted & ~deep], series[deep], period[0], at)
        known = history.joined([*earlier, Figures(found.series[same], found.period[same], there)])
        factor, offset = (np.zeros(int(found.series.max()) + 1) for _ in range(2))
        factor[series], offset[series] = promise.factor, promise.offset
        known = known._replace(value=known.value * factor[known.series] + offset[known.series])
        codes[look] = plausible.beside(promise.take(look), Figures(series[look], period[look], value[look]), known)
    old = _stale(connection, feed, table, found, of_year, at)
    return np.where(codes == 0, old, codes)


def _stale(
    connection: Connection, feed: Feed, table: pd.DataFrame, found: Candidates, of_year: Mask, at: datetime
) -> plausible.Codes:
    """Whether the source repeats old figures, or all are one period off; told from a sample of its series."""
    series = np.flatnonzero(_marked(found, found.series[of_year]))
    sample = series[:: -(-len(series) // _SAMPLE)]
    last = found.period[found.kept & of_year].max()
    rows = np.flatnonzero(of_year & (found.period <= last) & _marked(found, sample)[found.series])
    ends = _ends(feed) | set(found.period[rows].tolist())
    days = sorted(day for day in ends if day <= last)[-_LOOK:]
    rows = rows[found.period[rows] >= days[0]]
    stated = Figures(found.series[rows], found.period[rows], table["value"].to_numpy(np.float64)[found.row[rows]])
    known = history.these(connection, sample, np.array(days, "datetime64[D]").tolist(), at)
    fresh = found.period[found.kept & of_year]
    if stale.mislabelled(stated, known):
        return np.full(len(fresh), _MISLABELLED)
    return np.where(np.isin(fresh, stale.repeated(stated, known)), _REPEATED, np.int8(0))


def _ends(feed: Feed) -> set[int]:
    """The ends of all periods of the book's year that the targets of the source are judged at."""
    every = {target.every for target in feed.book.targets if target.source == feed.source.name}
    return {day for one in every for day in period_ends(feed.book.year, one).astype(np.int64).tolist()}


def _earlier(
    connection: Connection, feed: Feed, found: Candidates, wanted: Ids, deep: Ids, before: int, at: datetime
) -> Iterator[Figures]:
    """Stored figures of the year before a day: the latest one of ``wanted`` series, all of ``deep`` ones."""
    year, first = feed.book.year, np.datetime64(int(before), "D").item()
    days = [np.datetime64(day, "D").item() for day in _ends(feed) if day < before]
    one, all_year = (np.flatnonzero(_marked(found, some[some <= found.registered])) for some in (wanted, deep))
    yield history.nearest(connection, one, days, at)
    if len(all_year):
        yield history.whole(connection, all_year, date(year, 1, 1), first - timedelta(days=1), at)


def _marked(found: Candidates, series: Ids) -> Mask:
    """By id of a series, whether it is one of ``series``."""
    marks = np.zeros(int(found.series.max()) + 1, bool)
    marks[series] = True
    return marks


def _reasons(
    codes: plausible.Codes, table: pd.DataFrame, rows: NDArray[np.intp], released: Released
) -> list[Refused | None] | None:
    refused = np.flatnonzero(codes)
    if len(refused) == 0:
        return None
    stated = refuse(table.iloc[rows[refused]], (Refused.JUMP for _ in refused))
    codes[refused[[figure(refusal) in released for refusal in stated]]] = 0
    return [REASONS[code] for code in codes.tolist()]
