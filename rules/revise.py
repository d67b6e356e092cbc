"""Edits of a book's tables, written into the book's own files: nothing but what was edited changes in them."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from connectors.strict import fields
from rules.amend import END, amend
from rules.document import Document, Invalid
from rules.inherited import LEVELS
from rules.loader import Written, made, read
from rules.spec import TargetSpec
from rules.table import ITEMS, OF_LEVELS, SUBJECT, SUBJECTS, TARGETS, lines, subjects_file, text_of
from rules.target import Import

HISTORY = "history.yaml"
_ABOUT_HISTORY = "# 改动记录：何人、何时、为何以表格修改了本册；由 duban book import 续写。\n"
ORDER = (*fields(TargetSpec), *LEVELS.values())


class Edit(NamedTuple):
    """A cell of a table that is to be otherwise. ``text`` is "" for what is no longer stated; ``cell`` says where it was filled in."""

    table: str
    row: str
    column: str
    text: str
    cell: str


class Reason(NamedTuple):
    """Why: words of the import, and the day from which edited goals hold (None: they always did)."""

    why: str = ""
    since: date | None = None


class _Spot(NamedTuple):
    """Where an edit went: the file, the way to the value, and the way to the row that it belongs to."""

    edit: Edit
    path: Path
    loc: tuple[str | int, ...]
    row: tuple[str | int, ...]


def revised(
    written: Written, edits: Sequence[Edit], gone: Iterable[tuple[str, str]], reason: Reason
) -> dict[Path, str]:
    """The new texts of the files that change; ``gone`` are the (table, row) that are to be removed.

    Edits of rows that are not there add them. Raises Invalid, each error with the cell that it comes from.
    """
    spots: list[_Spot] = []
    gone = list(gone)
    files = _Files(written, reason)
    errors = []
    for group in _by_row(edits).values():
        try:
            spots += files.edit(group)
        except ValueError as error:
            errors.append(f"{group[0].cell}: {error}")
    for table, row in gone:
        files.remove(table, row)
    if errors:
        raise Invalid(errors)
    try:
        found = files.texts()
    except ValueError as error:
        raise Invalid([f"{written.folder}: {error}"]) from None
    if (path := subjects_file(written)) is not None:
        rows = {row for table, row in gone if table == SUBJECTS}
        cells = [edit for edit in edits if edit.table == SUBJECTS]
        if rows or cells:
            found[path], more = _goals(text_of(path, written), cells, rows, path)
            spots += more
    try:
        made(read(written.folder, found))
    except Invalid as error:
        moved = [_moved(spot, files.edits.get(spot.path, {})) for spot in spots]
        raise Invalid(_placed(error.errors, moved, found)) from None
    return found


def recorded(written: Written, done: Import) -> tuple[Path, str]:
    """The file of the book's history and its text with one more entry."""
    entry = {"at": done.at.isoformat(), "by": done.by, "why": done.why, "changed": done.changed}
    documents = (document for document, _ in written.parts if "history" in document.node)
    path = next((document.path for document in documents), written.folder / HISTORY)
    text = text_of(path, written) if path in written.instead or path.is_file() else _ABOUT_HISTORY
    return path, amend(text, {"history": {END: [entry]}})


class _Files:
    """The YAML files of a book, and the edits of each."""

    def __init__(self, written: Written, reason: Reason) -> None:
        self.written, self.reason = written, reason
        self.edits: dict[Path, dict[str | int, Any]] = {}
        self.place: dict[tuple[str, str], tuple[Document, int]] = {}
        for document, part in written.parts:
            self.place |= {(TARGETS, one.id): (document, number) for number, one in enumerate(part.targets)}
            self.place |= {(ITEMS, str(one.item)): (document, number) for number, one in enumerate(part.items)}

    def edit(self, group: Sequence[Edit]) -> list[_Spot]:
        """The edits of one row."""
        table, row = group[0].table, group[0].row
        if table == SUBJECTS:
            if self.reason.since is not None:
                raise ValueError("对象表中的目标没有生效日期 (no since)；请不写 --since，另行导入")
            return []
        if (table, row) not in self.place:
            return self._new(group)
        document, number = self.place[table, row]
        key = "targets" if table == TARGETS else "items"
        node = document.node[key][number]
        mine = self.edits.setdefault(document.path, {}).setdefault(key, {}).setdefault(number, {})
        for one in group:
            if one.column == "goal":
                mine |= self._goal(one, node)
            elif one.column in OF_LEVELS:
                mine.setdefault("levels", {})[one.column] = _value(one)
            else:
                mine[one.column] = _value(one)
        return [_Spot(one, document.path, (key, number, *_loc(one.column)), (key, number)) for one in group]

    def remove(self, table: str, row: str) -> None:
        if table == TARGETS:
            document, number = self.place[table, row]
            self.edits.setdefault(document.path, {}).setdefault("targets", {})[number] = None

    def texts(self) -> dict[Path, str]:
        found = {path: text_of(path, self.written) for path in self.edits}
        return {path: amend(text, self.edits[path], ORDER) for path, text in found.items()}

    def _goal(self, edit: Edit, node: Mapping[str, Any]) -> dict[str, Any]:
        """A goal that always was another, or another one from a day on."""
        if not edit.text:
            raise ValueError("目标不得为空 (missing cell)；数值未下达的写 none yet")
        changes = node.get("changes") or ()
        since = self.reason.since
        if since is None:
            if changes:
                raise ValueError("此目标已有年中调整 (changed goal)；请以 --since 写明新目标自何日起生效")
            return {"goal": edit.text}
        for number, change in enumerate(changes):
            if str(change["from"]) == since.isoformat():
                return {"changes": {number: {"goal": edit.text, "why": self.reason.why}}}
        entry = {"from": since.isoformat(), "goal": edit.text, "why": self.reason.why}
        return {"changes": {END: [entry]}}

    def _new(self, group: Sequence[Edit]) -> list[_Spot]:
        """A target that is added below the others."""
        if group[0].table != TARGETS:
            raise ValueError("册内没有这一事项 (unknown item)；事项请在 YAML 中增删")
        told = {one.column: one for one in group if one.text}
        target: dict[str, Any] = {"id": group[0].row}
        for key in ORDER:
            if key in told and key in OF_LEVELS:
                target.setdefault("levels", {})[key] = _value(told[key])
            elif key in told and key != "source":
                target[key] = _value(told[key])
        if "source" in told:
            target["source"] = told["source"].text
            if "series" in told:
                target["source"] = {"connector": told["source"].text, "series": told["series"].text}
        target = {key: target[key] for key in ORDER if key in target}
        with_targets = [document for document, part in self.written.parts if part.targets]
        document = with_targets[-1] if with_targets else self.written.parts[0][0]
        ends = self.edits.setdefault(document.path, {}).setdefault("targets", {}).setdefault(END, [])
        ends.append(target)
        number = len(document.node.get("targets") or ()) + len(ends) - 1
        row = ("targets", number)
        return [_Spot(one, document.path, (*row, *_loc(one.column)), row) for one in group]


