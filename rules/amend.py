"""Changes single values of a YAML text and leaves every other character as it is: comments, order, quotes, line ends."""

import json
import re
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from yaml import MappingNode, Node, ScalarNode, SequenceNode, YAMLError

from rules.document import compose

END = "END"
"""In edits of a list: the values that are added to it."""

_TEXT = "tag:yaml.org,2002:str"
_Span = tuple[int, int, str]


def amend(text: str, edits: Mapping[str | int, Any], order: Sequence[str] = ()) -> str:
    """``text`` with ``edits``: by key (of a list: by number from 0) a new value, further edits, or None for what goes.

    New keys stand where ``order`` has them among those that are there, new entries of a list are under ``END``.
    Values are texts, whole numbers, lists and mappings. Raises ValueError for what stands elsewhere (an alias).
    """
    root = compose(text)
    if root is None:
        return text + _block(edits, 0, _newline(text))
    parts, done = list[str](), 0
    # What is put in one place stands as it was found, the inner before the outer.
    for start, end, new in sorted(_Amendment(text, order).spans(root, edits), key=itemgetter(0, 1)):
        parts += text[done:start], new
        done = end
    return "".join((*parts, text[done:]))


def written(value: Any, *, flow: bool = False) -> str:
    """A value as it stands on one line, within brackets or braces (``flow``) or not; quoted where it must be."""
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{written(key, flow=True)}: {written(one, flow=True)}" for key, one in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(written(one, flow=True) for one in value) + "]"
    if isinstance(value, int):
        return str(value)
    try:
        read: Any = compose(f"[{value}, x]" if flow else f"x: {value}")
        found = read.value[0] if flow else read.value[0][1]
    except (YAMLError, IndexError):  # ]# closes the brackets, and all behind it is a comment
        return json.dumps(value, ensure_ascii=False)
    plain = isinstance(found, ScalarNode) and found.tag == _TEXT and not found.style and found.value == value
    return value if plain and not (flow and len(read.value) != 2) else json.dumps(value, ensure_ascii=False)


def _block(value: Mapping[Any, Any], indent: int, newline: str, first: str = "") -> str:
    """A mapping, one key a line; ``first`` stands before the first of them."""
    lines = []
    for number, (key, one) in enumerate(value.items()):
        lead = first or " " * indent if number == 0 else " " * indent
        inner = one.get(END) if isinstance(one, Mapping) else one
        if isinstance(inner, list) and any(isinstance(each, Mapping) for each in inner):
            lines.append(f"{lead}{written(key)}:{newline}")
            lines += [_block(each, indent + 4, newline, " " * (indent + 2) + "- ") for each in inner]
        elif isinstance(one, Mapping) and len(written(one)) > _LONG:
            lines += [f"{lead}{written(key)}:{newline}", _block(one, indent + 2, newline)]
        else:
            lines.append(f"{lead}{written(key)}: {written(one)}{newline}")
    return "".join(lines)


_LONG = 100
_ALIAS = "写作 YAML 的别名，不能单独改动 (alias)；请在 YAML 中修改"
_NAME = re.compile(r"\s*:\s*\*[^\s,\[\]{}]+")


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


