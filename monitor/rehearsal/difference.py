"""Two books over the same figures: which alerts only one of them raises, and which it raises at another time. Pure."""

from collections.abc import Iterable
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alerts.alert import Kind
from monitor.rehearsal.replay import Played
from monitor.rehearsal.score import spells
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
    ours, theirs = _raised(new), _raised(old)
    return Difference(sorted(ours - theirs, key=_when), sorted(theirs - ours, key=_when))


def _raised(played: Iterable[tuple[Book, Played]]) -> set[Raised]:
    return {
        Raised(
            spell.identity.target,
            spell.identity.subject,
            spell.identity.kind,
            book.year,
            f"{spell.since.astimezone(ZoneInfo(book.timezone)):%Y-%m-%d}",
            spell.worst,
        )
        for book, year in played
        for spell in spells(year.changes)
    }


def _when(one: Raised) -> tuple[str, str, str]:
    return one.day, one.target, one.subject
