"""A document as headings, items with who does them, and the rest: every word of it is in one of these, in order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rules.importing import duty as duties
from rules.importing.doubt import Doubt
from rules.importing.duty import Duty, Role
from rules.importing.flattened import restored
from rules.importing.marker import Marker, marker
from rules.importing.plain import bare, plain
from rules.importing.reading import Block, Line, Table
from rules.importing.segment import parts
from rules.importing.tables import Row, rows


@dataclass
class Item:
    """One task. ``label`` is its number as written, ``pieces`` every word of the document that it was made of.

    ``beside`` are words of the document about it that are neither the task nor who does it: other columns of a table.
    """

    label: str
    text: str
    duty: Duty
    section: str = ""
    starred: bool = False
    pieces: list[str] = field(default_factory=list)
    number: int = 0
    beside: str = ""


@dataclass(frozen=True)
class Heading:
    text: str


@dataclass(frozen=True)
class Rest:
    """Words that belong to no task."""

    text: str


@dataclass
class Outline:
    """Parts in the document's order; ``first_leads`` where it says that the unit named first leads."""

    parts: list[Item | Heading | Rest]
    first_leads: bool = False
    rules: list[str] = field(default_factory=list)

    @property
    def items(self) -> list[Item]:
        return [part for part in self.parts if isinstance(part, Item)]

    @property
    def pieces(self) -> Iterator[str]:
        """Every word of the document, in order."""
        for part in self.parts:
            if isinstance(part, Item):
                yield from part.pieces
            else:
                yield part.text


@dataclass
class _Node:
    """A numbered line with what follows it: unnumbered lines, tables, deeper nodes."""

    marker: Marker | None
    content: list["_Node | str | list[Row]"] = field(default_factory=list)

    @property
    def children(self) -> list["_Node"]:
        return [one for one in self.content if isinstance(one, _Node)]

    @property
    def lines(self) -> list[str]:
        return [one for one in self.content if isinstance(one, str)]

    def stated(self) -> bool:
        """Whether anything here says who does it."""
        for one in self.content:
            if isinstance(one, _Node):
                if one.stated():
                    return True
            elif isinstance(one, str):
                if any(part.duty for part in parts(one)):
                    return True
            elif any(row.kind == "task" for row in one):
                return True
        return False


_LISTED = 5
"""The lowest level that is counted; bullets are not."""
_FIRST = re.compile(
    r"(?:第一|首)(?:位|个|名|列)?(?:的|者)?(?:单位|部门|责任单位)?(?:的)?(?:均|即)?(?:为|是)(?:主要|总)?(?:牵头|主办|主责|第一责任)"
)
_ALSO = re.compile(
    r"(?:以下|下列|上述|各项|均|全部|所有)[^。;]{0,16}?(?:均?[需须由应]|涉及)(?P<who>[^。;,]{2,40}?)(?:按职责(?:分工)?)?(?:负责|落实|配合|参与|组织实施)[^。;]{0,8},?(?:不再|不一一|不另|不单独)"
)
_ALL = re.compile(
    r"(?:以下|下列|本部分|本节|各项任务|所有任务|除[^。;]{2,20}外)[^。;]{0,16}?(?P<duty>(?:牵头|责任|配合)(?:单位|部门)(?:均?为|均?是|:)[^。;]{2,60}|均?由[^。;]{2,60}?(?:牵头|负责|配合)(?:[^。;]*?(?:配合|负责|参与))?)"
)


def outline(blocks: list[Block]) -> Outline:
    """The document's parts, its items numbered."""
    root = _tree(restored(blocks))
    found = Outline([])
    _emit(root, found, "", None, unstated=not root.stated())
    _apply_rules(found)
    _number(found.items)
    return found


def _tree(blocks: list[Block]) -> _Node:
    root = _Node(None)
    path: list[_Node] = [root]
    for place, block in enumerate(blocks):
        if isinstance(block, Table):
            path[-1].content.append(rows(block))
            continue
        if not block.text.strip():
            continue
        found = marker(block.text, next((n.marker.number for n in path if n.marker and n.marker.level == 3), 0))
        if found is None:
            path[-1].content.append(block.text)
            continue
        text = block.text
        if (second := marker(text[found.end :])) and _goes_on(second, found, blocks[place + 1 :]):
            _hang(path, found, text[: found.end])
            found, text = second, text[found.end :]
        _hang(path, found, text)
    return root


