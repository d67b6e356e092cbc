"""The book as written: which keys exist and what stands behind them. Strict: an unknown key is an error.

A book is a folder; each of its YAML files holds any of these keys, and together
they make the book. ``rules.schema`` tells editors of it.
"""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from msgspec import Meta, field

from connectors.strict import Before, Names, Phrase, Strict, listed
from rules import formula, phrase
from rules.calendar import Every, Publication
from rules.formula import Formula
from rules.target import Expect, Goal, Measure, Schedule, Threshold
from rules.unit import check

Identifier = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*$", description="应为小写字母、数字和连字符，如 urban-jobs")
]


def _phrase(parse: Callable[[str], Any]) -> Phrase:
    """A field that is a phrase in the file and a noun in the model."""
    return Phrase(lambda text: parse(phrase.half(text)))


def _paired(name: str) -> str:
    if name.count("“") != name.count("”"):
        raise ValueError(f"{name} 的中文引号不成对 (unpaired quotation mark)；请补上或删去")
    return name


def _units(value: Any) -> Any:
    return phrase.units(value) if isinstance(value, str) else listed(value)


GoalPhrase = Annotated[Goal, _phrase(phrase.goal)]
ThresholdPhrases = Annotated[tuple[Threshold, ...], Phrase(phrase.thresholds, str | list[str])]
"""One threshold or several, any of which reaches the level."""
ClearPhrases = Annotated[tuple[Threshold, ...], Phrase(phrase.clear, str | list[str])]
"""What must be over before an alert is solved; none for the yellow threshold itself."""
ElapsedPhrase = Annotated[float, _phrase(phrase.elapsed)]
ExpectPhrase = Annotated[Expect, _phrase(phrase.expect)]
PublishedPhrase = Annotated[Publication, _phrase(phrase.published)]
Day = Annotated[date, _phrase(phrase.day)]
SchedulePhrase = Annotated[Schedule, _phrase(phrase.schedule)]
FormulaText = Annotated[Formula, Phrase(lambda text: formula.parse(text.strip()))]
Unit = Annotated[str, check]
Units = Annotated[tuple[str, ...], Before(_units, str | list[str])]
"""Units as the plan writes them (``A局、B局及镇街``) or as a list."""


class LevelsSpec(Strict):
    """Thresholds of the two alert levels; what is left out is inherited."""

    yellow: ThresholdPhrases | None = None
    red: ThresholdPhrases | None = None
    not_before: ElapsedPhrase | None = field(default=None, name="not before")
    clear: ClearPhrases | None = None
    clear_for: Annotated[int, Meta(ge=1, le=366)] | None = field(default=None, name="clear for")


class ItemSpec(Strict):
    """One numbered item of the plan, as published."""

    item: int
    section: str = ""
    text: str
    lead: Units
    responsible: Units = ()


class SourceRef(Strict):
    """Which series of which source a target reads; a bare text names the source alone."""

    connector: str
    series: str | None = None


def _source_ref(value: Any) -> Any:
    return {"connector": value} if isinstance(value, str) else value


SourceField = Annotated[SourceRef, Before(_source_ref, str | SourceRef)]


class ChangeSpec(Strict):
    """Another goal for the periods that end on a day or later, and why."""

    since: Day = field(name="from")
    goal: GoalPhrase
    why: str


class TargetSpec(Strict):
    """One measurable commitment."""

    id: Identifier
    item: int | None = None
    name: Annotated[str, _paired]
    words: str = ""
    lead: Units = ()
    responsible: Units = ()
    reporter: Units = ()
    labels: Names = ()
    goal: GoalPhrase
    measure: Measure
    every: Every | None = None
    published: PublishedPhrase | None = None
    expect: ExpectPhrase | None = None
    source: SourceField | None = None
    counts: Annotated[str, Meta(pattern=r"^at most -?\d+(\.\d+)?$", description="应如 at most 100")] | None = None
    levels: LevelsSpec = LevelsSpec()
    changes: tuple[ChangeSpec, ...] = ()


class DerivedSpec(Strict):
    """A series that is computed from others. ``from`` is the source of the names in its formula that say none."""

    series: str
    unit: Unit
    every: Every | None = None
    formula: FormulaText
    source: str | None = field(default=None, name="from")


class SourceSpec(Strict):
    """A source: the keys below, and the options of its connector kind."""

    connector: str
    schedule: SchedulePhrase = phrase.schedule("every 10 minutes")
    mark: str = ""
    options: dict[str, Any] = field(default_factory=dict, name="")


class HistorySpec(Strict):
    """One import of a table: who changed what, and why; ``changed`` has words for each target."""

    at: Day
    by: str
    why: str
    changed: dict[str, str] = {}


class BookFile(Strict):
    """What one YAML file of a book's folder may hold."""

    book: Identifier | None = None
    title: str | None = None
    year: Annotated[int, Meta(ge=2000, le=2100)] | None = None
    timezone: ZoneInfo | None = None
    supervisor: str | None = None
    every: Every | None = None
    published: PublishedPhrase | None = None
    source: SourceField | None = None
    levels: LevelsSpec | None = None
    measures: dict[Measure, LevelsSpec] | None = None
    items: tuple[ItemSpec, ...] = ()
    targets: tuple[TargetSpec, ...] = ()
    sources: dict[str, SourceSpec] | None = None
    derived: tuple[DerivedSpec, ...] = ()
    subjects: str | None = None
    holidays: tuple[Day, ...] = ()
    workdays: tuple[Day, ...] = ()
    history: tuple[HistorySpec, ...] = ()
