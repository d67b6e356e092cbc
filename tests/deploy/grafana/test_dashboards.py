"""Dashboards whose every query gets rows of a real duban from a real Prometheus. Grafana itself is not run."""

import json
import re
import runpy
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.acceptance.books import figures, town
from tests.acceptance.running import ROOT, Running, free_port, until
from tests.deploy.exposed import DEPLOY
from tests.servers import prometheus
from tests.servers.prometheus import Prometheus

FOLDER = DEPLOY / "grafana"
BUILD = runpy.run_path(str(FOLDER / "build.py"))
DASHBOARDS: dict[str, Any] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted((FOLDER / "dashboards").glob("*.json"))
}
PANELS = [
    pytest.param(name, panel, id=f"{name}-{panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]
QUERIES = [
    pytest.param(name, query, id=f"{name}-{panel['title']}-{query['refId']}")
    for name, panel in (one.values for one in PANELS)
    for query in panel["targets"]
]


def test_the_files_are_what_the_script_writes():
    written = BUILD["written"]()
    found = {path.name: path.read_text("utf-8") for path in (FOLDER / "dashboards").glob("*.json")}
    assert found == written, "run: python deploy/grafana/build.py"


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_a_panel_says_its_unit_and_what_good_looks_like(name, panel):
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["title"]
    assert "正常：" in panel["description"] or "所选" in panel["description"]
    assert panel["description"].endswith("。")
    assert panel["targets"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_lie_side_by_side_and_have_numbers_of_their_own(name):
    panels = DASHBOARDS[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_uses_only_variables_that_it_has(name):
    dashboard = DASHBOARDS[name]
    known = {variable["name"] for variable in dashboard["templating"]["list"]}
    text = json.dumps(dashboard, ensure_ascii=False)
    used = set(re.findall(r"\$\{?([a-z]\w*)", text)) - {"__data"}
    assert used <= known
    assert dashboard["uid"] == name
    assert dashboard["schemaVersion"] == 42


def test_links_lead_to_dashboards_and_to_the_status_page():
    text = "".join(json.dumps(dashboard) for dashboard in DASHBOARDS.values())
    assert set(re.findall(r"/d/([\w-]+)", text)) <= set(DASHBOARDS)
    assert all("${page}/" in [link.get("url") for link in one["links"]] for one in DASHBOARDS.values())
    assert "${page}/#${__data.fields.anchor}" in text


def test_grafana_is_told_where_the_files_are():
    (provider,) = yaml.safe_load((FOLDER / "provisioning/dashboards/duban.yml").read_text("utf-8"))["providers"]
    assert provider["options"]["path"] == "${DUBAN_DASHBOARDS}"
    (source,) = yaml.safe_load((FOLDER / "provisioning/datasources/duban.yml").read_text("utf-8"))["datasources"]
    chosen = {variable["name"]: variable for variable in DASHBOARDS["duban-overview"]["templating"]["list"]}
    assert chosen["datasource"]["current"]["value"] == source["uid"]
    assert source["type"] == "prometheus"


class Watched:
    """A duban at work, not all of it well, and the Prometheus that scrapes it with the shipped rules."""

    def __init__(self, server: Prometheus, daemon: Running) -> None:
        self.server, self.daemon = server, daemon

    def ask(self, path: str, **words: Any) -> Any:
        answer = requests.get(f"{self.server.url}/api/v1/{path}", params=words, timeout=10).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def values(self, variable: dict[str, Any], chosen: dict[str, str]) -> list[str]:
        """What Grafana would offer for a variable."""
        asked = filled(variable["query"]["query"], chosen)
        if found := re.fullmatch(r"label_values\((.*), (\w+)\)", asked):
            return sorted({one[found[2]] for one in self.ask("series", **{"match[]": found[1]}) if found[2] in one})
        found = re.fullmatch(r"query_result\((.*)\)", asked)
        assert found, asked
        regex = variable["regex"].strip("/").replace("(?<", "(?P<")
        lines = [
            ",".join(f'{name}="{value}"' for name, value in one["metric"].items())
            for one in self.ask("query", query=found[1])["result"]
        ]
        return sorted(match["value"] for match in (re.search(regex, line) for line in lines) if match)

    def chosen(self, dashboard: dict[str, Any], **wanted: str) -> dict[str, str]:
        """A value for each variable, in their order: the one wanted, all of them, or the first offered."""
        chosen: dict[str, str] = {}
        for variable in dashboard["templating"]["list"]:
            name = variable["name"]
            if variable["type"] == "query":
                offered = self.values(variable, chosen)
                if name in wanted:
                    assert wanted[name] in offered, name
                chosen[name] = wanted.get(name) or (variable["allValue"] if variable["includeAll"] else offered[0])
            else:
                chosen[name] = variable["current"]["value"]
        return chosen


def filled(text: str, chosen: dict[str, str]) -> str:
    for name, value in {**chosen, "__rate_interval": "20s", "__range": "1m"}.items():
        text = re.sub(rf"\$\{{?{name}\b\}}?", lambda _, value=value: value, text)
    return text


def unwell(folder: Path) -> None:
    """The shipped books, and one with a source that is gone, figures that cannot be right, and a figure that is late."""
    books = folder / "books"
    shutil.copytree(ROOT / "rules/books", books)
    place = town(books, 3)
    book = place / "book.yaml"
    text = book.read_text("utf-8").replace("    name: 指标002", "    name: 指标002\n    source: gone")
    gone = (
        "sources:\n  gone:\n    connector: http_json\n    url: http://127.0.0.1:9/figures\n    retries: 0\n"
        "    fields: {series: s, period: p, value: v}\n    schedule: every 1 second\n"
    )
    book.write_text(text.replace("sources:\n", gone), encoding="utf-8")
    figures(place, [("指标000", "2025-08", 900, "2025-09-15"), ("指标000", "2025-09", 100, "2025-10-15")])


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    if prometheus.MISSING:
        pytest.skip(f"not installed: {', '.join(prometheus.MISSING)}; set DUBAN_TEST_BIN")
    folder = tmp_path_factory.mktemp("watched")
    unwell(folder)
    duban = Running(
        folder,
        books=str(folder / "books"),
        clock="2025-10-27T09:00:00+08:00",
        channels={
            "folder": {"kind": "folder", "path": str(folder / "alerts")},
            "hook": {"kind": "webhook", "url": f"http://127.0.0.1:{free_port()}/"},
        },
    )
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(DEPLOY / "prometheus/rules/*.yml")],
        "scrape_configs": [{"job_name": "duban", "static_configs": [{"targets": [f"127.0.0.1:{duban.port}"]}]}],
    }
    with duban as daemon, Prometheus(config=json.dumps(config)) as server:
        found = Watched(server, daemon)
        daemon.signal(signal.SIGHUP)
        for sign in (
            'duban_job_events_total{event="paused"}',
            "duban_config_reloads_total",
            "duban_delivery_retrying > 0",
            "duban_quarantine",
            "duban_target_probability_ratio",
            "count_over_time(duban_build_info[1m]) > 5",
            "rate(duban_cycles_total[20s])",
            "increase(duban_alert_changes_total[1h])",
            "increase(duban_config_reloads_total[1h])",
            "increase(duban_job_events_total[1h])",
        ):
            until(lambda sign=sign: found.ask("query", query=sign)["result"], seconds=60, what=sign)
        yield found


@pytest.fixture(scope="module")
def chosen(watched: Watched) -> dict[str, dict[str, str]]:
    """The variables of each dashboard, as Prometheus offers them; a target with earlier years is looked at in detail."""
    air = {"book": "chongqing-air-2025", "target": "good-air-days"}
    return {
        name: watched.chosen(dashboard, **(air if name == "duban-target" else {}))
        for name, dashboard in DASHBOARDS.items()
    }


@pytest.mark.parametrize(("name", "query"), QUERIES)
def test_every_query_gets_rows(watched, chosen, name, query):
    expression = filled(query["expr"], chosen[name])
    if query["instant"]:
        found = watched.ask("query", query=expression)["result"]
    else:
        now = time.time()
        found = watched.ask("query_range", query=expression, start=now - 10, end=now, step=2)["result"]
    assert found, expression
    if query["format"] == "table":  # a table's queries are merged by their labels, and the metric's name is one
        assert not any("__name__" in one["metric"] for one in found), expression


@pytest.mark.parametrize("level", BUILD["CHOSEN"])
def test_every_choice_of_levels_is_a_query(watched, chosen, level):
    (panel,) = [one for one in DASHBOARDS["duban-overview"]["panels"] if one["title"].startswith("目标清单")]
    words = chosen["duban-overview"] | {"level": BUILD["CHOSEN"][level]}
    assert watched.ask("query", query=filled(panel["targets"][0]["expr"], words))["result"]


def test_a_row_of_the_list_leads_to_its_card_on_the_status_page(watched, chosen):
    (panel,) = [one for one in DASHBOARDS["duban-overview"]["panels"] if one["title"].startswith("目标清单")]
    rows = watched.ask("query", query=filled(panel["targets"][0]["expr"], chosen["duban-overview"]))["result"]
    page = watched.daemon.get("/")[1]
    assert len(rows) > 3
    for row in rows:
        assert f'id="{row["metric"]["anchor"]}"' in page
        assert row["metric"]["name"]


def test_alerts_are_found_for_the_annotations(watched, chosen):
    (annotation,) = DASHBOARDS["duban-target"]["annotations"]["list"]
    (wrong,) = [one for one in DASHBOARDS["duban-overview"]["panels"] if one["title"].startswith("目标清单")]
    rows = watched.ask("query", query=filled(wrong["targets"][0]["expr"], chosen["duban-overview"]))["result"]
    words = chosen["duban-target"] | {name: rows[0]["metric"][name] for name in ("book", "target")}
    until(lambda: watched.ask("query", query=filled(annotation["target"]["expr"], words))["result"], what="an alert")


def test_the_shipped_rules_are_in_force_and_well(watched):
    groups = watched.ask("rules")["groups"]
    until(
        lambda: {rule["health"] for group in watched.ask("rules")["groups"] for rule in group["rules"]} == {"ok"},
        what="every rule evaluated",
    )
    assert sum(len(group["rules"]) for group in groups) == 25
