"""Rules that Prometheus takes, alerts that are tried out, and documents that say what there is."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.cli import app
from tests.deploy.exposed import DEPLOY, everything, families, labels
from tests.servers import prometheus

FOLDER = DEPLOY / "prometheus"
README = (FOLDER / "README.md").read_text("utf-8")
TESTS = sorted(Path(__file__).parent.glob("*.test.yml"))
RULES = sorted((FOLDER / "rules").glob("*.yml"))
KINDS = {"gauge": "量", "counter": "累计", "histogram": "分布"}

with_promtool = pytest.mark.skipif(
    bool(prometheus.MISSING), reason=f"not installed: {', '.join(prometheus.MISSING)}; set DUBAN_TEST_BIN"
)


def promtool(*words: str | Path, given: str = "") -> str:
    done = subprocess.run(
        [prometheus._program("promtool"), *map(str, words)], input=given, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def rules(kind: str) -> list[dict[str, Any]]:
    return [rule for path in RULES for group in loaded(path)["groups"] for rule in group["rules"] if kind in rule]


def between(mark: str) -> list[list[str]]:
    """Cells of a table of the README."""
    found = re.search(rf"<!-- {mark} -->\n(.*?)\n<!-- /{mark} -->", README, re.DOTALL)
    assert found, mark
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()[2:]]


@with_promtool
def test_the_names_of_all_metrics_follow_the_rules_of_prometheus():
    assert promtool("check", "metrics", given=everything()) == ""


@with_promtool
def test_the_configuration_and_every_rule_file_are_taken():
    promtool("check", "config", FOLDER / "prometheus.yml")
    promtool("check", "rules", *RULES)


@with_promtool
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_rules_do_what_their_tests_say(path):
    promtool("test", "rules", path)


def test_every_rule_file_has_tests():
    tested = {Path(name).name for path in TESTS for name in loaded(path)["rule_files"]}
    assert tested == {path.name for path in RULES}


def test_every_rule_is_tried_out_and_every_alert_also_where_it_must_be_silent():
    checks = [check for path in TESTS for test in loaded(path)["tests"] for check in test.get("promql_expr_test", [])]
    for rule in rules("record"):
        assert any(rule["record"] in check["expr"] for check in checks), rule["record"]
    for rule in rules("alert"):
        mine = [check["exp_samples"] for check in checks if f'"{rule["alert"]}"' in check["expr"]]
        assert any(mine), f"{rule['alert']} never fires in a test"
        assert not all(mine), f"{rule['alert']} is never silent in a test"


@pytest.mark.parametrize("rule", rules("alert"), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_grave_it_is_what_is_wrong_and_what_to_do(rule):
    assert rule["labels"]["severity"] in ("critical", "warning")
    summary, description = rule["annotations"]["summary"], rule["annotations"]["description"]
    assert re.search(r"[一-鿿]", summary)
    assert "处置：" in description
    assert description.rstrip().endswith("。")


def commands() -> list[str]:
    """The commands that alerts and the operator's manual name."""
    texts = [rule["annotations"]["description"] for rule in rules("alert")]
    named = [found for text in texts for found in re.findall(r"duban ([a-z][a-z -]*)", text)]
    named += re.findall(r"(?:^|`)duban ([a-z][a-z -]*)", (DEPLOY / "README.md").read_text("utf-8"), re.MULTILINE)
    return sorted({found.strip() for found in named})


@pytest.mark.parametrize("words", commands())
def test_a_command_that_operators_are_told_exists(words):
    command = app
    for word in words.split():
        if word.startswith("--"):
            assert word in [one.name for one in command.parameters()]
            break
        if not command.commands:
            break
        assert word in command.commands, words
        command = command.commands[word]


def test_rules_ask_only_for_metrics_that_there_are():
    known = set(families()) | {f"{name}_bucket" for name, family in families().items() if family.type == "histogram"}
    for rule in [*rules("record"), *rules("alert")]:
        asked = set(re.findall(r"(?<![:\w])duban_\w+(?![:\w])", rule["expr"]))
        assert asked <= known, rule


def test_every_metric_is_documented_with_its_kind_and_labels():
    told = [(name.strip("`"), kind, re.findall(r"`(\w+)`", keys)) for name, kind, keys, _ in between("metrics")]
    assert told == [(name, KINDS[family.type], labels(family)) for name, family in families().items()]
    assert all(meaning for *_, meaning in between("metrics"))


def test_every_alert_is_documented():
    told = [(name.strip("`"), severity, lasting) for name, severity, lasting, _ in between("alerts")]
    assert told == [(rule["alert"], rule["labels"]["severity"], rule["for"]) for rule in rules("alert")]
