"""Judging: every row of a block at one moment, in columns. Pure: time is an argument."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rules import forecast
from rules.calendar import Every
from rules.clearing import clearings
from rules.limits import Limits, Rows
from rules.panel import Panel
from rules.target import Against, Level
from rules.verdict import CODE, OUTCOME, REASONS, Clearing, Reason, Verdict, Verdicts, empty, listed
from rules.yardstick import Seen, against, against_plan, columns, exceeded

_CHUNK = 16_384
"""Rows judged at a time: the columns of a chunk stay in the processor's cache, and need no fresh memory."""
_LAST_JUDGED = max(CODE[reason] for reason in OUTCOME)
_REASON = np.array(REASONS, np.object_)
_LEVEL = np.array([Level.GREEN, Level.YELLOW, Level.RED, Level.NOT_JUDGED], np.object_)  # the last is the place -1
_NOT_JUDGED, _GREEN, _YELLOW, _RED = (np.int8(level) for level in sorted(Level))


def judge(
    panel: Panel,
    today: date,
    failed: NDArray[np.bool_] | None = None,
    rows: NDArray[np.int64] | None = None,
    slots: NDArray[np.int16] | None = None,
    doubted: NDArray[np.int16] | None = None,
) -> Verdicts:
    """Verdicts of ``rows`` (all of the block's unless said) as of ``today`` in the block's time zone.

    A figure is compared with what was expected at the end of its own period.
    ``failed`` (R,) marks rows whose source did not answer: their figure may be
    published without our knowing, so nobody is called late for it; nor for a period up to
    ``doubted`` (R,), of which a figure is there that nobody has let in yet. ``slots`` (N,)
    are earlier periods to judge ``rows`` at, as if each were the newest and nothing owed.
    """
    panel.renew()
    if rows is not None and slots is not None:
        panel = panel.seen_from(rows, slots)
    block = panel.block
    # A period's figure is owed from the day after its due day.
    overdue = (block.due < np.datetime64(today)).sum(axis=1).astype(np.int16) - np.int16(1)
    verdicts = empty(block.rows if rows is None else len(rows))
    for start in range(0, len(verdicts.reason), _CHUNK):
        part = slice(start, min(start + _CHUNK, len(verdicts.reason)))
        mine: Rows = part if rows is None else rows[part]
        if slots is None:
            told = _Told(panel.latest[mine], panel.reported[mine], overdue[block.due_of[mine]])
        else:
            told = _Told(slots[part], slots[part], slots[part])
        _judge(panel, today, _Excused(failed, doubted), told, mine, verdicts.part(part))
    return verdicts


class _Told(NamedTuple):
    """Of each row, as places of periods: the one judged, the newest that anything was stated for, the newest due."""

    slot: NDArray[np.int16]
    reported: NDArray[np.int16]
    owed: NDArray[np.int16]


class _Excused(NamedTuple):
    """Of all rows of a block, whom nobody calls late: see ``judge``."""

    failed: NDArray[np.bool_] | None
    doubted: NDArray[np.int16] | None


