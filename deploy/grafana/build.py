# noqa: INP001  a script beside the files it writes
"""Write the dashboards: ``python deploy/grafana/build.py``. This file is their source; the JSON beside it is what it makes.

A panel is a call that names its title, what good looks like, its unit and its queries; the rest of the JSON, which
Grafana wants but nobody reads, stands here once.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "dashboards"
Json = dict[str, Any]

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, RED, BLUE = "semi-dark-green", "semi-dark-yellow", "semi-dark-red", "semi-dark-blue"
ORANGE, PURPLE, GREY, TEXT = "semi-dark-orange", "semi-dark-purple", "#9e9e9e", "text"
"""Grafana's own names: each is legible on the light theme and on the dark one."""
LEVELS = {"red": ("红", RED), "yellow": ("黄", YELLOW), "green": ("绿", GREEN), "not_judged": ("未判定", GREY)}
LEVEL = {"-1": ("未判定", GREY), "0": ("绿", GREEN), "1": ("黄", YELLOW), "2": ("红", RED)}
YES = {"1": ("正常", GREEN), "0": ("异常", RED)}
REHEARSING = {"0": ("真实时钟", GREEN), "1": ("演示时钟", YELLOW)}

KEY = "instance, book, target, subject"
SAID = "name, lead, section, unit"
HERE = 'instance="$instance"'
COUNTED = f'{HERE}, book=~"$book", section=~"$section", lead=~"$unit"'
ROWS = f'{HERE}, book=~"$book", subject=~"$subject"'
INFO = f'duban_target_info{{{ROWS}, section=~"$section", lead=~"$unit"}}'
ONE = f'{HERE}, book="$book", target="$target", subject=~"$subject"'


def described(expression: str, info: str = INFO) -> str:
    """Targets with what is said of them, and with ``anchor``, their place on the status page."""
    known = f"({expression}) * on ({KEY}) group_left ({SAID}) {info}"
    return (
        f'label_replace(label_join({known}, "anchor", "/", "book", "target", "subject"), '
        '"anchor", "$1", "anchor", "(.*[^/])/?")'
    )


def query(expression: str, legend: str = "", *, table: bool = False, now: bool = False) -> Json:
    """One query of a panel; ``now`` for the latest value only, as a ``table`` has it."""
    return {
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": expression,
        "format": "table" if table else "time_series",
        "instant": now or table,
        "range": not (now or table),
        "legendFormat": legend,
    }


def mapped(texts: dict[str, tuple[str, str]]) -> list[Json]:
    options = {
        value: {"text": text, "color": color, "index": i} for i, (value, (text, color)) in enumerate(texts.items())
    }
    return [{"type": "value", "options": options}]


def steps(*bounds: tuple[float | None, str]) -> Json:
    """Colours from each bound on; the first bound is None."""
    return {"mode": "absolute", "steps": [{"value": bound, "color": color} for bound, color in bounds]}


NEUTRAL = steps((None, TEXT))
NONE_IS_GOOD = steps((None, GREEN), (1, RED))


def panel(
    kind: str,
    title: str,
    good: str,
    unit: str,
    queries: Sequence[Json],
    size: tuple[int, int],
    *,
    options: Json,
    defaults: Json | None = None,
    custom: Json | None = None,
    overrides: Iterable[Json] = (),
    transformations: Sequence[Json] = (),
) -> Json:
    """A panel of ``size`` (width of 24, height); ``good`` is its description, which says what good looks like."""
    field: Json = {"unit": unit, "thresholds": NEUTRAL, **(defaults or {})}
    if custom:
        field["custom"] = custom
    return {
        "type": kind,
        "title": title,
        "description": good,
        "datasource": SOURCE,
        "gridPos": {"w": size[0], "h": size[1], "x": 0, "y": 0},
        "fieldConfig": {"defaults": field, "overrides": list(overrides)},
        "options": options,
        "targets": [{"refId": chr(ord("A") + i), **one} for i, one in enumerate(queries)],
        "transformations": list(transformations),
    }


