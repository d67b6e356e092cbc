"""Does a source still speak of the period that it names? Old figures under a new period, and figures one period off.

Pure. Looks at all series of a source at once: that one stands still is honest, that all do is not. Each series' own
past says how likely it is to stand still, so those that hardly ever move prove nothing.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rules.expectation import Floats
from rules.plausible import Figures

WITNESSES = 3
"""So many series that have moved this year must all stand still, or so many figures be rewritten to those before them."""
CHANCE = 0.02
"""Standing still is believed if it is at least so likely."""


def repeated(stated: Figures, known: Figures) -> NDArray[np.int64]:
    """Periods for which ``stated`` says of every series what was said of the period before; not of one that is 0.

    ``known`` are figures stated before. Of two for one series and period, here and there, the later counts.
    """
    table = _table(stated, known)
    last = np.full(len(table.stated[0]), np.nan)
    steps, still = np.zeros(len(last)), np.zeros(len(last))
    found = []
    for period, new, old in zip(table.period, table.stated, table.known, strict=True):
        seen = ~np.isnan(new) & ~np.isnan(last)
        witness = seen & (new != 0) & (still < steps)
        likely = np.prod(((still + 1) / (steps + 2))[witness])
        again = (new == last)[seen].all() and witness.sum() >= WITNESSES and likely < CHANCE
        if again:
            found.append(period)
        value = np.where(np.isnan(new) | again, old, new)
        moved = ~np.isnan(value) & ~np.isnan(last)
        steps += moved
        still += moved & (value == last)
        last = np.where(np.isnan(value), last, value)
    return np.array(found, np.int64)


def mislabelled(stated: Figures, known: Figures) -> bool:
    """Whether every stated figure is the one known of the period before, in place of what is known of its own."""
    table = _table(stated, known)
    before = np.full_like(table.known, np.nan)
    for place in range(1, len(before)):
        # A period that is stated and was not known hides what came before it.
        earlier = np.where(np.isnan(table.stated[place - 1]), before[place - 1], np.nan)
        before[place] = np.where(np.isnan(table.known[place - 1]), earlier, table.known[place - 1])
    seen = ~np.isnan(table.stated) & ~np.isnan(before)
    rewritten = seen & ~np.isnan(table.known) & (table.stated != table.known)
    off = (table.stated == before)[seen].all() and seen.any(axis=1).sum() > 1
    return bool(off and rewritten.sum() >= WITNESSES)


class _Table(NamedTuple):
    """Figures by period (P,) and series: (P, S), NaN for none."""

    period: NDArray[np.int64]
    stated: Floats
    known: Floats


def _table(stated: Figures, known: Figures) -> _Table:
    periods, period = np.unique(np.concatenate([stated.period, known.period]), return_inverse=True)
    names, series = np.unique(np.concatenate([stated.series, known.series]), return_inverse=True)
    both = np.full((2, len(periods), len(names)), np.nan)
    source = np.repeat([0, 1], [len(stated.value), len(known.value)])
    both[source, period, series] = np.concatenate([stated.value, known.value])
    return _Table(periods, both[0], both[1])
