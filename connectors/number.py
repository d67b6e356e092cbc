"""Reads numbers as people write them. What is missing is missing, never 0; what is no number is refused."""

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MISSING = ("", "-", "--", "–", "—", "——", "…", "……", "...", "......")
"""Cells that say that there is no figure."""
NIL = "无"
"""The cell of one who states that there is nothing to report."""

_NUMBER = re.compile(
    r"(?=[+-]?\.?\d)(?P<sign>[+-]?)(?P<whole>\d+|\d{1,3}(?:(?P<sep>[, ])\d{3})(?:(?P=sep)\d{3})*)?(?P<rest>(?:\.\d*)?(?:[eE][+-]?\d+)?)"
)


def number(cell: object) -> float | None:
    """The number in ``cell``, None where it says that there is none.

    Full-width digits, thousands separators, surrounding and separating blanks
    and a trailing % are read (``5.2%`` is 5.2). Raises ValueError for all else:
    words, truth values, infinities, a comma that separates no thousands.
    """
    text = unicodedata.normalize("NFKC", str(cell)).replace("\u2212", "-").strip()
    if text in MISSING or text == NIL:
        return None
    found = _NUMBER.fullmatch(text.removesuffix("%").rstrip())
    if not found:
        raise ValueError(f"“{cell}”不是数字 (not a number)")
    whole = re.sub("[, ]", "", found["whole"] or "")
    value = float(found["sign"] + whole + found["rest"])
    if not np.isfinite(value):
        raise ValueError(f"“{cell}”不是有限的数 (not a finite number)")
    return value


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column of numbers: ``value`` (NaN where there is none), which cells are ``blank`` (those that say ``nil`` too) or ``bad``."""

    value: NDArray[np.float64]
    blank: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    nil: NDArray[np.bool_]


def numbers(cells: NDArray[np.generic]) -> Numbers:
    """Read a whole column: columns of numbers as they are, texts at once, and one by one only what fails that.

    ``cells`` is a numeric array (NaN is blank) or an object array of numbers, texts and None.
    """
    if cells.dtype.kind in "iuf":
        values = cells.astype(np.float64)
        return Numbers(values, np.isnan(values), np.isinf(values), np.zeros(len(values), dtype=bool))
    if set(map(type, cells.tolist())) <= {int, float}:
        with suppress(OverflowError):
            return numbers(cells.astype(np.float64))
    found = pd.Series(cells, dtype=object)
    blank = np.array(found.isna() | found.isin(MISSING), dtype=bool)
    try:
        values = np.array(pd.to_numeric(found.mask(blank), errors="coerce"), dtype=np.float64)
    except OverflowError:  # of whole numbers beyond all floats; their digits are no number either
        return numbers(found.map(lambda cell: str(cell) if isinstance(cell, int) else cell).to_numpy(dtype=object))
    bad, nil = (np.zeros(len(values), dtype=bool) for _ in range(2))
    for place in np.flatnonzero(~blank & ~np.isfinite(values)):
        try:
            value = number(cells[place])
        except ValueError:
            values[place], bad[place] = np.nan, True
        else:
            values[place], blank[place] = (np.nan, True) if value is None else (value, False)
            nil[place] = value is None and str(cells[place]).strip() == NIL
    return Numbers(values, blank, bad, nil)
