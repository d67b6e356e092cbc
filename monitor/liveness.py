"""Whether a loop still turns."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Pulse:
    """Of one loop: how long its turn under way has taken. A loop that rests is well, however long it rests."""

    def __init__(self) -> None:
        self._since: float | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A turn lasts as long as the block."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    @property
    def seconds(self) -> float:
        """How long the turn under way has taken; 0 between turns."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since
