"""All targets in columns: what was promised, what is expected by when, what counts as behind, when it is due.

A book may stand over one place or over every county of a country, so nothing
here is an object per target and subject. A row is one target for one subject;
a block holds the rows that share a year, a reporting frequency and a time zone.
"""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from rules.calendar import Days, Every, period_ends
from rules.expectation import Floats, shares
from rules.limits import Limits, Rows, among, compile_limits, compile_sparse, or_none, repeated
from rules.target import AT_MOST, FORECAST, HARD, LEARNT, SUMS, Against, Book, Op, Shape, Target

_STRICT = frozenset({Op.MORE_THAN, Op.LESS_THAN})
_ROUNDING = 1e-9  # of the goal: what binary fractions may add to or take off a difference


class Block(Struct, frozen=True, dict=True):
    """Targets of one year, frequency and time zone: P periods, T targets, R rows (a target's subjects lie together).

    ``first_row`` (T + 1,) are the rows where each target's subjects begin.
    ``curves`` (P, T) are the shares of the way, from ``base`` to the goal, that the plan expects by each period's end.
    ``sign`` is +1 where more is better, -1 where less is; ``upper`` the upper
    end of a range (NaN for none, None where no row has one); ``slack`` is taken off every shortfall
    (左右, and the rounding of figures), of which a figure that grows from nothing has ``ripens`` (None where no
    row has any) only in proportion to what the plan expects. ``due`` (D, P) are due days, ``due_of``
    (R,) picks a row's; ``judged_from`` (R,) is the first day on which a row may
    be found behind, ``judged_slot`` the first period that is judged (None where
    every row is from the first on). ``counts`` (R,) is the highest daily value that counts as a
    good day (NaN where figures are taken as they are). ``base`` (R,) is where the year began.
    ``learnt`` (L,) are the rows whose curve is read from earlier years, ``sums`` and ``carried`` (R,) those
    whose landing can be foreseen: the year's figure is the sum of its periods', or ends near where it stands.
    ``goal`` (R,) is in force at the year's end, NaN where none is set; rows whose goal ``changed``
    within the year have it by period in ``in_force``; rows that ``lean`` on another series have what
    that series says for the period, ``plus`` (R,). Each is None where no row is so.
    """

    year: int
    every: Every
    timezone: str
    ends: Days
    targets: tuple[Target, ...]
    subjects: tuple[tuple[str, ...], ...]
    first_row: NDArray[np.int64]
    goal: Floats
    sign: Floats
    upper: Floats | None
    slack: Floats
    ripens: Floats | None
    hard: NDArray[np.bool_]
    curves: Floats
    yellow: tuple[Limits, ...]
    red: tuple[Limits, ...]
    clear: tuple[Limits, ...]
    due: Days
    due_of: NDArray[np.int16]
    judged_from: Days
    judged_slot: NDArray[np.int16] | None
    counts: Floats
    base: Floats
    learnt: NDArray[np.int64]
    sums: NDArray[np.bool_]
    carried: NDArray[np.bool_]
    changed: NDArray[np.int64] | None
    in_force: Floats | None
    leans: NDArray[np.bool_] | None
    plus: Floats | None

    @property
    def rows(self) -> int:
        return len(self.goal)

    @cached_property
    def foreseen(self) -> bool:
        """Whether a threshold asks where rows will land."""
        return self._asks(Against.PROBABILITY, Against.OUTLOOK)

    @cached_property
    def spreads(self) -> bool:
        """Whether a threshold goes by how much the season differs from year to year."""
        return self._asks(Against.SPREAD)

    def _asks(self, *against: Against) -> bool:
        return any(limits.against in against for limits in (*self.yellow, *self.red, *self.clear))

    def goals(self, rows: Rows, slot: NDArray[np.int16]) -> Floats:
        """The goal of each of ``rows`` in force at the end of its period; the last one where that is -1. NaN for leaning rows."""
        goal = self.goal[rows]
        if self.changed is not None and self.in_force is not None:
            inside, here = among(self.changed, rows)
            goal = goal.copy()
            goal[inside] = self.in_force[slot[inside], here]
        return goal

    @property
    def expected(self) -> Floats:
        """What the plan expects of all rows, see ``planned``: worked out anew at each look, for of a country it is large."""
        return self.planned(np.arange(self.rows))

    def planned(self, rows: NDArray[np.int64]) -> Floats:
        """What the plan expects of ``rows`` at each period's end: (P, N), in the targets' units."""
        found = self.curves[:, np.searchsorted(self.first_row, rows, side="right") - 1]
        base = self.base[rows]
        for slot in range(len(found)):
            found[slot] = base + (self.goals(rows, np.full(len(rows), slot, np.int16)) - base) * found[slot]
        return found

    def target_at(self, row: int) -> tuple[Target, str]:
        """Target and subject of a row."""
        index = int(np.searchsorted(self.first_row, row, side="right")) - 1
        return self.targets[index], self.subjects[index][row - int(self.first_row[index])]

    @property
    def names(self) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
        """Ids of targets, and subjects, of all rows."""
        ids = np.array([target.id for target in self.targets], object).repeat(np.diff(self.first_row))
        return ids, np.array([subject for subjects in self.subjects for subject in subjects], object)

    @cached_property
    def subject_index(self) -> list[dict[str, int]]:
        """Per target: subject -> offset from its first row. Targets of one book share one dict."""
        shared: dict[int, dict[str, int]] = {}
        return [shared.setdefault(id(names), {name: i for i, name in enumerate(names)}) for names in self.subjects]


