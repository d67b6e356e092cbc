"""Tables of made-up monthly series for the tests of the bench."""

import numpy as np
import pandas as pd

SEASON = np.array([6, 4, 8, 8, 9, 9, 8, 8, 9, 10, 10, 11]) / 100


def table(years=9, n=5, seed=0, first=2001):
    """A wide monthly table of n noisy, growing series."""
    draw = np.random.default_rng(seed)
    months = pd.period_range(f"{first}-01", f"{first + years - 1}-12", freq="M")
    growth = np.exp(0.03 * np.arange(years)).repeat(12)[:, None]
    values = 1000 * np.tile(SEASON, years)[:, None] * growth * draw.lognormal(0, 0.1, (years * 12, n))
    return pd.DataFrame(values, index=months, columns=[f"series {i}" for i in range(n)])


def written(tmp_path, frame):
    path = tmp_path / "figures.csv"
    frame.rename_axis("month").to_csv(path)
    return path
