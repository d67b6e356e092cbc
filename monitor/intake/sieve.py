"""Which of the figures just read are let into the store: the first check, before it, and the second, against it."""

import hashlib
from collections.abc import Container, Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection

from connectors.observation import COLUMNS, NIL, Reading, Refusal, Refused, refuse
from monitor.store import history
from monitor.store.appending import Compared
from monitor.wiring import Feed
from rules import plausible, stale
from rules.calendar import period_ends
from rules.plausible import REASONS, Figures
from rules.unit import conversion

EARLIEST = timedelta(days=31)
"""How long before its end a period's figure may arrive: offices report the month from the 20th on."""
_FEW = 1000
"""Rows up to which making categories costs more than it saves."""
_SAMPLE = 100
"""Series of a source that are asked whether it says anything new: all of them, but of a country's."""
_LOOK = 31
"""Periods that are looked at for it."""
_JUDGED = ["series", "subject", "unit", "period"]
"""What a target needs to know of a figure besides its value; each column more costs."""
_REPEATED, _MISLABELLED = (np.int8(REASONS.index(reason)) for reason in (Refused.REPEATED, Refused.MISLABELLED))
Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]
Released = Container[tuple[str, str, str, float | None]]
"""Series, subject, period (ISO) and value (None: nothing to report) of figures that a person let through."""


def fingerprint(table: pd.DataFrame) -> bytes:
    """A print of what figures state, wherever in the document they stand: the same for the same figures, SHA-256."""
    found = hashlib.sha256()
    for name in COLUMNS:
        if name != "cell":
            cells = table[name].to_numpy("M8[us]" if name == "known_at" else None)
            found.update(
                str(cells.tolist()).encode("utf-8", "surrogatepass") if cells.dtype == object else cells.tobytes()
            )
    return found.digest()