def stat(
    title: str, good: str, unit: str, expression: str, thresholds: Json = NEUTRAL, *,
    mappings: dict[str, tuple[str, str]] | None = None, width: int = 3, decimals: int | None = None, legend: str = "",
) -> Json:  # fmt: skip
    """One number, large."""
    defaults: Json = {"thresholds": thresholds, "noValue": "无数据"}
    if mappings:
        defaults["mappings"] = mapped(mappings)
    if decimals is not None:
        defaults["decimals"] = decimals
    named = bool(legend)
    return panel(
        "stat", title, good, unit, [query(expression, legend, now=True)], (width, 4), defaults=defaults,
        options={
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "value", "graphMode": "none", "justifyMode": "center", "orientation": "auto",
            "textMode": "name" if named else "auto", "wideLayout": True, "showPercentChange": False,
            "percentChangeColorMode": "standard",
        },
    )  # fmt: skip


def graph(
    title: str, good: str, unit: str, queries: Sequence[Json], *, size: tuple[int, int] = (12, 8),
    stacked: bool = False, overrides: Iterable[Json] = (), floor: float | None = 0, ceiling: float | None = None,
    thresholds: Json | None = None,
) -> Json:  # fmt: skip
    """Lines over time."""
    defaults: Json = {"color": {"mode": "palette-classic"}, "thresholds": thresholds or NEUTRAL}
    if floor is not None:
        defaults["min"] = floor
    if ceiling is not None:
        defaults["max"] = ceiling
    return panel(
        "timeseries", title, good, unit, queries, size, defaults=defaults, overrides=overrides,
        custom={
            "drawStyle": "line", "lineInterpolation": "stepAfter", "lineWidth": 2, "showPoints": "never",
            "fillOpacity": 30 if stacked else 0, "spanNulls": False,
            "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if thresholds else "off"},
        },
        options={
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    )  # fmt: skip


def timeline(title: str, good: str, queries: Sequence[Json], size: tuple[int, int]) -> Json:
    """Levels over time, a bar for each series."""
    return panel(
        "state-timeline", title, good, "none", queries, size,
        defaults={"mappings": mapped(LEVEL), "color": {"mode": "thresholds"}, "thresholds": steps((None, GREY))},
        custom={"fillOpacity": 85, "lineWidth": 0},
        options={
            "mergeValues": True, "rowHeight": 0.85, "showValue": "never", "alignValue": "left", "perPage": 25,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "single", "sort": "none"},
        },
    )  # fmt: skip


def table(
    title: str, good: str, unit: str, columns: dict[str, str], names: dict[str, str],
    overrides: Iterable[Json], size: tuple[int, int], sort: dict[str, bool],
) -> Json:  # fmt: skip
    """Rows of the latest values: ``columns`` is heading -> query, ``names`` label -> heading.

    ``sort`` is heading -> whether the greatest comes first.
    """
    values = {f"Value #{chr(ord('A') + i)}": heading for i, heading in enumerate(columns)}
    return panel(
        "table", title, good, unit, [query(one, table=True) for one in columns.values()], size,
        defaults={"noValue": "—"}, overrides=overrides,
        custom={"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": True, "minWidth": 100},
        options={"showHeader": True, "frameIndex": 0, "cellHeight": "sm", "sortBy": [
            {"displayName": heading, "desc": desc} for heading, desc in sort.items()]},
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {
                "excludeByName": dict.fromkeys(["Time", "job", "instance"], True),
                "indexByName": {name: i for i, name in enumerate([*names, *values])},
                "renameByName": {**names, **values},
            }},
        ],
    )  # fmt: skip


def levels_by(title: str, good: str, label: str, named: str) -> Json:
    """Counts of levels as stacked bars, one for each value of a label: the twelve worst, the worst first."""
    wrong = f'topk(12, sum by ({label}) (duban_targets{{{COUNTED}, level=~"yellow|red"}}))'
    corner = f"{label}\\level"
    return panel(
        "barchart", title, good, "suffix:项",
        [query(f"sum by ({label}, level) (duban_targets{{{COUNTED}}}) and on ({label}) {wrong}", table=True)], (12, 10),
        custom={"fillOpacity": 85, "lineWidth": 0, "axisPlacement": "auto"},
        overrides=[
            *(override(level, displayName=text, color={"mode": "fixed", "fixedColor": color})
              for level, (text, color) in LEVELS.items()),
            override(corner, displayName=named, mappings=[
                {"type": "special", "options": {"match": "empty", "result": {"text": "未注明", "index": 0}}}]),
        ],
        options={
            "orientation": "horizontal", "stacking": "normal", "xField": corner, "showValue": "auto",
            "groupWidth": 0.7, "barWidth": 0.9, "xTickLabelRotation": 0, "xTickLabelSpacing": 0, "xTickLabelMaxLength": 24, "fullHighlight": False,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "none"},
        },
        transformations=[
            {"id": "groupingToMatrix", "options": {
                "rowField": label, "columnField": "level", "valueField": "Value", "emptyValue": "zero"}},
            *({"id": "sortBy", "options": {"sort": [{"field": level, "desc": True}]}}
              for level in ("yellow", "red")),
            {"id": "organize", "options": {"excludeByName": {}, "renameByName": {}, "includeByName": {}, "indexByName": {
                name: i for i, name in enumerate([corner, *LEVELS])}}},
        ],
    )  # fmt: skip


