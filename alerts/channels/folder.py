"""Letters as text files: one folder per receiver, one file per letter."""

import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from alerts.channels import base
from alerts.channels.base import Letter
from alerts.delivery import Attempt, Result
from alerts.message import Form, render

_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\s]+')
_LONGEST_PART = 80
"""Bytes of one part of a name: four of them fit into the 255 that file systems allow."""


class FolderOptions(base.Options):
    """``path``: the folder that holds the receivers' folders; made on first use."""

    path: Path


class Folder(base.Channel):
    """Writes ``<path>/<receiver>/<local time>_<subject>_<target>_<event>_<key>.txt``, whole or not at all.

    The name follows from the letter, so a repeated attempt finds its file and
    writes nothing. The letter counts as sent when it is on the disk.
    """

    Options = FolderOptions

    def __init__(self, options: FolderOptions, folder: Path) -> None:
        self._path = folder / options.path

    def send(self, letters: Sequence[Letter]) -> list[Attempt]:
        return [self._file(letter) for letter in letters]

    def close(self) -> None:
        """Nothing is held open."""

    def _file(self, letter: Letter) -> Attempt:
        try:
            box = self._path / safe(letter.receiver)
            path = box / name(letter)
            if not path.exists():
                box.mkdir(parents=True, exist_ok=True)
                title, body = render(letter, Form.TEXT)
                _write(path, f"{title}\n\n{body}")
        except OSError as error:
            # A full or missing disk is mended by people: worth another try.
            return Attempt(Result.UNREACHABLE, base.answer(f"无法写入 {self._path}: {error.strerror}"))
        return Attempt(Result.SENT, base.answer(f"{box.name}/{path.name}"))


def name(letter: Letter) -> str:
    """A file name that sorts by time: 20251027-090000_urban-jobs_fired_0123456789abcdef.txt."""
    notice = letter.notice
    when = datetime.fromisoformat(notice.at)
    parts = [safe(part) for part in (notice.subject, notice.target) if part]
    return "_".join([f"{when:%Y%m%d-%H%M%S}", *parts, notice.event, letter.key[:16]]) + ".txt"


def safe(text: str) -> str:
    """``text`` as one part of a file name: no separator, no dot in front, not too long, never empty."""
    cleaned = _UNSAFE.sub("-", text).lstrip(".-").rstrip(". ")
    return cleaned.encode()[:_LONGEST_PART].decode(errors="ignore") or "-"


def _write(path: Path, text: str) -> None:
    """Make ``path`` hold ``text``, through a hidden file beside it: nobody ever sees a part of it."""
    draft = path.with_name(f".{path.name}.part")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Have the names in ``folder`` outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
