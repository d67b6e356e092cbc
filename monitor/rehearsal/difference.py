"""Two books over the same figures: which alerts only one of them raises, and which it raises at another time. Pure."""

from collections.abc import Iterable
from datetime import UTC
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from alerts.alert import Kind
from monitor.rehearsal.replay import Played
from rules.target import Book, Level


class Raised(NamedTuple):
    """An alert as people would hear of it. ``day`` is that of the book."""

    target: str
    subject: str
    kind: Kind
    year: int
    day: str
    worst: Level

    @property
    def line(self) -> str:
        what = "数据催报" if self.kind is Kind.DATA else f"最重{self.worst.text}"
        return f"{self.day} {self.subject}{' ' if self.subject else ''}{self.target}（{what}）"


class Difference(NamedTuple):
    """Alerts that only the new book raises, and only the old one."""

    added: list[Raised]
    gone: list[Raised]


def difference(new: Iterable[tuple[Book, Played]], old: Iterable[tuple[Book, Played]]) -> Difference:
    """What two rehearsals do not have in common. Books are told apart by neither id nor name."""
    both = _raised(new).merge(_raised(old), how="outer", indicator="side")
    added, gone = (both[both["side"] == side].drop(columns="side") for side in ("left_only", "right_only"))
    return Difference(_listed(added), _listed(gone))


def _raised(played: Iterable[tuple[Book, Played]]) -> pd.DataFrame:
    """The alerts that were raised, each once, in the columns of ``Raised``."""
    parts = [pd.DataFrame(columns=list(Raised._fields))]
    for book, year in played:
        zone = ZoneInfo(book.timezone)
        for number, panel in enumerate(year.watch.panels):
            target, subject = panel.block.names
            for kind in Kind:
                found = year.history.spells(number, kind)
                moments, place = np.unique(found.since, return_inverse=True)
                days = [f"{one.replace(tzinfo=UTC).astimezone(zone):%Y-%m-%d}" for one in moments.tolist()]
                facts = (
                    target[found.row],
                    subject[found.row],
                    kind,
                    book.year,
                    np.array(days, object)[place],
                    found.worst,
                )
                parts.append(pd.DataFrame(dict(zip(Raised._fields, facts, strict=True))))
    return pd.concat([part for part in parts if len(part)] or parts).drop_duplicates()


def _listed(found: pd.DataFrame) -> list[Raised]:
    ordered = found.sort_values(["day", "target", "subject"], kind="stable")
    columns = [ordered[name].tolist() for name in Raised._fields]
    return [
        Raised(target, subject, Kind(kind), year, day, Level(worst))
        for target, subject, kind, year, day, worst in zip(*columns, strict=True)
    ]
