"""One form for characters that documents write in several, length kept so that places carry over to the original."""

import re

_TABLE = {
    **{0xFF01 + i: 0x21 + i for i in range(94)},
    0x3000: " ",
    0xA0: " ",
    ord("〔"): "(",
    ord("〕"): ")",
    ord("［"): "[",
    ord("］"): "]",
    ord("﹪"): "%",
    ord("∶"): ":",
    ord("〜"): "~",
    **dict.fromkeys(map(ord, "–—―－‐‑−─"), "—"),
}
_DIGITS = {**{c: i for i, c in enumerate("〇一二三四五六七八九")}, "零": 0, "两": 2, "○": 0}
_TENS = {"十": 10, "百": 100, "千": 1000}
NUMERAL = "[〇零一二两三四五六七八九十百千]+"


def plain(text: str) -> str:
    """The text in half-width punctuation and digits, one character for each."""
    return text.translate(_TABLE)


def bare(text: str) -> str:
    """Without any blank: what must not be lost."""
    return re.sub(r"\s+", "", text)


def number_of(numeral: str) -> int:
    """A Chinese or Arabic whole number: ``二十三`` and ``23`` are 23."""
    if numeral.isdecimal():
        return int(numeral)
    total = digit = 0
    for character in numeral:
        if character in _TENS:
            total += (digit or 1) * _TENS[character]
            digit = 0
        else:
            digit = digit * 10 + _DIGITS[character]
    return total + digit


def split_outside(text: str, separators: str) -> list[tuple[int, int]]:
    """Spans between the separators that stand outside all brackets."""
    spans, depth, start = [], 0, 0
    for i, character in enumerate(text):
        if character in "([【“《":
            depth += 1
        elif character in ")]】”》":
            depth = max(depth - 1, 0)
        elif depth == 0 and character in separators:
            spans.append((start, i))
            start = i + 1
    return [*spans, (start, len(text))]
