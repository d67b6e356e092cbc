"""A synthetic country: 151 monthly targets over any number of counties, as a book without files."""

from pathlib import Path

import numpy as np
import pandas as pd

from connectors.strict import read
from rules import defaults, phrase
from rules.calendar import Every, period_ends
from rules.panel import Panel
from rules.plan import Block
from rules.spec import LevelsSpec
from rules.target import Book, Goal, Measure, Op, Source, Target

TARGETS = 151
YEAR = 2025
_KINDS = (
    [(Measure.CUMULATIVE, Op.AT_LEAST, "亿元")] * 5
    + [(Measure.GROWTH, Op.AT_LEAST, "%")] * 2
    + [(Measure.SHARE, Op.AT_LEAST, "%"), (Measure.CEILING, Op.AT_MOST, "%"), (Measure.CUMULATIVE, Op.MORE_THAN, "个")]
)


def country(counties: int, seed: int = 7, *, seasonal: bool = False) -> Book:
    """A book of ``TARGETS`` targets over ``counties`` subjects, each with a goal of its own."""
    rng = np.random.default_rng(seed)
    targets = tuple(_target(i, seasonal=seasonal) for i in range(TARGETS))
    subjects = tuple(f"县{i:04d}" for i in range(counties))
    goals = pd.DataFrame(
        np.exp(rng.normal(5, 1, (counties, TARGETS))), index=pd.Index(subjects), columns=[t.id for t in targets]
    )
    source = Source("country", "push", "table_file", phrase.schedule("every 1 minutes"), "", {}, "")
    return Book(
        "country", "全国", YEAR, "Asia/Shanghai", "督查办", Path(), (), targets, {"push": source}, subjects, goals
    )


def _target(index: int, *, seasonal: bool) -> Target:
    measure, op, unit = _KINDS[index % len(_KINDS)]
    goal = Goal(op, 0.0, unit)
    levels = read(LevelsSpec, {"red": "behind 15% for 2"} if measure is Measure.CUMULATIVE else {})
    return Target(
        book="country",
        id=f"t{index:03d}",
        item=None,
        name=f"指标{index:03d}",
        words="",
        lead=("统计局",),
        responsible=(),
        reporter=("统计局",),
        goal=goal,
        measure=measure,
        every=Every.MONTH,
        published=phrase.published("15 workdays after period"),
        expect=phrase.expect("seasonal")
        if seasonal and measure is Measure.CUMULATIVE
        else defaults.expect(measure, goal),
        levels=defaults.levels(measure, levels, None, None),
        source="push",
        series=f"指标{index:03d}",
        counts=None,
        place="",
    )


def figures(block: Block, months: int, seed: int = 7) -> Panel:
    """A panel of ``months`` published months: about one row in six is behind."""
    rng = np.random.default_rng(seed)
    panel = Panel(block)
    rows = np.arange(block.rows)
    pace = rng.normal(1.04, 0.06, block.rows)
    for month in range(months):
        ahead = np.where(block.sign > 0, pace, 2 - pace) * rng.normal(1, 0.01, block.rows)
        known = np.full(block.rows, np.datetime64(f"{YEAR}-{month + 1:02d}-28T09:00:00"), dtype="datetime64[s]")
        panel.put(rows, np.full(block.rows, month), block.expected[month] * ahead, known)
    return panel


def remember(panel: Panel, years: int, seed: int = 7) -> None:
    """Enter complete earlier years that ended a little below this year's goals, each with a season of its own."""
    rng = np.random.default_rng(seed)
    block, rows = panel.block, np.arange(panel.block.rows)
    for back in range(years, 0, -1):
        reached = np.zeros(block.rows)
        for month, end in enumerate(period_ends(YEAR - back, block.every), start=1):
            reached += block.goal / 12 * (1 + 0.3 * np.sin(month)) * 0.96**back * rng.normal(1, 0.05, block.rows)
            panel.put_past(rows, np.full(block.rows, end), reached)