def _hang(path: list[_Node], found: Marker, text: str) -> None:
    """A numbered line below the nearest one of a higher level."""
    while len(path) > 1 and path[-1].marker is not None and path[-1].marker.level >= found.level:
        path.pop()
    node = _Node(found, [text])
    path[-1].content.append(node)
    path.append(node)


def _goes_on(second: Marker, first: Marker, following: list[Block]) -> bool:
    """Whether 5.(1) begins a list of its own: (2) comes on a line of its own before the next 6."""
    if second.level <= first.level or second.level > _LISTED:
        return False
    for block in following:
        found = marker(block.text) if isinstance(block, Line) else None
        if found and found.level <= second.level:
            return (found.level, found.number) == (second.level, second.number + 1)
    return False


def _emit(node: _Node, found: Outline, section: str, inherited: Duty | None, *, unstated: bool) -> None:
    """Adds a node's parts. ``unstated``: the document never says who does what, so every last number is an item."""
    below = [child for child in node.children if child.stated()]
    tabled = any(isinstance(one, list) and any(row.kind == "task" for row in one) for one in node.content)
    if node.marker is None:
        _content(node, node.content, found, section, inherited, unstated=unstated)
    elif not node.children and not tabled:
        if node.stated() or inherited is not None or unstated:
            table = next((i for i, one in enumerate(node.content) if isinstance(one, list)), len(node.content))
            _leaf(_Node(node.marker, node.content[:table]), found, section, inherited)
            _content(node, node.content[table:], found, section, inherited, unstated=unstated)
        else:
            found.parts += [Rest(line) for line in _flat(node)]
    elif not below and not tabled and not unstated and inherited is None and not node.stated():
        found.parts += [Rest(line) for line in _flat(node)]
    elif _closes(node, below) or (not below and not tabled and node.stated() and not _heads(node) and not _notes(node)):
        _whole(node, found, section)
    else:
        first, notes = node.lines[0], _notes(node)
        own = _own("\n".join(notes)) or _own(first) or inherited
        found.parts += [Heading(first), *map(Rest, notes)]
        titled = _title(first) if first[node.marker.end :].strip() else section
        _content(node, node.content[1 + len(notes) :], found, titled, own, unstated=unstated)


def _content(
    node: _Node,
    content: list["_Node | str | list[Row]"],
    found: Outline,
    section: str,
    inherited: Duty | None,
    *,
    unstated: bool,
) -> None:
    group: list[str] = []
    # A child that says nothing among others that do is a task whose unit was forgotten; chapters are left out.
    forgotten = (
        Duty(doubts={Doubt.NO_LEAD}) if node.marker is not None and any(c.stated() for c in node.children) else None
    )
    for one in content:
        if isinstance(one, str):
            group.append(one)
            continue
        _loose(group, found, section)
        group = []
        if isinstance(one, list):
            _tabular(one, found, section)
        else:
            leaf = not one.children and (one.marker is None or one.marker.level > 1)
            _emit(one, found, section, inherited or (forgotten if leaf else None), unstated=unstated)
    _loose(group, found, section)


def _flat(node: _Node) -> Iterator[str]:
    for one in node.content:
        if isinstance(one, _Node):
            yield from _flat(one)
        elif isinstance(one, str):
            yield one
        else:
            yield from (row.raw for row in one)


def _notes(node: _Node) -> list[str]:
    """The lines right under a chapter's that say who does all of it, before its numbered lines."""
    notes: list[str] = []
    chapter = node.marker is not None and node.marker.level <= 2 and not re.search("[。；;]", node.lines[0])
    for one in node.content[1:] if chapter and node.children else ():
        if not isinstance(one, str) or not all(part.duty for part in parts(one)):
            break
        notes.append(one)
    return notes


def _heads(node: _Node) -> bool:
    """Whether a numbered line says, in short, who does all that follows."""
    return len(bare(node.lines[0])) < 60 and _own(node.lines[0]) is not None


