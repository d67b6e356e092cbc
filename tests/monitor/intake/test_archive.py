"""Every file that figures were read from is kept once, whole, under its hash."""

import hashlib
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from connectors.base import ConnectorError, Failure
from connectors.observation import Original
from connectors.strict import read
from connectors.table_file import TableFile
from monitor import pipeline
from monitor.intake import archive
from monitor.wiring import Feed
from tests.connectors.test_table_file import rested
from tests.rules.builders import a_book

AT = datetime(2025, 10, 27, 1, 0, tzinfo=UTC)


def original(path, text="月份,数值\n2025-09,1\n"):
    path.write_text(text, encoding="utf-8")
    return Original(path.name, hashlib.sha256(text.encode()).hexdigest(), path)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_is_kept_under_its_hash_once(tmp_path):
    found, kept = original(tmp_path / "九月.CSV"), tmp_path / "archive"
    for _ in range(2):
        archive.keep(kept, [found])
    assert files(kept) == [f"{found.digest[:2]}/{found.digest}.csv"]
    assert archive.place(kept, found).read_bytes() == found.content.read_bytes()


def test_what_is_kept_outlives_the_file_and_its_changes(tmp_path):
    path, kept = tmp_path / "a.csv", tmp_path / "archive"
    first = original(path)
    archive.keep(kept, [first])
    second = original(path, "月份,数值\n2025-09,2\n")
    archive.keep(kept, [second])
    path.unlink()
    archive.keep(kept, [first, second])
    assert len(files(kept)) == 2


def test_bytes_that_are_no_file_are_kept_too(tmp_path):
    listed = b"list"
    found = Original("files.txt", hashlib.sha256(listed).hexdigest(), listed)
    archive.keep(tmp_path, [found])
    assert archive.place(tmp_path, found).read_bytes() == listed


def test_a_file_that_changed_since_it_was_read_is_not_kept_as_what_it_was(tmp_path):
    found, kept = original(tmp_path / "a.csv"), tmp_path / "archive"
    found.content.write_text("anders", encoding="utf-8")
    with pytest.raises(ConnectorError) as caught:
        archive.keep(kept, [found])
    assert (caught.value.reason, caught.value.retryable) == (Failure.INCOMPLETE, True)
    assert files(kept) == []


def test_an_archive_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "archive").write_text("a file where a folder belongs", encoding="utf-8")
    with pytest.raises(ConnectorError, match="无法存档"):
        archive.keep(tmp_path / "archive", [original(tmp_path / "a.csv")])


def test_a_pull_keeps_its_files_before_anything_is_stored(engine: Engine, tmp_path):
    book = a_book({"source": "filings"}, sources={"filings": {"connector": "table_file"}})
    rested(original(tmp_path / "a.csv").content)
    options = read(
        TableFile.Options, {"path": "a.csv", "series": "指标", "columns": {"period": "月份", "value": "数值"}}
    )
    feed = Feed(book, book.sources["filings"], TableFile(options, tmp_path))
    pulled = pipeline.pull(engine, feed, AT, tmp_path / "archive")
    assert (pulled.failed, pulled.rows_new) == (False, 1)
    assert len(files(tmp_path / "archive")) == 1
    blocked = tmp_path / "no-folder"
    blocked.write_text("", encoding="utf-8")
    (tmp_path / "a.csv").write_text("月份,数值\n2025-08,1\n", encoding="utf-8")
    pulled = pipeline.pull(engine, feed, AT, blocked)
    assert (pulled.failed, pulled.reason) == (True, Failure.INTERNAL)
