"""Keeps every file that figures were read from, under its SHA-256: what was judged can be shown again."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from connectors.base import ConnectorError, Failure
from connectors.observation import Original

_CHUNK = 1 << 20


def place(folder: Path, original: Original) -> Path:
    """``folder/ab/ab12….xlsx``."""
    return folder / original.digest[:2] / f"{original.digest}{Path(original.name).suffix.lower()}"


def keep(folder: Path, originals: Iterable[Original]) -> None:
    """Copy what is not there yet. Raises ConnectorError where a file changed since it was read, or cannot be kept."""
    for original in originals:
        target = place(folder, original)
        if target.exists():
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            copy, digest = _copied(original, target.parent)
            if digest != original.digest:
                copy.unlink()
                raise ConnectorError(
                    Failure.INCOMPLETE, f"{original.name}: 读取期间文件有变动 (changed); 下次拉取时再读", retryable=True
                )
            copy.replace(target)
        except OSError as error:
            raise ConnectorError(
                Failure.INTERNAL,
                f"{original.name}: 无法存档到 {target} (cannot archive): {error.strerror}; 请检查磁盘空间和权限",
                retryable=True,
            ) from None


def _copied(original: Original, folder: Path) -> tuple[Path, str]:
    """A copy on disk, whole or not at all to everyone else, and the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as copy:
        if isinstance(original.content, bytes):
            digest.update(original.content)
            copy.write(original.content)
        else:
            with original.content.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    return Path(copy.name), digest.hexdigest()
