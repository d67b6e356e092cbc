"""So many requests a minute, as providers ask for."""

import time
from collections import deque

from connectors.base import ConnectorError, Failure
from connectors.deadline import Deadline

_MINUTE = 60.0


class Rate:
    """Lets ``per_minute`` requests pass in any 60 seconds, across the pulls of one source."""

    def __init__(self, per_minute: int | None) -> None:
        self._most = per_minute
        self._passed: deque[float] = deque(maxlen=per_minute or 0)

    def wait(self, deadline: Deadline) -> None:
        """Wait for a turn. Raises ConnectorError RATE_LIMITED, at once, where it comes only after the deadline."""
        if self._most is None:
            return
        if len(self._passed) == self._most:
            pause = self._passed[0] + _MINUTE - time.monotonic()
            if pause >= deadline.left():
                raise ConnectorError(
                    Failure.RATE_LIMITED,
                    f"每分钟限 {self._most} 次，时限内轮不到 (rate limit): 可延长 schedule 的间隔，或加大 budget",
                    retryable=True,
                )
            time.sleep(max(0.0, pause))
        self._passed.append(time.monotonic())
