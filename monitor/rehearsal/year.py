"""A book of one year as it would have been written for another."""

import re
from calendar import monthrange
from datetime import date
from enum import Enum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rules.target import Book

_DAY = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)")


def redated(book: Book, year: int) -> Book:
    """``book`` with every day it names as many years earlier or later; its goals are those of its own year.

    It keeps its id, under which its figures are stored, and its ``holidays`` and ``workdays``, which are days as they
    were. 29 February is the 28th where there is none.
    """
    if year == book.year:
        return book
    later = year - book.year
    targets = tuple(
        replace(
            target,
            goal=_moved(target.goal, later),
            published=_moved(target.published, later),
            expect=_moved(target.expect, later),
            changes=_moved(target.changes, later),
        )
        for target in book.targets
    )
    return replace(book, year=year, title=book.title.replace(str(book.year), str(year)), targets=targets)


def _moved(found: Any, later: int) -> Any:
    """What is found with every day in it ``later`` years later, be it in words."""
    if isinstance(found, date):
        year = found.year + later
        return date(year, found.month, min(found.day, monthrange(year, found.month)[1]))
    if isinstance(found, str) and not isinstance(found, Enum):
        return _DAY.sub(lambda day: str(_moved(date.fromisoformat(day[0]), later)), found)
    if isinstance(found, tuple):
        return tuple(_moved(one, later) for one in found)
    if isinstance(found, Struct):
        return replace(found, **{name: _moved(getattr(found, name), later) for name in found.__struct_fields__})
    return found
