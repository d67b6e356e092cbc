"""Judging: every row of a block at one moment, in columns. Pure: time is an argument."""

from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rules import forecast
from rules.calendar import Every
from rules.expectation import Floats
from rules.limits import Limits, Rows
from rules.panel import Panel
from rules.plan import Block
from rules.target import Against, Level
from rules.verdict import CODE, OUTCOME, REASONS, Reason, Verdict, Verdicts, empty

_CHUNK = 16_384
"""Rows judged at a time: the columns of a chunk stay in the processor's cache, and need no fresh memory."""
_LAST_JUDGED = max(CODE[reason] for reason in OUTCOME)
_NOT_JUDGED, _GREEN, _YELLOW, _RED = (np.int8(level) for level in sorted(Level))


def judge(
    panel: Panel,
    today: date,
    failed: NDArray[np.bool_] | None = None,
    rows: NDArray[np.int64] | None = None,
    slots: NDArray[np.int16] | None = None,
) -> Verdicts:
    """Verdicts of ``rows`` (all of the block's unless said) as of ``today`` in the block's time zone.

    A figure is compared with what was expected at the end of its own period.
    ``failed`` (R,) marks rows whose source did not answer: their figure may be
    published without our knowing, so nobody is called late for it. ``slots`` (N,)
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
        _judge(panel, today, failed, told, mine, verdicts.part(part))
    return verdicts


class _Told(NamedTuple):
    """Of each row, as places of periods: the one judged, the newest that anything was stated for, the newest due."""

    slot: NDArray[np.int16]
    reported: NDArray[np.int16]
    owed: NDArray[np.int16]


def _judge(
    panel: Panel,
    today: date,
    failed: NDArray[np.bool_] | None,
    told: _Told,
    rows: Rows,
    into: Verdicts,
) -> None:
    """Judge one chunk of rows into its part of the verdicts."""
    block, (slot, reported, owed) = panel.block, told
    seen = _against_plan(panel, rows, slot)
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
    if failed is not None:
        reason[late & failed[rows]] = CODE[Reason.FAILED]
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
    into.slot[:], into.owed[:] = slot, np.where(late, owed, np.int16(-1))
    into.nil[:] = np.where(reported > slot, reported, np.int16(-1))
    into.preliminary[:] = (slot >= 0) & panel.preliminary[slot, _columns(rows)]
    into.actual[:], into.expected[:], into.shortfall[:] = seen
    into.probability[:] = panel.landings.probability[rows]


class _Seen(NamedTuple):
    """A figure, what it is compared with, and how far it is behind that, in the target's unit: positive is bad."""

    actual: Floats
    expected: Floats
    shortfall: Floats


def _at(matrix: Floats, slot: NDArray[np.int16], rows: Rows) -> Floats:
    """The value of each row at its own period; NaN where it has none."""
    first = int(slot[0])
    if (slot == first).all():
        # All figures of one release: a contiguous row of the matrix.
        return matrix[first][rows] if first >= 0 else np.full(len(slot), np.nan)
    return np.where(slot < 0, np.nan, matrix[slot, _columns(rows)])


def _columns(rows: Rows) -> NDArray[np.int64]:
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows


def _against_plan(panel: Panel, rows: Rows, slot: NDArray[np.int16]) -> _Seen:
    """Each row's figure against what the plan expects at the end of its period."""
    block = panel.block
    actual, expected = _at(panel.values, slot, rows), _at(panel.expected, slot, rows)
    short = block.sign[rows] * (expected - actual)
    if block.upper is not None:
        short = np.fmax(short, actual - block.upper[rows])
    return _Seen(actual, expected, short)


def _against(
    panel: Panel, limits: Limits, here: NDArray[np.int64], rows: NDArray[np.int64], slot: NDArray[np.int16]
) -> _Seen:
    """What the yardstick of ``limits`` sees of ``rows``, which lie ``here`` in it."""
    block = panel.block
    if limits.against in (None, Against.OUTLOOK):
        return _against_plan(panel, rows, slot)
    actual, expected = _at(panel.values, slot, rows), _at(panel.expected, slot, rows)
    if limits.against is Against.PERIOD:
        before = panel.before(rows, slot)
        actual -= np.where(before < 0, block.base[rows], panel.values[before, rows])
        expected -= np.where(before < 0, block.base[rows], _planned(panel, rows, slot, before))
    elif limits.against is Against.PROBABILITY:
        return _Seen(panel.landings.probability[rows].astype(np.float64), expected, np.full(len(rows), -np.inf))
    elif limits.against is Against.SPREAD:
        # Of as much again as the season differs from year to year, the threshold allows a multiple.
        shortfall = block.sign[rows] * (expected - actual)
        usual = panel.spread[slot, np.searchsorted(block.learnt, rows)] * panel.goals(rows, slot)
        return _Seen(actual, np.where(slot < 0, np.nan, usual), shortfall)
    elif limits.against is Against.AVERAGE:
        expected = panel.average(rows, slot)
    elif limits.lagged is not None:
        expected = _at(limits.lagged, slot, here)
    return _Seen(actual, expected, block.sign[rows] * (expected - actual))


