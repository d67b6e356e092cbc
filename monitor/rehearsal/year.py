"""A book of one year as it would have been written for another."""

import re
import tempfile
from calendar import monthrange
from dataclasses import replace
from pathlib import Path

from rules.loader import load_book
from rules.target import Book

_DAY = re.compile(r"(?<!\d)(\d{4})-(\d\d)-(\d\d)(?!\d)")


def redated(book: Book, year: int) -> Book:
    """``book`` with every day it names as many years earlier or later; its goals are those of its own year.

    It keeps its id, under which its figures are stored, and its ``holidays`` and ``workdays``, which are days as they
    were. 29 February is the 28th where there is none. Raises Invalid where what is written cannot be read.
    """
    if year == book.year:
        return book
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in book.folder.iterdir():
            if path.suffix == ".yaml":
                (folder / path.name).write_text(_shifted(path.read_text("utf-8"), book.year, year), "utf-8")
            else:
                (folder / path.name).symlink_to(path.resolve())
        found = load_book(folder)
    title = book.title.replace(str(book.year), str(year))
    return replace(found, title=title, folder=book.folder, workdays=book.workdays)


def _shifted(text: str, of: int, to: int) -> str:
    def day(found: re.Match[str]) -> str:
        year, month, day = int(found[1]) + to - of, int(found[2]), int(found[3])
        # What is no day at all is left for the loader to object to.
        return f"{year}-{month:02}-{min(day, monthrange(year, month)[1]) if month in range(1, 13) else day:02}"

    return re.sub(rf"""(?m)((?:^|[{{,\s])["']?year["']?\s*:\s*){of}\b""", rf"\g<1>{to}", _DAY.sub(day, text))
