"""Three hundred slips of the hand in the shipped books: each is refused or doubted at its place, or does no harm."""

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from monitor.wiring import feeds
from rules import lint, loader
from rules.document import Invalid
from rules.unit import KNOWN

BOOKS = Path(__file__).parents[2] / "rules" / "books"
MUTANTS = {"national-2025": 80, "chongqing-air-2025": 40, "wansheng-2025": 180}
_INHERITED = "what is not written is inherited, or the measure's default"
HARMLESS = {
    **dict.fromkeys(("delete every", "delete published", "delete levels", "delete yellow", "delete red"), _INHERITED),
    **dict.fromkeys(("delete expect", "delete timezone", "delete supervisor", "delete lead"), _INHERITED),
    "delete mark": "the figures are not marked any more: nothing but the author knows that they should be",
    "delete schedule": "asked every ten minutes",
    "delete known": "figures count from the moment they are read",
    "delete words": "a target need not quote the plan",
    "delete section": "only said in messages",
    "delete responsible": "a plan may name the lead alone",
    "delete counts": "a source may count good days itself",
    "delete path": "said when the source is made",
    "goal": "nobody wrote what the plan says, in numbers that can be compared",
    "direction": "the plan's words are as good for either direction",
    "swap levels": "the two thresholds stand on different yardsticks, or one is inherited",
    "unit": "a unit of the same kind, or the plan's words have no number",
}


class Mutant(NamedTuple):
    """A changed text: what was done, and at which line."""

    text: str
    slip: str
    line: int


def piece(name: str, dice: random.Random) -> str:
    """A book in one text: whole if it is small, else a few of its targets with their items, letter for letter."""
    folder = BOOKS / name
    head = "".join(path.read_text("utf-8") for path in (folder / "book.yaml",))
    if not (folder / "targets.yaml").exists():
        return head
    items = re.split(r"\n(?=  - item:)", (folder / "plan.yaml").read_text("utf-8"))[1:]
    targets = re.split(r"\n(?=  - id:)", (folder / "targets.yaml").read_text("utf-8"))[1:]
    chosen = sorted(dice.sample(range(len(targets)), 3))
    numbers = {re.search(r"item: (\d+)", targets[index])[1] for index in chosen}  # type: ignore[index]
    wanted = [item for item in items if re.search(r"item: (\d+)", item)[1] in numbers]  # type: ignore[index]
    parts = [head, "items:", *wanted, "targets:", *(targets[index] for index in chosen)]
    return "\n".join([*parts, (folder / "sources.yaml").read_text("utf-8")])


_KEY = re.compile(r"^(\s*(?:- )?)([a-z][a-z ]*):( |$)")


def _key(line: str) -> str:
    found = _KEY.match(line)
    return found[2] if found else ""


def misspelt(lines: list[str], at: int, dice: random.Random) -> tuple[str, str]:
    key = _key(lines[at])
    if len(key) < 3 or lines[at].startswith("  filings") or re.match(r"  \w[\w-]*:$", lines[at]):
        return "", ""
    spot = dice.randrange(len(key) - 1)
    wrong = key[:spot] + key[spot + 1] + key[spot] + key[spot + 2 :]
    return ("", "") if wrong == key else (lines[at].replace(f"{key}:", f"{wrong}:", 1), "misspelt")


def other_unit(lines: list[str], at: int, dice: random.Random) -> tuple[str, str]:
    found = re.search(r"goal: .*?\d (\S+)", lines[at])
    if not found or found[1] not in KNOWN:
        return "", ""
    return lines[at].replace(
        f" {found[1]}", f" {dice.choice([unit for unit in ('亩', '亿元', '户', '人次') if unit != found[1]])}", 1
    ), "unit"


def tenfold(lines: list[str], at: int, _: random.Random) -> tuple[str, str]:
    found = re.search(r"goal: (?:at least|more than|at most) (\d+(?:\.\d+)?) ", lines[at])
    if not found or not float(found[1]):
        return "", ""
    return lines[at].replace(found[1], f"{float(found[1]) * 10:g}" if float(found[1]) < 1e4 else "1", 1), "goal"


def turned(lines: list[str], at: int, _: random.Random) -> tuple[str, str]:
    for was, now in (
        ("goal: at least", "goal: at most"),
        ("goal: at most", "goal: at least"),
        ("goal: more than", "goal: less than"),
    ):
        if was in lines[at]:
            return lines[at].replace(was, now), "direction"
    return "", ""


def swapped(lines: list[str], at: int, _: random.Random) -> tuple[str, str]:
    found = re.search(r"\b(yellow|red):", lines[at])
    if not found:
        return "", ""
    new = re.sub(r"\b(yellow|red):", lambda one: "red:" if one[1] == "yellow" else "yellow:", lines[at])
    other = next(
        (n for n in (at + 1, at + 2, at - 1, at - 2) if 0 <= n < len(lines) and _key(lines[n]) in ("yellow", "red")),
        None,
    )
    if lines[at].count(":") == 1 or "{" not in lines[at]:
        if other is None:
            return "", ""
        lines[other] = re.sub(r"\b(yellow|red):", lambda one: "red:" if one[1] == "yellow" else "yellow:", lines[other])
    return new, "swap levels"


def deleted(lines: list[str], at: int, _: random.Random) -> tuple[str, str]:
    key = _key(lines[at])
    opens = not lines[at].split("#")[0].rstrip().removeprefix("  - ").partition(":")[2].strip()
    return ("\0", f"delete {key}") if key and not opens else ("", "")


def doubled(lines: list[str], at: int, _: random.Random) -> tuple[str, str]:
    key = _key(lines[at])
    if not key or lines[at].lstrip().startswith("-") or not lines[at].partition(":")[2].split("#")[0].strip():
        return "", ""
    return f"{lines[at]}\n{lines[at]}", "double"