def readable(feed: Feed, answer: Reading, released: Released, at: datetime) -> tuple[pd.DataFrame, list[Refusal]]:
    """Figures that can be judged, and why the others cannot: unit, period, subject."""
    units = {target.series: target.goal.unit for target in feed.book.targets_of(feed.source.name)}
    table = _with_units(answer.observations, units)
    if len(table) > _FEW:
        # Names repeat: as categories they are looked up once, here and in all that follows.
        table = table.astype(dict.fromkeys(("series", "subject", "unit"), "category"))
    (name, names), (unit, words) = pd.factorize(table["series"]), pd.factorize(table["unit"])
    goal = [units.get(series) for series in names]
    pair = name * len(words) + unit
    strange = [
        one
        for one in pd.unique(pair).tolist()
        if (wanted := goal[one // len(words)]) is not None and conversion(words[one % len(words)], wanted) is None
    ]
    period, new_year = table["period"].to_numpy(), np.datetime64(f"{feed.book.year + 1}-01-01")
    # Of a task with a deadline it is said all year long how far it has come, and the year is its one period.
    tasks = {target.series for target in feed.book.targets_of(feed.source.name) if target.goal.by is not None}
    all_year = np.array([series in tasks for series in names], bool)[name] & (period < new_year)
    reason = np.where((period > np.datetime64((at + EARLIEST).date())) & ~all_year, 2, 0)
    reason[np.isin(pair, strange)] = 1
    if feed.book.subjects != ("",):
        subject, subjects = pd.factorize(table["subject"])
        read = np.array([wanted is not None for wanted in goal], bool)
        reason[(reason == 0) & read[name] & ~subjects.isin(feed.book.subjects)[subject]] = 3
    rows = np.flatnonzero(reason)
    if len(rows) == 0:
        return table, []
    why = (None, Refused.WRONG_DIMENSION, Refused.FUTURE_PERIOD, Refused.UNKNOWN_SUBJECT)
    refused = refuse(table.iloc[rows], filter(None, (why[code] for code in reason[rows].tolist())))
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


class _Fresh(NamedTuple):
    """Figures of the book's year: what is to be stored (F,), by period, and what the source repeats of it (S,).

    ``kept`` (F,) are their places among all that is to be stored, ``rows`` (F,) in the frame. ``series`` is above all ids.
    """

    kept: NDArray[np.intp]
    rows: NDArray[np.intp]
    figures: Figures
    same: Figures
    series: int

    def marked(self, series: Ids) -> Mask:
        """By id of a series, whether it is one of ``series``."""
        marks = np.zeros(self.series, bool)
        marks[series] = True
        return marks


def doubts(
    connection: Connection, feed: Feed, found: Compared, released: Released, at: datetime
) -> list[Refused | None] | None:
    """Why each figure that is to be stored shall not be, None where it shall; None for all where there is no doubt.

    Figures of the book's year are held against their targets, what their series said before, and each other. A nil
    report is beyond doubt.
    """
    if len(found.kept) == 0:
        return None
    fresh = _fresh(feed.book.year, found)
    if len(fresh.kept) == 0:
        return None
    doubtful = _implausible(connection, feed, found, fresh, at)
    doubtful = np.where(doubtful == 0, _stale(connection, feed, fresh, found.registered, at), doubtful)
    if not doubtful.any():
        return None
    refused = np.flatnonzero(doubtful)
    stated = refuse(
        found.table.iloc[fresh.rows[refused]], (REASONS[code] or Refused.JUMP for code in doubtful[refused])
    )
    doubtful[refused[[figure(refusal) in released for refusal in stated]]] = 0
    if not doubtful.any():
        return None
    codes = np.zeros(len(found.kept), np.int8)
    codes[fresh.kept] = doubtful
    return [REASONS[code] for code in codes.tolist()]


def _fresh(year: int, found: Compared) -> _Fresh:
    rows = found.rows
    first, last = (np.datetime64(f"{year}-{day}").astype(np.int64) for day in ("01-01", "12-31"))
    of_year = (rows.period >= first) & (rows.period <= last) & (rows.status != NIL)
    kept = np.flatnonzero(of_year[found.kept])
    new = found.kept[kept]
    of_year[found.kept] = False
    figures = Figures(rows.series, rows.period, rows.value)
    return _Fresh(kept, rows.row[new], figures.take(new), figures.take(of_year), int(rows.series.max(initial=0)) + 1)


def _implausible(connection: Connection, feed: Feed, found: Compared, fresh: _Fresh, at: datetime) -> plausible.Codes:
    """What is said of each figure by itself and beside the earlier ones of its series."""
    series, period, value = fresh.figures
    promise = plausible.promised(feed.book, feed.source.name, found.table[_JUDGED].iloc[fresh.rows])
    value = promise.read(value)
    codes, wanted, deep = plausible.alone(promise, value)
    concerned = fresh.marked(series[wanted])
    look = concerned[series] & (codes == 0)
    if look.any():
        same = fresh.same.take(concerned[fresh.same.series])
        old = [some[some <= found.registered] for some in (series[wanted & ~deep], series[deep])]
        one, all_year = (np.flatnonzero(fresh.marked(some)) for some in old)
        earlier = _earlier(connection, feed, one, all_year, period[0], at)
        known = history.joined([*earlier, same])
        factor, offset = np.zeros(fresh.series), np.zeros(fresh.series)
        factor[series], offset[series] = promise.factor, promise.offset
        known = known._replace(value=known.value * factor[known.series] + offset[known.series])
        codes[look] = plausible.beside(promise.take(look), fresh.figures._replace(value=value).take(look), known)
    return codes


def _stale(connection: Connection, feed: Feed, fresh: _Fresh, registered: int, at: datetime) -> plausible.Codes:
    """Whether the source repeats old figures, or all are one period off; told from a sample of its series."""
    parts, last = (fresh.same, fresh.figures), fresh.figures.period[-1]
    series = np.flatnonzero(fresh.marked(parts[0].series) | fresh.marked(parts[1].series))
    sample = series[:: -(-len(series) // _SAMPLE)]
    mine = fresh.marked(sample)
    stated = history.joined([part.take(mine[part.series] & (part.period <= last)) for part in parts])
    days = sorted({day for day in _ends(feed) if day <= last} | set(stated.period.tolist()) | {int(last)})[-_LOOK:]
    stated = stated.take(stated.period >= days[0])
    old, asked = sample[sample <= registered], np.array(days, "datetime64[D]").tolist()
    known = history.these(connection, old, asked, at) if len(old) else history.joined([])
    if stale.mislabelled(stated, known):
        return np.full(len(fresh.kept), _MISLABELLED)
    return np.where(np.isin(fresh.figures.period, stale.repeated(stated, known)), _REPEATED, np.int8(0))


def _earlier(
    connection: Connection, feed: Feed, one: Ids, all_year: Ids, before: int, at: datetime
) -> Iterator[Figures]:
    """Stored figures of the year before a day: the latest one of some series, all of others."""
    days = [np.datetime64(day, "D").item() for day in _ends(feed) if day < before]
    yield history.nearest(connection, one, days, at)
    if len(all_year):
        last = np.datetime64(int(before), "D").item() - timedelta(days=1)
        yield history.whole(connection, all_year, date(feed.book.year, 1, 1), last, at)


def _ends(feed: Feed) -> set[int]:
    """The ends of all periods of the book's year that the targets of the source are judged at."""
    every = {target.every for target in feed.book.targets_of(feed.source.name)}
    return {day for one in every for day in period_ends(feed.book.year, one).astype(np.int64).tolist()}