def compile_plan(books: Iterable[Book]) -> tuple[Block, ...]:
    """Lay the targets of all books out in blocks."""
    groups: dict[tuple[int, Every, str], list[tuple[Book, Target]]] = {}
    for book in books:
        for target in book.targets:
            groups.setdefault((book.year, target.every, book.timezone), []).append((book, target))
    return tuple(_block(*key, members) for key, members in groups.items())


def _block(year: int, every: Every, timezone: str, members: list[tuple[Book, Target]]) -> Block:
    ends = period_ends(year, every)
    targets = tuple(target for _, target in members)
    goals = [_goals(book, target) for book, target in members]
    sizes = [len(goal) for goal in goals]
    in_force = [_in_force(target, goal, ends) for target, goal in zip(targets, goals, strict=True)]
    goal = np.concatenate([by_period[-1] if by_period.ndim == 2 else by_period for by_period in in_force])
    first_row = np.concatenate([[0], np.cumsum(sizes)])

    def column(values: Iterable[float | None]) -> Floats:
        """One value per target, repeated for its subjects; None is NaN."""
        return repeated(np.array(list(values), dtype=np.float64), sizes)

    due, due_of = np.unique(
        np.stack([_due(book, target, ends) for book, target in members]), axis=0, return_inverse=True
    )
    changes = np.repeat([bool(target.changes) for target in targets], sizes)
    leans = np.repeat([target.leans_on is not None for target in targets], sizes)
    exact = np.repeat([target.goal.op is Op.EXACTLY for target in targets], sizes)
    ripens = column(0.0 if t.expect.shape in (Shape.HOLD, Shape.PATH) else t.goal.tolerance for t in targets)
    strict = column(-1.0 if target.goal.op in _STRICT else 1.0 for target in targets)
    return Block(
        year=year,
        every=every,
        timezone=timezone,
        ends=ends,
        targets=targets,
        subjects=tuple(book.subjects for book, _ in members),
        first_row=first_row,
        goal=goal,
        sign=column(-1.0 if target.goal.op in AT_MOST else 1.0 for target in targets),
        upper=or_none(np.where(exact, goal, column(target.goal.upper for target in targets))),
        slack=column(target.goal.tolerance for target in targets) + strict * _ROUNDING * np.fmax(np.abs(goal), 1.0),
        ripens=ripens if ripens.any() else None,
        hard=np.repeat([target.measure in HARD for target in targets], sizes),
        curves=np.stack(
            [shares(target.expect, target.measure, ends, year, book.workdays) for book, target in members], axis=1
        ),
        yellow=compile_limits(targets, [target.levels.yellow for target in targets], first_row, goal, ends, changes),
        red=compile_limits(targets, [target.levels.red for target in targets], first_row, goal, ends, changes),
        clear=compile_sparse(targets, [target.levels.keeping for target in targets], first_row, goal, ends, changes),
        due=due,
        due_of=np.repeat(due_of.astype(np.int16), sizes),
        judged_from=repeated(np.array([_judged_from(t, year) for t in targets], dtype="datetime64[D]"), sizes),
        judged_slot=_judged_slot(column(target.levels.not_before for target in targets), len(ends)),
        counts=column(target.counts for target in targets),
        base=column(target.expect.base for target in targets),
        learnt=np.flatnonzero(np.repeat([target.expect.shape in LEARNT for target in targets], sizes)),
        sums=np.repeat([every is not Every.YEAR and target.measure in SUMS for target in targets], sizes),
        carried=np.repeat([every is not Every.YEAR and target.measure in FORECAST - SUMS for target in targets], sizes),
        changed=np.flatnonzero(changes) if changes.any() else None,
        in_force=np.concatenate([by_period for by_period in in_force if by_period.ndim == 2], axis=1)
        if changes.any()
        else None,
        leans=leans if leans.any() else None,
        plus=column(target.goal.plus for target in targets) if leans.any() else None,
    )


def _goals(book: Book, target: Target) -> Floats:
    if book.goals is None:
        return np.full(len(book.subjects), target.goal.value)
    return book.goals[target.id].to_numpy(np.float64)


def _in_force(target: Target, goal: Floats, ends: Days) -> Floats:
    """The goals (S,), or, where they were changed, those in force at each period's end (P, S)."""
    if not target.changes:
        return goal
    days = np.array([change.since for change in target.changes], dtype="datetime64[D]")
    values = np.array([target.goal.value, *(change.goal.value for change in target.changes)])
    return np.repeat(values[np.searchsorted(days, ends, side="right")][:, np.newaxis], len(goal), axis=1)


def _due(book: Book, target: Target, ends: Days) -> Days:
    if target.goal.by is not None:
        return np.full(len(ends), target.goal.by, dtype="datetime64[D]")
    return target.published.due(ends, book.workdays)


def beyond_calendar(book: Book) -> list[Target]:
    """Targets with a due day that is counted in working days nobody has published yet."""
    return [
        target
        for target in book.targets
        if target.goal.by is None and target.published.beyond(period_ends(book.year, target.every), book.workdays)
    ]


def _judged_from(target: Target, year: int) -> np.datetime64:
    """A milestone is open until its day has passed."""
    if target.goal.by is not None:
        return np.datetime64(target.goal.by) + 1
    return np.datetime64(f"{year}-01-01")


def _judged_slot(not_before: Floats, periods: int) -> NDArray[np.int16] | None:
    """The first period at whose end so much of the year is over; periods count alike, as on a linear curve."""
    if not not_before.any():
        return None
    slot: NDArray[np.int16] = np.maximum(np.ceil(not_before * periods - 1e-9) - 1, 0).astype(np.int16)
    return slot
