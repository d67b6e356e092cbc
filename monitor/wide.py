"""Wide monthly tables: first column ``month`` (YYYY-MM), every other one a series."""

from pathlib import Path

import pandas as pd

from rules.document import Invalid


def read(path: Path) -> pd.DataFrame:
    """The table of a CSV file with its months as the index, oldest first. Raises Invalid with its place."""
    try:
        frame = pd.read_csv(path, dtype={0: "str"})
        months = pd.PeriodIndex(frame["month"], freq="M")
        wide = frame.drop(columns="month").astype(float).set_index(months).sort_index()
    except FileNotFoundError:
        raise Invalid([f"{path}: 没有这个文件 (no such file)"]) from None
    except KeyError:
        raise Invalid([f"{path}:1: 缺少列 month (missing column)；第一列应为月份，写作 YYYY-MM"]) from None
    except (OSError, ValueError) as error:
        raise Invalid([f"{path}: 无法读取 (bad figures): {error}"]) from None
    if months.has_duplicates:
        raise Invalid([f"{path}: 月份 {months[months.duplicated()][0]} 重复 (duplicate month)"])
    return wide
