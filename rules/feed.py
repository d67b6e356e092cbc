"""Whether a source goes on: how many periods are out, by the rules of its targets, of which it brought nothing at all."""

from collections.abc import Iterable
from datetime import date

import numpy as np

from rules.panel import Panel

DEAD = 2
"""Periods missing from which on a source that answers is not merely late."""


def periods_missing(panel: Panel, today: date) -> dict[str, int]:
    """By source (``book/name``), periods due before ``today`` in the block's time zone that come after its newest figure.

    One target that is up to date is enough: the source goes on. A source of which nothing is due yet is left out.
    """
    block = panel.block
    due = (block.due < np.datetime64(today)).sum(axis=1)[block.due_of]
    missing = np.where(due > 0, np.maximum(due - 1 - panel.reported, 0), len(block.ends) + 1)
    by_target = np.minimum.reduceat(missing, block.first_row[:-1]).tolist()
    found: dict[str, int] = {}
    for target, count in zip(block.targets, by_target, strict=True):
        key = f"{target.book}/{target.source}"
        found[key] = min(found.get(key, count), count)
    return {key: count for key, count in found.items() if count <= len(block.ends)}


def stale(panels: Iterable[tuple[Panel, date]]) -> dict[str, int]:
    """``periods_missing`` of all blocks, each with its own day: none where any block is up to date, else the most."""
    found: dict[str, list[int]] = {}
    for panel, today in panels:
        for key, count in periods_missing(panel, today).items():
            found.setdefault(key, []).append(count)
    return {key: max(counts) if min(counts) else 0 for key, counts in found.items()}
