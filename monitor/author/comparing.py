"""``duban diff``: two editions of the books, and what the edit would have meant for the figures that are stored."""

import io
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from monitor import config
from monitor.author.history import existing
from monitor.clock import Clock
from monitor.config import Settings
from monitor.watch import Watch
from rules.alerting import calls
from rules.difference import Difference, differences
from rules.document import Invalid
from rules.loader import load_book, load_books
from rules.target import Book


def compared(old: str, new: str, settings: Path | None) -> dict[str, Any]:
    """Every change, and by target how many calls more (or fewer, negative) the stored figures would have made.

    ``old`` and ``new`` are folders of books, folders of one book, or ``REF:FOLDER`` of the git repository here.
    ``effects`` is None where there is no database. Raises Invalid.
    """
    with _folder(old) as before, _folder(new) as after:
        books = _books(before), _books(after)
        found = list(differences(*books))
    return {"changes": found, "effects": effects(*books, found, config.load(settings))}


def effects(
    old: Sequence[Book], new: Sequence[Book], changes: Sequence[Difference], settings: Settings
) -> list[dict[str, Any]] | None:
    """By target how many calls more the stored figures would have made by the new books; None where there is no database."""
    stored = existing(settings)
    if stored is None:
        return None
    if not changes:
        return []
    changed = {one.book for one in changes}
    counts = []
    for edition in (old, new):
        watch = Watch([book for book in edition if book.id in changed])
        watch.load(stored, Clock.real())
        counts.append(_calls(watch))
    return _effects(new, counts[0], counts[1])


def words(found: dict[str, Any]) -> str:
    """The same for people."""
    changes: Sequence[Difference] = found["changes"]
    if not changes:
        return "两者没有区别"
    lines = [*_grouped(changes)]
    lines.append("重新读取后即生效：按最近一期数据重新判定，此前各期不追溯；目标调整 changes 按所写日期生效")
    if found["effects"] is None:
        return "\n".join([*lines, "没有数据库，未与历史数据核对"]).replace("\\\n", "\n")
    for one in found["effects"]:
        more = f"将多提示 {one['more']} 次" if one["more"] > 0 else f"将少提示 {-one['more']} 次"
        lines.append(f"按 {one['year']} 年数据，{one['name']}（{one['target']}）{more}")
    if not found["effects"]:
        lines.append("按库中数据，提示次数不变")
    return "\n".join(lines)


def _grouped(changes: Sequence[Difference]) -> Iterator[str]:
    """One line a change; what is the same for many targets of a book is said once."""
    alike: dict[tuple[str, str], list[Difference]] = {}
    for one in changes:
        alike.setdefault((one.book, one.words), []).append(one)
    for (book, said), ones in alike.items():
        if len(ones) > 1:
            yield f"{book}：{ones[0].name}等 {len(ones)} 个目标：{said}"
        else:
            yield f"{book}：{ones[0].name}（{ones[0].target}）：{said}" if ones[0].target else f"{book}：{said}"


def _calls(watch: Watch) -> dict[str, int]:
    found: dict[str, int] = {}
    for panel in watch.panels:
        by_target = np.add.reduceat(calls(panel), panel.block.first_row[:-1])
        found |= {target.key: int(count) for target, count in zip(panel.block.targets, by_target, strict=True)}
    return found


def _effects(books: Sequence[Book], before: dict[str, int], after: dict[str, int]) -> list[dict[str, Any]]:
    """Targets of both editions whose calls differ, and new ones that call; what left the books calls no more."""
    return [
        {"target": target.key, "name": target.name, "year": book.year, "more": more}
        for book in books
        for target in book.targets
        if (more := after.get(target.key, 0) - before.get(target.key, 0))
    ]


def _books(folder: Path) -> tuple[Book, ...]:
    if any(folder.glob("*.yaml")):
        return (load_book(folder),)
    library = load_books(folder)
    if library.errors:
        raise Invalid(library.errors)
    return library.books


@contextmanager
def _folder(given: str) -> Iterator[Path]:
    """The folder itself, or a copy of it as it was at a git ref."""
    if Path(given).is_dir():
        yield Path(given)
        return
    found = re.fullmatch(r"([\w./~^@{}-]+):(.+)", given)
    if not found or given.startswith("-"):
        raise Invalid(
            [f"{given}: 没有这个文件夹 (no such folder)；请写文件夹，或 git 版本:文件夹，如 HEAD~1:rules/books"]
        )
    asked = ["git", "archive", "--format=tar", f"{found[1]}:{found[2].removesuffix('/')}"]
    try:
        done = subprocess.run(asked, capture_output=True, check=False, timeout=60)  # noqa: S603  no shell, no option
    except OSError as error:
        raise Invalid([f"{given}: 无法运行 git (no git): {error.strerror}"]) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise Invalid([f"{given}: git 中没有这个版本或文件夹 (no such version): {said}"])
    with tempfile.TemporaryDirectory() as name, tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(name, filter="data")
        yield Path(name)
