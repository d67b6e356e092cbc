import errno
import os
import shutil
from pathlib import Path

import pytest

from alerts.channels.folder import Folder, safe
from alerts.delivery import Result
from tests.alerts.builders import KEY, letter, pace_notice, send
from tests.alerts.channels.contract import ChannelContract


class FolderReceiver:
    address = ""

    def __init__(self, path: Path) -> None:
        self.path = path / "信箱"
        self.channel = Folder(Folder.Options(path="信箱"), path)

    def letters(self):
        return [file.read_text(encoding="utf-8") for file in self.path.rglob("*") if file.is_file()]

    def refuse(self):
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text("a file where the folder belongs")

    def recover(self):
        self.path.unlink()

    def vanish(self):
        self.refuse()


class TestFolder(ChannelContract):
    test_a_slow_receiver_is_left_within_the_timeout = None  # a local disk answers or fails

    @pytest.fixture
    def receiver(self, tmp_path):
        return FolderReceiver(tmp_path)


@pytest.fixture
def box(tmp_path):
    return FolderReceiver(tmp_path)


def test_a_letter_lies_in_its_receivers_folder_under_a_readable_name(box):
    send(box.channel, letter())
    (file,) = box.path.rglob("*.*")
    assert str(file.relative_to(box.path)) == f"人力社保局/20251027-090000_urban-jobs_fired_{KEY[:16]}.txt"
    assert file.read_text(encoding="utf-8").startswith("【红色预警】〔演示数据〕城镇新增就业")


def test_names_sort_by_time_and_tell_the_subject(box):
    later = pace_notice("resolved", subject="綦江区")
    send(box.channel, letter(later, key="0" * 32))
    send(box.channel, letter(pace_notice(subject="綦江区"), key="f" * 32))
    names = sorted(file.name for file in box.path.rglob("*.txt"))
    assert names == [
        f"20251027-090000_綦江区_urban-jobs_fired_{'f' * 16}.txt",
        f"20251212-090000_綦江区_urban-jobs_resolved_{'0' * 16}.txt",
    ]


@pytest.mark.parametrize(
    ("receiver", "folder"),
    [
        ("../../etc", "etc"),
        ("/etc/passwd", "etc-passwd"),
        ("..", "-"),
        ("", "-"),
        (".隐藏", "隐藏"),
        ('a\\b:c*d?e"f<g>h|i', "a-b-c-d-e-f-g-h-i"),
        ("换\n行\x00 与\t空白", "换-行-与-空白"),
        ("党工委、管委会办公室", "党工委、管委会办公室"),
        ("长" * 200, "长" * 26),
    ],
)
def test_a_receivers_name_never_leaves_the_folder(box, receiver, folder):
    assert safe(receiver) == folder
    assert send(box.channel, letter(receiver=receiver)).result is Result.SENT
    (file,) = box.path.rglob("*.txt")
    assert file.parent == box.path / folder


def test_a_name_stays_within_what_file_systems_allow(box):
    notice = pace_notice(subject="县" * 200, target="目标" * 200)
    assert send(box.channel, letter(notice, receiver="局" * 200)).result is Result.SENT
    (file,) = box.path.rglob("*.txt")
    assert len(file.name.encode()) <= 240


def test_an_attempt_cut_off_halfway_leaves_no_letter_and_the_next_one_leaves_exactly_one(box, monkeypatch):
    def power_cut(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", power_cut)
        attempt = send(box.channel, letter())
    assert attempt.result is Result.UNREACHABLE
    assert not attempt.permanent
    assert list(box.path.rglob("*.txt")) == []
    assert send(box.channel, letter()).result is Result.SENT
    assert len(box.letters()) == 1


def test_a_letter_that_was_moved_away_is_written_again_only_by_a_new_attempt(box, tmp_path):
    send(box.channel, letter())
    (file,) = box.path.rglob("*.txt")
    shutil.move(file, tmp_path / "archive.txt")
    assert box.letters() == []
    assert send(box.channel, letter()).result is Result.SENT
    assert len(box.letters()) == 1


def test_receivers_whose_names_are_made_safe_alike_do_not_lose_letters(box):
    send(box.channel, letter(receiver="a/b", key="1" * 32))
    send(box.channel, letter(receiver="a:b", key="2" * 32))
    assert len(box.letters()) == 2
