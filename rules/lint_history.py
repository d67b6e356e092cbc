"""Thresholds against how figures really move: a tolerance that ordinary ups and downs exceed cries wolf. Pure, in columns."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rules.expectation import Floats
from rules.panel import Panel
from rules.past import shares
from rules.target import PERCENT, PROGRESS, Against, Target, quantity
from rules.unit import conversion

_LEAST = 8
"""So many changes from period to period must be known before they say how much a figure moves."""
_YEARS = 3
_TOLERANCES = frozenset({Against.SHARE, Against.POINTS, Against.UNITS})


class Narrow(NamedTuple):
    """A target whose tolerance is exceeded by what is usual, for a subject of which that is most so."""

    target: Target
    subject: str
    words: str


def narrow(panel: Panel) -> Iterator[Narrow]:
    """Targets of the panel's block whose yellow threshold is narrower than its series' usual movement."""
    block = panel.block
    for index, target in enumerate(block.targets):
        margin = _margin(target)
        rows = np.arange(*block.first_row[index : index + 2])
        if margin is None or not (block.sums[rows[0]] or block.carried[rows[0]]):
            continue
        sums = bool(block.sums[rows[0]])
        often, noise = (_season if sums else _steps)(panel, rows, margin)
        if not often.any():
            continue
        worst = int(np.argmax(np.where(often, noise, -1.0)))
        usual = quantity(float(noise[worst]), "个百分点" if target.goal.unit == "%" else target.goal.unit)
        moves, cure = ("往年同期的波动", "、behind 2 spreads") if sums else ("逐期的变动", "")
        words = (
            f"黄色 '{target.levels.yellow[0].text}' 小于该序列{moves}（通常约 {usual}）(narrower than noise)；"
            f"可放宽，或写 for 2、clear for: 2{cure}"
        )
        yield Narrow(target, block.target_at(int(rows[worst]))[1], words)


class _Margin(NamedTuple):
    """A tolerance: a share of what is expected, and so much in the target's unit."""

    share: float
    absolute: float


def _margin(target: Target) -> _Margin | None:
    """The yellow tolerance; None where there is none, or more than one period must be behind."""
    levels = target.levels
    if len(levels.yellow) != 1 or levels.clear or levels.clear_for > 1:
        return None
    (one,) = levels.yellow
    if one.against not in _TOLERANCES or one.periods > 1 or not one.value or one.narrows_to is not None:
        return None
    if one.against is Against.SHARE:
        return _Margin(one.value / 100, 0.0)
    if one.against is Against.POINTS and target.measure in PROGRESS and target.goal.unit not in PERCENT:
        return _Margin(0.0, one.value / 100 * abs(target.goal.value))
    found = conversion(one.unit, target.goal.unit)
    return _Margin(0.0, one.value * found[0]) if found else None


def _steps(panel: Panel, rows: NDArray[np.int64], margin: _Margin) -> tuple[NDArray[np.bool_], Floats]:
    """Which rows move, from one period to the next, by more than the margin half of the time; the median step of each."""
    past = panel.past.of(rows)
    known = np.concatenate([past.reshape(-1, len(rows)), panel.values[:, rows]])
    step = np.abs(np.diff(known, axis=0))
    noise = np.where((~np.isnan(step)).sum(axis=0) >= _LEAST, _median(step), 0.0)
    return noise > margin.share * np.abs(np.nan_to_num(panel.block.goal[rows])) + margin.absolute, noise


def _season(panel: Panel, rows: NDArray[np.int64], margin: _Margin) -> tuple[NDArray[np.bool_], Floats]:
    """Which rows' seasons differ from year to year by more than the margin through most of the year; by how much."""
    _, spread, years = shares(panel.past.of(rows))
    noise = spread[:-1] * np.abs(panel.block.goal[rows])
    allowed = margin.share * np.abs(panel.expected[:-1, rows]) + margin.absolute
    with np.errstate(invalid="ignore"):
        often = (noise > allowed).mean(axis=0) > 1 / 2
    return often & (years >= _YEARS), _median(noise)


def _median(values: Floats) -> Floats:
    """Along the first axis, of what is known; 0 where nothing is."""
    found = np.zeros(values.shape[1])
    known = ~np.isnan(values).all(axis=0)
    found[known] = np.nanmedian(values[:, known], axis=0)
    return found
