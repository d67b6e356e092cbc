"""Books, blocks, panels and verdicts for tests: everything is read by the real loader, only what matters is said."""

import json
import tempfile
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from connectors.observation import STATUSES, Status
from rules.calendar import period_ends
from rules.judging import judge, verdict
from rules.loader import load_book
from rules.panel import Panel
from rules.plan import Block, compile_plan
from rules.target import Book, Target
from rules.verdict import Verdict

DEFAULTS = {"name": "指标", "lead": "人力社保局", "goal": "at least 100 个", "measure": "cumulative"}
PUBLISHED = "2025-12-31T09:00:00"


def a_book(*targets: Mapping[str, Any], subjects: str = "", **keys: Any) -> Book:
    """A book of 2025 with these targets; ``subjects`` is the text of its table of goals."""
    targets = tuple({"id": f"t{i}", **DEFAULTS, **target} for i, target in enumerate(targets or ({},)))
    written = {"book": "b", "title": "方案", "year": 2025, "targets": targets, **keys}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if subjects:
            (folder / "subjects.csv").write_text(subjects, encoding="utf-8")
            written["subjects"] = "subjects.csv"
        (folder / "book.yaml").write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
        return load_book(folder)


def a_target(**keys: Any) -> Target:
    return a_book(keys).targets[0]


def a_block(*targets: Mapping[str, Any], **keys: Any) -> Block:
    """The one block of a book whose targets share a frequency."""
    (block,) = compile_plan([a_book(*targets, **keys)])
    return block


def a_panel(block: Block, *figures: Mapping[int, float]) -> Panel:
    """A panel with the figures of each row, by number of their period: 1 is the first of the year."""
    panel = Panel(block)
    for row, known in enumerate(figures):
        put(panel, {(row, period): value for period, value in known.items()})
    return panel


def put(panel: Panel, figures: Mapping[tuple[int, int], float], known_at: str = PUBLISHED) -> None:
    """Enter figures by (row, number of the period), published at one moment."""
    rows, periods = np.array(list(figures), dtype=np.int64).reshape(-1, 2).T
    panel.put(
        rows,
        periods - 1,
        np.array(list(figures.values()), dtype=np.float64),
        np.full(len(figures), np.datetime64(known_at), dtype="datetime64[s]"),
    )


def judged(
    figures: Mapping[int, float],
    at: str | None = None,
    *,
    failed: bool = False,
    doubted: int = 0,
    past: Mapping[int, Mapping[int, float]] | None = None,
    said: Mapping[int, Status] | None = None,
    **target: Any,
) -> Verdict:
    """The verdict on one target with these figures; ``at`` is the day after the newest period unless said.

    ``past`` are figures of earlier years, ``said`` is the status of periods whose figure is not final,
    ``doubted`` the number of the latest period whose figure waits for a decision.
    """
    block = a_block(target)
    day = date.fromisoformat(at) if at else block.ends[max(figures) - 1].item() + timedelta(days=1)
    panel = a_panel(block, figures)
    remember(panel, past or {})
    for period, status in (said or {}).items():
        value, known = np.array([figures.get(period, np.nan)]), np.array([PUBLISHED], dtype="datetime64[s]")
        panel.put(np.array([0]), np.array([period - 1]), value, known, np.array([STATUSES.index(status)], np.int8))
    return verdicts(panel, day, failed=np.array([failed]), doubted=np.array([doubted - 1], np.int16))[0]


def verdicts(panel: Panel, day: date, **keys: Any) -> list[Verdict]:
    """The verdict of every row."""
    columns = judge(panel, day, **keys)
    return [verdict(panel, columns, row, row) for row in range(panel.block.rows)]


def remember(panel: Panel, years: Mapping[int, Mapping[int, float]], row: int = 0) -> None:
    """Enter figures of earlier years: year -> number of the period -> figure."""
    for year, figures in years.items():
        ends = period_ends(year, panel.block.every)
        panel.put_past(
            np.full(len(figures), row),
            ends[np.array(list(figures)) - 1],
            np.array(list(figures.values()), dtype=np.float64),
        )


def a_season(*shares: float) -> dict[int, float]:
    """What had been reached by each period of a year, from what each of them added."""
    return dict(enumerate(np.cumsum(shares).tolist(), start=1))
