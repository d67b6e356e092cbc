"""The pictures of the author's guide, drawn from the curves themselves: ``python -m rules.pictures.draw``."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rules import defaults, phrase
from rules.calendar import Every, period_ends
from rules.expectation import Floats, shares
from rules.target import Expect, Measure

_YEAR = 2025
_WIDTH, _HEIGHT, _LEFT, _TOP = 300, 120, 40, 24
_STAGES = "谋划 by 2025-01-31, 签约 by 2025-03-31, 开工 by 2025-06-30, 投产 by 2025-11-10"
_CURVES = {
    "linear": phrase.expect("linear"),
    "workdays": phrase.expect("workdays"),
    "hold": phrase.expect("hold"),
    "path": phrase.expect("path from 66"),
    "checkpoints": phrase.expect("checkpoints {2025-03-31: 10%, 2025-12-31: 100%}"),
    "stages": defaults.expect(Measure.MILESTONE, phrase.goal(_STAGES)),
}


def pictures() -> dict[str, str]:
    """Every picture by the name of its file."""
    drawn = {f"{name}.svg": _svg(expect.text, _line(_done(expect))) for name, expect in _CURVES.items()}
    line = _done(_CURVES["linear"])
    elapsed = np.linspace(0, 1, len(line))
    yellow = line * (1 - 0.2 + 0.15 * elapsed)
    early = f'<rect x="{_LEFT}" y="{_TOP}" width="{_WIDTH / 4:g}" height="{_HEIGHT}" fill="#ddd"/>'
    drawn["narrowing.svg"] = _svg(
        "behind 20% narrowing to 5%, not before: 25%", early + _line(line) + _line(yellow, "#c80", "5 3")
    )
    return drawn


def _done(expect: Expect) -> Floats:
    """The share of the goal on New Year's Eve and on each day of the year."""
    curve = shares(expect, Measure.CUMULATIVE, period_ends(_YEAR, Every.DAY), _YEAR)
    # A path begins at its base; every other curve but a held goal at nothing.
    base = expect.base / 100
    return base + (1 - base) * np.concatenate([curve[:1] if curve[0] == 1 else [0.0], curve])


def _line(done: Iterable[float], colour: str = "#06c", dashes: str = "") -> str:
    points = [(_LEFT + _WIDTH * day / 365, _TOP + _HEIGHT * (1 - share)) for day, share in enumerate(done)]
    # Of points on one straight line only the ends are kept.
    kept = [
        point
        for before, point, after in zip([None, *points], points, [*points[1:], None], strict=False)
        if before is None or after is None or abs((before[1] + after[1]) / 2 - point[1]) > 0.005
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in kept)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>'


def _svg(title: str, body: str) -> str:
    months = "".join(
        f'<text x="{_LEFT + _WIDTH * month / 12:g}" y="{_TOP + _HEIGHT + 14}" text-anchor="middle">{month}月</text>'
        for month in (3, 6, 9, 12)
    )
    levels = "".join(
        f'<path d="M{_LEFT} {_TOP + _HEIGHT * (1 - share):g}h{_WIDTH}" stroke="#ccc"/>'
        f'<text x="{_LEFT - 4}" y="{_TOP + _HEIGHT * (1 - share) + 4:g}" text-anchor="end">{share:.0%}</text>'
        for share in (0, 0.25, 0.5, 0.75, 1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH + 60}" height="{_HEIGHT + 44}" '
        f'font-family="sans-serif" font-size="11"><title>{title}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="{_LEFT}" y="14">{title}</text>'
        f"{levels}{months}{body}</svg>\n"
    )


if __name__ == "__main__":
    for name, text in pictures().items():
        (Path(__file__).parent / name).write_text(text, encoding="utf-8")
