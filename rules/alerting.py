"""How often a year's figures would have called for a word: the effect of an edit, in columns. Pure."""

import numpy as np
from numpy.typing import NDArray

from rules.judging import judge
from rules.panel import Panel


def calls(panel: Panel) -> NDArray[np.int64]:
    """How often each row (R,) came to a worse level than it had, period by period, by the figures known now.

    Periods without a figure, and those that are not judged, leave the level as it was.
    """
    block = panel.block
    rows = np.arange(block.rows)
    level, found = np.zeros(block.rows, np.int8), np.zeros(block.rows, np.int64)
    after = (block.ends[-1] + np.timedelta64(366, "D")).item()
    for slot in range(len(block.ends)):
        known = rows[~np.isnan(panel.values[slot])]
        if len(known):
            now = judge(panel, after, rows=known, slots=np.full(len(known), slot, np.int16)).level
            judged = known[now >= 0]
            found[judged] += now[now >= 0] > level[judged]
            level[judged] = now[now >= 0]
    return found