def _planned(panel: Panel, rows: NDArray[np.int64], slot: NDArray[np.int16], before: NDArray[np.int16]) -> Floats:
    """What was expected at ``before`` on the way to the goal in force at ``slot``: a changed goal adds no task by itself."""
    block, planned = panel.block, panel.expected[before, rows]
    if block.changed is None:
        return planned
    base = block.base[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        larger = (block.goals(rows, slot) - base) / (block.goals(rows, before) - base)
    return np.where(np.isfinite(larger), base + (planned - base) * larger, planned)


def _reached(
    panel: Panel, level: tuple[Limits, ...], rows: Rows, slot: NDArray[np.int16], seen: _Seen
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether any threshold of the level holds (for as many periods as it asks), and whether at the latest period alone."""
    held, now = _holds(panel, level[0], rows, rows, slot, seen)
    for limits in level[1:]:
        inside, here = limits.among(rows)
        if len(inside):
            mine, its_slot = _columns(rows)[inside], slot[inside]
            its = _holds(panel, limits, here, mine, its_slot, _against(panel, limits, here, mine, its_slot))
            held[inside] |= its[0]
            now[inside] |= its[1]
    return held, now


def _kept(panel: Panel, rows: Rows, slot: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Whether an alert that stands is not solved yet: a threshold of ``clear`` held in one of the periods it asks for."""
    kept = np.zeros(len(slot), np.bool_)
    for limits in panel.block.clear:
        inside, here = limits.among(rows)
        if len(inside):
            mine, its_slot = _columns(rows)[inside], slot[inside]
            kept[inside] |= ~_running(panel, limits, here, mine, its_slot, free=True)
    return kept


def _holds(
    panel: Panel, limits: Limits, here: Rows, rows: Rows, slot: NDArray[np.int16], seen: _Seen
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The same of one threshold per row; ``here`` are the rows' places in ``limits``."""
    now = _exceeded(panel.block, limits, here, rows, slot, seen)
    if limits.against is Against.OUTLOOK:
        now = forecast.warning(now, panel.landings.probability[rows], 1 - (slot + 1) / len(panel.block.ends))
    held = now.copy()
    again = np.flatnonzero(now & (limits.periods[here] > 1))
    if len(again):
        held[again] = _running(panel, limits, _columns(here)[again], _columns(rows)[again], slot[again])
    return held, now


def _exceeded(
    block: Block, limits: Limits, here: Rows, rows: Rows, slot: NDArray[np.int16], seen: _Seen
) -> NDArray[np.bool_]:
    allowed = limits.share[here] * np.abs(seen.expected) + limits.absolute[here]
    if limits.of_goal is not None:
        allowed += limits.of_goal[here] * np.nan_to_num(np.abs(block.goals(rows, slot)))
    if limits.narrowing is not None:
        allowed *= 1 - limits.narrowing[here] * (slot + 1) / len(block.ends)
    # Only the plan's own goal must be surpassed where it says so: peers and the period's task may be equalled.
    slack = block.slack[rows] if limits.against is None else np.abs(block.slack[rows])
    over: NDArray[np.bool_] = seen.shortfall - slack > allowed
    if limits.below is not None:
        over |= seen.actual < limits.below[here]
    if limits.above is not None:
        over |= seen.actual > limits.above[here]
    if limits.first is not None:
        over &= slot >= limits.first[here]
    return over


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
        at_slot = _against(panel, limits, here, rows, slot)
        # What cannot be compared is no judged period: the goal was not set yet, or its reference is not known.
        known = ~np.isnan(panel.values[number, rows] + panel.expected[number, rows])
        counts = (slot <= latest) & (slot >= since) & known & (seen < wanted)
        unbroken &= ~counts | (_exceeded(block, limits, here, rows, slot, at_slot) != free)
        seen += counts
        if not (unbroken & (seen < wanted)).any():
            break
    return unbroken & (seen >= wanted)


def verdict(panel: Panel, verdicts: Verdicts, index: int, row: int) -> Verdict:
    """The ``index``-th of ``verdicts``, which judged ``row``, as an object."""
    block = panel.block
    target, subject = block.target_at(row)
    slot, owed, nil = (int(column[index]) for column in (verdicts.slot, verdicts.owed, verdicts.nil))

    def figure(value: float) -> float | None:
        return None if np.isnan(value) else float(value)

    return Verdict(
        target=target,
        subject=subject,
        reason=REASONS[verdicts.reason[index]],
        level=Level(int(verdicts.level[index])),
        pending=Level(int(verdicts.pending[index])),
        keep=bool(verdicts.keep[index]),
        period=block.ends[slot].item() if slot >= 0 else None,
        owed=block.ends[owed].item() if owed >= 0 else None,
        goal=figure(panel.goals(np.array([row]), verdicts.slot[index : index + 1])[0]),
        actual=figure(verdicts.actual[index]),
        expected=figure(verdicts.expected[index]),
        shortfall=figure(verdicts.shortfall[index]),
        nil=block.ends[nil].item() if nil >= 0 else None,
        preliminary=bool(verdicts.preliminary[index]),
        probability=figure(verdicts.probability[index]),
        low=figure(panel.landings.low[row]),
        high=figure(panel.landings.high[row]),
        years=panel.past.years(row),
    )
