"""The one source of the present moment. Every cycle asks once and passes the answer down."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


class Clock:
    """The real time; or, for a demonstration, a time that began at ``start`` when the real clock showed ``anchor``.

    A demonstration's time may pass ``speed`` times as fast. What is decided goes by it: turns of sources, dates, terms.
    What concerns other machines goes by the real time: how long to wait for them, when to try them again.

    The anchor is kept with the data, so that a restart goes on where it was and
    time never runs backwards over stored alerts.
    """

    def __init__(self, start: datetime | None = None, anchor: datetime | None = None, speed: int = 1) -> None:
        self._set = (start, anchor) if start is not None and anchor is not None else None
        self._speed = speed if self._set is not None else 1

    @property
    def rehearsing(self) -> bool:
        """Whether this is not the real time (演示时钟)."""
        return self._set is not None

    @property
    def second(self) -> timedelta:
        """How far it goes in a real second."""
        return timedelta(seconds=self._speed)

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return self.shown(self.real())

    def shown(self, real: datetime) -> datetime:
        """What it shows when the real clock shows ``real``."""
        if self._set is None:
            return real
        start, anchor = self._set
        return start + (real - anchor) * self._speed

    def when(self, shown: datetime) -> datetime:
        """The first microsecond of the real clock at which this one shows ``shown``, and not a moment before it."""
        if self._set is None:
            return shown
        start, anchor = self._set
        return anchor - (start - shown) // self._speed  # rounded up

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
