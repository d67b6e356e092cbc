"""A small chart of one target: the figures against the plan curve. Plain SVG that needs no style sheet."""

from datetime import date
from html import escape

import numpy as np

from rules.calendar import Days
from rules.expectation import Floats
from rules.target import Level, number

COLOURS = {Level.GREEN: "#1a7f37", Level.YELLOW: "#9a6700", Level.RED: "#b42318", Level.NOT_JUDGED: "#57606a"}
"""Each at least 4.5 : 1 on white."""

_WIDTH, _HEIGHT = 280, 116
_LEFT, _RIGHT, _TOP, _BOTTOM = 6, 274, 20, 94
_MANY = 40  # with more figures than this a line says more than points
_INK, _PLAN, _GOAL, _LANDING = "#24292f", "#4f6f9f", "#8a5a00", "#b9a6d6"


def pace_chart(
    ends: Days,
    expected: Floats,
    actual: Floats,
    goal: float,
    today: date,
    level: Level,
    status: str = "",
    landing: tuple[float, float] | None = None,
) -> str:
    """Figures and plan curve by period end (P,), NaN where unknown, with the goal's line and today's.

    Numbers are in the target's unit; ``status`` is what is said of the last figure (初步数),
    ``landing`` the span in which the year will probably end. Colour repeats what the words beside
    the chart say; the ``<title>`` says it to those who do not see.
    """
    day = _Scale(ends[-1].astype("datetime64[Y]").astype("datetime64[D]").astype(int), int(ends[-1].astype(int)))
    value = _span(np.concatenate([expected, actual, [goal], landing or ()]))
    x = _LEFT + (ends.astype(int) - day.low) / day.size * (_RIGHT - _LEFT)

    def y(values: Floats) -> Floats:
        return _BOTTOM - (values - value.low) / value.size * (_BOTTOM - _TOP)

    parts = [_axis(day), _today(today, day)]
    if landing is not None:
        low, high = y(np.array(landing)).tolist()
        parts.append(f'<path d="M{_RIGHT} {low:.1f}V{high - 1:.1f}" stroke="{_LANDING}" stroke-width="5"/>')
    if np.isfinite(goal):
        parts.append(_goal(goal, float(y(np.array([goal]))[0])))
    if not np.allclose(expected, goal, equal_nan=True):
        parts.append(
            f'<polyline points="{_points(x, y(expected))}" fill="none" stroke="{_PLAN}" stroke-width="1.5"'
            ' stroke-dasharray="5 3"/>'
        )
    parts.append(_figures(x, y(actual), COLOURS[level]))
    said = _said(ends, expected, actual, goal, level, status)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" xmlns="http://www.w3.org/2000/svg"'
        f' font-family="sans-serif" font-size="12"><title>{escape(said)}</title>'
        f"{''.join(parts)}</svg>"
    )


class _Scale:
    """Where an axis begins and how much it covers."""

    def __init__(self, low: float, high: float) -> None:
        self.low = low
        self.size = (high - low) or 1.0


def _span(values: Floats) -> _Scale:
    """All known values with a little room; from zero where the values come near it."""
    known = values[np.isfinite(values)]
    if not len(known):
        return _Scale(0.0, 1.0)
    low, high = float(known.min()), float(known.max())
    if 0 < low < high / 2:
        low = 0.0
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return _Scale(low - room, high + room)


def _points(x: Floats, y: Floats) -> str:
    known = np.isfinite(y)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[known], y[known], strict=True))


def _axis(day: _Scale) -> str:
    """The base line with the quarters' first days."""
    year = np.datetime64(int(day.low), "D").astype("datetime64[M]")
    marks = []
    for month in (0, 3, 6, 9):
        at = _LEFT + ((year + month).astype("datetime64[D]").astype(int) - day.low) / day.size * (_RIGHT - _LEFT)
        marks.append(f'<path d="M{at:.1f} {_BOTTOM}v4" stroke="#8c959f"/>')
        marks.append(f'<text x="{at:.1f}" y="{_HEIGHT - 5}" fill="#57606a">{month + 1}月</text>')
    return f'<path d="M{_LEFT} {_BOTTOM}H{_RIGHT}" stroke="#8c959f"/>{"".join(marks)}'


def _today(today: date, day: _Scale) -> str:
    share = (np.datetime64(today).astype(int) - day.low) / day.size
    if not 0 <= share <= 1:
        return ""
    at = _LEFT + share * (_RIGHT - _LEFT)
    return f'<path d="M{at:.1f} {_TOP - 4}V{_BOTTOM}" stroke="#8c959f" stroke-dasharray="1 3"/>'


def _goal(goal: float, y: float) -> str:
    return (
        f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="{_GOAL}" stroke-width="1"/>'
        f'<text x="{_RIGHT}" y="{y - 4:.1f}" text-anchor="end" fill="{_GOAL}">目标 {number(goal)}</text>'
    )


def _figures(x: Floats, y: Floats, colour: str) -> str:
    """The published figures: a line, points where they can be told apart, the latest one in its level's colour."""
    known = np.flatnonzero(np.isfinite(y))
    if not len(known):
        return ""
    line = f'<polyline points="{_points(x, y)}" fill="none" stroke="{_INK}" stroke-width="1.8"/>'
    dots = [] if len(known) > _MANY else [f'<circle cx="{x[i]:.1f}" cy="{y[i]:.1f}" r="2"/>' for i in known[:-1]]
    last = known[-1]
    return (
        f'{line}<g fill="{_INK}">{"".join(dots)}</g>'
        f'<circle cx="{x[last]:.1f}" cy="{y[last]:.1f}" r="4.5" fill="{colour}" stroke="#fff" stroke-width="1.5"/>'
    )


def _said(ends: Days, expected: Floats, actual: Floats, goal: float, level: Level, status: str) -> str:
    aim = f"目标{number(goal)}" if np.isfinite(goal) else "目标未定"
    known = np.flatnonzero(np.isfinite(actual))
    if not len(known):
        return f"进度图：{aim}，尚无数据，{level.text}"
    last = known[-1]
    day: date = ends[last].item()
    should = f"，应达{number(float(expected[last]))}" if np.isfinite(expected[last]) else ""
    real = number(float(actual[last])) + (f"（{status}）" if status else "")
    return f"进度图：截至{day.month}月{day.day}日实际{real}{should}，{aim}，{level.text}"