def _judge(
    panel: Panel,
    today: date,
    excused: _Excused,
    told: _Told,
    rows: Rows,
    into: Verdicts,
) -> None:
    """Judge one chunk of rows into its part of the verdicts."""
    block, (slot, reported, owed) = panel.block, told
    seen = against_plan(panel, rows, slot)
    yellow, yellow_now = _reached(panel, block.yellow, rows, slot, seen)
    red, red_now = _reached(panel, block.red, rows, slot, seen)
    missed = (slot == len(block.ends) - 1) & (seen.shortfall > block.slack[rows])
    behind = yellow | red | missed

    reason = np.where(behind, CODE[Reason.BEHIND_SCHEDULE], CODE[Reason.ON_SCHEDULE])
    reason[missed] = CODE[Reason.GOAL_MISSED]
    reason[behind & block.hard[rows]] = CODE[Reason.LIMIT_BREACHED]
    reason[slot < 0] = CODE[Reason.ANNUAL_ONLY if block.every is Every.YEAR else Reason.NOT_DUE]
    if block.judged_slot is not None:
        reason[(slot >= 0) & (slot < block.judged_slot[rows])] = CODE[Reason.TOO_EARLY]
    # A milestone that is not reached is open until its day has passed.
    reason[(behind | (slot < 0)) & (np.datetime64(today) < block.judged_from[rows])] = CODE[Reason.NOT_DUE]
    reason[(slot < 0) & (reported >= 0)] = CODE[Reason.NIL]
    late = owed > reported
    reason[late] = np.where(reported[late] < 0, CODE[Reason.NO_DATA], CODE[Reason.LATE])
    if excused.failed is not None:
        reason[late & excused.failed[rows]] = CODE[Reason.FAILED]
    if excused.doubted is not None:
        reason[late & (excused.doubted[rows] >= owed)] = CODE[Reason.IN_DOUBT]
    aimless = np.isnan(block.goals(rows, slot))
    if block.leans is not None:
        aimless &= ~block.leans[rows]
        unknown = block.leans[rows] & np.isnan(seen.expected)
        reason[unknown & (reason <= _LAST_JUDGED)] = CODE[Reason.NO_REFERENCE]
    reason[aimless] = CODE[Reason.NO_GOAL]

    judged = reason <= _LAST_JUDGED
    level = np.where(red, _RED, np.where(behind, _YELLOW, _GREEN))
    into.reason[:] = reason
    into.level[:] = np.where(judged, level, _NOT_JUDGED)
    pending = np.where(red_now, _RED, np.where(yellow_now, _YELLOW, _GREEN))
    into.pending[:] = np.where(judged & (pending > level), pending, _GREEN)
    if block.clear:
        # After the last period there is none to wait for.
        into.keep[:] = judged & (slot < len(block.ends) - 1) & _kept(panel, rows, slot)
    into.slot[:], into.owed[:] = slot, np.where(late & ~aimless, owed, np.int16(-1))
    into.nil[:] = np.where(reported > slot, reported, np.int16(-1))
    into.preliminary[:] = (slot >= 0) & panel.preliminary[slot, columns(rows)]
    into.actual[:], into.expected[:], into.shortfall[:] = seen
    into.probability[:] = panel.landings.probability[rows]


