"""Where each setting of a target was written: on the target itself, further up in its book, or nowhere."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec.structs import replace

from rules import defaults
from rules.document import Document
from rules.loader import Written
from rules.spec import LevelsSpec, TargetSpec
from rules.target import PROGRESS, Book, Measure, Target

LEVELS = {"yellow": "yellow", "red": "red", "not_before": "not before", "clear": "clear", "clear_for": "clear for"}
"""Settings of ``levels`` and how a book writes them."""
_BOOK_WIDE = ("every", "published", "source")
_OF_ITEM = ("lead", "responsible")


class Site(NamedTuple):
    """A target as written, and where: the ``number``-th of ``document``, from 0."""

    spec: TargetSpec
    target: Target
    document: Document
    number: int

    @property
    def node(self) -> dict[str, Any]:
        """The target as it stands in the file."""
        found: dict[str, Any] = self.document.node["targets"][self.number]
        return found

    def place(self, *loc: str) -> str:
        """``file:line`` of a key of the target, or of what holds it."""
        return self.document.place("targets", self.number, *loc)


def sites(book: Book, written: Written) -> Iterator[Site]:
    """Every target of the book that was written as one, in the order of the files."""
    by_id = {target.id: target for target in book.targets}
    for document, part in written.parts:
        for index, spec in enumerate(part.targets):
            yield Site(spec, by_id[spec.id], document, index)


def layers(measure: Measure, written: Written) -> Iterator[tuple[LevelsSpec, tuple[str, ...]]]:
    """What a book writes for the levels of all targets of a measure, the most specific first, each with its keys."""
    by_measure = (written["measures"] or {}).get(measure)
    if by_measure is not None:
        yield by_measure, ("measures", measure)
    if measure in PROGRESS and written["levels"] is not None:
        yield written["levels"], ("levels",)


def origins(site: Site, written: Written) -> dict[str, str]:
    """``file:line`` of each setting in force for the target; "" for what nobody wrote, which is the measure's default."""
    spec, found = site.spec, dict[str, str]()
    for key in ("goal", "measure", "expect", "reporter", "changes", *_BOOK_WIDE, *_OF_ITEM):
        found[key] = site.place(key) if key in site.node else ""
    for key in _BOOK_WIDE:
        if not found[key] and written[key] is not None and not (key != "source" and site.target.goal.by is not None):
            found[key] = written.place(key)
    for key in _OF_ITEM:
        if not found[key] and spec.item is not None:
            found[key] = next((place for item, place in written.items if item.item == spec.item), "")
    for key, word in LEVELS.items():
        found[key] = site.place("levels", word) if getattr(spec.levels, key) is not None else ""
        for layer, loc in layers(site.target.measure, written):
            if not found[key] and getattr(layer, key) is not None:
                found[key] = written.place(loc[0], *loc[1:], word)
    return found


def repeated(site: Site, written: Written) -> Iterator[tuple[str, str]]:
    """Settings that the target writes though it would have them anyway: where, and where the same is written."""
    spec, target = site.spec, site.target
    silent = site._replace(spec=replace(spec, levels=LevelsSpec()))
    by_measure = (written["measures"] or {}).get(target.measure)
    above = defaults.levels(target.measure, LevelsSpec(), by_measure, written["levels"])
    places = origins(silent, written)
    for key, word in LEVELS.items():
        if getattr(spec.levels, key) is not None and places[key] and getattr(above, key) == getattr(target.levels, key):
            yield site.place("levels", word), places[key]
    for key in _BOOK_WIDE:
        mine, wide = getattr(spec, key), written[key]
        if key == "source" and mine is not None and wide is not None:
            mine, wide = (replace(one, series=one.series or spec.name) for one in (mine, wide))
        if mine is not None and mine == wide:
            yield site.place(key), written.place(key)
    for item, place in written.items:
        for key in _OF_ITEM if item.item == spec.item else ():
            if getattr(spec, key) and getattr(spec, key) == getattr(item, key):
                yield site.place(key), place
    if spec.reporter and spec.reporter == target.lead:
        yield site.place("reporter"), site.place("lead")
