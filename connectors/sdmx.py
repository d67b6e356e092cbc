"""The source kind ``sdmx``: data in SDMX-JSON or SDMX-ML, from an address or a file. Needs the extra ``duban[sdmx]``."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal

from msgspec import field

from connectors.base import ConnectorError, Failure
from connectors.drop_folder import read
from connectors.fields import Fields
from connectors.figures import Cells, Column, Rows, objects, reading
from connectors.http_site import Address, Site, bad_status
from connectors.http_template import Template
from connectors.observation import Query, Reading
from connectors.strict import Strict

_ACCEPT = (
    "application/vnd.sdmx.data+json;version=1.0.0, application/vnd.sdmx.genericdata+xml;version=2.1;q=0.9, */*;q=0.1"
)
_REPORTING = re.compile(r"(\d{4})-(?:M(?P<month>\d\d)|S(?P<half>[12])|(?P<year>A1))")
_SHOWN = 10  # values named in an error


class SdmxOptions(Site):
    """Where the data stands, which part of it is meant, and what its dimensions are.

    ``query`` are the parameters of the address, in which ``{first}``, ``{last}``
    and ``{year}`` stand as in ``connectors.http_template``. ``key`` keeps only
    observations with these values. ``dimensions`` names dimensions or
    attributes by their identifiers; ``codes`` gives their values the names that
    the books use.
    """

    url: Address = ""
    path: str | None = None  # a file instead of an address, relative to the configuration
    query: dict[str, str | int] = {}
    headers: dict[str, str] = field(default_factory=lambda: {"Accept": _ACCEPT})
    key: dict[str, str] = {}  # dimension -> the value that is meant
    dimensions: dict[Literal["series", "subject", "unit", "period", "known", "status"], str] = {}
    """Field -> dimension or attribute."""
    codes: dict[Literal["series", "subject"], dict[str, str]] = {}  # series, subject -> name in the books -> code

    def __post_init__(self) -> None:
        if bool(self.url) is (self.path is not None):
            raise ValueError("url 与 path 须写且只写一个 (exactly one source)")
        if any(self.template.names(hole) for hole in ("period", "series", "subject")):
            raise ValueError("query 里只可用 {first}、{last}、{year} (unknown hole)")
        if nowhere := "、".join(self.codes.keys() - self.dimensions.keys()):
            raise ValueError(f"codes 里的 {nowhere} 没有写入 dimensions (no dimension): 请写明其代码所在的维度")
        self.agree_with(Fields(**{"period": "TIME_PERIOD", **self.dimensions}))

    @property
    def template(self) -> Template:
        """The parameters to fill in."""
        return Template("", self.query, {}, {})


class Sdmx:
    """Reads anew at each fetch. ``Reading.digest`` is the SHA-256 of the message."""

    Options: ClassVar[type[Strict]] = SdmxOptions

    def __init__(self, options: SdmxOptions, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._sdmx = _library()

    def fetch(self, query: Query) -> Reading:
        """The figures of the message.

        ConnectorError: those of ``connectors.http_get`` and of a file that
        cannot be read; BAD_ANSWER for what is no SDMX message or holds nothing
        of the key, MISCONFIGURED for a dimension that is not there.
        """
        options = self._options
        document = options.path or options.document
        data = read(self._folder / options.path, options.max_bytes).data if options.path else self._ask(query)
        try:
            cells = self._cells(data)
        except ConnectorError as error:
            raise ConnectorError(error.reason, f"{document}: {error.detail}", retryable=error.retryable) from None
        return reading(cells, options, query, document, hashlib.sha256(data).hexdigest())

    def _ask(self, query: Query) -> bytes:
        (request,) = self._options.template.requests(query, query.last)
        with self._options.asking(self._folder) as ask:
            answer = ask("", request.params)
            if answer.status != 200:
                raise bad_status(answer)
            return answer.body

    def _cells(self, data: bytes) -> Cells:
        """One row per observation of the key, called by its own key."""
        options = self._options
        found = list(self._observations(data))
        for name, wanted in options.key.items():
            values = _values(found, name)
            found = [one for one, value in zip(found, values, strict=True) if value == wanted]
            if values and not found:
                there = "、".join(sorted(set(values))[:_SHOWN])
                raise ConnectorError(
                    Failure.BAD_ANSWER,
                    f"没有 {name} 为 {wanted} 的数据 (nothing of the key)；有: {there}",
                    retryable=False,
                )
        fields = {name: _values(found, place) for name, place in options.dimensions.items()}
        if "period" not in fields:
            fields["period"] = _values(found, "TIME_PERIOD")
        for name, codes in options.codes.items():
            names = {code: name for name, code in codes.items()}
            fields[name] = [names.get(value, value) for value in fields.get(name, [])]
        fields["period"] = [_REPORTING.sub(_period, value) for value in fields["period"]]
        # In SDMX-ML, NaN says that there is no figure.
        missing = ("NaN", None) if data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") else (None,)

        def place(at: Rows) -> list[str]:
            return [".".join(value for key, value in found[row].items() if key) for row in at.tolist()]

        figures = objects(["" if one[""] in missing else one[""] for one in found])
        return Cells.rows(figures, place, **{name: Column.of(texts) for name, texts in fields.items()})

    def _observations(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Each observation as its dimensions and attributes by name, and its value under ""."""
        try:
            message = self._sdmx.read_sdmx(BytesIO(data))
            sets = message.data
        except Exception as error:  # noqa: BLE001  # the library raises whatever its own code meets in a message that it does not know
            words = f"{type(error).__name__}: {error}"[:200]
            detail = f"不是看得懂的 SDMX 数据 (bad message): {words}；请检查地址，或用 headers 的 Accept 指明格式"
            raise ConnectorError(Failure.BAD_ANSWER, detail, retryable=False) from None
        for one in sets:
            for observation in one.obs:
                named = {**observation.key.values, **observation.attrib}
                yield {**{name: _text(value.value) for name, value in named.items()}, "": observation.value}


def _library() -> ModuleType:
    """The library, imported on first use. Raises ConnectorError MISCONFIGURED where it is not installed."""
    try:
        import sdmx
    except ImportError:
        detail = "缺少 sdmx1 (missing package): 请执行 pip install duban[sdmx]"
        raise ConnectorError(Failure.MISCONFIGURED, detail, retryable=False) from None
    return sdmx


def _text(value: Any) -> str:
    """A code's identifier, or the text itself."""
    return str(getattr(value, "id", value))


def _values(found: list[dict[str, Any]], name: str) -> list[str]:
    """The values of a dimension or attribute, "" where an observation has none."""
    known: Mapping[str, None] = {key: None for one in found for key in one if key}
    if found and name not in known:
        raise ConnectorError(
            Failure.MISCONFIGURED, f"没有维度或属性 {name} (missing dimension)；有: {'、'.join(known)}", retryable=False
        )
    return [one.get(name, "") for one in found]


def _period(found: re.Match[str]) -> str:
    """SDMX's reporting periods as the house writes them."""
    year = found[1]
    return f"{year}-{found['month']}" if found["month"] else f"{year}H{found['half']}" if found["half"] else year
