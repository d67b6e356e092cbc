"""The numbers promised in a text: object, direction, value, unit, measure, and the words they were read from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rules.importing import sentence as words
from rules.importing.doubt import Doubt, Guess
from rules.importing.fact import Fact, Kind, facts
from rules.importing.passed import Passed, guessed_unit, no_promise
from rules.importing.plain import plain, split_outside
from rules.importing.quantity import COUNTS
from rules.importing.sense import Object, Setting, names, sense
from rules.target import Measure, Op


@dataclass(frozen=True)
class Commitment(Guess):
    """One promised number. ``value`` is None where another number or a task yet to come decides it."""

    name: str
    words: str
    op: Op
    value: float | None
    unit: str
    measure: Measure
    upper: float | None = None
    doubts: frozenset[Doubt] = frozenset()


@dataclass(frozen=True)
class Left:
    """A number that was not taken, and why."""

    words: str
    reason: Passed


@dataclass
class Findings:
    """What a text promises, and its other numbers."""

    commitments: list[Commitment] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


_QUOTED = re.compile(r"“[^”]*”|《[^》]*》|「[^」]*」|\"[^\"]*\"")
_WHEN = re.compile(r"(?:(?:到|至|截至)?20\d\d年(?:底|末|前|以前)*|去年|上年|明年|过去[^,]{0,6})")
_AIM = re.compile("(?:力争|争取|冲刺)$")
_DEBT = re.compile(r"债|欠款|账款|资金|贷款")


def findings(text: str, year: int) -> Findings:
    """Every number promised in ``text`` for ``year``, and every number left aside."""
    found = Findings()
    flat = plain(text)
    quoted = [(m.start(), m.end()) for m in _QUOTED.finditer(flat)]
    last = Object()
    for start, end in _clauses(flat):
        inside = [(a - start, b - start) for a, b in quoted]
        last = _Clause(text[start:end], flat[start:end], year, inside).read(found, last)
        if flat[end : end + 1] in "。!?":
            last = Object()
    return found


def _clauses(flat: str) -> Iterator[tuple[int, int]]:
    """Spans between commas, semicolons and stops; a comma within a number, or behind a mere time, parts nothing."""
    start = 0
    for match in re.finditer(r"[;。:!?\n]|,(?!\d{3}(?!\d))", flat):
        if match[0] == "," and _WHEN.fullmatch(flat[start : match.start()].strip()):
            continue
        yield start, match.start()
        start = match.end()
    if start < len(flat):
        yield start, len(flat)


class _Clause:
    """A clause with its numbers, read from left to right."""

    def __init__(self, text: str, flat: str, year: int, quoted: list[tuple[int, int]]) -> None:
        self.text, self.flat, self.year, self.quoted = text, flat, year, quoted
        self.facts = facts(flat)

    def read(self, found: Findings, last: Object) -> Object:
        """Adds what the clause promises; returns the object that a following bare number would be of."""
        if "分别" in self.flat and (dealt := self._respectively(found)):
            found.commitments += dealt
            return last
        cursor = 0
        for i, fact in enumerate(self.facts):
            following = next((one for one in self.facts[i + 1 :] if not self._quotes(one)), None)
            if fact.start < cursor:
                continue
            reason = no_promise(
                self.flat,
                cursor,
                fact,
                following,
                quoted=self._quotes(fact),
                listing=bool(last.name),
                year=self.year,
            )
            if reason is None:
                made, last, cursor = self._made(fact, following, cursor, last)
                found.commitments += made
                continue
            around = self.text[cursor : min(fact.end + 10, len(self.text))]
            found.left.append(Left(around.strip(" ,，、"), reason))
            if reason in (Passed.PAST, Passed.SIZE):
                cursor = fact.end
        return last

    def _quotes(self, fact: Fact) -> bool:
        """Whether it stands within quotation marks."""
        return any(a < fact.start < b for a, b in self.quoted)

    def _made(
        self, fact: Fact, following: Fact | None, cursor: int, last: Object
    ) -> tuple[list[Commitment], Object, int]:
        """The promise at ``fact``, one for each object that it is of; the next bare one's object; where it ends."""
        bound = words.AFTER.match(self.flat, fact.end) if fact.kind is Kind.NUMBER else None
        end = bound.end() if bound else fact.end
        segment = re.sub(r"^[、和及与并,\s]+", "", self.flat[cursor : fact.start])
        segment = segment[words.leading(segment) :]
        begin = fact.start - len(segment)
        noun = ""
        if fact.kind is Kind.AVOID:
            noun, begin = self.flat[fact.start : fact.end], fact.start
        elif fact.kind is Kind.NUMBER and fact.unit in COUNTS and not bound:
            behind = re.match(r"(?:“[^”]*”|[^、,;。(])*", self.flat[end : following.start if following else None])
            noun = behind[0].strip() if behind else ""
            end += len(behind[0].rstrip()) if behind else 0
        at = Setting(fact, segment, bound, noun, last)
        op, measure = sense(at)
        value, unit, guessed = self._amount(at)
        doubts = frozenset({*guessed, *self._doubts(at, op, begin)})
        said = self.text[begin:end].strip(" ,，、")
        made = [Commitment(name, said, op, value, unit, measure, fact.upper, doubts) for name in names(at, measure)]
        return made, at.goes_on(), end

    def _doubts(self, at: Setting, op: Op, begin: int) -> Iterator[Doubt]:
        before = self.flat[:begin]
        if before.count("(") > before.count(")"):
            yield Doubt.BRACKETED
        if at.fact.kind is Kind.NUMBER and at.noun:
            yield from _unlike_a_deed(at)
        if at.bare and not at.last.name:
            yield Doubt.NO_OBJECT
        if at.bare and at.fact.unit == at.last.unit and _AIM.search(before):
            yield Doubt.STRETCH
        if at.fact.chinese:
            yield Doubt.IN_CHINESE
        if op is Op.ABOUT:
            yield Doubt.ABOUT
        if at.fact.kind in (Kind.CLEAR, Kind.AVOID):
            yield Doubt.ZERO
        if at.fact.kind is Kind.LIKE:
            yield Doubt.REFERENCE
        if self._later(at.fact):
            yield Doubt.OTHER_YEAR

    def _later(self, fact: Fact) -> bool:
        """What is said of a later year."""
        before = self.flat[: fact.start]
        years = [int(one) for one in re.findall(r"(20\d\d)年", before)]
        return (bool(years) and max(years) > self.year) or "明年" in before

    @staticmethod
    def _amount(at: Setting) -> tuple[float | None, str, set[Doubt]]:
        """Value and unit, the unit guessed where none is written."""
        unit = at.fact.unit
        if at.fact.kind is Kind.CLEAR:
            return at.fact.value, "亿元" if _DEBT.search(at.segment) else "个", {Doubt.GUESSED_UNIT}
        if at.fact.kind is Kind.NUMBER and unit in ("万", "亿", ""):
            guess = "元" if unit == "亿" else guessed_unit(at.segment + at.last.name) or "个"
            return at.fact.value, unit + guess, {Doubt.GUESSED_UNIT}
        return at.fact.value, unit, set()

    def _respectively(self, found: Findings) -> list[Commitment]:
        """``一产、二产分别增长4%、8%``: objects and numbers in the same order; none where they do not pair off.

        Where none are named, they are those of the promises ``found`` last.
        """
        head, _, tail = self.flat.partition("分别")
        dealt = [fact for fact in self.facts if fact.start > len(head) and fact.kind is Kind.NUMBER]
        skip = words.leading(head)
        listed = [head[skip:][a:b] for a, b in split_outside(head[skip:], "、和")]
        if not head[skip:].strip():
            listed = [one.name for one in found.commitments[-len(dealt) :]]
        if len(listed) == 1 and "城乡" in listed[0]:
            listed = [listed[0].replace("城乡", each) for each in ("城镇", "农村")]
        if (
            len(dealt) < 2
            or len(listed) != len(dealt)
            or any(fact.start <= len(head) and not self._quotes(fact) for fact in self.facts)
        ):
            return []
        change = tail[: dealt[0].start - len(head) - 2]
        said = self.text[skip : dealt[-1].end]
        made = []
        for name, fact in zip(listed, dealt, strict=True):
            at = Setting(fact, name + change, words.AFTER.match(self.flat, fact.end), "", Object())
            op, measure = sense(at)
            value, unit, guessed = self._amount(at)
            doubts = frozenset({*guessed, *self._doubts(at, op, skip)})
            made += [Commitment(one, said, op, value, unit, measure, fact.upper, doubts) for one in names(at, measure)]
        return made


def _unlike_a_deed(at: Setting) -> Iterator[Doubt]:
    """``推进3个项目``, ``3个项目``: nothing says that it will be done, or nothing at all."""
    if words.EFFORT.search(at.core[-8:]) and not words.PRODUCING.search(at.core[-8:]):
        yield Doubt.BY_EFFORT
    elif not words.PRODUCING.search(at.core) and not words.TREATED.search(at.core) and (at.core or not at.last.name):
        yield Doubt.NO_VERB
