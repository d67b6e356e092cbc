"""The part of the options that every connector of single figures shares: where each field stands, and what is constant."""

import re
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta
from msgspec.structs import asdict

from connectors.base import Options
from connectors.observation import Status

_DELAY = re.compile(r"(\d{1,3}) days? after period")


class Fields(Options):
    """Where each field of a figure stands in a row: a column header, or a dotted path."""

    period: str
    value: str | None = None
    series: str | None = None
    subject: str | None = None
    unit: str | None = None
    known: str | None = None
    status: str | None = None

    def mapped(self) -> dict[str, str]:
        """The fields that stand somewhere, with the place."""
        return {field: place for field, place in asdict(self).items() if place is not None}


def _delay(known: str) -> str:
    if not _DELAY.fullmatch(known.strip()):
        raise ValueError(
            f"看不懂 known: {known} (bad delay); 请写成 15 days after period, 或用 known 列指出发布日期所在"
        )
    return known


class Constants(Options):
    """What a source says of all its figures at once.

    ``known`` is ``"N days after period"``: a figure is public from 00:00 of the
    day N days after its period's last day, in ``timezone``. ``year`` completes
    periods that name none (``1—10月``).
    """

    series: str | None = None
    subject: str | None = None
    unit: str | None = None
    known: Annotated[str, _delay] | None = None  # N days after period
    status: Status | None = None  # of all figures: partial for a source of 快报
    timezone: ZoneInfo = ZoneInfo("Asia/Shanghai")
    year: Annotated[int, Meta(ge=1900, le=2199)] | None = None

    @property
    def delay(self) -> int | None:
        """Days from the period's last day to publication, None where nothing is said."""
        found = _DELAY.fullmatch((self.known or "").strip())
        return int(found[1]) if found else None

    def agree_with(self, fields: Fields, *, named_elsewhere: bool = False) -> None:
        """Raise ValueError where a field has two sources, or the series none; ``named_elsewhere``: series have names."""
        for field in ("series", "subject", "unit", "known", "status"):
            if getattr(self, field) is not None and getattr(fields, field) is not None:
                raise ValueError(f"{field} 既是常量又有来源 (given twice): 请只留一个")
        sources = [self.series is not None, fields.series is not None, named_elsewhere]
        if sum(sources) != 1:
            raise ValueError(
                "序列名须有且只有一个来源 (exactly one source of the series): 常量 series、series 列或 values"
            )