def override(name: str, **properties: Any) -> Json:
    """How one field is shown; a double underscore stands for a dot."""
    told = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": told}


def row(title: str) -> Json:
    return {
        "type": "row",
        "title": title,
        "collapsed": False,
        "panels": [],
        "gridPos": {"w": 24, "h": 1, "x": 0, "y": 0},
    }


def laid_out(panels: Iterable[Json]) -> list[Json]:
    """From left to right, a new line where one is full."""
    x = y = height = 0
    placed = []
    for number, one in enumerate(panels, start=1):
        place = one["gridPos"]
        if x + place["w"] > 24:
            x, y, height = 0, y + height, 0
        placed.append({"id": number, **one, "gridPos": {**place, "x": x, "y": y}})
        x, height = x + place["w"], max(height, place["h"])
    return placed


def asked(name: str, label: str, expression: str, *, many: bool = True, regex: str = "", hide: int = 0) -> Json:
    """A variable whose values are asked of Prometheus; ``many`` also offers all of them."""
    found: Json = {
        "type": "query", "name": name, "label": label, "datasource": SOURCE, "hide": hide, "multi": many,
        "includeAll": many, "query": {"query": expression, "refId": name}, "regex": regex,
        "refresh": 2, "sort": 1,
    }  # fmt: skip
    if many:
        found |= {"allValue": ".*", "current": {"text": "All", "value": "$__all"}}
    return found


PLACE = [
    {"type": "datasource", "name": "datasource", "label": "数据源", "query": "prometheus", "hide": 0,
     "current": {"text": "duban", "value": "duban-prometheus"}},
    asked("instance", "督办实例", "label_values(duban_build_info, instance)", many=False),
]  # fmt: skip
PAGE = {
    "type": "textbox", "name": "page", "label": "状态页地址", "hide": 0, "query": "http://127.0.0.1:8000",
    "current": {"text": "http://127.0.0.1:8000", "value": "http://127.0.0.1:8000"},
}  # fmt: skip
BOOK = f"label_values(duban_targets{{{HERE}}}, book)"
UNIT = f'label_values(duban_targets{{{HERE}, book=~"$book"}}, lead)'
SUBJECT = f'label_values(duban_target_info{{{HERE}, book=~"$book"}}, subject)'
CHOSEN = {"黄与红": "> 0", "红": "== 2", "黄": "== 1", "绿": "== 0", "未判定": "== -1", "全部": ">= -1"}
"""The variable of levels is a comparison, for a level is a value and not a label."""
LEVEL_CHOSEN = {
    "type": "custom", "name": "level", "label": "级别", "hide": 0, "multi": False, "includeAll": False,
    "query": ", ".join(f"{text} : {value}" for text, value in CHOSEN.items()),
    "current": {"text": "黄与红", "value": "> 0"},
    "options": [{"text": text, "value": value, "selected": value == "> 0"} for text, value in CHOSEN.items()],
}  # fmt: skip


