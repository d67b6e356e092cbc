"""Work in a fixed number of threads, of which no one place may take more than its share."""

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import NamedTuple

log = logging.getLogger(__name__)


class _Piece(NamedTuple):
    lane: str
    key: str
    work: Callable[[], object]


class Lanes:
    """Runs work in ``threads`` threads, at most ``each`` pieces of one lane at once.

    Lanes take turns, so that what waits in a slow one stands in nobody's way.
    A key is never there twice. Work that raises is logged and told to
    ``crashed`` by its key.
    """

    def __init__(self, threads: int, each: int, crashed: Callable[[str], object]) -> None:
        self._each, self._crashed = each, crashed
        self._changed = threading.Condition()
        self._waiting: defaultdict[str, deque[_Piece]] = defaultdict(deque)
        self._open: dict[str, None] = {}  # lanes in which something waits and may begin, in turn
        self._busy: defaultdict[str, int] = defaultdict(int)
        self._keys: set[str] = set()
        self._stopping = False
        self._threads = [threading.Thread(target=self._run, name=f"pull-{n}", daemon=True) for n in range(threads)]

    def start(self) -> None:
        """Begin with what waits."""
        for thread in self._threads:
            thread.start()

    def put(self, lane: str, key: str, work: Callable[[], object]) -> bool:
        """Do ``work`` when its turn comes; False if work of this key waits or is under way already."""
        with self._changed:
            if key in self._keys or self._stopping:
                return False
            self._keys.add(key)
            self._waiting[lane].append(_Piece(lane, key, work))
            self._arrange(lane)
            return True

    def stop(self, seconds: float = 3600.0) -> None:
        """Finish what is under way, leave what waits, end; wait for that no longer than ``seconds``."""
        end = time.monotonic() + seconds
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(end - time.monotonic(), 0))

    def _run(self) -> None:
        while (piece := self._next()) is not None:
            try:
                piece.work()
            except Exception:
                log.exception("action=work_crashed key=%s", piece.key)
                self._crashed(piece.key)
            with self._changed:
                self._keys.discard(piece.key)
                self._busy[piece.lane] -= 1
                self._arrange(piece.lane)

    def _next(self) -> _Piece | None:
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._stopping)
            if self._stopping:
                return None
            lane = next(iter(self._open))
            del self._open[lane]
            piece = self._waiting[lane].popleft()
            self._busy[lane] += 1
            self._arrange(lane)
            return piece

    def _arrange(self, lane: str) -> None:
        """Put a lane in line for its turn if something in it waits and may begin; forget one that is empty."""
        if self._waiting[lane]:
            if self._busy[lane] < self._each:
                self._open.setdefault(lane)
                self._changed.notify()
        elif not self._busy[lane]:
            del self._waiting[lane], self._busy[lane]
