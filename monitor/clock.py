"""The one source of the present moment. Every cycle asks once and passes the answer down."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo


class Clock:
    """The real time; or, for a demonstration, a time that began at ``start`` when the real clock showed ``anchor``.

    The anchor is kept with the data, so that a restart goes on where it was and
    time never runs backwards over stored alerts.
    """

    def __init__(self, start: datetime | None = None, anchor: datetime | None = None) -> None:
        self._shift = start - anchor if start is not None and anchor is not None else None

    @property
    def rehearsing(self) -> bool:
        """Whether this is not the real time (演示时钟)."""
        return self._shift is not None

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return self.real() if self._shift is None else self.real() + self._shift

    @staticmethod
    def real() -> datetime:
        """The real time: what the outside world may check, such as the age of a signature or the date of a mail."""
        return datetime.now(UTC)


def parse_moment(text: str, timezone: str) -> datetime:
    """``2025-10-25`` is the end of that day in ``timezone``; ``2025-10-25 09:00`` that minute. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' 不是日期或时间 (bad --at); 应如 2025-10-25 或 2025-10-25T09:00") from None
    if len(text) <= len("2025-10-25"):
        moment = datetime.combine(moment, time.max)
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)