def dashboard(
    uid: str, title: str, about: str, variables: Sequence[Json], panels: Iterable[Json], *, past: str = "now-30d",
    refresh: str = "1m", annotations: Sequence[Json] = (),
) -> Json:  # fmt: skip
    link = {
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": False,
        "tags": [],
        "tooltip": "",
    }
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": ["duban"],
        "schemaVersion": 42,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "weekStart": "monday",
        "refresh": refresh,
        "time": {"from": past, "to": "now"},
        "links": [
            {**link, "type": "dashboards", "title": "督办仪表盘", "icon": "apps", "tags": ["duban"], "keepTime": True},
            {
                **link,
                "type": "link",
                "title": "状态页",
                "icon": "external link",
                "url": "${page}/",
                "targetBlank": True,
            },
        ],
        "annotations": {"list": list(annotations)},
        "templating": {"list": [*PLACE, *variables, PAGE]},
        "panels": laid_out(panels),
    }


def to_target(title: str = "指标详情") -> Json:
    """From a row of a table to its dashboard."""
    fields = "&".join(f"var-{name}=${{__data.fields.{name}}}" for name in ("book", "target"))
    return {"title": title, "url": f"/d/duban-target?var-instance=${{instance}}&{fields}"}


TO_PAGE = {"title": "在状态页查看", "url": "${page}/#${__data.fields.anchor}", "targetBlank": True}
COLOURED: Json = {"custom__cellOptions": {"type": "color-background", "mode": "basic"}, "custom__align": "center"}
LEVEL_CELL = override("级别", mappings=mapped(LEVEL), unit="none", **COLOURED)
FIGURES = [
    LEVEL_CELL,
    override("目标名称", links=[to_target(), TO_PAGE], custom__width=230),
    override("章节", custom__width=190),
    override("与应达之比", unit="percentunit", decimals=1),
    override("完成可能性", unit="percentunit", decimals=0),
]
NAMES = {
    "book": "book", "target": "target", "anchor": "anchor", "name": "目标名称", "subject": "地区", "lead": "牵头单位",
    "section": "章节", "unit": "计量单位",
}  # fmt: skip
HIDE_KEYS = [
    override(name, custom__hideFrom={"legend": True, "tooltip": True, "viz": True})
    for name in ("book", "target", "anchor")
]


def figures(title: str, good: str, chosen: str, info: str, size: tuple[int, int]) -> Json:
    """A table of targets with all that is known of each."""
    series = {
        "级别": "duban_target_level", "实际": "duban_target_actual", "应达": "duban_target_expected",
        "目标": "duban_target_goal", "与应达之比": "duban_target_pace_ratio",
        "完成可能性": "duban_target_probability_ratio",
    }  # fmt: skip
    columns = {
        heading: described(f"{metric}{{{HERE}}} and on ({KEY}) ({chosen})", info) for heading, metric in series.items()
    }
    return table(title, good, "none", columns, NAMES, [*FIGURES, *HIDE_KEYS], size, {"级别": True, "与应达之比": False})


def count(level: str) -> str:
    return f'sum(duban_targets{{{COUNTED}, level="{level}"}})'


