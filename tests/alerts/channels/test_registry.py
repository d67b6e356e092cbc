import pytest

from alerts.channels import registry
from alerts.channels.email import Email
from alerts.channels.folder import Folder
from alerts.channels.webhook import Webhook


class Pigeon:
    """A third party's channel."""


class _EntryPoint:
    name = "pigeon"

    def load(self):
        return Pigeon


def test_built_in_kinds_are_found_by_name():
    assert {"email", "folder", "webhook"} <= set(registry.kinds())
    assert [registry.channel_class(kind) for kind in ("email", "folder", "webhook")] == [Email, Folder, Webhook]


def test_an_unknown_kind_is_said_with_the_known_ones():
    with pytest.raises(LookupError, match=r"没有名为 fax 的渠道.*folder"):
        registry.channel_class("fax")


def test_a_third_partys_kind_is_found_like_the_built_in_ones(monkeypatch):
    registry._known.cache_clear()
    monkeypatch.setattr(registry, "entry_points", lambda **_: [_EntryPoint()])
    try:
        assert registry.kinds() == ["pigeon"]
        assert registry.channel_class("pigeon") is Pigeon
    finally:
        registry._known.cache_clear()
