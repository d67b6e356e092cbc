"""When a channel rests: a receiver that is gone, or has had enough, is left in peace while the others go on."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.delivery import Attempt, Result

FAILURES = 5
"""Failures in a row that send a channel to rest, where the receiver has not itself said for how long to stay away."""
_FIRST, _LONGEST = timedelta(seconds=10), timedelta(minutes=5)
_OF_THE_CHANNEL = (Result.UNREACHABLE, Result.TIMEOUT, Result.THROTTLED, Result.MISCONFIGURED)
"""Failures that the next letter would meet as well."""


@dataclass(slots=True)
class Circuit:
    """One channel's state. Letters wait in the queue while it rests, and lose no attempt by it.

    After a rest one failure is enough for the next one, twice as long; a letter that arrives ends it all.
    """

    failures: int = 0
    rests_until: datetime | None = None
    reason: str = ""

    def resting(self, at: datetime) -> bool:
        return self.rests_until is not None and at < self.rests_until

    def heard(self, attempt: Attempt, at: datetime) -> None:
        """Take note of what came of an attempt."""
        if attempt.permanent or attempt.result not in _OF_THE_CHANNEL:
            self.failures, self.rests_until, self.reason = 0, None, ""
            return
        self.failures += 1
        pause = attempt.retry_after if attempt.result is Result.THROTTLED else None
        if self.failures >= FAILURES:
            longer = min(_FIRST * 2 ** min(self.failures - FAILURES, 10), _LONGEST)
            pause = max(longer, pause or longer)
        if pause:
            self.rests_until, self.reason = at + pause, attempt.result
