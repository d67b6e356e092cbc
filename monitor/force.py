"""What is in force: everything that is written, made ready to work. Who only reads it needs no store."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from alerts import organisation, site
from alerts.channels.base import Channel
from alerts.message import Templates
from alerts.organisation import Organisation
from connectors.strict import near
from monitor import config, wiring
from monitor.clock import Clock
from monitor.config import Settings
from rules.document import Invalid
from rules.loader import load_books
from rules.target import Book, Target

if TYPE_CHECKING:
    from monitor.watch import Watch


@dataclass(frozen=True)
class InForce:
    """What is written, made ready to work. Replaced as a whole by a reload; ``errors`` tell what had to be left out.

    The ``books`` are ``complete`` if they are all that are written, each without error.
    """

    settings: Settings
    books: tuple[Book, ...]
    complete: bool
    feeds: dict[str, wiring.Feed]
    channels: dict[str, Channel]
    organisation: Organisation
    templates: Templates
    errors: tuple[str, ...]
    loaded_at: datetime

    @property
    def crowds(self) -> dict[str, int]:
        """By channel that people read, how many messages at one moment are told one by one."""
        return {name: self.settings.crowd for name, channel in self.channels.items() if not channel.apart}

    @cached_property
    def watch(self) -> "Watch":
        """The books laid out in columns, for their figures."""
        from monitor.watch import Watch

        return Watch(self.books, complete=self.complete)


def read(path: Path | None, only: str | None = None) -> InForce:
    """Settings, books (or the one book ``only``), sources and channels. Raises Invalid if nothing is left to watch."""
    settings = config.load(path)
    books, found = load_books(settings.books)
    errors = list(found)
    if only is not None:
        known, books = books, tuple(book for book in books if book.id == only)
        if not books:
            errors.append(f"没有名为 '{only}' 的目标册 (unknown book){near(only, [book.id for book in known])}")
    if not books:
        raise Invalid(errors)
    return InForce(
        settings=settings,
        books=books,
        complete=not found and only is None,
        feeds=wiring.feeds(books, errors),
        channels=wiring.channels(settings.channels, errors),
        organisation=_organisation(settings, errors),
        templates=templates(settings, errors),
        errors=tuple(errors),
        loaded_at=Clock.real(),
    )


def target_of(book: Book, name: str) -> Target:
    """The target of that id. Raises Invalid, with the id where it is the name of one."""
    known = {target.id: target for target in book.targets}
    if name not in known:
        meant = next(
            (f"; 名为此的目标，编号为 '{one.id}'" for one in book.targets if one.name == name), near(name, known)
        )
        raise Invalid([f"{book.id} 中没有目标 '{name}' (unknown target){meant}"])
    return known[name]


def source_of(force: InForce, name: str) -> wiring.Feed:
    """The source ``name`` of the one book in force, that can be asked. Raises Invalid."""
    (book,) = force.books
    feed = force.feeds.get(f"{book.id}/{name}")
    if feed is None:
        if name in book.sources:
            raise Invalid(force.errors)
        known = "、".join(book.sources) or "无"
        raise Invalid(
            [f"{book.id} 没有来源 '{name}' (unknown source){near(name, book.sources)}; 有: {known}；请写作 册号/来源名"]
        )
    if feed.pushed:
        raise Invalid([f"{feed.source.key}: 数据由对方推送，不能拉取 (push only)；推送的答复逐条说明结果"])
    return feed


def templates(settings: Settings, errors: list[str]) -> Templates:
    """What letters are put into words by; ours where the site's own cannot be used."""
    try:
        return site.templates(settings.templates)
    except Invalid as found:
        errors.extend(found.errors)
    return site.templates(None)


def _organisation(settings: Settings, errors: list[str]) -> Organisation:
    """Who is told what; where the file cannot be used, everybody is told on every channel."""
    if settings.organisation is not None:
        try:
            return organisation.load(settings.organisation, settings.channels)
        except Invalid as found:
            errors.extend(found.errors)
    return Organisation.of_channels(settings.channels)
