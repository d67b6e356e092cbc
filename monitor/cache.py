"""What a watch knows of many figures as one file, so that a start need not read years of them from the store.

Only a cache: without the file, or with one that is broken, of another plan, program or store, all is read from the store.
"""

import json
import logging
import math
import os
import time
import zipfile
from contextlib import ExitStack
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

import rules
from monitor.store import observations
from monitor.store.database import reading
from monitor.watch import Kept, Watch
from rules.plan import Block

log = logging.getLogger(__name__)

_ENOUGH = 20_000
"""Figures that are worth keeping: to read so many from the store, and to foresee their rows again, takes about a second."""
_PAUSE = 600.0
"""Seconds between two writings: the file of a country is large, and what came since the last is soon read."""
_COLUMNS = (
    "ends", "first_row", "goal", "sign", "upper", "slack", "curves", "counts", "base", "learnt", "sums", "carried",
    "changed", "in_force", "leans", "plus",
)  # fmt: skip
"""What panels read of a block; the rest says how they are judged, and may change."""


class Cache:
    """The file at ``path``; none for None."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kept, self._written = 0, -math.inf

    def load(self, watch: Watch, engine: Engine, at: datetime) -> None:
        """Let a new watch know everything known at ``at``: from the file as far as it is right, else from the store."""
        if self._path is not None and self._resume(self._path, watch, engine, at):
            return
        watch.load(engine, at)
        self._kept, self._written = 0, -math.inf

    def keep(self, watch: Watch, engine: Engine, at: datetime, *, last: bool = False) -> None:
        """Write the file anew, if ``watch``, as of ``at``, knows enough that it does not; not soon again but for the ``last`` time."""
        if self._path is None or watch.position - self._kept < _ENOUGH:
            return
        if not last and time.monotonic() - self._written < _PAUSE:
            return
        self._kept, self._written = watch.position, time.monotonic()
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            with reading(engine) as connection:
                mark = observations.mark(connection, watch.position)
            head = json.dumps(_Head(_plan(watch), watch.position, mark, at.isoformat())._asdict())
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with fresh.open("wb") as file:
                np.savez(file, head=np.array(head), **dict(watch.columns()))  # type: ignore[arg-type]
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except (OSError, SQLAlchemyError) as error:
            log.warning("action=cache_not_written path=%s error=%s", self._path, error)
        else:
            log.info("action=cache_written path=%s position=%s", self._path, watch.position)

    @staticmethod
    def hand_over(before: Watch, watch: Watch, engine: Engine, at: datetime) -> bool:
        """Let a new watch know everything at ``at`` by the columns of the one ``before``, without a copy.

        Returns False, with nothing done, where they are of different plans.
        """
        if _plan(before) != _plan(watch):
            return False
        with reading(engine) as connection:
            mark = observations.mark(connection, before.position)
        return watch.resume(engine, at, Kept(before.position, mark, dict(before.columns())))

    def _resume(self, path: Path, watch: Watch, engine: Engine, at: datetime) -> bool:
        with ExitStack() as stack:
            try:
                columns = stack.enter_context(np.load(stack.enter_context(path.open("rb")), allow_pickle=False))
                head = _checked(columns)
            except FileNotFoundError:
                return False
            except Exception as error:  # noqa: BLE001  a broken file may raise anything, and all is in the store
                log.warning("action=cache_unusable path=%s error=%s: %s", path, type(error).__name__, error)
                return False
            found = head.plan == _plan(watch) and datetime.fromisoformat(head.at) <= at
            found = found and watch.resume(engine, at, Kept(head.position, head.mark, columns))
        if found:
            self._kept = head.position
        log.info("action=cache_%s path=%s", "read" if found else "left", path)
        return found


class _Head(NamedTuple):
    """Of which plan, store and moment the columns of a file are; see ``Kept``."""

    plan: str
    position: int
    mark: str
    at: str


def _checked(columns: Any) -> _Head:
    """Every byte is looked at before any is used: once a watch has taken a column there is no way back."""
    head = _Head(**json.loads(str(columns["head"])))
    if (broken := columns.zip.testzip()) is not None:
        raise zipfile.BadZipFile(broken)
    return head


def _plan(watch: Watch) -> str:
    """Tells plans and programs apart by all that the kept columns follow from."""
    found = blake2b(digest_size=16)
    for path in (Path(__file__), *sorted(Path(rules.__path__[0]).glob("*.py"))):
        found.update(path.read_bytes())
    for panel in watch.panels:
        _add(found, panel.block)
    return found.hexdigest()


class _Hash(Protocol):
    def update(self, data: Any, /) -> None: ...


def _add(found: _Hash, block: Block) -> None:
    names = {id(subjects): subjects for subjects in block.subjects}
    place = {which: number for number, which in enumerate(names)}
    targets = [
        (one.book, one.source, one.series, one.leans_on, one.goal.unit, one.expect.shape, place[id(subjects)])
        for one, subjects in zip(block.targets, block.subjects, strict=True)
    ]
    found.update(repr((block.year, block.every, block.timezone, block.spreads, targets, list(names.values()))).encode())
    for name in _COLUMNS:
        column = getattr(block, name)
        found.update(name.encode() if column is None else np.ascontiguousarray(column).view(np.uint8))
