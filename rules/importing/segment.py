"""A line as its parts: words of a task, and notes of who does it, in the order written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.importing import duty
from rules.importing.duty import LABEL, Duty
from rules.importing.plain import plain

_PAIRS = {"(": ")", "[": "]", "【": "】"}


@dataclass(frozen=True)
class Part:
    """Raw words, and the duty they state where they do."""

    raw: str
    duty: Duty | None = None


def parts(text: str) -> list[Part]:
    """Joined again, the parts are the text."""
    found: list[Part] = []
    start = 0
    flat = plain(text)
    brackets = _brackets(flat)
    label = next((at for at in _labels(flat) if not any(a < at < b for a, b in brackets)), len(text))
    for opens, closes in brackets:
        if opens >= label:
            break
        inner = text[opens + 1 : closes]
        rest = plain(text[closes + 1 :]).strip()
        stated = duty.bracketed(
            inner, at_end=not rest or rest[0] in "。;." or plain(text[:opens]).rstrip()[-1:] in "。;"
        )
        if stated is not None:
            found += _outside(text[start:opens])
            end = min(closes + 1, len(text))
            found.append(Part(text[opens:end], stated))
            start = end
    found += _outside(text[start:])
    return _tidy(found)


def _brackets(flat: str) -> list[tuple[int, int]]:
    """Outermost pairs; one that never closes goes to the end."""
    pairs, stack = [], []
    for i, character in enumerate(flat):
        if character in _PAIRS:
            stack.append((character, i))
        elif stack and character == _PAIRS[stack[-1][0]]:
            _, opens = stack.pop()
            if not stack:
                pairs.append((opens, i))
    if stack:
        pairs.append((stack[0][1], len(flat)))
    return sorted(pairs)


def _labels(flat: str) -> Iterator[int]:
    """Where labels begin that open a line or follow a stop: 责任单位: within a sentence is a word of it."""
    for label in LABEL.finditer(flat):
        ahead = flat[: label.start()].rstrip()
        if not ahead or ahead[-1] in "。;,.!)】]" or flat[label.start() - 1].isspace():
            yield label.start()


def _outside(text: str) -> list[Part]:
    """Text outside brackets: notes by label go to its end, a last sentence may say who does it."""
    if not text:
        return []
    flat = plain(text)
    if (at := next(_labels(flat), None)) is not None:
        head, note = text[:at], text[at:]
        return [*([Part(head)] if head else []), Part(note, duty.labelled(note))]
    last = re.search(r"(?:^|(?<=[。;]))[^。;]{4,}[。;.]?\s*$", flat)
    if last and (said := duty.spoken(text[last.start() :])):
        head, note = text[: last.start()], text[last.start() :]
        return [*([Part(head)] if head else []), Part(note, said)]
    return [Part(text)]


def _tidy(found: list[Part]) -> list[Part]:
    """A stop that follows a note belongs to it."""
    tidy: list[Part] = []
    for part in found:
        if part.duty is None and tidy and not re.sub(r"[\s。;；,，.、]", "", part.raw):
            tidy[-1] = Part(tidy[-1].raw + part.raw, tidy[-1].duty)
        else:
            tidy.append(part)
    return tidy