def _by_row(edits: Sequence[Edit]) -> dict[tuple[str, str], list[Edit]]:
    found: dict[tuple[str, str], list[Edit]] = {}
    for one in edits:
        found.setdefault((one.table, one.row), []).append(one)
    return found


def _loc(column: str) -> tuple[str, ...]:
    return ("levels", column) if column in OF_LEVELS else (column,)


def _value(edit: Edit) -> Any:
    """What a book writes for a cell; None for nothing."""
    if not edit.text:
        return None
    if edit.column in ("yellow", "red", "clear"):
        several = [part.strip() for part in re.split(r"[；;\n]", edit.text) if part.strip()]
        return several if len(several) > 1 else several[0]
    return int(edit.text) if edit.column in ("item", "clear for") and re.fullmatch(r"\d{1,4}", edit.text) else edit.text


def _goals(text: str, edits: Sequence[Edit], gone: set[str], path: Path) -> tuple[str, list[_Spot]]:
    """The table of goals with other numbers, new rows and without the subjects that are ``gone``."""
    wanted = {(one.row, one.column): one for one in edits}
    newline = "\r\n" if "\r\n" in text else "\n"
    header, *given = lines(text)
    names = list(header.fields)
    parts, spots, done, above = list[str](), list[_Spot](), 0, 1

    def put(words: str, edit: Edit | None = None) -> None:
        nonlocal above
        if edit is not None:
            spots.append(_Spot(edit, path, (above,), (above,)))
        parts.append(words)
        above += words.count("\n")

    for line in given:
        key = line.fields[SUBJECT], line.fields["target"]
        if key[0] not in gone and key not in wanted:
            continue
        put(text[done : line.start])
        done = line.end
        if key in wanted:
            one = wanted.pop(key)
            put(_row(line.fields | {"goal": one.text}, names, newline), one)
    put(text[done:])
    if wanted and not text.endswith("\n"):
        put(newline)
    for (subject, target), one in wanted.items():
        if one.text:
            put(_row({SUBJECT: subject, "target": target, "goal": one.text}, names, newline), one)
    return "".join(parts), spots


def _row(fields: Mapping[str, str], names: Sequence[str], newline: str) -> str:
    line = StringIO()
    csv.writer(line, lineterminator=newline).writerow([fields.get(name, "") for name in names])
    return line.getvalue()


def _moved(spot: _Spot, edits: Mapping[str | int, Any]) -> _Spot:
    """The spot below rows that are removed."""
    if spot.row[0] != "targets":
        return spot
    gone = sum(number < spot.row[1] for number, edit in edits["targets"].items() if edit is None)
    key, number, *rest = spot.loc
    assert isinstance(number, int)
    return spot._replace(loc=(key, number - gone, *rest), row=(key, number - gone))


def _placed(errors: Iterable[str], spots: Sequence[_Spot], texts: Mapping[Path, str]) -> list[str]:
    """Errors with the cell that each comes from, where it comes from one."""
    documents = {path: Document(path, text) for path, text in texts.items() if path.suffix == ".yaml"}
    exact: dict[str, list[Edit]] = {}
    around: dict[str, list[Edit]] = {}
    for spot in spots:
        document = documents.get(spot.path)
        exact.setdefault(document.place(*spot.loc) if document else f"{spot.path}:{spot.loc[0]}", []).append(spot.edit)
        for line in document.starts(*spot.row) if document else ():
            around.setdefault(f"{spot.path}:{line}", []).append(spot.edit)
    found = []
    for error in errors:
        place, _, words = error.partition(": ")
        key = words.partition(":")[0]
        named = [one for one in (*exact.get(place, ()), *around.get(place, ())) if one.column == key]
        one = next(iter((*named, *exact.get(place, ()), *around.get(place, ()))), None)
        found.append(f"{one.cell}: {words}" if one else error)
    return list(dict.fromkeys(found))