class _Amendment:
    """What is to be replaced in one text."""

    def __init__(self, text: str, order: Sequence[str]) -> None:
        self.text, self.order, self.newline = text, order, _newline(text)

    def spans(self, node: Node, edits: Mapping[Any, Any]) -> list[_Span]:
        if isinstance(node, MappingNode):
            return self._of_map(node, edits)
        assert isinstance(node, SequenceNode)
        return self._of_list(node, edits)

    def _of_map(self, node: MappingNode, edits: Mapping[Any, Any]) -> list[_Span]:
        pairs = [(key, value, edits.get(key.value, _KEPT)) for key, value in node.value]
        new = {key: value for key, value in edits.items() if key not in {one.value for one, _ in node.value}}
        new = {key: value for key, value in new.items() if value is not None}
        gone = [edit is None or self._empties(value, edit) for _, value, edit in pairs]
        if all(gone):
            return [(node.start_mark.index, self._end(node), written(new, flow=True))]
        found = []
        for (key, value, edit), goes in zip(pairs, gone, strict=True):
            if edit is not _KEPT and not goes:
                if value.start_mark.index < key.end_mark.index:
                    raise ValueError(f"{key.value}: {_ALIAS}")
                found += self._value(key, value, edit, flow=bool(node.flow_style))
        places = [(key.start_mark.index, self._after(key, value)) for key, value in node.value]
        found += self._without(places, gone, flow=bool(node.flow_style))
        return found + self._added(node, places, gone, new)

    def _value(self, key: Node, value: Node, edit: Any, *, flow: bool) -> list[_Span]:
        if isinstance(edit, Mapping) and isinstance(value, MappingNode | SequenceNode):
            return self.spans(value, edit)
        if isinstance(value, ScalarNode) and value.start_mark.index == value.end_mark.index:
            colon = self._after(key, value)
            return [(colon, colon, f" {written(edit, flow=flow)}")]
        return [(value.start_mark.index, self._end(value), written(edit, flow=flow))]

    def _empties(self, node: Node, edit: Any) -> bool:
        """Whether nothing of a mapping is left."""
        if not isinstance(node, MappingNode) or not isinstance(edit, Mapping):
            return False
        kept = [key.value for key, _ in node.value if edit.get(key.value, _KEPT) is not None]
        return not kept and not any(value is not None for value in edit.values())

    def _added(
        self, node: MappingNode, places: list[tuple[int, int]], gone: list[bool], new: Mapping[Any, Any]
    ) -> list[_Span]:
        """New keys, each after the last one kept that comes before it in order."""
        kept = [
            (self._rank(key.value), end)
            for (key, _), (_, end), goes in zip(node.value, places, gone, strict=True)
            if not goes
        ]
        behind: dict[int, list[str]] = {}
        for key in sorted(new, key=self._rank):
            behind.setdefault(
                max((end for rank, end in kept if rank <= self._rank(key)), default=kept[0][1]), []
            ).append(key)
        if node.flow_style:
            return [
                (end, end, "".join(f", {written(key, flow=True)}: {written(new[key], flow=True)}" for key in keys))
                for end, keys in behind.items()
            ]
        lines = (
            (end, _block({key: new[key] for key in keys}, node.value[0][0].start_mark.column, self.newline))
            for end, keys in behind.items()
        )
        return [self._line_after(end, text) for end, text in lines]

    def _rank(self, key: str) -> int:
        return self.order.index(key) if key in self.order else len(self.order)

    def _of_list(self, node: SequenceNode, edits: Mapping[Any, Any]) -> list[_Span]:
        if any(one.start_mark.index < node.start_mark.index for one in node.value):
            raise ValueError(_ALIAS)
        gone = [number in edits and edits[number] is None for number in range(len(node.value))]
        found = []
        for number, one in enumerate(node.value):
            if number in edits and not gone[number]:
                if isinstance(edits[number], Mapping) and isinstance(one, MappingNode | SequenceNode):
                    found += self.spans(one, edits[number])
                else:
                    found.append(
                        (one.start_mark.index, self._end(one), written(edits[number], flow=bool(node.flow_style)))
                    )
        ends = [self._end(one) for one in node.value]
        starts = [one.start_mark.index for one in node.value]
        if not node.flow_style:
            starts = [self.text.rindex("-", 0, start) for start in starts]
        if node.value and all(gone):
            return [(node.start_mark.index, ends[-1], written(list(edits.get(END, ()))))]
        found += self._without(list(zip(starts, ends, strict=True)), gone, flow=bool(node.flow_style))
        return found + self._appended(node, ends, list(edits.get(END, ())))

    def _appended(self, node: SequenceNode, ends: list[int], new: list[Any]) -> list[_Span]:
        if not new:
            return []
        if node.flow_style:
            inside = node.end_mark.index - 1
            words = ", ".join(written(one, flow=True) for one in new)
            return [(ends[-1], ends[-1], f", {words}") if ends else (inside, inside, words)]
        dash = " " * node.start_mark.column + "- "
        last = node.value[-1]
        apart = self.newline if len(ends) > 1 and self._apart(ends[-2], last.start_mark.index) else ""
        if isinstance(last, MappingNode) and not last.flow_style:
            lines = (_block(one, len(dash), self.newline, dash) for one in new)
        else:
            lines = (f"{dash}{written(one)}{self.newline}" for one in new)
        return [self._line_after(ends[-1], "".join(apart + line for line in lines))]

    def _without(self, places: list[tuple[int, int]], gone: list[bool], *, flow: bool) -> list[_Span]:
        """Cuts out what goes of a mapping or list of which something stays, with its comma or its lines."""
        found = []
        for number, ((start, end), goes) in enumerate(zip(places, gone, strict=True)):
            if not goes:
                continue
            if not all(gone[:number]) and flow:
                found.append((places[number - 1][1], end, ""))
            elif all(gone[:number]) and (flow or self._line_of(places[0][0])[1]):
                found.append((start, places[number + 1][0], ""))
            else:
                first, last = self._line_of(start)[0], self._line_after(end, "")[0]
                if self._blank(first - 1) and self._blank(last):
                    last = self._line_after(last, "")[0]
                found.append((first, last, ""))
        return found

    def _line_of(self, at: int) -> tuple[int, bool]:
        """Where the line of a place begins, and whether anything else stands before the place."""
        start = self.text.rfind("\n", 0, at) + 1
        return start, bool(self.text[start:at].strip())

    def _line_after(self, at: int, new: str) -> _Span:
        """The place below the line of ``at``, and what is to be put there."""
        below = self.text.find("\n", at) + 1
        if below:
            return below, below, new
        return len(self.text), len(self.text), new and self.newline + new.removesuffix(self.newline)

    def _blank(self, at: int) -> bool:
        """Whether the line with the place ``at`` is there and is empty."""
        if not 0 <= at < len(self.text):
            return False
        end = self.text.find("\n", at)
        return not self.text[self._line_of(at)[0] : end if end >= 0 else None].strip()

    def _apart(self, end: int, start: int) -> bool:
        between = self.text[end:start].splitlines()[1:]
        return any(not line.strip() for line in between)

    def _after(self, key: Node, value: Node) -> int:
        """Where a pair ends."""
        if isinstance(value, ScalarNode) and value.start_mark.index == value.end_mark.index:
            return self.text.index(":", key.end_mark.index) + 1
        alias = _NAME.match(self.text, key.end_mark.index) if value.start_mark.index < key.end_mark.index else None
        return alias.end() if alias else self._end(value)

    def _end(self, node: Node) -> int:
        """Where a value ends; the comments below a block belong to what follows."""
        if isinstance(node, MappingNode) and not node.flow_style and node.value:
            return max(self._after(key, value) for key, value in node.value)
        if isinstance(node, SequenceNode) and not node.flow_style and node.value:
            return max(self._end(one) for one in node.value)
        if isinstance(node, ScalarNode) and node.style in ("|", ">"):
            return len(self.text[: node.end_mark.index].rstrip())
        return int(node.end_mark.index)


_KEPT = object()
