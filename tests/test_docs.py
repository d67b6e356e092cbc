"""What the documents say is true: settings, snippets, commands."""

import ast
import inspect
import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import openpyxl
import pytest

from alerts import organisation
from connectors.registry import connector_class, kinds
from connectors.strict import fields
from monitor import config
from monitor.config import AT_ONCE, Settings, load
from monitor.rehearsal.figures import from_file
from monitor.wiring import feeds
from rules.loader import load_book
from rules.phrase import threshold
from rules.pictures.draw import pictures

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
GUIDE = (ROOT / "rules" / "README.md").read_text("utf-8")
HEADER = "book: snippet-2025\ntitle: 例\nyear: 2025\n"


def settings_table() -> str:
    """The table of settings as the README must show it."""
    lines = ["| setting | environment | default | meaning |", "|---|---|---|---|"]
    body = ast.parse(inspect.getsource(config)).body
    (settings,) = (node for node in body if isinstance(node, ast.ClassDef) and node.name == "Settings")
    for field, told in pairwise(settings.body):
        if not isinstance(field, ast.AnnAssign):
            continue
        name = field.target.id
        default, meaning = getattr(Settings(), name), " ".join(told.value.value.split()).removesuffix(".")
        scalar = name != "channels"
        if name == "books":
            shown = "`rules/books`"
        elif not scalar:
            shown = "the folder `var/alerts`"
        else:
            shown = (
                f"`{str(default).lower() if isinstance(default, bool) else default}`" if default is not None else "–"
            )
        environment = f"`DUBAN_{name.upper()}`" if scalar else "–"
        lines.append(f"| `{name}` | {environment} | {shown} | {meaning[0].lower()}{meaning[1:]} |")
    return "\n".join(lines)


def test_the_readme_shows_every_setting_as_it_is():
    shown = re.search(r"<!-- settings -->\n(.*?)\n<!-- /settings -->", README, re.DOTALL)
    assert shown, "the README has no table of settings"
    assert shown[1] == settings_table()


@pytest.mark.parametrize("kind", kinds())
def test_the_guide_names_every_option_of_a_connector(kind):
    named = set(re.findall(r"\w+", GUIDE, re.ASCII))
    assert fields(connector_class(kind).Options).keys() <= named


def test_every_file_the_readme_links_to_exists():
    operations = (ROOT / "deploy" / "README.md").read_text("utf-8")
    for document, folder in ((README, ROOT), (GUIDE, ROOT / "rules"), (operations, ROOT / "deploy")):
        for target in re.findall(r"\]\(([^)#]+)\)", document):
            assert (folder / target).exists(), target


def duban_commands():
    block = re.search(r"\. \.venv/bin/activate\n(.*?)```", README, re.DOTALL)
    assert block
    return [line for line in block[1].splitlines() if line.startswith("duban ")]


@pytest.mark.parametrize("line", duban_commands())
def test_the_commands_of_the_readme_run_as_written(line, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *shlex.split(line)[1:]],
        cwd=ROOT,
        env={**os.environ, "DUBAN_DATABASE": f"sqlite:///{tmp_path}/duban.db", "DUBAN_ARCHIVE": f"{tmp_path}/archive"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("snippet", re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL))
def test_every_snippet_of_the_authors_guide_is_a_book(snippet, tmp_path):
    text = snippet if re.search("^book:", snippet, re.MULTILINE) else HEADER + snippet
    (tmp_path / "book.yaml").write_text(text, encoding="utf-8")
    book = load_book(tmp_path)
    assert book.targets
    errors: list[str] = []
    feeds([book], errors)
    assert errors == []


@pytest.mark.parametrize("snippet", re.findall(r"```\n((?:default|units):.*?)```", GUIDE, re.DOTALL))
def test_every_organisation_of_the_authors_guide_can_be_loaded(snippet, tmp_path):
    (tmp_path / "organisation.yaml").write_text(snippet, encoding="utf-8")
    assert organisation.load(tmp_path / "organisation.yaml", ["folder", "mail"]).units


@pytest.mark.parametrize("phrase", re.findall(r"^\| `\"?(checkpoints [^`]*?)\"?` \|", GUIDE, re.MULTILINE))
def test_the_curves_of_the_guide_parse(phrase):
    from rules.phrase import expect

    assert expect(phrase).text == phrase


PUBLISHED = re.search(r"`published` 写最迟何时公布.*?\n\n- ", GUIDE, re.DOTALL)


@pytest.mark.parametrize("phrase", re.findall(r"^\| `([^`]+)` \|", PUBLISHED[0] if PUBLISHED else "", re.MULTILINE))
def test_the_publication_rules_of_the_guide_parse(phrase):
    from rules.phrase import published

    assert published(phrase).text == phrase


def test_the_pictures_of_the_guide_show_the_curves_as_they_are():
    drawn = pictures()
    shown = {path.name: path.read_text("utf-8") for path in (ROOT / "rules" / "pictures").glob("*.svg")}
    assert shown == drawn, "run: python -m rules.pictures.draw"
    assert all(f"(pictures/{name})" in GUIDE for name in drawn)


