"""The exposition is valid, complete, says nothing that is not known, and survives any name."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from alerts.suppression import Reason
from monitor import metrics
from monitor.config import TARGET_SERIES
from monitor.metrics import Exposition, Format, Meters
from monitor.snapshot import Queue
from rules.calendar import PUBLISHED, Every, period_ends
from rules.target import Book
from rules.verdict import REASONS
from tests.benchmarks.country import TARGETS, country
from tests.builders import AT, a_snapshot, a_source
from tests.rules.builders import a_book

SEPTEMBER = date(2025, 9, 30)


def exposition(snapshot, meters, form=Format.TEXT, **chosen):
    return b"".join(Exposition(meters, **chosen).chunks(snapshot, form))


def parsed(text: bytes) -> dict[str, Metric]:
    """Families by name; a family that is written in two places is an error."""
    found: dict[str, Metric] = {}
    for family in text_string_to_metric_families(text.decode()):
        assert family.name not in found, f"{family.name} is not contiguous"
        found[family.name] = family
    return found


def value(families: dict[str, Metric], family: str, **labels: str) -> float:
    (sample,) = [one for one in families[family].samples if labels.items() <= one.labels.items() and one.name == family]
    return float(sample.value)


@pytest.fixture
def book() -> Book:
    return a_book(
        {"id": "jobs", "name": "就业", "goal": "at least 1200 人"},
        {"id": "growth", "goal": "at least 6 %", "measure": "growth"},
        {"id": "silent", "goal": "at least 10 个"},
    )


def test_the_end_of_the_calendar_is_that_of_the_book_that_knows_most(book: Book) -> None:
    year = PUBLISHED.known_until.year + 1
    ends = [
        value(parsed(exposition(a_snapshot(*books), Meters())), "duban_workdays_known_until_timestamp_seconds")
        for books in ((book,), (book, a_book(book="next", holidays=[f"{year}-01-01"])))
    ]
    zone = ZoneInfo("Asia/Shanghai")
    assert ends == [datetime(last, 12, 31, tzinfo=zone).timestamp() for last in (year - 1, year)]


def test_a_goal_is_written_as_in_force_for_the_figure_and_not_at_all_before_it_is_known() -> None:
    change = {"from": "2025-07-01", "goal": "at least 1500 人", "why": "调整"}
    book = a_book(
        {"id": "changed", "goal": "at least 1200 人", "changes": [change]},
        {"id": "unset", "goal": "none yet"},
        {"id": "leaning", "goal": "at least the figure of 全市", "measure": "growth", "source": "filings"},
        sources={"filings": {"connector": "table_file"}},
    )
    figures = {("b", name, ""): {date(2025, 6, 30): 5.0} for name in ("changed", "unset", "leaning")}
    families = parsed(
        exposition(a_snapshot(book, figures=figures, at=datetime(2025, 7, 5, tzinfo=AT.tzinfo)), Meters())
    )
    goals = {one.labels["target"]: one.value for one in families["duban_target_goal"].samples}
    assert goals == {"changed": 1200}
    assert value(families, "duban_target_actual", target="unset") == 5
    assert value(families, "duban_target_level", target="leaning") == -1


def test_figures_are_written_as_judged(book: Book) -> None:
    figures = {("b", "jobs", ""): {SEPTEMBER: 450.0}, ("b", "growth", ""): {SEPTEMBER: 6.2}}
    families = parsed(exposition(a_snapshot(book, figures=figures), Meters()))
    assert value(families, "duban_target_actual", target="jobs") == 450
    assert value(families, "duban_target_expected", target="jobs") == 900
    assert value(families, "duban_target_goal", target="jobs") == 1200
    assert value(families, "duban_target_pace_ratio", target="jobs") == 0.5
    assert value(families, "duban_target_level", target="jobs") == 2
    assert value(families, "duban_target_level", target="growth") == 0
    assert value(families, "duban_target_data_age_seconds", target="jobs") == 7 * 86_400


def test_the_landing_is_written_where_earlier_years_are_known(book: Book) -> None:
    past = {
        end.item(): 100.0 * month
        for year in (2022, 2023, 2024)
        for month, end in enumerate(period_ends(year, Every.MONTH), start=1)
    }
    figures = {("b", "jobs", ""): {**past, SEPTEMBER: 930.0}, ("b", "growth", ""): {SEPTEMBER: 6.2}}
    families = parsed(exposition(a_snapshot(book, figures=figures), Meters()))
    (chance,) = families["duban_target_probability_ratio"].samples
    assert 0.5 < chance.value < 1
    low, high = (value(families, f"duban_target_landing_{end}", target="jobs") for end in ("low", "high"))
    assert 1200 < low < high


def test_what_is_not_known_has_no_line_but_a_level(book: Book) -> None:
    families = parsed(exposition(a_snapshot(book), Meters()))
    assert [sample.value for sample in families["duban_target_level"].samples] == [-1, -1, -1]
    for name in ("actual", "expected", "pace_ratio", "data_age_seconds"):
        assert families[f"duban_target_{name}"].samples == []


def test_pace_is_written_for_progress_only(book: Book) -> None:
    figures = {("b", "growth", ""): {SEPTEMBER: 6.2}}
    families = parsed(exposition(a_snapshot(book, figures=figures), Meters()))
    assert families["duban_target_pace_ratio"].samples == []


def test_every_target_has_a_level_and_its_description() -> None:
    counties = country(7)
    families = parsed(exposition(a_snapshot(counties, alerts=()), Meters()))
    assert len(families["duban_target_level"].samples) == 7 * TARGETS
    info = families["duban_target_info"].samples[8]
    assert info.labels == {
        "book": "country", "target": "t001", "subject": "县0001", "name": "指标001", "item": "", "section": "",
        "lead": "统计局", "unit": "亿元", "measure": "cumulative",
    }  # fmt: skip


def test_a_missing_figure_in_the_middle_leaves_the_others_in_place() -> None:
    counties = country(3)
    figures = {("country", "t000", f"县{i:04d}"): {SEPTEMBER: 10.0 + i} for i in (0, 2)}
    families = parsed(exposition(a_snapshot(counties, figures=figures), Meters()))
    found = {sample.labels["subject"]: sample.value for sample in families["duban_target_actual"].samples}
    assert found == {"县0000": 10, "县0002": 12}


def test_what_left_the_book_is_gone_at_the_next_scrape(book: Book) -> None:
    exposed = Exposition(Meters())
    assert b'target="silent"' in b"".join(exposed.chunks(a_snapshot(book)))
    smaller = replace(book, targets=book.targets[:2])
    assert b'target="silent"' not in b"".join(exposed.chunks(a_snapshot(smaller)))


def test_a_scrape_says_the_same_whatever_was_scraped_before() -> None:
    counties, exposed = country(2), Exposition(Meters())
    for months in ([10.0, 20.0], [10.0, 21.0], [None, 21.0], [-7.5, None], [12.0, 1e15]):
        figures = {
            ("country", f"t{place:03d}", "县0001"): {SEPTEMBER: figure}
            for place, figure in enumerate(months)
            if figure is not None
        }
        snapshot = a_snapshot(counties, figures=figures, alerts=())
        # The same blocks, as in a daemon whose books stay: only figures change.
        first = exposed._blocks[0] if exposed._blocks else snapshot.judged[0].panel.block
        snapshot.judged[0].panel.block = first
        kept = targets(b"".join(exposed.chunks(snapshot)))
        assert kept == targets(exposition(snapshot, Meters()))
        assert exposed._blocks[0] is first


def targets(text: bytes) -> list[bytes]:
    return [line for line in text.splitlines() if line.startswith(b"duban_target_")]


@pytest.mark.parametrize("form", Format)
def test_only_the_series_and_labels_that_are_wanted_are_written(book: Book, form: Format) -> None:
    text = exposition(a_snapshot(book), Meters(), form, series=("level", "info"), labels=("lead",)).decode()
    written = {line.split("{")[0] for line in text.splitlines() if line.startswith("duban_target_")}
    assert written == {"duban_target_level", "duban_target_info"}
    assert f'duban_target_info{{book="b",target="jobs",lead="{book.targets[0].lead[0]}",subject=""}} 1\n' in text
    bare = exposition(a_snapshot(book), Meters(), form, series=()).decode()
    assert 'target="' not in bare
    assert "duban_targets{" in bare


def test_every_name_of_the_settings_is_a_series() -> None:
    assert [family.series for family in metrics._FAMILIES] == list(TARGET_SERIES)


def test_open_metrics_say_the_same_in_their_own_form(book: Book) -> None:
    figures = {("b", "jobs", ""): {SEPTEMBER: 450.0}}
    snapshot, meters = a_snapshot(book, figures=figures, sources=(a_source(),)), Meters()
    meters.cycles.labels("ok").inc()
    text = exposition(snapshot, meters, Format.OPENMETRICS).decode()
    assert text.endswith("# EOF\n")
    assert text.count("# EOF") == 1
    assert "# UNIT duban_target_data_age_seconds seconds" in text
    opened = {family.name: family for family in openmetrics_families(text)}
    plain = parsed(exposition(snapshot, meters))
    assert opened["duban_target"].type == "info"
    assert opened["duban_cycles"].type == "counter"
    assert value(opened, "duban_target_actual", target="jobs") == 450
    for name, family in plain.items():
        if name.startswith("duban_target") and name != "duban_target_info":
            assert family.samples == opened[name].samples


def test_targets_are_counted_by_level_section_and_lead_and_by_reason(book: Book) -> None:
    figures = {("b", "jobs", ""): {SEPTEMBER: 450.0}, ("b", "growth", ""): {SEPTEMBER: 6.2}}
    families = parsed(exposition(a_snapshot(book, figures=figures), Meters()))
    counted = {one.labels["level"]: one.value for one in families["duban_targets"].samples}
    assert counted == {"green": 1, "yellow": 0, "red": 1, "not_judged": 1}
    reasons = {one.labels["reason"]: one.value for one in families["duban_verdicts"].samples}
    assert (reasons["on_schedule"], reasons["behind_schedule"]) == (1, 1)
    assert sum(reasons.values()) == 3
    assert len(reasons) == len(REASONS)


def test_every_open_alert_has_a_line(book: Book) -> None:
    figures = {("b", "jobs", ""): {SEPTEMBER: 450.0}}
    families = parsed(exposition(a_snapshot(book, figures=figures), Meters()))
    assert value(families, "duban_alert_level", target="jobs", kind="pace", state="firing") == 2


def test_messages_on_their_way_are_counted_by_channel(book: Book) -> None:
    queues = {"邮件": Queue(5, 2, AT - timedelta(minutes=3))}
    families = parsed(exposition(a_snapshot(book, resting={"邮件": "", "群": ""}, queues=queues), Meters()))
    found = {
        channel: [
            value(families, f"duban_delivery_{name}", channel=channel)
            for name in ("waiting", "retrying", "overdue_seconds")
        ]
        for channel in ("邮件", "群")
    }
    assert found == {"邮件": [5, 2, 180], "群": [0, 0, 0]}


def test_a_channel_at_rest_is_down(book: Book) -> None:
    families = parsed(exposition(a_snapshot(book, resting={"群": "throttled", "邮件": ""}), Meters()))
    assert value(families, "duban_delivery_up", channel="群") == 0
    assert value(families, "duban_delivery_up", channel="邮件") == 1


def test_before_the_first_cycle_only_the_meters_speak() -> None:
    meters = Meters()
    meters.pulls.labels("b/filings", "ok").inc()
    families = parsed(exposition(None, meters))
    assert "duban_target_level" not in families
    assert families["duban_pulls"].samples[0].value == 1
    assert families["duban_build_info"].samples[0].labels["version"]


def test_alerts_sources_and_configuration_are_written(book: Book) -> None:
    figures = {("b", "jobs", ""): {SEPTEMBER: 450.0}, ("b", "growth", ""): {SEPTEMBER: 5.8}}
    snapshot = a_snapshot(
        book,
        figures=figures,
        sources=(a_source(stale_periods=3, next_pull=AT), a_source(name="dead", reason="timeout"), a_source(name="new", last_pull=None, last_success=None)),
        deliveries={"queued": 4},
        waiting=dict.fromkeys(Reason, 0) | {Reason.DIGEST: 7},
        config_error="b.yaml:3: 看不懂",
    )  # fmt: skip
    families = parsed(exposition(snapshot, Meters()))
    assert value(families, "duban_alerts", state="firing", level="red") == 1
    assert value(families, "duban_alerts", state="pending", level="red") == 0
    assert value(families, "duban_source_up", source="b/filings") == 1
    assert value(families, "duban_source_up", source="b/dead") == 0
    assert len(families["duban_source_up"].samples) == 2
    assert value(families, "duban_source_stale_periods", source="b/filings") == 3
    (following,) = families["duban_source_next_pull_timestamp_seconds"].samples
    assert (following.labels, following.value) == ({"source": "b/filings"}, AT.timestamp())
    assert value(families, "duban_pull_rows", source="b/filings", result="refused") == 1
    assert value(families, "duban_quarantine", source="b/filings", reason="cumulative_fell") == 2
    assert value(families, "duban_deliveries", status="queued") == 4
    assert value(families, "duban_deliveries", status="dead") == 0
    assert value(families, "duban_deliveries_held", reason="digest") == 7
    assert value(families, "duban_deliveries_held", reason="inhibited") == 0
    assert value(families, "duban_config_last_reload_successful") == 0
    assert value(families, "duban_cycle_last_timestamp_seconds") == AT.timestamp()


def test_names_follow_the_conventions(book: Book) -> None:
    meters = Meters()
    meters.cycles.labels("ok").inc()
    meters.cycle_seconds.observe(0.02)
    meters.pull_seconds.labels("b/filings").observe(0.02)
    meters.refused.labels("b/filings", "jump").inc()
    for name, family in parsed(exposition(a_snapshot(book), meters)).items():
        assert name.startswith("duban_")
        assert family.documentation
        assert not name.endswith("_created")


label_text = st.text(st.characters(exclude_categories=["Cs"]))


@settings(max_examples=200, deadline=None)
@given(name=label_text, subject=label_text, lead=label_text)
def test_any_name_reads_back_as_it_was(name: str, subject: str, lead: str) -> None:
    plain = _PLAIN
    target = replace(plain.targets[0], name=name, lead=(lead,))
    hostile = replace(plain, targets=(target,), subjects=(subject,))
    families = parsed(exposition(a_snapshot(hostile, alerts=()), Meters()))
    (sample,) = families["duban_target_info"].samples
    assert (sample.labels["name"], sample.labels["subject"], sample.labels["lead"]) == (name, subject, lead)
    assert len(families["duban_target_level"].samples) == 1


_PLAIN = a_book({"id": "jobs"})


def test_half_a_character_does_not_break_the_scrape() -> None:
    assert metrics.escape("\ud800") == b"?"
