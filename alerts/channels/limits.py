"""What a receiver bears: so many messages in so many seconds, so many bytes in one of them."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple

from msgspec import Meta

clock: Callable[[], float] = time.monotonic
"""Seconds; only differences count."""
_TRANSIT = 2.0
"""Seconds by which messages may bunch up on their way: what leaves 60 seconds apart may arrive 58 apart."""
_CUT = "……"
_HEADING = 3
"""Lines that a section begins with: what it is of, of which plan, and the first of what it tells."""

PerMinute = Annotated[int, Meta(ge=1)]
"""Messages within any 60 seconds."""


class Limit(NamedTuple):
    """At most ``messages`` within any ``seconds``."""

    messages: int
    seconds: float


class Slots:
    """Room for messages under several limits at once. Safe to use from several threads."""

    def __init__(self, *limits: Limit) -> None:
        self._limits = limits
        self._taken: deque[float] = deque(maxlen=max(limit.messages for limit in limits))
        self._lock = threading.Lock()

    def take(self, count: int = 1) -> bool:
        """Take ``count`` slots, or none where there are not so many now."""
        with self._lock:
            now = clock()
            for limit in self._limits:
                since = now - limit.seconds - _TRANSIT
                if sum(taken > since for taken in self._taken) + count > limit.messages:
                    return False
            self._taken.extend([now] * count)
            return True

    def spent(self) -> list[float]:
        """How many seconds ago each of the last slots was taken."""
        with self._lock:
            return [clock() - taken for taken in self._taken]

    def resume(self, spent: Sequence[float]) -> None:
        """Count on from what another process has ``spent``."""
        with self._lock:
            self._taken.clear()
            self._taken.extend(clock() - ago for ago in spent)

    @property
    def most(self) -> int:
        """How many can ever be taken in one go."""
        return min(limit.messages for limit in self._limits)


_SLOTS: dict[tuple[str, tuple[Limit, ...]], Slots] = {}


def slots(robot: str, *limits: Limit) -> Slots:
    """The slots of one ``robot``, whoever sends to it: two channels, or the one that takes over after a reload."""
    return _SLOTS.setdefault((robot, limits), Slots(*limits))


def size(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text.encode())


def split(text: str, most: int) -> list[str]:
    """``text`` in parts of at most ``most`` bytes, as few as may be: cut at blank lines, else between lines.

    A section that fits into a part stays whole, and a longer one keeps its heading with what it heads. A line that is
    longer by itself is not carried over: its end gives way to an ellipsis, no character is halved.
    """
    parts: list[str] = []
    for section in text.split("\n\n"):
        border = "\n\n"
        for piece in [section] if size(section) <= most else _pieces(section, most):
            if parts and size(longer := parts[-1] + border + piece) <= most:
                parts[-1] = longer
            else:
                parts.append(piece)
            border = "\n"
    return parts


def _pieces(section: str, most: int) -> list[str]:
    lines = [shorten(line, most) for line in section.split("\n")]
    heading = "\n".join(lines[:_HEADING])
    return [heading, *lines[_HEADING:]] if size(heading) <= most else lines


def shorten(line: str, most: int) -> str:
    """``line`` within ``most`` bytes, its end replaced by an ellipsis if need be."""
    if size(line) <= most:
        return line
    return line.encode()[: most - size(_CUT)].decode(errors="ignore") + _CUT