def overview() -> Json:
    chosen = f"duban_target_level{{{ROWS}}} $level"
    ever = f"max_over_time(duban_target_level{{{ROWS}}}[$__range] @ end()) > 0"
    return dashboard(
        "duban-overview",
        "督办 · 目标总览",
        "全部目标现在的级别、落后最多的目标，以及级别随时间的变化。",
        [
            asked("book", "目标册", BOOK),
            asked("section", "章节", f'label_values(duban_targets{{{HERE}, book=~"$book"}}, section)'),
            asked("unit", "牵头单位", UNIT),
            asked("subject", "地区", SUBJECT),
            LEVEL_CHOSEN,
        ],
        [
            stat("红色", "正常：0 项。红色须由牵头单位说明原因。", "suffix:项", count("red"), steps((None, GREEN), (1, RED))),
            stat("黄色", "正常：0 项，或个别目标在回升中。", "suffix:项", count("yellow"), steps((None, GREEN), (1, YELLOW))),
            stat("绿色", "正常：占已判定目标的绝大多数。", "suffix:项", count("green"), steps((None, GREEN))),
            stat("未判定", "正常：只有年度指标、任务与未到报送时间的目标。未判定不等于正常。", "suffix:项", count("not_judged"), steps((None, GREY))),
            stat("黄红占比", "正常：低于 10%。只按已判定的目标计算。", "percentunit",
                 f'sum(duban_targets{{{COUNTED}, level=~"yellow|red"}}) / sum(duban_targets{{{COUNTED}, level!="not_judged"}})',
                 steps((None, GREEN), (0.1, YELLOW), (0.25, RED)), decimals=1, width=4),
            stat("未了结预警", "正常：0 件，或都在处理期限内。为全部目标册合计，不随上方的选择变化。", "suffix:件", f'sum(duban_alerts{{{HERE}, state="firing"}})',
                 steps((None, GREEN), (1, YELLOW)), width=4),
            stat("缺数据", "正常：0 项。数据逾期、到期无数据、来源故障的目标都在此列；只随目标册变化。", "suffix:项",
                 f'sum(duban_verdicts{{{HERE}, book=~"$book", reason=~"late|no_data|failed"}})', steps((None, GREEN), (1, YELLOW)), width=4),
            levels_by("各章节级别（黄红最多的 12 个）", "正常：以绿色为主；某一章节红黄集中，说明该项工作整体滞后。", "section", "章节"),
            levels_by("各牵头单位级别（黄红最多的 12 个）", "正常：以绿色为主；某一单位红黄集中，宜约请该单位。", "lead", "牵头单位"),
            figures("目标清单（按「级别」选取，红色在前）", "正常：选「黄与红」时为空。与应达之比为 100% 即合序时；点目标名称看详情或状态页。", chosen, INFO, (24, 11)),
            panel(
                "bargauge", "全年完成可能性最低的目标", "正常：均在 80% 以上。低于 50% 的，按现有进度多半完不成。", "percentunit",
                [query(f"bottomk(15, ({described(f'duban_target_probability_ratio{{{ROWS}}}')}))", "{{subject}} {{name}}", now=True)], (12, 10),
                defaults={"min": 0, "max": 1, "decimals": 0, "thresholds": steps((None, RED), (0.5, YELLOW), (0.8, GREEN))},
                options={
                    "displayMode": "basic", "orientation": "horizontal", "valueMode": "color", "namePlacement": "left",
                    "showUnfilled": True, "sizing": "auto", "minVizWidth": 8, "minVizHeight": 16, "maxVizHeight": 300,
                    "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                    "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
                },
            ),
            graph(
                "各级别目标数的变化", "正常：红、黄两层不增厚；未判定一层突然变厚，多为来源故障或集中逾期。", "suffix:项",
                [query(count(level), text) for level, (text, _) in LEVELS.items()], size=(12, 10), stacked=True,
                overrides=[override(text, color={"mode": "fixed", "fixedColor": color}) for text, color in LEVELS.values()],
            ),
            timeline(
                "级别的时间线（期内曾亮黄或红的目标）", "正常：为空，或黄、红之后转绿。长条红色说明久未改善。",
                [query(described(f"duban_target_level{{{ROWS}}} and on ({KEY}) ({ever})"), "{{subject}} {{name}}")], (24, 12),
            ),
        ],
    )  # fmt: skip


