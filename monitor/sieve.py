"""Which of the figures just read are let into the store: the first check, before it, and the second, against it."""

import hashlib
from collections.abc import Container, Iterator, Sequence
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection

from connectors.observation import COLUMNS, Reading, Refusal, Refused, refuse
from monitor.store import history
from monitor.store.appending import Candidates, Doubt
from monitor.wiring import Feed
from rules import plausible
from rules.calendar import period_ends
from rules.plausible import REASONS, Figures
from rules.unit import conversion

EARLIEST = timedelta(days=31)
"""How long before its end a period's figure may arrive: offices report the month from the 20th on."""
_FEW = 1000
"""Rows up to which making categories costs more than it saves."""
Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]
Released = Container[tuple[str, str, str, float]]
"""Series, subject, period (ISO) and value of figures that a person let through."""


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
    table = answer.observations
    if len(table) > _FEW:
        # Names repeat: as categories they are looked up once, here and in all that follows.
        table = table.astype(dict.fromkeys(("series", "subject", "unit"), "category"))
    (name, names), (unit, words) = pd.factorize(table["series"]), pd.factorize(table["unit"])
    units = {target.series: target.goal.unit for target in feed.book.targets if target.source == feed.source.name}
    goal = [units.get(series) for series in names]
    pair = name * len(words) + unit
    strange = [
        one
        for one in pd.unique(pair).tolist()
        if (wanted := goal[one // len(words)]) is not None and conversion(words[one % len(words)], wanted) is None
    ]
    reason = np.where(table["period"].to_numpy() > np.datetime64((at + EARLIEST).date()), 2, 0)
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


def figure(refusal: Refusal) -> tuple[str, str, str, float]:
    """What a refused figure states, as ``Released`` has it."""
    period = refusal.period.isoformat() if refusal.period else ""
    return refusal.series, refusal.subject, period, np.nan if refusal.value is None else refusal.value


def plausibility(connection: Connection, feed: Feed, table: pd.DataFrame, released: Released, at: datetime) -> Doubt:
    """The check of figures that are about to be stored against their targets and what their series said before."""

    def doubt(found: Candidates) -> Sequence[Refused | None] | None:
        first, last = (np.datetime64(f"{feed.book.year}-{day}").astype(np.int64) for day in ("01-01", "12-31"))
        of_year = (found.period >= first) & (found.period <= last)
        codes = np.zeros(len(found.row), np.int8)
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
    return codes


def _earlier(
    connection: Connection, feed: Feed, found: Candidates, wanted: Ids, deep: Ids, before: int, at: datetime
) -> Iterator[Figures]:
    """Stored figures of the year before a day: the latest one of ``wanted`` series, all of ``deep`` ones."""
    year, first = feed.book.year, np.datetime64(int(before), "D").item()
    every = {target.every for target in feed.book.targets if target.source == feed.source.name}
    days = {day for one in every for day in period_ends(year, one).tolist() if day < first}
    one, all_year = (np.flatnonzero(_marked(found, some[some <= found.registered])) for some in (wanted, deep))
    yield history.nearest(connection, one, sorted(days), at)
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
