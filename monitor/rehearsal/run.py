"""The rehearsal of a book over the years that are asked for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from monitor.rehearsal.figures import Stock, begins
from monitor.rehearsal.replay import Played, Replay, Setting, ends, play
from monitor.rehearsal.score import Score, score
from monitor.rehearsal.year import redated
from monitor.store.database import emptied, in_memory
from rules.document import Invalid
from rules.target import Book

MOST = 5
"""Years rehearsed where nobody says which: the latest."""
Progressing = Callable[[float, float], object]
"""Hears how many of how many are done."""


def span(book: Book, stock: Stock, first: date | None, last: date | None) -> tuple[date, date]:
    """The first and the last day: those given, else of the latest ``MOST`` years with figures. Raises Invalid for none."""
    years = stock.years(book)
    if not years:
        raise Invalid([f"{book.id}: 没有可供推演的数据 (no figures)；请先拉取历史数据，或用 --figures 指定数据文件"])
    chosen = [year for year in years if last is None or year <= last.year][-MOST:]
    begin = first or date((chosen or years)[0], 1, 1)
    finish = last or date(max(years[-1], begin.year), 12, 31)
    known = [year for year in years if begin.year <= year <= finish.year]
    if begin > finish or not known:
        raise Invalid(
            [f"{book.id}: {begin} 至 {finish} 没有数据 (no figures)；有数据的年份：{'、'.join(map(str, years))}"]
        )
    return begin, finish


def rehearse(
    book: Book, stock: Stock, setting: Setting, days: tuple[date, date], now: datetime, told: Progressing | None = None
) -> tuple[Score, list[tuple[Book, Played]]]:
    """Play every year of ``days`` from its beginning, each by the book as it would have been written for it.

    A year is played until nothing of it is owed any more, some weeks into the next; but not beyond ``now``, nor beyond
    the last day if that is not a year's. ``told`` hears how many years of how many are done, and what
    part of the one that is played.
    """
    memory, known_years = in_memory(), set(stock.years(book))
    years = [year for year in range(days[0].year, days[1].year + 1) if year in known_years]
    until = now if (days[1].month, days[1].day) == (12, 31) else min(now, after(days[1], book))
    setting = replace(setting)  # who hears is found anew for each book
    played = []
    for place, year in enumerate(years):
        one = redated(book, year)
        emptied(memory)
        share = partial(_share, told, place, len(years))
        played.append((one, _year(memory, one, stock, (setting, until), share)))
    return score(played, *days), played


def after(day: date, book: Book) -> datetime:
    """When ``day`` is over where the book is."""
    return datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(book.timezone)).astimezone(UTC)


def _share(told: Progressing | None, done: int, years: int, share: float) -> None:
    if told is not None:
        told(done + share, years)


def _year(
    memory: Engine, book: Book, stock: Stock, asked: tuple[Setting, datetime], told: Callable[[float], object]
) -> Played:
    """``told`` hears what part of it is done: to let its figures in takes as long as to play it, or longer."""
    setting, until = asked
    watch = Replay(book)
    start, end = begins(book).astimezone(UTC), min(ends(watch), until)
    watch.feed(stock.known(memory, book, start, end, watch.earlier))
    return play(memory, watch, setting, start, end, lambda share: told((1 + share) / 2))
