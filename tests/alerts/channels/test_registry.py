import sys

import pytest

from alerts.channels import registry
from alerts.channels.alertmanager import Alertmanager
from alerts.channels.dingtalk import DingTalk
from alerts.channels.email import Email
from alerts.channels.feishu import Feishu
from alerts.channels.folder import Folder
from alerts.channels.gateway import Gateway
from alerts.channels.webhook import Webhook
from alerts.channels.wecom import WeCom
from connectors.strict import read
from monitor import wiring
from monitor.config import ChannelSpec
from tests.alerts.builders import letter, send


def test_built_in_kinds_are_found_by_name():
    built_in = {
        "alertmanager": Alertmanager,
        "dingtalk": DingTalk,
        "email": Email,
        "feishu": Feishu,
        "folder": Folder,
        "gateway": Gateway,
        "webhook": Webhook,
        "wecom": WeCom,
    }
    assert {kind: registry.channel_class(kind) for kind in registry.kinds()} == built_in


def test_an_unknown_kind_is_said_with_the_known_ones():
    with pytest.raises(LookupError, match=r"没有名为 fax 的渠道.*folder"):
        registry.channel_class("fax")


@pytest.fixture
def pigeon(tmp_path, monkeypatch):
    """A third party's package, installed as any other."""
    info = tmp_path / "duban_pigeon-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: duban-pigeon\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[duban.channels]\npigeon = duban_pigeon:Pigeon\n")
    (tmp_path / "duban_pigeon.py").write_text(PIGEON, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    registry._known.cache_clear()
    yield
    registry._known.cache_clear()
    sys.modules.pop("duban_pigeon", None)


PIGEON = """
from alerts.channels import base
from alerts.delivery import Attempt, Result
from rules.document import Invalid


class PigeonOptions(base.Options):
    loft: str


class Pigeon(base.Channel):
    Options = PigeonOptions

    def __init__(self, options, folder):
        if options.loft == "empty":
            raise Invalid(["loft: 鸽舍无鸽 (no pigeon)"])
        self.flown = []

    def send(self, letters):
        self.flown += letters
        return [Attempt(Result.SENT, "coo") for _ in letters]

    def close(self):
        pass
"""


def made(**options):
    errors = []
    return wiring.channels({"鸽": read(ChannelSpec, {"kind": "pigeon", **options})}, errors), errors


def test_a_third_partys_channel_is_made_and_used_like_a_built_in_one(pigeon):
    channels, errors = made(loft="roof")
    assert errors == []
    assert send(channels["鸽"], letter()).answer == "coo"
    assert (channels["鸽"].at_once, channels["鸽"].repeat) == (1, None)
    assert {"pigeon", "folder"} <= set(registry.kinds())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "channels.鸽: 缺少必填项 'loft' (missing key)"),
        ({"loft": "roof", "lofts": 2}, "channels.鸽: 未知的键 'lofts' (unknown key); 是否应为 'loft'?"),
        ({"loft": "empty"}, "channels.鸽: loft: 鸽舍无鸽 (no pigeon)"),
    ],
)
def test_what_is_wrong_in_the_settings_is_told_with_its_place_and_cure(pigeon, options, words):
    assert made(**options) == ({}, [words])


def test_a_secret_in_the_settings_themselves_is_told_with_its_cure():
    errors = []
    wiring.channels({"群": read(ChannelSpec, {"kind": "dingtalk", "token": "t0psecret"})}, errors)
    assert errors == [
        "channels.群: 未知的键 'token' (unknown key); 是否应为 'token_env'?",
    ]
    assert "t0psecret" not in "".join(errors)
