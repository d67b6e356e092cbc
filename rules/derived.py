"""Derived series: figures that a book has computed from those of its sources. Pure, and in columns: all subjects at once.

What a derived figure was on any past day follows from what was known of its inputs on that day.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import chain, pairwise
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from connectors.observation import FINAL, NIL
from rules.calendar import Days, Every, period_ends
from rules.formula import NEVER, Figures, Floats, Formula, Ints, axis, evaluate
from rules.unit import conversion

DERIVED = "derived"
"""The source that derived series are read from."""


class Series(NamedTuple):
    """A series of a source of a book, or of ``DERIVED``."""

    source: str
    series: str


class Derived(Struct, frozen=True):
    """A series that is computed every ``every`` from ``inputs``, which are those of ``formula.names``; its figures are in ``unit``."""

    series: str
    unit: str
    every: Every
    formula: Formula
    inputs: tuple[Series, ...]
    place: str


def named(text: str, derived: Collection[str], sources: Collection[str], default: str | None) -> Series | None:
    """The series that a book calls ``text``: a derived one, ``source.series``, or one of the ``default`` source. None if none."""
    if text in derived:
        return Series(DERIVED, text)
    for place in (at for at, character in enumerate(text) if character == "."):
        source, series = text[:place].strip(), text[place + 1 :].strip()
        if source == DERIVED:
            return Series(DERIVED, series) if series in derived else None
        if series and source in sources:
            return Series(source, series)
    return Series(default, text) if default is not None and default in sources else None


def in_order(derived: Mapping[str, Derived]) -> list[Derived]:
    """Each after those that it is computed from, as far as they are there. Raises CycleError with the names of a ring."""
    needs = {name: [read.series for read in one.inputs if read.source == DERIVED] for name, one in derived.items()}
    return [derived[name] for name in TopologicalSorter(needs).static_order() if name in derived]


def ring(error: CycleError) -> str:
    """The names of a ring as read: 甲 → 乙 → 甲."""
    return " → ".join(error.args[1])


class Vintages(Struct, frozen=True):
    """Everything stated of the inputs, in the order of becoming known: columns (N,).

    ``series`` is a place in ``inputs``, ``subject`` one in the book's subjects (-1: of no subject, which holds for all),
    ``unit`` one in ``units``, ``period`` days since 1970, ``since`` when it became known (any clock), ``status`` a place
    in ``STATUSES``; ``value`` is NaN where that is nil.
    """

    inputs: tuple[Series, ...]
    units: tuple[str, ...]
    series: Ints
    subject: Ints
    unit: Ints
    period: Ints
    value: Floats
    since: Ints
    status: NDArray[np.int8]

    def until(self, moment: int) -> "Vintages":
        """What was known at ``moment``."""
        part = slice(int(np.searchsorted(self.since, moment, side="right")))
        return replace(self, **{name: getattr(self, name)[part] for name in self.__struct_fields__[2:]})

    def revised(self) -> NDArray[np.bool_]:
        """Which state another figure than one before them for the same series and period."""
        order = np.lexsort((np.arange(len(self.series)), self.period, self.subject, self.series))
        same = np.ones(max(len(order) - 1, 0), bool)
        for column in (self.series, self.subject, self.period):
            same &= column[order][1:] == column[order][:-1]
        found = np.zeros(len(order), bool)
        found[order[1:][same]] = True
        return found


class Column(NamedTuple):
    """Figures of one derived series: ``subject`` is a place in the book's subjects, ``since`` on the clock of the inputs."""

    derived: Derived
    subject: Ints
    period: Days
    value: Floats
    since: Ints
    status: NDArray[np.int8]


def compute(
    derived: Sequence[Derived], years: range, subjects: int, stated: Vintages, moments: Sequence[int]
) -> Iterator[Column]:
    """All figures of ``derived`` (in order) as they were at each of ``moments``, oldest first; each where it is new.

    They are of ``years``, and made of figures of those alone.
    """
    for before, moment in pairwise((NEVER, *moments)):
        known, made = stated.until(moment), dict[str, _Made]()
        for one in derived:
            ends = np.concatenate([period_ends(each, one.every) for each in years])
            inputs = _inputs(one, ends, known, made, subjects)
            figures = evaluate(one.formula, axis(ends, one.every), inputs)
            made[one.series] = _Made(one, ends, figures)
            told = ~np.isnan(figures.value) | (figures.status == NIL)
            slot, subject = np.nonzero(told & (figures.since > before))
            value, since, status = figures.each(itemgetter((slot, subject)))
            yield Column(one, subject, ends[slot], value, since, status)


class _Made(NamedTuple):
    derived: Derived
    ends: Days
    figures: Figures


def _inputs(one: Derived, ends: Days, known: Vintages, made: Mapping[str, _Made], subjects: int) -> dict[str, Figures]:
    """The inputs of a derived series at each of ``ends``, by name.

    They are read in its own unit where they can be, else all of one kind in one unit: the first in the formula.
    """
    import pandas as pd  # heavy, and only books that derive series need it

    rows = [
        np.empty(0, np.intp) if read.source == DERIVED else np.flatnonzero(known.series == known.inputs.index(read))
        for read in one.inputs
    ]
    units = [
        [made[read.series].derived.unit]
        if read.source == DERIVED
        else [known.units[i] for i in pd.unique(known.unit[mine])]
        for read, mine in zip(one.inputs, rows, strict=True)
    ]
    wanted = (one.unit, *chain.from_iterable(units))
    reading = {unit: next(filter(None, (conversion(unit, want) for want in wanted))) for unit in wanted}
    factor, offset = np.array([reading.get(unit, (np.nan, np.nan)) for unit in known.units]).reshape(-1, 2).T
    found = {}
    for name, read, mine in zip(one.formula.names, one.inputs, rows, strict=True):
        if read.source == DERIVED:
            its_factor, its_offset = reading[made[read.series].derived.unit]
            there = _at(made[read.series], ends)
            found[name] = there._replace(value=there.value * its_factor + its_offset)
        else:
            unit = known.unit[mine]
            found[name] = _matrix(known, mine, known.value[mine] * factor[unit] + offset[unit], ends, subjects)
    return found


def _at(made: _Made, ends: Days) -> Figures:
    """Figures of another frequency at ``ends``."""
    slot = np.minimum(np.searchsorted(made.ends, ends), len(made.ends) - 1)
    there = (made.ends[slot] == ends)[:, np.newaxis]
    value, since, status = made.figures.each(itemgetter(slot))
    return Figures(np.where(there, value, np.nan), since, np.where(there, status, np.int8(FINAL)))


def _matrix(known: Vintages, mine: Ints, value: Floats, ends: Days, subjects: int) -> Figures:
    """One input for each subject; a subject of which nothing is stated has what is stated of none."""
    day = known.period[mine].astype("datetime64[D]")
    slot = np.minimum(np.searchsorted(ends, day), len(ends) - 1)
    fits = ends[slot] == day
    # The last column is that of no subject: -1.
    place = slot[fits], known.subject[mine[fits]]
    shape = len(ends), subjects + 1
    stated = Figures(np.full(shape, np.nan), np.full(shape, NEVER), np.full(shape, FINAL, np.int8))
    stated.value[place], stated.since[place] = value[fits], known.since[mine[fits]]
    stated.status[place] = known.status[mine[fits]]
    own = (stated.since[:, :-1] > NEVER).any(axis=0)
    return stated.each(lambda column: np.where(own, column[:, :-1], column[:, -1:]))
