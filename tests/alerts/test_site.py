"""A site's own templates, tried before anybody is written to."""

import json

import pytest

from alerts import message, site
from alerts.channels.payload import told
from alerts.message import Form, render
from rules.document import Invalid
from tests.alerts.builders import data_notice, letter, pace_notice


def _site(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.j2").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def used():
    yield message.use
    message.use(site.templates(None))


BRIEFLY = """{% extends layout %}
{% set title = "【" ~ level ~ "】" ~ about %}
{% set summary = "请阅处。" if form == "wecom" else about ~ "：" ~ actual[:4] ~ "。" %}
{% set tone = "red" %}
{% set groups = [] %}
{% set point = "" %}
"""


def test_a_site_says_it_in_its_own_words_and_what_it_leaves_alone_in_ours(tmp_path, used):
    data = render(letter(data_notice()), Form.TEXT)
    used(site.templates(_site(tmp_path, pace=BRIEFLY)))
    assert render(letter(pace_notice()), Form.TEXT) == ("【红色】城镇新增就业", "城镇新增就业：2576。\n")
    assert render(letter(pace_notice()), Form.WECOM).body == "请阅处。\n"
    many = [letter(pace_notice()), letter(pace_notice(actual_text="31人"), key="1" * 32)]
    assert [json.loads(alert.json)["annotations"]["text"] for alert in told(many)] == [
        "城镇新增就业：2576。\n",
        "城镇新增就业：31人。\n",
    ]
    assert render(letter(data_notice()), Form.TEXT) == data


def test_a_site_lays_it_out_in_its_own_way(tmp_path, used):
    used(site.templates(_site(tmp_path, text="甲市督查室\n{{ summary }}\n")))
    assert render(letter(pace_notice()), Form.TEXT).body.startswith("甲市督查室\n〔演示数据〕截至2025年9月")
    assert "甲市督查室" not in render(letter(pace_notice()), Form.HTML).body


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"pace": BRIEFLY.replace("actual[:4]", "actuall")}, "pace.j2:3: .*'actuall' is undefined"),
        ({"pace": BRIEFLY.replace("{% set point", "{% sett point")}, "pace.j2:6: .*'sett'"),
        ({"pace": BRIEFLY.replace('set tone = "red"', 'set tone = "pink"')}, "bad template"),
        ({"pace": "{% extends layout %}"}, "bad template"),
        ({"text": "{{ summary.__class__.__mro__ }}"}, "text.j2:1: .*unsafe"),
        ({"text": "{{ title }}", "wechat": "{{ title }}"}, "wechat.j2 不是可以改写的模板"),
        ({}, "no such template"),
    ],
)
def test_a_template_that_does_not_work_is_refused_with_its_place_while_ours_go_on(tmp_path, files, words):
    with pytest.raises(Invalid, match=words):
        site.templates(_site(tmp_path, **files))
    title, _ = render(letter(pace_notice()), Form.TEXT)
    assert title.startswith("【红色预警】")


def test_our_own_templates_pass_the_trial(tmp_path):
    for path in message.TEMPLATES.glob("*.j2"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert site.templates(tmp_path) is not site.templates(None)