@pytest.mark.parametrize(
    "phrase", re.findall(r"^\| `((?:behind|below|above|period|late|overdue|any)[^`]*)`", GUIDE, re.MULTILINE)
)
def test_the_thresholds_of_the_guide_parse(phrase):
    assert threshold(phrase).text == phrase


def test_the_sources_of_the_guide_can_be_made(tmp_path):
    errors: list[str] = []
    for snippet in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL):
        if "connector:" in snippet:
            text = snippet if snippet.startswith("book:") else HEADER + snippet
            (tmp_path / "book.yaml").write_text(text, encoding="utf-8")
            book = load_book(tmp_path)
            assert feeds([book], errors).keys() == {source.key for source in book.sources.values()}
    assert errors == []


SCHEDULES = re.search(r"\| `schedule` \| .*?\n\n", GUIDE, re.DOTALL)


@pytest.mark.parametrize(
    "phrase", re.findall(r"`((?:every|daily|weekdays|monday|day) [^`]+)`", SCHEDULES[0] if SCHEDULES else "")
)
def test_the_schedules_of_the_guide_parse(phrase):
    from rules.phrase import schedule

    assert schedule(phrase).text == phrase


def test_the_plan_of_the_guide_becomes_the_draft_of_the_guide(tmp_path):
    from rules.importing.draft import draft
    from rules.importing.plan import import_plan

    plan = re.search(r"<!-- plan -->\n```\n(.*?)```", GUIDE, re.DOTALL)
    shown = re.search(r"<!-- draft -->\n```yaml\n(.*?)```", GUIDE, re.DOTALL)
    assert plan
    assert shown
    path = tmp_path / "分解方案.txt"
    path.write_text(plan[1], encoding="utf-8")
    assert draft(import_plan(path), "plan-2025", path.name) == shown[1]


@pytest.mark.parametrize("path", ["README.md", "rules/README.md", "deploy/README.md"])
def test_every_address_in_the_documents_can_be_asked_for_as_it_stands(path):
    """curl sends an address as it is typed, and a server takes none with bare Chinese in it."""
    asked = [line for line in (ROOT / path).read_text("utf-8").splitlines() if "http" in line and "-H " in line]
    assert [one for line in asked for one in re.findall(r"https?://[^\s\"]+", line) if not one.isascii()] == []


def test_the_operator_is_told_which_settings_a_reload_puts_in_force():
    operations = (ROOT / "deploy" / "README.md").read_text("utf-8")
    told = re.search(r"systemctl reload duban`：(.*?)随即生效", operations, re.DOTALL)
    assert told
    assert tuple(re.findall(r"`(\w+)`", told[1])) == AT_ONCE


def test_the_settings_and_the_table_of_past_figures_of_the_guide_are_read(tmp_path):
    settings = re.search(r"<!-- beginning -->\n```\n(.*?)```", GUIDE, re.DOTALL)
    wide = re.search(r"<!-- wide -->\n```\n(.*?)```", GUIDE, re.DOTALL)
    example = re.search(r"```yaml\n(book: example-2025.*?)```", GUIDE, re.DOTALL)
    assert settings
    assert wide
    assert example
    (tmp_path / "book").mkdir()
    for name, text in (("duban.yaml", settings[1]), ("past.csv", wide[1]), ("book/book.yaml", example[1])):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert load(tmp_path / "duban.yaml").channels["folder"].kind == "folder"
    book = load_book(tmp_path / "book")
    assert from_file(tmp_path / "past.csv", book, to_date=False).years(book) == [2024]


def test_the_table_of_the_guide_is_imported_as_the_guide_says(tmp_path):
    book = tmp_path / "books" / "example-2025"
    book.mkdir(parents=True)
    example = next(
        text for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL) if text.startswith("book: example")
    )
    (book / "book.yaml").write_text(example, encoding="utf-8")
    (tmp_path / "duban.yaml").write_text(
        f"books: {tmp_path}/books\ndatabase: sqlite:///{tmp_path}/none.db\n", encoding="utf-8"
    )
    commands = re.findall(r"^duban (book .*?)(?:  +#.*)?$", GUIDE, re.MULTILINE)

    def run(command):
        words = [sys.executable, "-m", "monitor", *shlex.split(command), "--config", f"{tmp_path}/duban.yaml"]
        path = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(words, cwd=tmp_path, env=path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(commands[0])
    workbook = openpyxl.load_workbook(tmp_path / "目标册.xlsx")
    sheet = workbook["目标"]
    headings = {cell.value: cell.column for cell in sheet[3]}
    sheet.cell(4, headings["目标"]).value = "at least 5000 人"
    sheet.cell(4, headings["黄色阈值"]).value = "behind 3%"
    workbook.save(tmp_path / "目标册.xlsx")
    assert "尚未写入" in run(commands[1])
    imported, written = (
        re.search(rf"<!-- {name} -->\n```\n(.*?)```", GUIDE, re.DOTALL) for name in ("imported", "written")
    )
    assert imported
    assert written
    assert run(commands[2]).startswith(imported[1])
    old, new = example.splitlines(), (book / "book.yaml").read_text("utf-8").splitlines()
    assert [line for line in old if line not in new] == []
    assert [line for line in new if line not in old] == written[1].splitlines()
