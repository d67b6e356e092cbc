"""Files that people drop: which are there, and whether the one that is read is complete."""

import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from connectors.base import ConnectorError, Failure

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
        fresh = time.time() - after.st_mtime < _FRESH
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
            f"{path}: 有 {status.st_size / 2**20:.0f} MB，超过 {most >> 20} MB (too large); 请拆分文件，或加大 max_mb",
            retryable=False,
        )


def incomplete(path: Path) -> ConnectorError:
    """The error for a file that is still being written."""
    return ConnectorError(
        Failure.INCOMPLETE, f"{path}: 文件尚未写完 (incomplete); 下次拉取时再读，无需处理", retryable=True
    )
