"""The book as written: which keys exist and what stands behind them. Strict: an unknown key is an error.

A book is a folder; each of its YAML files holds any of these keys, and together
they make the book. The JSON Schema for editors is generated from here.
"""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, StringConstraints

from rules import formula, phrase
from rules.calendar import Every, Publication
from rules.formula import Formula
from rules.target import Expect, Goal, Measure, Schedule, Threshold
from rules.unit import check

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]


def _phrase(parse: Callable[[str], Any], read: Callable[[str], str] = phrase.half) -> PlainValidator:
    """A field that is a phrase in the file and a noun in the model."""

    def checked(value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError(f"应为一句文字，而不是 {value!r}")
        return parse(read(value))

    return PlainValidator(checked, json_schema_input_type=str)


def _paired(name: str) -> str:
    if name.count("“") != name.count("”"):
        raise ValueError(f"{name} 的中文引号不成对 (unpaired quotation mark)；请补上或删去")
    return name


def _units(value: Any) -> Any:
    return phrase.units(value) if isinstance(value, str) else value


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"未知的时区 '{name}', 应如 Asia/Shanghai") from None
    return name


GoalPhrase = Annotated[Goal, _phrase(phrase.goal)]
ThresholdPhrases = Annotated[
    tuple[Threshold, ...], PlainValidator(phrase.thresholds, json_schema_input_type=str | list[str])
]
"""One threshold or several, any of which reaches the level."""
ClearPhrases = Annotated[tuple[Threshold, ...], PlainValidator(phrase.clear, json_schema_input_type=str | list[str])]
"""What must be over before an alert is solved; none for the yellow threshold itself."""
ElapsedPhrase = Annotated[float, _phrase(phrase.elapsed)]
ExpectPhrase = Annotated[Expect, _phrase(phrase.expect)]
PublishedPhrase = Annotated[Publication, _phrase(phrase.published)]
Day = Annotated[date, _phrase(phrase.day)]
SchedulePhrase = Annotated[Schedule, _phrase(phrase.schedule)]
FormulaText = Annotated[Formula, _phrase(formula.parse, str.strip)]
Unit = Annotated[str, AfterValidator(check)]
Units = Annotated[tuple[str, ...], BeforeValidator(_units, json_schema_input_type=str | list[str])]
"""Units as the plan writes them (``A局、B局及镇街``) or as a list."""


Names = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value, json_schema_input_type=str | list[str]),
]
"""One name or a list of names."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class LevelsSpec(Strict):
    """Thresholds of the two alert levels; what is left out is inherited."""

    yellow: ThresholdPhrases | None = None
    red: ThresholdPhrases | None = None
    not_before: ElapsedPhrase | None = Field(None, alias="not before")
    clear: ClearPhrases | None = None
    clear_for: Annotated[int, Field(ge=1, le=366)] | None = Field(None, alias="clear for")


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


SourceField = Annotated[SourceRef, BeforeValidator(_source_ref, json_schema_input_type=str | SourceRef)]


class ChangeSpec(Strict):
    """Another goal for the periods that end on a day or later, and why."""

    since: Day = Field(alias="from")
    goal: GoalPhrase
    why: str


class TargetSpec(Strict):
    """One measurable commitment."""

    id: Identifier
    item: int | None = None
    name: Annotated[str, AfterValidator(_paired)]
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
    counts: Annotated[str, StringConstraints(pattern=r"^at most -?\d+(\.\d+)?$")] | None = None
    levels: LevelsSpec = LevelsSpec.model_construct()
    changes: tuple[ChangeSpec, ...] = ()


class DerivedSpec(Strict):
    """A series that is computed from others. ``from`` is the source of the names in its formula that say none."""

    series: str
    unit: Unit
    every: Every | None = None
    formula: FormulaText
    source: str | None = Field(None, alias="from")


class SourceSpec(BaseModel):
    """A source: the keys below, and the options of its connector kind."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    connector: str
    schedule: SchedulePhrase = Field("every 10 minutes", validate_default=True)
    mark: str = ""


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
    year: Annotated[int, Field(ge=2000, le=2100)] | None = None
    timezone: Annotated[str, AfterValidator(_zone)] | None = None
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


def json_schema() -> dict[str, Any]:
    """JSON Schema of a book file, for completion and checks in editors."""
    return BookFile.model_json_schema()
