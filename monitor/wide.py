"""Wide monthly tables: first column ``month`` (YYYY-MM), every other one a series."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from rules.document import Invalid


def read(path: Path) -> pd.DataFrame:
    """The table with its months as the index, oldest first. Raises Invalid with its place."""
    try:
        frame = pd.read_csv(path, dtype={0: "str"}, low_memory=False)
        months = pd.PeriodIndex(frame.pop("month"), freq="M")
        # One matrix: thousands of columns by themselves take far longer, here and in all that follows.
        wide = pd.DataFrame(frame.to_numpy(np.float64), index=months, columns=frame.columns).sort_index()
    except KeyError:
        raise Invalid([f"{path}:1: 缺少列 month (missing column)；第一列应为月份，写作 YYYY-MM"]) from None
    except FileNotFoundError:
        raise Invalid([f"{path}: 没有这个文件 (no such file)；请核对文件名"]) from None
    except OSError as error:
        raise Invalid([f"{path}: 无法读取 (cannot read): {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise Invalid([f"{path}: 不是 UTF-8 编码 (not utf-8)；请另存为“CSV UTF-8”"]) from None
    except pd.errors.EmptyDataError:
        raise Invalid([f"{path}:1: 文件是空的 (empty file)；首行应为 month 和各序列名"]) from None
    except ValueError as error:
        raise Invalid([_unreadable(path) or f"{path}: 无法读取 (bad figures): {error}"]) from None
    if months.has_duplicates:
        raise Invalid([f"{path}: 月份 {months[months.duplicated()][0]} 重复 (duplicate month)"])
    return wide


def _unreadable(path: Path) -> str:
    """The first cell that is no month, or no number, with its line; "" where there is none."""
    cells = pd.read_csv(path, dtype="str", skip_blank_lines=False).dropna(how="all")
    for line, month in zip((cells.index + 2).tolist(), cells["month"].fillna("").tolist(), strict=True):
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
            return f"{path}:{line}: 看不懂的月份 '{month}' (bad month)；应如 2024-01"
    for name, column in cells.drop(columns="month").items():
        wrong = column[column.notna() & pd.to_numeric(column, errors="coerce").isna()]
        if len(wrong):
            line = wrong.index[0] + 2
            return f"{path}:{line}: {name}: '{wrong.iloc[0]}' 不是数 (not a number)；没有数的留空"
    return ""