def _closes(node: _Node, below: list[_Node]) -> bool:
    """Whether one note, on a line of its own behind the last of several points, speaks for all of them."""
    children = node.children
    if len(below) != 1 or len(children) < 2 or below[0] is not children[-1] or below[0].children:
        return False
    lines = below[0].lines
    return len(lines) > 1 and not any(part.duty for part in parts(lines[0]))


def _own(heading: str) -> Duty | None:
    """Who does all that stands under a heading: by its note, or because it is the name of a unit."""
    stated = [part.duty for part in parts(heading) if part.duty]
    if stated:
        return stated[0]
    found = marker(heading)
    name = heading[found.end if found else 0 :].strip(" 。.:：")
    if (
        2 < len(name) <= 20
        and duties.looks_like_unit(name)
        and re.search(r"(?:局|委|办|厅|管委会|政府|委员会|部门)$", plain(name))
    ):
        return Duty([duties.Named(Role.LEAD, name)], words=[heading])
    return None


def _title(line: str) -> str:
    """A heading as a section's name: without notes, up to its first stop."""
    text = "".join(part.raw for part in parts(line) if part.duty is None).strip()
    return (text if len(text) <= 60 else re.split(r"(?<=[。；;])", text)[0]).rstrip("。；;")


def _leaf(node: _Node, found: Outline, section: str, inherited: Duty | None) -> None:
    """Items of a numbered line without deeper ones: one for each note that ends some words."""
    assert node.marker is not None
    before = len(found.items)
    lines = node.lines
    if _stands_above(node):
        found.parts.append(Heading(lines[0]))
        _loose(lines[1:], found, _title(lines[0]))
        made = found.items[before:]
        if len(made) == 1 and node.marker.level > 1:
            made[0].label = lines[0][: node.marker.end].strip()
        return
    _loose(lines, found, section, node.marker, keep=True)
    made = found.items[before:]
    if not made and inherited is not None:
        made = [_item(node.lines, node.marker, Duty(), section)]
        found.parts += made
    elif not made:
        item = _item(node.lines, node.marker, Duty(doubts={Doubt.NO_LEAD}), section)
        found.parts.append(item)
        made = [item]
    for item in made:
        if inherited is not None and not item.duty.of(Role.LEAD, Role.CHARGE, Role.HELP):
            item.duty.names = [*inherited.names, *item.duty.names]
            item.duty.words = [*inherited.words, *item.duty.words]
            item.duty.doubts |= inherited.doubts if not inherited.names else {Doubt.BY_RULE}


def _stands_above(node: _Node) -> bool:
    """Whether a chapter's line is a heading of the unnumbered paragraphs under it, which say who does them."""
    lines = node.lines
    if len(lines) < 2 or node.marker is None or node.marker.level > 2 or re.search("[。；;]", lines[0]):
        return False
    under = [parts(line) for line in lines[1:]]
    return (
        under[0][0].duty is None
        and any(part.duty for line in under for part in line)
        and not any(p.duty for p in parts(lines[0]))
    )


def _whole(node: _Node, found: Outline, section: str) -> None:
    """One item of a node with all that is below it."""
    assert node.marker is not None
    stated = Duty()
    for line in _flat(node):
        for part in parts(line):
            if part.duty:
                stated.add(part.duty)
    found.parts.append(_item(list(_flat(node)), node.marker, stated, section))


def _item(lines: list[str], mark: Marker, stated: Duty, section: str) -> Item:
    text = "".join(part.raw for line in lines for part in parts(line) if part.duty is None)
    skipped = mark.end if parts(lines[0])[0].duty is None else 0
    return Item(lines[0][: mark.end].strip(), text[skipped:].strip(), stated, section, mark.starred, list(lines))


