"""From what is written to what works: connectors of the books, channels of the settings. Errors have their place."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from alerts.channels.base import Channel
from alerts.channels.registry import channel_class
from connectors import filing_form
from connectors.base import Connector, ConnectorError
from connectors.registry import connector_class
from connectors.strict import Strict, Wrong, read
from monitor.config import ChannelSpec
from rules.document import Invalid
from rules.target import Book, Source

if TYPE_CHECKING:
    from monitor.store.quarantine import Figure


class Settled(NamedTuple):
    """Figures of which nothing is left to be done: the pull that stated them, their print, what was let through by then."""

    pull_id: int | None
    figures: bytes
    released: "Counter[Figure]"


@dataclass(slots=True)
class Feed:
    """One source of one book, ready to be asked. What is ``settled`` holds for this edition of the book only."""

    book: Book
    source: Source
    connector: Connector
    settled: Settled | None = None

    @property
    def pushed(self) -> bool:
        """Whether nobody is asked: figures are handed in."""
        from connectors.push import Push  # what reads figures is large

        return isinstance(self.connector, Push)

    @property
    def filed(self) -> bool:
        """Whether figures come in forms, each of which is answered with a receipt."""
        return self.source.connector == filing_form.KIND


def feeds(books: Iterable[Book], errors: list[str]) -> dict[str, Feed]:
    """Every source of every book by its key ``book/name``; one that cannot be made adds its words to ``errors``."""
    made: dict[str, Feed] = {}
    for book in books:
        for source in book.sources.values():
            try:
                kind = connector_class(source.connector)
                options = _options(kind.Options, source.options, source.place)
                made[source.key] = Feed(book, source, kind(options, book.folder))
            except ConnectorError as error:
                errors.append(f"{source.place}: {error.detail}")
            except Invalid as error:
                errors.extend(error.errors)
            except Exception as error:  # noqa: BLE001  a third party's package may do anything; the others must go on
                words = f"连接器 {source.connector} 不能启用 (broken connector): {type(error).__name__}: {error}"
                errors.append(f"{source.place}: {words}；请检查提供它的软件包")
    return made


def channels(specs: Mapping[str, ChannelSpec], errors: list[str]) -> dict[str, Channel]:
    """Every channel of the settings by its name; one that cannot be made adds its words to ``errors``."""
    made: dict[str, Channel] = {}
    for name, spec in specs.items():
        place = f"channels.{name}"
        try:
            kind = channel_class(spec.kind)
            options = _options(kind.Options, spec.options, place)
        except LookupError as error:
            errors.append(f"{place}: {error.args[0]}")
            continue
        except Invalid as error:
            errors.extend(error.errors)
            continue
        try:
            made[name] = kind(options, Path())
        except Invalid as error:
            errors.extend(f"{place}: {line}" for line in error.errors)
    return made


def _options(kind: type[Strict], given: Mapping[str, Any], place: str) -> Strict:
    try:
        return read(kind, given)
    except Wrong as wrong:
        raise Invalid([f"{place}: {words}" for _, words in wrong.errors]) from None
