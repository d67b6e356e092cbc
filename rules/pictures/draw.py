"""The pictures of the author's guide, drawn from the curves themselves: ``python -m rules.pictures.draw``."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rules import defaults, phrase
from rules.calendar import Every, period_ends
from rules.expectation import Floats, shares
from rules.forecast import landing, shape
from rules.past import shares as shares_of
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
_PAST = np.cumsum(
    [
        [2, 3, 5, 6, 8, 10, 9, 9, 11, 11, 12, 14],
        [1, 2, 3, 6, 7, 9, 8, 10, 12, 13, 14, 15],
        [3, 4, 7, 7, 9, 10, 9, 9, 10, 10, 10, 12],
    ],
    axis=1,
    dtype=np.float64,
)[:, :, np.newaxis]
"""Three years by months: a winter in which little is built, and the hurry of its end."""


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
    drawn["seasonal.svg"] = _svg("seasonal", _season(*shares_of(_PAST)[:2]))
    drawn["landing.svg"] = _svg("probability below 10%", _landing())
    drawn["last-year.svg"] = _svg("last year", _season(*shares_of(_PAST[-1:])[:2]))
    return drawn


def _season(share: Floats, spread: Floats) -> str:
    """A curve by months, and how much it differs from year to year."""
    months = np.arange(13) * 365 / 12

    def days(done: Floats) -> Floats:
        return np.asarray(np.interp(np.arange(366), months, np.concatenate([[0.0], done[:, 0]])))

    margins = [share - spread, share + spread] if np.isfinite(spread).all() else []
    return "".join([*(_line(days(margin), "#9bc", "3 3") for margin in margins), _line(days(share))])


def _landing() -> str:
    """Nine months that lag behind, and between which ends the year will probably close."""
    past = np.diff(_PAST, axis=1, prepend=0)
    so_far = past.mean(axis=0)[:9] * 0.9
    found = landing(shape(past), so_far, np.array([100.0]))
    months = np.concatenate([[0.0], np.cumsum(so_far[:, 0])]) / 100
    fan = [
        _line(np.interp(np.arange(366), [0, 274, 365], [np.nan, months[-1], end[0] / 100])[274:], "#96c", "", 274)
        for end in (found.low, found.high)
    ]
    actual = _line(np.interp(np.arange(275), np.arange(10) * 365 / 12, months), "#222")
    return _season(*shares_of(_PAST)[:1], np.full((12, 1), np.nan)) + "".join(fan) + actual


def _done(expect: Expect) -> Floats:
    """The share of the goal on New Year's Eve and on each day of the year."""
    curve = shares(expect, Measure.CUMULATIVE, period_ends(_YEAR, Every.DAY), _YEAR)
    # A path begins at its base; every other curve but a held goal at nothing.
    base = expect.base / 100
    return base + (1 - base) * np.concatenate([curve[:1] if curve[0] == 1 else [0.0], curve])


def _line(done: Iterable[float], colour: str = "#06c", dashes: str = "", first: int = 0) -> str:
    points = [(_LEFT + _WIDTH * day / 365, _TOP + _HEIGHT * (1 - share)) for day, share in enumerate(done, first)]
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