def detail() -> Json:
    info = f"duban_target_info{{{ONE}}}"
    same = f'duban_target_info{{{HERE}, book="$book", target="$target"}}'
    unit = f'duban_target_info{{{HERE}, book="$book", lead=~"$unit"}}'

    def of(name: str) -> str:
        return f"duban_target_{name}{{{ONE}}}"

    def with_unit(name: str) -> str:
        return f"{of(name)} * on ({KEY}) group_left (name, unit) {info}"

    legend = "{{{{subject}}}} {}（{{{{unit}}}}）"
    landing = {"color": {"mode": "fixed", "fixedColor": GREY}, "custom__lineWidth": 1}
    return dashboard(
        "duban-target",
        "督办 · 指标详情",
        "一个目标的实际、应达与目标，预计年底落点，以及它的预警。",
        [
            asked("book", "目标册", BOOK, many=False),
            asked("unit", "牵头单位", UNIT),
            asked("target", "目标", f'query_result(duban_target_info{{{HERE}, book="$book", lead=~"$unit"}})', many=False,
                  regex='/name="(?<text>[^"]+)".*target="(?<value>[^"]+)"/'),
            asked("subject", "地区", SUBJECT),
        ],
        [
            stat("级别", "正常：绿。未判定的，看状态页所列缘由。", "none", f"max({of('level')})", mappings=LEVEL),
            stat("目标", "所选目标与牵头单位；在上方更换。", "none", info, legend="{{name}} · {{lead}}", width=9),
            stat("与应达之比", "正常：100% 及以上。只用于按进度推进的目标，其余无数据。", "percentunit", f"min({of('pace_ratio')})",
                 steps((None, RED), (0.85, YELLOW), (0.95, GREEN)), decimals=1, width=4),
            stat("完成可能性", "正常：80% 以上。往年数据不足的无数据。", "percentunit", f"min({of('probability_ratio')})",
                 steps((None, RED), (0.5, YELLOW), (0.8, GREEN)), decimals=0, width=4),
            stat("数据距今", "正常：不超过一个报送周期加报送时限。", "suffix:天", f"max({of('data_age_seconds')}) / 86400", width=4, decimals=1),
            graph(
                "实际、应达与目标", "正常：实际不低于应达（不超过类目标相反），目标落在预计年底区间之内。数值以图例所注计量单位计。", "none",
                [query(with_unit("actual"), legend.format("实际")), query(with_unit("expected"), legend.format("应达")),
                 query(with_unit("goal"), legend.format("目标")), query(with_unit("landing_low"), legend.format("预计年底下端")),
                 query(with_unit("landing_high"), legend.format("预计年底上端"))],
                size=(24, 11), floor=None,
                overrides=[
                    by_query("A", color={"mode": "fixed", "fixedColor": BLUE}, custom__lineWidth=3),
                    by_query("B", color={"mode": "fixed", "fixedColor": ORANGE}, custom__lineStyle={"fill": "dash", "dash": [8, 6]}),
                    by_query("C", color={"mode": "fixed", "fixedColor": PURPLE}, custom__lineStyle={"fill": "dot", "dash": [2, 6]}),
                    by_query("D", **landing), by_query("E", **landing),
                ],
            ),
            graph("完成可能性与进度", "正常：两线平稳或上升；完成可能性持续下降的，须提早研究措施。", "percentunit",
                  [query(of("probability_ratio"), "{{subject}} 完成可能性"), query(of("pace_ratio"), "{{subject}} 与应达之比")], size=(12, 8),
                  overrides=[by_query(ref, color={"mode": "fixed", "fixedColor": color}) for ref, color in (("A", BLUE), ("B", PURPLE))]),
            timeline("级别的时间线（各地区）", "正常：全绿。", [query(f"max by (subject) ({of('level')})", "级别 {{subject}}")], (12, 8)),
            figures("本目标在各地区", "正常：级别均为绿；红色在前，同一级别中与应达之比最低的在前。", f'duban_target_level{{{HERE}, book="$book", target="$target"}}', same, (24, 8)),
            figures("所选牵头单位的全部目标", "正常：级别均为绿；红色在前，同一级别中与应达之比最低的在前。", f'duban_target_level{{{HERE}, book="$book"}}', unit, (24, 10)),
        ],
        annotations=[{
            "name": "预警", "enable": True, "hide": False, "iconColor": RED, "datasource": SOURCE,
            "target": {"refId": "Anno", "expr": f'duban_alert_level{{{ONE}, state="firing"}}', "interval": "1m"},
            "titleFormat": "预警 {{subject}}", "textFormat": "{{kind}} {{state}}", "tagKeys": "kind",
        }],
    )  # fmt: skip


def by_query(ref: str, **properties: Any) -> Json:
    found = override(ref, **properties)
    found["matcher"]["id"] = "byFrameRefID"
    return found


def worded(words: str, mode: str, color: str) -> Json:
    """Series whose name ends in one of the words, or has it before a cause."""
    return {
        "matcher": {"id": "byRegexp", "options": f"/(^| )({words})( |$)/"},
        "properties": [{"id": "color", "value": {"mode": mode, "fixedColor": color}}],
    }


OUTCOMES = [worded(".+", "shades", RED), worded("ok|sent", "fixed", GREEN)]
"""One word is good, all others are not."""
STATES = [
    worded(".+", "shades", GREY),
    worded("on_schedule|resolved|eased", "fixed", GREEN),
    worded("late|no_data|behind_schedule|fired", "fixed", YELLOW),
    worded("failed|limit_breached|goal_missed|worsened|dead", "fixed", RED),
]
"""Words with a colour of the levels; what has none gets none by chance."""


def share(metric: str, window: str = "$__rate_interval") -> str:
    return f"histogram_quantile(0.99, sum by (le) (rate({metric}_bucket{{{HERE}}}[{window}])))"


