"""``duban import-plan``: a file becomes the draft of a book in a folder, and a report of what to check."""

import json
from pathlib import Path

from rules.document import Invalid
from rules.importing.draft import draft
from rules.importing.plan import import_plan
from rules.importing.report import facts, text
from rules.loader import made, read


def import_file(file: Path, out: Path | None, book: str | None, year: int | None, *, as_json: bool) -> str:
    """Writes the draft and returns the report, as JSON on request.

    Raises Invalid where the file cannot be understood or a draft is there already: an author may have worked on it.
    """
    plan = import_plan(file, year)
    name = book or f"plan-{plan.year}"
    folder = out or Path(name)
    path = folder / "book.yaml"
    if any(folder.glob("*.yaml")):
        raise Invalid([f"{folder}: 文件夹中已有目标册 (already there); 请以 --out 另写一处，以免覆盖"])
    written = draft(plan, name, file.name)
    made(read(folder, {path: written}))  # what is no book, for its name or by an error of ours, is not left behind
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(written, encoding="utf-8")
    except OSError as error:
        raise Invalid([f"{path}: 无法写入 (cannot write): {error.strerror}"]) from None
    if as_json:
        return json.dumps({"draft": str(path), **facts(plan)}, ensure_ascii=False, indent=2)
    return f"{text(plan)}\n\n草稿已写入 {path}；请核对，补写 source、every、levels，再以 duban check 检查（册须在设置 books 所指的文件夹内）"
