"""Where a book's rows lie in the columns of a snapshot."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.snapshot import Judged, Snapshot
from rules.judging import verdict
from rules.target import Book, Level, Target
from rules.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Span:
    """The rows ``start`` to ``stop`` of a block: one target, one row per subject."""

    judged: Judged
    target: Target
    start: int
    stop: int

    @property
    def levels(self) -> NDArray[np.int8]:
        return self.judged.verdicts.level[self.start : self.stop]

    def verdict(self, row: int) -> Verdict:
        """The verdict of a row, as an object: made only for what is shown."""
        return verdict(self.judged.panel, self.judged.verdicts, row, row)


def spans(snapshot: Snapshot, book: Book) -> list[Span]:
    """Every target of the book that has been judged, in the book's order."""
    found = {}
    for judged in snapshot.judged:
        block = judged.panel.block
        for index, target in enumerate(block.targets):
            if target.book == book.id:
                first, last = block.first_row[index : index + 2]
                found[target.id] = Span(judged, target, int(first), int(last))
    return [found[target.id] for target in book.targets if target.id in found]


def counts(levels: NDArray[np.int8]) -> dict[Level, int]:
    """How many rows stand at each level; those not judged are counted apart, never with the green ones."""
    return {level: int(np.count_nonzero(levels == level)) for level in Level}


def row_of(span: Span, subject: str) -> int | None:
    """The row of a subject."""
    block = span.judged.panel.block
    index = int(np.searchsorted(block.first_row, span.start, side="right")) - 1
    offset = block.subject_index[index].get(subject)
    return None if offset is None else span.start + offset


def worst(found: Iterable[Span], count: int) -> list[tuple[Span, int]]:
    """The ``count`` rows that are yellow or red and furthest behind: red first, then by shortfall as a share of the goal."""
    candidates: list[tuple[int, float, Span, int]] = []
    for span in found:
        rows = span.start + np.flatnonzero(span.levels > Level.GREEN)
        goal = span.judged.panel.goals(rows, span.judged.verdicts.slot[rows])
        short = span.judged.verdicts.shortfall[rows] / np.maximum(np.abs(goal), 1e-9)
        level = span.judged.verdicts.level[rows]
        order = np.lexsort((-np.nan_to_num(short), -level))[:count]
        candidates += [(-int(level[i]), -float(np.nan_to_num(short[i])), span, int(rows[i])) for i in order]
    candidates.sort(key=lambda candidate: candidate[:2])
    return [(span, row) for _, _, span, row in candidates[:count]]
