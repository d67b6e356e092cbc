"""Small books with figures, written as an author would write them."""

from pathlib import Path

HEADER = """\
book: town-2025
title: 某镇2025年目标任务
year: 2025
every: month
published: 10 workdays after period
source: filings
levels: {yellow: behind 5%, red: behind 15%}
sources:
  filings:
    connector: table_file
    path: figures.csv
    columns: {series: 指标, period: 期间, value: 数值, unit: 单位, known: 发布日期}
    schedule: every 1 second
"""


def town(books: Path, targets: int, published: str = "10 workdays after period") -> Path:
    """A book of ``targets`` cumulative targets, 1200 户 each; returns its folder."""
    folder = books / "town-2025"
    folder.mkdir(parents=True)
    lines = [HEADER.replace("10 workdays after period", published), "targets:"]
    for i in range(targets):
        lines += [
            f"  - id: t{i:03d}",
            f"    name: 指标{i:03d}",
            f"    lead: 单位{i % 7}",
            "    goal: at least 1200 户",
            "    measure: cumulative",
        ]
    (folder / "book.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def figures(folder: Path, rows: list[tuple[str, str, float, str]]) -> None:
    """Replace the book's figures: (series, period, value, publication date), whole or not at all."""
    text = "\n".join(["指标,期间,数值,单位,发布日期", *(f"{s},{p},{v},户,{d}" for s, p, v, d in rows)])
    fresh = folder / "figures.tmp"
    fresh.write_text(text + "\n", encoding="utf-8")
    fresh.rename(folder / "figures.csv")
