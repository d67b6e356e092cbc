"""Figures that a book has computed from others: stored like any that a source states, under the source ``book/derived``.

They are known since the latest of the figures they are made of, so that every look at a past moment,
every revision and every message treats them like the others.
"""

import hashlib
from collections.abc import Iterable
from datetime import date, datetime

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from connectors.observation import COLUMNS, Reading
from monitor.store import moments, observations, pulls, quarantine
from monitor.store.stated import stated
from rules.derived import DERIVED, Column, Series, compute
from rules.past import YEARS
from rules.target import Book

_DOCUMENT = "由公式推算"


def derive(connection: Connection, book: Book, pull_id: int, changed: bool, at: datetime) -> None:
    """After a pull: compute what its figures, if any ``changed``, or an edited formula, make new; store what differs.

    An input that was revised since the first of the pull's figures was known is also read as it stood before.
    """
    if not book.derived:
        return
    digest = _digest(book)
    edited = pulls.last_digest(connection, f"{book.id}/{DERIVED}") != digest
    if not changed and not edited:
        return
    years = range(book.year - YEARS, book.year + 1)
    roots = {root for one in book.derived for root in book.roots(Series(DERIVED, one.series))}
    inputs, pull_of = stated(
        connection, book.id, roots, book.subjects, date(years[0], 1, 1), date(years[-1], 12, 31), at
    )
    fresh = inputs.since if edited else inputs.since[pull_of == pull_id]
    revised = inputs.since[inputs.revised()]
    before = np.unique(revised[revised >= fresh.min(initial=moments.micros(at))]) - 1
    columns = compute(book.derived, years, len(book.subjects), inputs, [*before.tolist(), moments.micros(at)])
    number = pulls.begin(connection, f"{book.id}/{DERIVED}", at)
    table = _frame(book, columns)
    appended = observations.append(connection, f"{book.id}/{DERIVED}", number, table, at)
    quarantine.keep(connection, f"{book.id}/{DERIVED}", number, appended.refusals, at)
    pulls.finish(connection, number, at, Reading(table, (), _DOCUMENT, digest), appended, len(appended.refusals))


def _frame(book: Book, columns: Iterable[Column]) -> pd.DataFrame:
    """Figures as a source would state them."""
    subjects = np.array(book.subjects, dtype=object)
    parts = [
        pd.DataFrame(
            {
                "series": column.derived.series,
                "subject": subjects[column.subject],
                "period": column.period.astype("datetime64[s]"),
                "value": column.value,
                "unit": column.derived.unit,
                "known_at": pd.to_datetime(column.since.astype("datetime64[us]"), utc=True),
                "cell": f"{column.derived.series} = {column.derived.formula.text}",
                "status": column.status,
            }
        )
        for column in columns
    ]
    # A revision of one input leaves most figures as they were.
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)].drop_duplicates()


def _digest(book: Book) -> str:
    """What is computed, and how: another digest asks for computing all of it anew."""
    words = [f"{one.series}|{one.unit}|{one.every}|{one.formula.text}|{one.inputs}" for one in book.derived]
    return hashlib.sha256("\n".join((*words, *book.subjects)).encode()).hexdigest()
