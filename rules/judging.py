"""Judging: every row of a block at one moment, in columns. Pure: time is an argument."""

from datetime import date

import numpy as np
from numpy.typing import NDArray

from rules.calendar import Every
from rules.expectation import Floats
from rules.panel import Panel
from rules.plan import Block, Limits
from rules.target import Level
from rules.verdict import CODE, OUTCOME, REASONS, Reason, Verdict, Verdicts, empty

Rows = slice | NDArray[np.int64]

_CHUNK = 16_384
"""Rows judged at a time: the columns of a chunk stay in the processor's cache, and need no fresh memory."""
_LAST_JUDGED = max(CODE[reason] for reason in OUTCOME)
_NOT_JUDGED, _GREEN, _YELLOW, _RED = (np.int8(level) for level in sorted(Level))


def judge(
    panel: Panel, today: date, failed: NDArray[np.bool_] | None = None, rows: NDArray[np.int64] | None = None
) -> Verdicts:
    """Verdicts of ``rows`` (all of the block's unless said) as of ``today`` in the block's time zone.

    A figure is compared with what was expected at the end of its own period.
    ``failed`` (R,) marks rows whose source did not answer: their figure may be
    published without our knowing, so nobody is called late for it.
    """
    block = panel.block
    # A period's figure is owed from the day after its due day.
    overdue = (block.due < np.datetime64(today)).sum(axis=1).astype(np.int16) - np.int16(1)
    verdicts = empty(block.rows if rows is None else len(rows))
    for start in range(0, len(verdicts.reason), _CHUNK):
        part = slice(start, min(start + _CHUNK, len(verdicts.reason)))
        _judge(panel, today, failed, overdue, part if rows is None else rows[part], verdicts.part(part))
    return verdicts


def _judge(
    panel: Panel,
    today: date,
    failed: NDArray[np.bool_] | None,
    overdue: NDArray[np.int16],
    rows: Rows,
    into: Verdicts,
) -> None:
    """Judge one chunk of rows into its part of the verdicts."""
    block = panel.block
    slot, owed = panel.latest[rows], overdue[block.due_of[rows]]
    actual, expected = _at(panel.values, slot, rows), _at(block.expected, slot, rows)
    shortfall = _shortfall(block, rows, actual, expected)
    yellow, yellow_now = _reached(panel, block.yellow, rows, slot, actual, expected, shortfall)
    red, red_now = _reached(panel, block.red, rows, slot, actual, expected, shortfall)
    missed = (slot == len(block.ends) - 1) & (shortfall > block.slack[rows])
    behind = yellow | red | missed

    reason = np.where(behind, CODE[Reason.BEHIND_SCHEDULE], CODE[Reason.ON_SCHEDULE])
    reason[missed] = CODE[Reason.GOAL_MISSED]
    reason[behind & block.hard[rows]] = CODE[Reason.LIMIT_BREACHED]
    reason[slot < 0] = CODE[Reason.ANNUAL_ONLY if block.every is Every.YEAR else Reason.NOT_DUE]
    # A milestone that is not reached is open until its day has passed.
    reason[(behind | (slot < 0)) & (np.datetime64(today) < block.judged_from[rows])] = CODE[Reason.NOT_DUE]
    late = owed > slot
    reason[late] = np.where(slot[late] < 0, CODE[Reason.NO_DATA], CODE[Reason.LATE])
    if failed is not None:
        reason[late & failed[rows]] = CODE[Reason.FAILED]
    reason[np.isnan(block.goal[rows])] = CODE[Reason.NO_GOAL]

    judged = reason <= _LAST_JUDGED
    level = np.where(red, _RED, np.where(behind, _YELLOW, _GREEN))
    into.reason[:] = reason
    into.level[:] = np.where(judged, level, _NOT_JUDGED)
    pending = np.where(red_now, _RED, np.where(yellow_now, _YELLOW, _GREEN))
    into.pending[:] = np.where(judged & (pending > level), pending, _GREEN)
    into.slot[:], into.owed[:] = slot, np.where(late, owed, np.int16(-1))
    into.actual[:], into.expected[:], into.shortfall[:] = actual, expected, shortfall


def _at(matrix: Floats, slot: NDArray[np.int16], rows: Rows) -> Floats:
    """The value of each row at its own period; NaN where it has none."""
    first = int(slot[0])
    if (slot == first).all():
        # All figures of one release: a contiguous row of the matrix.
        return matrix[first][rows] if first >= 0 else np.full(len(slot), np.nan)
    columns = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
    return np.where(slot < 0, np.nan, matrix[slot, columns])


def _shortfall(block: Block, rows: Rows, actual: Floats, expected: Floats) -> Floats:
    """How far behind, in the target's unit: positive is bad, whichever way the goal points."""
    short = block.sign[rows] * (expected - actual)
    return short if block.upper is None else np.fmax(short, actual - block.upper[rows])


def _reached(
    panel: Panel, limits: Limits, rows: Rows, slot: NDArray[np.int16], actual: Floats, expected: Floats, short: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the level holds (for as many periods as it asks), and whether it holds at the latest period alone."""
    now = _exceeded(panel.block, limits, rows, actual, expected, short)
    held = now.copy()
    again = np.flatnonzero(now & (limits.periods[rows] > 1))
    if len(again):
        columns = np.arange(rows.start, rows.stop)[again] if isinstance(rows, slice) else rows[again]
        held[again] = _running(panel, limits, columns, slot[again])
    return held, now


def _exceeded(
    block: Block, limits: Limits, rows: Rows, actual: Floats, expected: Floats, short: Floats
) -> NDArray[np.bool_]:
    over: NDArray[np.bool_] = short - block.slack[rows] > limits.share[rows] * np.abs(expected) + limits.absolute[rows]
    if limits.below is not None:
        over |= actual < limits.below[rows]
    if limits.above is not None:
        over |= actual > limits.above[rows]
    return over


def _running(panel: Panel, limits: Limits, rows: NDArray[np.int64], latest: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Whether the level held at each of the last published periods that it asks for; a gap is not a period."""
    wanted = limits.periods[rows].astype(np.int64)
    seen = np.zeros(len(rows), dtype=np.int64)
    unbroken = np.ones(len(rows), dtype=np.bool_)
    for slot in range(int(latest.max()), -1, -1):
        actual, expected = panel.values[slot, rows], panel.block.expected[slot, rows]
        counts = (slot <= latest) & ~np.isnan(actual) & (seen < wanted)
        short = _shortfall(panel.block, rows, actual, expected)
        unbroken &= ~counts | _exceeded(panel.block, limits, rows, actual, expected, short)
        seen += counts
        if not (unbroken & (seen < wanted)).any():
            break
    return unbroken & (seen >= wanted)


def verdict(panel: Panel, verdicts: Verdicts, index: int, row: int) -> Verdict:
    """The ``index``-th of ``verdicts``, which judged ``row``, as an object."""
    block = panel.block
    target, subject = block.target_at(row)
    slot, owed = int(verdicts.slot[index]), int(verdicts.owed[index])

    def figure(value: float) -> float | None:
        return None if np.isnan(value) else float(value)

    return Verdict(
        target=target,
        subject=subject,
        reason=REASONS[verdicts.reason[index]],
        level=Level(int(verdicts.level[index])),
        pending=Level(int(verdicts.pending[index])),
        period=block.ends[slot].item() if slot >= 0 else None,
        owed=block.ends[owed].item() if owed >= 0 else None,
        goal=figure(block.goal[row]),
        actual=figure(verdicts.actual[index]),
        expected=figure(verdicts.expected[index]),
        shortfall=figure(verdicts.shortfall[index]),
    )