def same_id(lines: list[str], at: int, dice: random.Random) -> tuple[str, str]:
    ids = [line for line in lines if line.startswith("  - id: ")]
    others = [line for line in ids if line != lines[at]]
    return (dice.choice(others), "same id") if lines[at] in ids and others else ("", "")


SLIPS: list[Callable[[list[str], int, random.Random], tuple[str, str]]] = [
    misspelt, other_unit, tenfold, turned, swapped, deleted, doubled, same_id,
]  # fmt: skip


def mutants(name: str) -> Iterator[tuple[str, Mutant]]:
    """Each with the text it was made of; every kind of slip in turn, as far as the book has a place for it."""
    dice = random.Random(f"slips of {name}")
    made = turn = 0
    while made < MUTANTS[name]:
        original, slip = piece(name, dice), SLIPS[turn % len(SLIPS)]
        turn += 1
        for at in dice.sample(range(original.count("\n")), original.count("\n")):
            lines = original.split("\n")
            new, said = slip(lines, at, dice)
            if said:
                lines[at : at + 1] = [] if new == "\0" else new.split("\n")
                made += 1
                yield original, Mutant("\n".join(lines), said, at + 1)
                break


def told(folder: Path, text: str) -> tuple[list[str], list[str]]:
    """Errors, and findings, each from ``line:`` on."""
    (folder / "book.yaml").write_text(text, encoding="utf-8")
    try:
        written = loader.read(folder)
        book = loader.made(written)
    except Invalid as refusal:
        return [error.removeprefix(f"{folder}/book.yaml:") for error in refusal.errors], []
    errors: list[str] = []
    feeds([book], errors)
    found = [one.line.removeprefix(f"{folder}/book.yaml:") for one in lint.findings(book, written)]
    return [error.removeprefix(f"{folder}/book.yaml:") for error in errors], found


def near(line: str, mutant: Mutant) -> bool:
    """Whether a place is that of the slip: its line, or the item around it (one of two, where a line is gone)."""
    numbers = [int(number) for number in re.findall(r"(?:^|book\.yaml:)(\d+)", line)]
    if not numbers:
        return mutant.slip.startswith("delete")  # a key that is missing has no line
    lines = mutant.text.split("\n")
    starts = [n for n, text in enumerate(lines, start=1) if re.match(r"  - |\S", text)]
    first = max((start for start in starts if start <= mutant.line), default=1)
    first = max((start for start in starts if start < first), default=1) if mutant.slip.startswith("delete") else first
    last = min((start for start in starts if start > mutant.line), default=len(lines) + 1)
    top = not lines[min(mutant.line, len(lines)) - 1].startswith("  ") or lines[first - 1][:1] not in (" ", "-")
    return any(first <= number <= last for number in numbers) or (
        top and mutant.slip.startswith(("delete", "swap", "misspelt"))
    )


@pytest.mark.parametrize("name", MUTANTS)
def test_every_slip_is_refused_or_doubted_at_its_place_or_does_no_harm(name: str, tmp_path: Path) -> None:
    for original, mutant in mutants(name):
        _, before = told(tmp_path, original)
        errors, found = told(tmp_path, mutant.text)
        known = {re.sub(r"^\d+:", "", line) for line in before}
        new = [line for line in found if re.sub(r"^\d+:", "", line) not in known]
        shown = f"{mutant.slip} at line {mutant.line}\n{mutant.text}\n" + "\n".join(errors + new)
        if errors or new:
            assert any(near(line, mutant) for line in errors + new), shown
        else:
            assert mutant.slip in HARMLESS, shown


_SIGNS = "：，“”（）{}[]:,#&*!|>%@`\"'\t\u3000\u00a0\u200b０-?~<="
_VALUES = (
    *("", "~", "yes", "[]", "[[1]]", "{a: b}", "-5", ".inf", ".nan", "9" * 400, "0o17", "12:30:45", "2025-02-30", "|"),
    *("*nope", "&x [*x]", "!!binary aGk=", "!!python/object/apply:os.system [id]", '"', "# 注", "不低于4500人", "１２"),
)
_LINES = ("---", "...", "<<: {a: 1}", "? a", "- ", "这是一行说明", "targets: []", "%YAML 1.2")


def broken(text: str, dice: random.Random) -> str:
    """The text with one accident of the keyboard: a sign too many or too few, a line moved, a value of another kind."""
    lines = text.split("\n")
    at = dice.choice([number for number, line in enumerate(lines) if line.strip()])
    line, spot = lines[at], dice.randrange(len(lines[at]))
    key = re.match(r"\s*(?:- )?[a-z][a-z ]*:", line)
    ways = [
        line[:spot] + line[spot + 1 :],
        line[:spot] + dice.choice(_SIGNS) + line[spot:],
        f"{dice.choice(['  ', ' '])}{line}",
        line.removeprefix("  "),
        f"{dice.choice(_LINES)}\n{line}",
        *([f"{key[0]} {dice.choice(_VALUES)}"] * 4 if key else []),
    ]
    lines[at] = dice.choice(ways)
    return "\n".join(lines)


def test_no_accident_crashes_and_every_refusal_has_its_place_and_is_chinese(tmp_path: Path) -> None:
    dice = random.Random("accidents")
    for _ in range(60):
        text = broken(piece(dice.choice([*MUTANTS]), dice), dice)
        errors, _ = told(tmp_path, text)
        for error in errors:
            assert re.match(r"\d+: |/", error), f"{error}\n{text}"
            assert not re.search(r"Input should|expected|found|not allowed", error), f"{error}\n{text}"
