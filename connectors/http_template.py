"""From one template to the requests that answer a query: one for each thing that the template names."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby, product
from urllib.parse import quote

from connectors.observation import Query

_HOLE = re.compile(r"\{(year|first|last|period|series|subject)(?::([^{}]*))?\}")
Codes = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a pull, and what is known of its figures before they are read (None: the answer says it)."""

    url: str
    params: dict[str, str]
    echo: dict[str, str]
    series: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """An address, its parameters, and what the answer must repeat, with holes.

    ``{first}``, ``{last}`` and ``{period}`` are period ends (2025-01-31), or
    written as strftime says (``{period:%Y%m}``; ``%q`` is the quarter);
    ``{year}`` is the year of the last. ``{series}`` and ``{subject}`` are names,
    or what ``codes`` calls them.
    """

    url: str
    params: Mapping[str, str | int | float]
    echo: Mapping[str, str | int | float]
    codes: Codes

    def names(self, hole: str) -> bool:
        """Whether requests differ by ``hole``."""
        return bool(self._forms(hole))

    def requests(self, query: Query, today: date) -> Iterator[Request]:
        """Every request for ``query``. Periods that end after ``today`` are asked for only as the one under way."""
        series = (query.series or tuple(self.codes.get("series", {}))) if self.names("series") else (None,)
        subjects = tuple(self.codes.get("subject", {})) if self.names("subject") else (None,)
        for one, place, period in product(series, subjects, self._periods(query, today)):
            days = {"first": query.first, "last": query.last, "period": period or query.last}
            words = {"year": str(query.last.year), "series": self._code("series", one)}
            fill = _Filling(days, {**words, "subject": self._code("subject", place)})
            yield Request(
                fill(self.url, lambda text: quote(text, safe="")),
                {name: fill(str(value)) for name, value in self.params.items()},
                {path: fill(str(value)) for path, value in self.echo.items()},
                one,
                place,
            )

    def spans(self, query: Query, today: date) -> list[tuple[date, date]]:
        """First and last day of every period that the template writes differently: months for ``%Y%m``, years for ``%Y``."""
        forms = self._forms("period")
        days = [query.first + timedelta(days=n) for n in range((min(query.last, today) - query.first).days + 1)]
        alike = groupby(days, lambda day: [_written(day, form) for form in forms])
        periods = [list(period) for _, period in alike]
        return [(period[0], period[-1]) for period in periods]

    def _periods(self, query: Query, today: date) -> Sequence[date | None]:
        return [last for _, last in self.spans(query, today)] if self.names("period") else [None]

    def _forms(self, hole: str) -> list[str]:
        texts = [self.url, *map(str, self.params.values())]
        return [found[2] or "" for text in texts for found in _HOLE.finditer(text) if found[1] == hole]

    def _code(self, kind: str, name: str | None) -> str:
        return "" if name is None else self.codes.get(kind, {}).get(name, name)


@dataclass(frozen=True, slots=True)
class _Filling:
    days: Mapping[str, date]
    words: Mapping[str, str]

    def __call__(self, text: str, escaped: Callable[[str], str] = str) -> str:
        def filled(found: re.Match[str]) -> str:
            name, form = found[1], found[2] or ""
            return escaped(self.words[name] if name in self.words else _written(self.days[name], form))

        return _HOLE.sub(filled, text)


def _written(day: date, form: str) -> str:
    return day.strftime(form.replace("%q", str((day.month + 2) // 3))) if form else day.isoformat()
