"""Files of a folder: which are taken, when they are whole, which figure wins."""

import hashlib
import os
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from connectors import strict
from connectors.base import ConnectorError, Failure
from connectors.observation import LeftOut, Query, Refused
from connectors.table_file import TableFile
from tests.connectors.test_table_file import rested

YEAR = Query(at=datetime(2026, 6, 30, tzinfo=UTC), first=date(2025, 1, 1), last=date(2025, 12, 31))
LONG = {"series": "就业", "columns": {"period": "月份", "value": "数值"}}


def read(folder: Path, path: str = "files/*.csv", **options):
    return TableFile(strict.read(TableFile.Options, {"path": path, **LONG | options}), folder).fetch(YEAR)


def failure(folder: Path, path: str, **options) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        read(folder, path, **options)
    return caught.value


def put(folder: Path, name: str, text: str, hours_old: float = 1) -> Path:
    path = folder / "files" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    os.utime(path, (time.time() - 3600 * hours_old,) * 2)
    return path


def test_all_files_of_a_pattern_are_read_and_every_figure_knows_its_file(tmp_path):
    put(tmp_path, "九月.csv", "月份,数值\n2025-09,1\n", hours_old=2)
    put(tmp_path, "十月.csv", "月份,数值\n2025-10,2\n2025-11,x\n")
    found = read(tmp_path)
    assert found.observations[["value", "cell"]].to_numpy().tolist() == [
        [1.0, "九月.csv 第2行"],
        [2.0, "十月.csv 第2行"],
    ]
    assert [refusal.cell for refusal in found.refusals] == ["十月.csv 第3行"]


def test_of_one_figure_in_several_files_that_of_the_latest_stays(tmp_path):
    put(tmp_path, "b.csv", "月份,数值\n2025-09,1\n2025-08,5\n", hours_old=2)
    put(tmp_path, "a.csv", "月份,数值\n2025-09,2\n")
    found = read(tmp_path)
    assert dict(zip(found.observations.cell, found.observations.value, strict=True)) == {
        "b.csv 第3行": 5,
        "a.csv 第2行": 2,
    }
    assert found.left_out[LeftOut.SUPERSEDED] == 1


def test_files_that_say_when_they_were_published_are_all_kept(tmp_path):
    put(tmp_path, "a.csv", "月份,数值,发布\n2025-09,1,2025-10-10\n", hours_old=1)
    put(tmp_path, "b.csv", "月份,数值,发布\n2025-09,2,2025-11-10\n", hours_old=2)
    found = read(tmp_path, columns={"period": "月份", "value": "数值", "known": "发布"})
    assert sorted(found.observations.value) == [1, 2]
    assert LeftOut.SUPERSEDED not in found.left_out


def test_locks_and_files_on_their_way_are_passed_over(tmp_path):
    put(tmp_path, "好.csv", "月份,数值\n2025-09,1\n")
    for name in ("~$好.csv", ".好.csv", "好.csv.part", "好.csvx"):
        put(tmp_path, name, "月份,数值\n2025-09,9\n")
    (tmp_path / "files" / "夹.csv").mkdir()
    assert read(tmp_path).observations.value.tolist() == [1]
    put(tmp_path, "又.tsv", "月份\t数值\n2025-10\t2\n")
    assert sorted(read(tmp_path, "files/*.?sv*").observations.value) == [1, 2]


def test_a_folder_without_files_is_an_answer_and_no_folder_is_none(tmp_path):
    assert failure(tmp_path, "files/*.csv").reason is Failure.NOT_FOUND
    (tmp_path / "files").mkdir()
    found = read(tmp_path)
    assert (len(found.observations), found.refusals) == (0, ())


def test_a_broken_file_does_not_keep_the_others_out(tmp_path):
    put(tmp_path, "好.csv", "月份,数值\n2025-09,1\n")
    put(tmp_path, "坏.csv", "月份,人数\n2025-09,1\n")
    found = read(tmp_path)
    assert found.observations.value.tolist() == [1]
    assert [(refusal.cell, refusal.reason) for refusal in found.refusals] == [("坏.csv", Refused.BROKEN_FILE)]
    assert "没有列 数值" in found.refusals[0].text
    (tmp_path / "files" / "好.csv").unlink()
    assert failure(tmp_path, "files/*.csv").reason is Failure.MISCONFIGURED


def test_the_digest_names_every_file(tmp_path):
    one = put(tmp_path, "a.csv", "月份,数值\n2025-09,1\n")
    found = read(tmp_path)
    listed = f"{hashlib.sha256(one.read_bytes()).hexdigest()}  a.csv\n".encode()
    assert found.digest == hashlib.sha256(listed).hexdigest()
    assert [original.name for original in found.originals] == ["a.csv", "files.txt"]
    assert found.originals[-1].content == listed


def test_a_figure_that_may_lack_its_last_digits_waits_until_the_file_rests(tmp_path):
    path = put(tmp_path, "a.csv", "月份,数值\n2025-09,12", hours_old=0)
    error = failure(tmp_path, "files/a.csv")
    assert (error.reason, error.retryable) == (Failure.INCOMPLETE, True)
    assert failure(tmp_path, "files/*.csv").reason is Failure.INCOMPLETE, "nobody is called late for what it may say"
    rested(path)
    assert read(tmp_path).observations.value.tolist() == [12]


def test_a_file_of_a_clock_that_is_a_day_ahead_is_read(tmp_path):
    put(tmp_path, "a.csv", "月份,数值\n2025-09,1", hours_old=-24)
    assert read(tmp_path).observations.value.tolist() == [1]


@pytest.mark.parametrize("share", [0, 0.2, 0.5, 0.99])
def test_half_a_workbook_is_not_complete_yet_and_broken_when_it_stays_so(tmp_path, share):
    book = Workbook()
    book.active.append(["月份", "数值"])
    book.active.append(["2025-09", 1])
    whole = tmp_path / "whole.xlsx"
    book.save(whole)
    path = tmp_path / "half.xlsx"
    path.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    error = failure(tmp_path, "half.xlsx")
    assert (error.reason, error.retryable) == (Failure.INCOMPLETE, True)
    rested(path)
    assert failure(tmp_path, "half.xlsx").reason in (Failure.BAD_ANSWER, Failure.MISCONFIGURED)
    assert read(tmp_path, "whole.xlsx").observations.value.tolist() == [1]


def test_a_file_that_changes_while_it_is_read_is_not_complete(tmp_path, monkeypatch):
    path = put(tmp_path, "a.csv", "月份,数值\n2025-09,1\n")
    whole = Path.read_bytes

    def growing(one: Path) -> bytes:
        data = whole(one)
        with path.open("ab") as file:
            file.write(b"2025-10,2\n")
        return data

    monkeypatch.setattr(Path, "read_bytes", growing)
    assert failure(tmp_path, "files/a.csv").reason is Failure.INCOMPLETE


def test_a_file_over_the_size_limit_is_not_even_opened(tmp_path):
    path = put(tmp_path, "大.csv", "")
    with path.open("ab") as file:
        file.truncate(1 << 30)  # a sparse gigabyte
    error = failure(tmp_path, "files/大.csv")
    assert error.reason is Failure.TOO_LARGE
    assert "1024 MB" in error.detail
    assert "max_mb" in error.detail


def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    assert failure(tmp_path, "a.csv").reason is Failure.NOT_FOUND