def daemon() -> Json:
    def grown(metric: str, by: str, window: str = "1h", more: str = "") -> str:
        return f"sum by ({by}) (increase({metric}{{{HERE}{more}}}[{window}]))"

    here = f"{{{HERE}}}"
    pulls = f"sum by (source) (increase(duban_pulls_total{here}[1d]))"
    well = f'sum by (source) (increase(duban_pulls_total{{{HERE}, outcome="ok"}}[1d]))'
    up = f"max by (source) (duban_source_up{here})"
    turn = f"max by (source) (duban_source_next_pull_timestamp_seconds{here})"
    sources = {
        "状态": up,
        "缺期": f"max by (source) (duban_source_stale_periods{here})",
        "距下次拉取": f"({turn} - scalar(duban_cycle_last_timestamp_seconds{here})) / 3600",
        "待核": f"sum by (source) (duban_quarantine{here}) or 0 * {up}",
        "失败占比": f"1 - ({well} or 0 * {pulls}) / ({pulls} > 0)",
    }  # fmt: skip
    return dashboard(
        "duban-daemon",
        "督办 · 守护进程健康",
        "判定、来源、消息、数据库与进程本身是否正常。",
        [],
        [
            row("概况"),
            stat("采集", "正常：正常。异常即督办停止或网络不通。", "none", f"up{here}", mappings=YES),
            stat("近5分钟判定", "正常：大于 0 轮，约为 300 除以 cycle 秒数。", "suffix:轮", f'sum(increase(duban_cycles_total{{{HERE}, outcome="ok"}}[5m]))', steps((None, RED), (1, GREEN)), decimals=0),
            stat("未能送达", "正常：0 条。有则须由人处理：duban deliveries --state dead。", "suffix:条", f'duban_deliveries{{{HERE}, status="dead"}}', NONE_IS_GOOD),
            stat("配置", "正常：正常。异常即新配置有误，仍按原配置运行。", "none", f"duban_config_last_reload_successful{here}", mappings=YES),
            stat("工作日历", "正常：45 天以上。到期后按工作日计算的时限不准。", "suffix:天", f"(duban_workdays_known_until_timestamp_seconds{here} - duban_cycle_last_timestamp_seconds{here}) / 86400", steps((None, RED), (20, YELLOW), (45, GREEN)), decimals=0),
            stat("时钟", "正常：真实时钟。演示时钟只用于演示与演练。", "none", f"duban_rehearsing{here}", mappings=REHEARSING),
            stat("启动时间", "正常：与最近一次升级或重启相符。", "dateTimeAsIso", f"duban_process_start_time_seconds{here} * 1000"),
            stat("版本", "正常：与所部署的版本一致。", "none", f"duban_build_info{here}", legend="{{version}}"),
            row("判定"),
            graph("判定轮数（每小时）", "正常：只有 ok，且平稳；出现 failed 须查日志。", "suffix:轮", [query(grown("duban_cycles_total", "outcome"), "{{outcome}}")], overrides=OUTCOMES),
            graph("判定用时（99% 的轮次不超过）", "正常：远低于判定间隔 cycle；43 万个目标约 0.1 秒。", "s", [query(share("duban_cycle_duration_seconds"), "99%")]),
            graph("预警变动（每小时）", "正常：公布数据后集中出现，平日很少；fired 突增多为规则或数据有误。", "suffix:次", [query(grown("duban_alert_changes_total", "event, cause"), "{{event}} {{cause}}")], overrides=STATES),
            graph("判定缘由", "正常：failed、late、no_data 贴近 0。", "suffix:项", [query(f"sum by (reason) (duban_verdicts{here}) > 0", "{{reason}}")], stacked=True, overrides=STATES),
            row("来源"),
            table("各来源", "正常：状态正常，缺期、待核为 0，失败占比为 0；距下次拉取为负的，已过时未拉取。", "short", sources, {"source": "来源"},
                  [override("状态", mappings=mapped(YES), unit="none", **COLOURED),
                   override("缺期", unit="suffix:期", thresholds=steps((None, GREEN), (1, YELLOW), (2, RED)), custom__cellOptions={"type": "color-text"}),
                   override("距下次拉取", unit="suffix:小时", decimals=1, thresholds=steps((None, RED), (-0.25, GREEN)), custom__cellOptions={"type": "color-text"}),
                   override("待核", unit="suffix:条"), override("失败占比", unit="percentunit", decimals=0)], (24, 8), {"状态": False}),
            graph("拉取次数（每小时）", "正常：绝大多数为 ok；其余按缘由看来源表。", "suffix:次", [query(grown("duban_pulls_total", "outcome"), "{{outcome}}")], overrides=OUTCOMES),
            graph("拉取用时（99% 不超过）", "正常：数秒之内；逼近超时的来源须约请对方。", "s", [query(f"histogram_quantile(0.99, sum by (source, le) (rate(duban_pull_duration_seconds_bucket{here}[1h])))", "{{source}}")]),
            graph("拉取延误（99% 不超过）", "正常：1 分钟之内（同一时刻的来源会错开约 30 秒）；持续增大说明同时拉取数不够。重启后补拉的延误不算异常。", "s", [query(share("duban_pull_lag_seconds", "1h"), "延误")]),
            graph("拒收数据（每小时）", "正常：0。按缘由看：jump 为跳变，cumulative_fell 为累计数下降。", "suffix:条", [query(grown("duban_pull_refused_total", "source, reason"), "{{source}} {{reason}}")]),
            row("消息"),
            graph("投递结果（每小时）", "正常：绝大多数为 sent；throttled 为对方限流，misconfigured 为地址或密钥有误。", "suffix:次", [query(grown("duban_delivery_attempts_total", "channel, result"), "{{channel}} {{result}}")], overrides=OUTCOMES),
            graph("排队与重试", "正常：很快回到 0。", "suffix:条", [query(f"duban_delivery_waiting{here}", "{{channel}} 排队"), query(f"duban_delivery_retrying{here}", "{{channel}} 重试")],
                  overrides=[by_query(ref, color={"mode": "shades", "fixedColor": color}) for ref, color in (("A", BLUE), ("B", ORANGE))]),
            graph("最久的到期消息", "正常：接近 0 秒；超过 10 分钟即积压。", "s", [query(f"duban_delivery_overdue_seconds{here}", "{{channel}}")], thresholds=steps((None, "transparent"), (600, RED))),
            graph("消息状态", "正常：dead 为 0；suppressed 为静默期内暂缓的消息。", "suffix:条", [query(f"duban_deliveries{{{HERE}}}", "{{status}}")], overrides=STATES),
            row("数据库与进程"),
            graph("数据库大小", "正常：随数据缓慢增长；骤增须查来源是否反复修订。", "bytes", [query(f"duban_database_size_bytes{here}", "数据库")], size=(8, 8)),
            graph("内存", "正常：平稳；43 万个目标约 0.5 GiB。", "bytes", [query(f"duban_process_resident_memory_bytes{here}", "常驻内存")], size=(8, 8)),
            graph("处理器", "正常：平均远低于 1 核。", "suffix:核", [query(f"rate(duban_process_cpu_seconds_total{here}[$__rate_interval])", "处理器")], size=(8, 8)),
            graph("采集用时", "正常：低于 10 秒（Prometheus 的缺省时限）。", "s", [query(f"scrape_duration_seconds{here}", "采集")], size=(8, 8), thresholds=steps((None, "transparent"), (10, RED))),
            graph("后台任务异常（每小时）", "正常：0。paused 为来源屡次失败后推迟，error、missed 须查日志。", "suffix:次", [query(grown("duban_job_events_total", "task, event"), "{{task}} {{event}}")], size=(8, 8), overrides=OUTCOMES),
            graph("重载（每小时）", "正常：与改动配置的次数相符；refused 为新配置被拒。", "suffix:次", [query(grown("duban_config_reloads_total", "outcome"), "{{outcome}}")], size=(8, 8), overrides=OUTCOMES),
        ],
        past="now-24h",
        refresh="30s",
    )  # fmt: skip


def written() -> dict[str, str]:
    """The text of each dashboard by the name of its file."""
    return {
        f"{one['uid']}.json": json.dumps(one, ensure_ascii=False, indent=1) + "\n"
        for one in (overview(), detail(), daemon())
    }


if __name__ == "__main__":
    for name, text in written().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