def _reached(
    panel: Panel, level: tuple[Limits, ...], rows: Rows, slot: NDArray[np.int16], seen: Seen
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether any threshold of the level holds (for as many periods as it asks), and whether at the latest period alone."""
    held, now = _holds(panel, level[0], rows, rows, slot, seen)
    for limits in level[1:]:
        inside, here = limits.among(rows)
        if len(inside):
            mine, its_slot = columns(rows)[inside], slot[inside]
            its = _holds(panel, limits, here, mine, its_slot, against(panel, limits, here, mine, its_slot))
            held[inside] |= its[0]
            now[inside] |= its[1]
    return held, now


def _kept(panel: Panel, rows: Rows, slot: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Whether an alert that stands is not solved yet: a threshold of ``clear`` held in one of the periods it asks for."""
    kept = np.zeros(len(slot), np.bool_)
    for limits in panel.block.clear:
        inside, here = limits.among(rows)
        if len(inside):
            mine, its_slot = columns(rows)[inside], slot[inside]
            kept[inside] |= ~_running(panel, limits, here, mine, its_slot, free=True)
    return kept


def _holds(
    panel: Panel, limits: Limits, here: Rows, rows: Rows, slot: NDArray[np.int16], seen: Seen
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The same of one threshold per row; ``here`` are the rows' places in ``limits``."""
    now = exceeded(panel.block, limits, here, rows, slot, seen)
    if limits.against is Against.OUTLOOK:
        now = forecast.warning(now, panel.landings.probability[rows], 1 - (slot + 1) / len(panel.block.ends))
    held = now.copy()
    again = np.flatnonzero(now & (limits.periods[here] > 1))
    if len(again):
        held[again] = _running(panel, limits, columns(here)[again], columns(rows)[again], slot[again])
    return held, now


def _running(
    panel: Panel,
    limits: Limits,
    here: NDArray[np.int64],
    rows: NDArray[np.int64],
    latest: NDArray[np.int16],
    *,
    free: bool = False,
) -> NDArray[np.bool_]:
    """Whether the threshold held (``free``: did not) at each of the last published periods that it asks for.

    A gap is not a period.
    """
    block, wanted = panel.block, limits.periods[here].astype(np.int64)
    since = np.int16(0) if block.judged_slot is None else block.judged_slot[rows]
    seen = np.zeros(len(rows), dtype=np.int64)
    unbroken = np.ones(len(rows), dtype=np.bool_)
    for number in range(int(latest.max()), -1, -1):
        slot = np.full(len(rows), number, dtype=np.int16)
        at_slot = against(panel, limits, here, rows, slot)
        # What cannot be compared is no judged period: the goal was not set yet, or its reference is not known.
        known = ~np.isnan(panel.values[number, rows] + panel.expected[number, rows])
        counts = (slot <= latest) & (slot >= since) & known & (seen < wanted)
        unbroken &= ~counts | (exceeded(block, limits, here, rows, slot, at_slot) != free)
        seen += counts
        if not (unbroken & (seen < wanted)).any():
            break
    return unbroken & (seen >= wanted)


def verdict(panel: Panel, verdicts: Verdicts, index: int, row: int) -> Verdict:
    """The ``index``-th of ``verdicts``, which judged ``row``, as an object."""
    return next(objects(panel, verdicts, np.array([index]), np.array([row])))


def objects(panel: Panel, verdicts: Verdicts, indices: NDArray[np.intp], rows: NDArray[np.intp]) -> Iterator[Verdict]:
    """Those of ``verdicts`` at ``indices`` (N,), which judged ``rows`` (N,), as objects."""
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        yield from _objects(panel, verdicts, indices[part], rows[part])


def _objects(panel: Panel, verdicts: Verdicts, indices: NDArray[np.intp], rows: NDArray[np.intp]) -> Iterator[Verdict]:
    block, slot = panel.block, verdicts.slot[indices]
    ends = np.array([*block.ends.tolist(), None])  # the last is the place -1
    index = np.searchsorted(block.first_row, rows, side="right") - 1
    places = list(zip(index.tolist(), (rows - block.first_row[index]).tolist(), strict=True))
    figures = (
        panel.goals(rows, slot),
        *(column[indices] for column in (verdicts.actual, verdicts.expected, verdicts.shortfall, verdicts.probability)),
        panel.landings.low[rows],
        panel.landings.high[rows],
    )
    clears: list[Clearing | None] = [None] * len(rows)
    stands = np.flatnonzero((verdicts.level[indices] > Level.GREEN) | verdicts.keep[indices])
    for place, clearing in zip(stands.tolist(), clearings(panel, rows[stands], slot[stands]), strict=True):
        clears[place] = clearing
    return map(
        Verdict,
        [block.targets[target] for target, _ in places],
        [block.subjects[target][subject] for target, subject in places],
        _REASON[verdicts.reason[indices]].tolist(),
        _LEVEL[verdicts.level[indices]].tolist(),
        _LEVEL[verdicts.pending[indices]].tolist(),
        verdicts.keep[indices].tolist(),
        ends[slot].tolist(),
        ends[verdicts.owed[indices]].tolist(),
        *(listed(column, ~np.isnan(column)) for column in figures),
        panel.past.years(rows).tolist(),
        ends[verdicts.nil[indices]].tolist(),
        verdicts.preliminary[indices].tolist(),
        clears,
    )
