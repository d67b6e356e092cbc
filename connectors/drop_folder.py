"""Files that people drop: which are there, whether the one that is read is complete, and all of them as one answer."""

import hashlib
import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pandas as pd
from msgspec.structs import replace

from connectors.base import ConnectorError, Failure
from connectors.observation import LeftOut, Original, Reading, Refusal, Refused, frame

Failed: TypeAlias = tuple[str, ConnectorError]
"""The name of a file that could not be read, and why."""

_FRESH = 60
"""Seconds after its last change in which a file that cannot be read is taken to be still on its way."""


class Dropped(NamedTuple):
    """A file as it was read at once, and whether it changed so lately that it may not be whole yet."""

    data: bytes
    fresh: bool


def is_pattern(path: str) -> bool:
    """Whether ``path`` stands for several files."""
    return bool({*"*?"} & {*path})


def dropped(folder: Path, pattern: str, suffixes: Sequence[str]) -> list[Path]:
    """Files that match ``pattern``, the latest changed last, but for Office's locks (``~$``) and other ``suffixes``.

    Raises ConnectorError (NOT_FOUND) where not even the folder is there.
    """
    base = (folder / pattern).parent
    if not is_pattern(str(Path(pattern).parent)) and not base.is_dir():
        raise ConnectorError(
            Failure.NOT_FOUND, f"{base}: 没有文件夹 (no such folder); 请建立该文件夹，或改 path", retryable=False
        ) from None
    root = Path(pattern).anchor
    files = []
    for path in (folder / root).glob(str(Path(pattern).relative_to(root))):
        if path.name.startswith(("~$", ".")) or path.suffix.lower() not in suffixes:
            continue
        try:
            status = path.stat()
        except OSError:
            continue  # gone since
        if stat.S_ISREG(status.st_mode):
            files.append((status.st_mtime_ns, path))
    return [path for _, path in sorted(files)]


def read(path: Path, most: int) -> Dropped:
    """The bytes of ``path``, at most ``most`` of them.

    Raises ConnectorError: NOT_FOUND, DENIED, UNREACHABLE, TOO_LARGE, INCOMPLETE.
    """
    try:
        before = path.stat()
        _check(path, before, most)
        data = path.read_bytes()
        after = path.stat()
    except FileNotFoundError:
        reason, words, cure = Failure.NOT_FOUND, "没有文件 (no such file)", "请放入该文件，或改 path"
    except (IsADirectoryError, NotADirectoryError):
        reason, words, cure = Failure.NOT_FOUND, "不是文件 (not a file)", "请在 path 里写文件名"
    except PermissionError:
        reason, words, cure = Failure.DENIED, "不许读取 (permission denied)", "请给运行用户读权限"
    except OSError as error:
        reason, words, cure = Failure.UNREACHABLE, f"读不出 ({error.strerror})", "请检查磁盘或共享目录"
    else:
        fresh = abs(time.time() - after.st_mtime) < _FRESH  # a file from a clock far ahead is not always new
        same = (before.st_size, before.st_mtime_ns, len(data)) == (after.st_size, after.st_mtime_ns, before.st_size)
        if not same or (fresh and not data):
            raise incomplete(path)
        return Dropped(data, fresh)
    raise ConnectorError(reason, f"{path}: {words}; {cure}", retryable=reason is Failure.UNREACHABLE) from None


def _check(path: Path, status: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise IsADirectoryError
    if status.st_size > most:
        raise ConnectorError(
            Failure.TOO_LARGE,
            f"{path}: 有 {status.st_size / 2**20:.0f} MB，超过 {most >> 20} MB (too large); 请拆分文件，或加大 max_mb、max_bytes",
            retryable=False,
        )


def incomplete(path: Path) -> ConnectorError:
    """The error for a file that is still being written."""
    return ConnectorError(
        Failure.INCOMPLETE, f"{path}: 文件尚未写完 (incomplete); 下次拉取时再读，无需处理", retryable=True
    )


def read_each(files: Iterable[Path], one: Callable[[Path], Reading]) -> tuple[list[Reading], list[Failed]]:
    """What each file says, or why it cannot be read. Raises ConnectorError INCOMPLETE for one that is still on its way.

    What it will say is not known to be missing: nobody may be called late for it.
    """
    readings, failures = [], []
    for file in files:
        try:
            readings.append(one(file))
        except ConnectorError as error:
            if error.reason is Failure.INCOMPLETE:
                raise
            failures.append((file.name, error))
    return readings, failures


def together(readings: Sequence[Reading], failures: Sequence[Failed], document: str) -> Reading:
    """Several files as one answer: of figures that state the same thing that of the latest file stays."""
    broken = [Refusal(name, Refused.BROKEN_FILE, error.detail) for name, error in failures]
    tables = [one.observations.assign(cell=one.observations["cell"].array.within(one.document)) for one in readings]
    table = pd.concat(tables or [frame([])], ignore_index=True)
    older = table.duplicated(["series", "subject", "period", "known_at"], keep="last").to_numpy()
    left_out = sum((Counter(one.left_out) for one in readings), Counter())
    if older.any():
        left_out[LeftOut.SUPERSEDED] = int(older.sum())
    originals = [original for one in readings for original in one.originals]
    listed = "".join(f"{one.digest}  {one.name}\n" for one in originals).encode()
    digest = hashlib.sha256(listed).hexdigest()
    return Reading(
        table[~older].reset_index(drop=True),
        (
            *(replace(refusal, cell=f"{one.document} {refusal.cell}") for one in readings for refusal in one.refusals),
            *broken,
        ),
        document,
        digest,
        dict(left_out),
        tuple(dict.fromkeys(name for one in readings for name in one.unread)),
        (*originals, Original("files.txt", digest, listed)),
    )
