"""Lines of text, one per row, that are laid out once and patched where a figure changed.

Every figure takes the same room, so that another one may be written in its place: of 430,000 lines in which 1 % of the
figures changed, 4,300 figures are written and nothing else is touched. A row without a figure keeps its room, and is
passed over when the lines are handed out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Texts: TypeAlias = NDArray[np.bytes_]
Form: TypeAlias = Callable[[NDArray[np.generic]], Texts]

_SEGMENT = 8192  # rows handed out at a time
_DIGITS = 14
_WIDTH = _DIGITS + 2
_PLAIN = (1e-4, 10.0 ** (_DIGITS - 1))
_QUADS = np.array([b"%04d" % number for number in range(10_000)], "S4")


def real(column: NDArray[np.generic]) -> Texts:
    """Finite figures in 16 bytes: to 14 digits, or 13 decimals if that is less; 9 digits of the very large and small.

    The room that a sign takes is filled with one more decimal where there is none: 450 is ``450.000000000000``.
    """
    texts = np.empty(len(column), f"S{_WIDTH}")
    for first in range(0, len(column), _SEGMENT):  # what fits into the processor's cache is written twice as fast
        some = slice(first, first + _SEGMENT)
        texts[some] = _real(column[some].astype(np.float64))
    return texts


def _real(value: NDArray[np.float64]) -> Texts:
    size = np.abs(value)
    plain = ((size >= _PLAIN[0]) & (size < _PLAIN[1])) | (size == 0)
    point = np.maximum(np.searchsorted(_TENS, size, side="right"), 1)  # digits before it
    digits = np.rint(np.where(plain, size, 0) * _TENS[_DIGITS - point]).astype(np.int64)
    if (up := digits >= 10**_DIGITS).any():  # rounded up to one digit more
        digits, point = np.where(up, digits // 10, digits), point + up
    written, shape = _written(digits), point + _WIDTH * (value < 0)
    texts: Texts = np.empty(len(value), f"S{_WIDTH}")
    for alike in np.flatnonzero(np.bincount(shape)):
        rows = np.flatnonzero(shape == alike)
        sign, dot = divmod(int(alike), _WIDTH)
        figures = written[rows]
        line = np.full((len(rows), _WIDTH), ord("0"), np.uint8)
        line[:, sign : sign + dot] = figures[:, :dot]
        line[:, sign + dot] = ord(".")
        line[:, sign + dot + 1 : sign + 1 + _DIGITS] = figures[:, dot:]
        if sign:
            line[:, 0] = ord("-")
        texts[rows] = line.view(texts.dtype).ravel()
    others = np.flatnonzero(~plain)
    texts[others] = [b"%0*.8e" % (_WIDTH, one) for one in value[others].tolist()]
    return texts


_TENS = 10.0 ** np.arange(_DIGITS)


def _written(digits: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Whole numbers below 10^14 as 14 digits each, (N, 14)."""
    text = np.empty((len(digits), 4), "S4")
    for place in (3, 2, 1, 0):
        more = digits // 10_000  # much faster than divmod
        text[:, place] = _QUADS[digits - more * 10_000]
        digits = more
    return text.view(np.uint8).reshape(len(text), 16)[:, 2:]


@dataclass(frozen=True)
class Layout:
    """The labels of R rows in two halves: a ``head`` per target, and the ``tails`` of its rows, which many may share.

    ``first_row`` (T + 1,) are the rows at which each target's begin.
    """

    heads: Sequence[bytes]
    tails: Sequence[Sequence[bytes]]
    first_row: NDArray[np.int64]

    @property
    def _distinct(self) -> dict[int, Sequence[bytes]]:
        return {id(tails): tails for tails in self.tails}

    def ends(self, more: int) -> NDArray[np.int64]:
        """Where each line ends that has ``more`` bytes besides its labels, (R + 1,) from 0."""
        sizes = {key: np.array([len(tail) for tail in tails], np.int64) for key, tails in self._distinct.items()}
        lengths = [sizes[id(tails)] + len(head) for head, tails in zip(self.heads, self.tails, strict=True)]
        return np.concatenate([[0], np.cumsum(np.concatenate([*lengths, np.empty(0, np.int64)]) + more)])

    def text(self, name: bytes, ending: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """All lines, each with ``name`` before its labels and ``ending`` after them, and where each ends."""
        ends = self.ends(len(name) + len(ending))
        whole = np.empty(ends[-1], np.uint8)
        ended = {key: [b"", *(tail + ending for tail in tails)] for key, tails in self._distinct.items()}
        bounds = ends[self.first_row].tolist()
        for head, tails, (first, last) in zip(self.heads, self.tails, pairwise(bounds), strict=True):
            whole.data[first:last] = (name + head).join(ended[id(tails)])
        return whole, ends


class Lines:
    """The lines of one series over the rows of a layout. Nothing is laid out before the first figure is known."""

    def __init__(self, name: bytes, layout: Layout, form: Form) -> None:
        self._name, self._layout, self._form = name, layout, form
        self._rows = int(layout.first_row[-1])
        self._known = np.zeros(self._rows, np.bool_)
        self._shown: NDArray[np.generic] = np.full(self._rows, np.nan)
        self._text: NDArray[np.uint8] | None = None
        self._ends = np.empty(0, np.int64)

    def show(self, column: NDArray[np.generic]) -> None:
        """Bring the lines up to date: one figure per row, NaN where there is none."""
        known = np.isfinite(column)
        changed = np.flatnonzero(known & (column != self._shown))
        if len(changed):
            self._write(changed, self._form(column[changed]))
        # The room of a row that has lost its figure says what it said.
        self._shown[changed], self._known = column[changed], known

    def _write(self, rows: NDArray[np.intp], texts: Texts) -> None:
        width = texts.dtype.itemsize
        if self._text is None:
            self._text, self._ends = self._layout.text(self._name, b" " + b"0" * width + b"\n")
        # Every place of the text as the first of ``width`` bytes, so that a figure is one assignment.
        places = np.ndarray(len(self._text) - width + 1, f"V{width}", self._text, strides=(1,))
        places[self._ends[rows + 1] - (width + 1)] = texts.view(f"V{width}")

    def segments(self) -> Iterator[bytes]:
        """The lines that have a figure, as they are when asked for."""
        if self._text is None:
            return
        for first, last in pairwise([*range(0, self._rows, _SEGMENT), self._rows]):
            known = self._known[first:last]
            if not known.any():
                continue
            text = self._text[self._ends[first] : self._ends[last]]
            if not known.all():
                text = text[np.repeat(known, np.diff(self._ends[first : last + 1]))]
            yield text.tobytes()