def _loose(lines: list[str], found: Outline, section: str, mark: Marker | None = None, *, keep: bool = False) -> None:
    """Lines one after another: words until a note are an item, words without one are rest."""
    open_: list[str] = []
    item: Item | None = None
    first = True
    at: list[int] = []
    for n, line in enumerate(lines):
        for part in parts(line):
            if part.duty is not None:
                if item is None:
                    if mark is None:
                        # Of unnumbered lines only the last is what the note is about.
                        found.parts += [Rest(one) for k, one in zip(at, open_, strict=True) if k != at[-1]]
                        open_ = [one for k, one in zip(at, open_, strict=True) if k == at[-1]]
                    label = open_[0][: mark.end].strip() if mark and first and open_ else ""
                    text = "".join(open_)
                    text = text[mark.end :] if mark and first and open_ else text
                    item = Item(label, text.strip(), Duty(), section, bool(mark and mark.starred), list(open_))
                    found.parts.append(item)
                    open_, at, first = [], [], False
                item.duty.add(part.duty)
                item.pieces.append(part.raw)
            elif item is not None and not open_ and _names_only(part.raw, item):
                item.duty.add(duties.column(_last_role(item), part.raw))
                item.pieces.append(part.raw)
            elif part.raw.strip():
                if item is not None and item.text == "" and not open_:
                    # A note that stands before its words.
                    item.text, item.pieces = part.raw.strip(), [*item.pieces, part.raw]
                    continue
                item = None
                open_.append(part.raw)
                at.append(n)
    if keep and first:
        return
    found.parts += [Rest(line) for line in open_]


def _names_only(text: str, item: Item) -> bool:
    """Whether a line goes on with the units of the note before it."""
    names = duties.units(text)
    ends = plain("".join(item.pieces)).rstrip()[-1:]
    return ends in "、," or (
        len(text) < 40 and bool(names) and all(duties.looks_like_unit(name) for name in names) and ends not in "。;)】"
    )


def _last_role(item: Item) -> Role:
    return item.duty.names[-1].role if item.duty.names else Role.CHARGE


def _tabular(table: list[Row], found: Outline, section: str) -> None:
    heading, last = section, None
    for row in table:
        if row.kind == "heading":
            heading = row.text
            found.parts.append(Heading(row.raw))
        elif row.kind == "task" and row.duty is not None:
            mark = marker(row.text)
            number = mark if mark and not row.label else None
            text = row.text[number.end :] if number else row.text
            last = Item(
                row.label or (row.text[: number.end].strip() if number else ""),
                text,
                row.duty,
                row.section or heading,
                row.starred,
                [row.raw],
                beside=row.beside,
            )
            found.parts.append(last)
        elif row.kind == "more" and last is not None:
            last.text += row.text
            last.beside = "；".join(filter(None, (last.beside, row.beside)))
            last.pieces.append(row.raw)
            if row.duty is not None:
                last.duty.add(row.duty)
        else:
            found.parts.append(Rest(row.raw))


def _apply_rules(found: Outline) -> None:
    """What the document says once for all items, or for all behind."""
    also: list[str] = []
    default: Duty | None = None
    for part in found.parts:
        if isinstance(part, Item):
            if default is not None and not part.duty.of(Role.LEAD, Role.CHARGE):
                part.duty.names += default.names
                part.duty.doubts = (part.duty.doubts - {Doubt.NO_LEAD}) | {Doubt.BY_RULE}
            part.duty.also = list(also)
            continue
        flat = plain(part.text)
        first, more, whole = _FIRST.search(flat), _ALSO.search(flat), _ALL.search(flat)
        if first:
            found.first_leads = True
        if more:
            also += duties.units(part.text[more.start("who") : more.end("who")])
        elif whole:
            said = re.sub(r"(单位|部门)(?:均?为|均?是)", r"\1:", part.text[whole.start("duty") : whole.end("duty")])
            default = duties.labelled(said) or duties.sentence(said.removeprefix("均").removeprefix("由"))
        if first or more or whole:
            found.rules.append(part.text)


def _number(items: list[Item]) -> None:
    """The document's own numbers where they run through it, else counted from one."""
    own = [found.number if (found := marker(item.label)) else _digits(item.label) for item in items]
    usable = all(own) and len(set(own)) == len(own) and own == sorted(own)
    for i, (item, number) in enumerate(zip(items, own, strict=True), start=1):
        item.number = number if usable else i


def _digits(label: str) -> int:
    found = re.fullmatch(r"[★☆▲※*\s]*(\d{1,3})", plain(label))
    return int(found[1]) if found else 0
