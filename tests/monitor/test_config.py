from pathlib import Path

import pytest

from monitor import config
from rules.document import Invalid


def written(folder: Path, text: str) -> Path:
    path = folder / "duban.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_everything_has_a_default():
    settings = config.load(None, {})
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.organisation is None


def test_the_environment_overrides_the_file(tmp_path):
    path = written(tmp_path, "listen: 127.0.0.1:9000\ncycle: 30\n")
    settings = config.load(path, {"DUBAN_LISTEN": "0.0.0.0:8001"})
    assert (settings.listen, settings.cycle) == ("0.0.0.0:8001", 30)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("cycle: 5\nlissten: x:1\n", 2, "是否应为 'listen'"),
        ("cycle: 0\n", 1, "cycle"),
        ("listen: here\n", 1, "listen"),
        ("clock: 2025-10-27T09:00:00\n", 1, "clock"),
        ("cycle: 5\nclock_speed: 60\n", 2, "speed without clock"),
        ("clock: 2025-10-27T09:00:00+08:00\nclock_speed: 90000\n", 2, "clock_speed"),
        ("cycle: 5\ncycle: 6\n", 2, "重复"),
    ],
)
def test_a_wrong_setting_is_told_with_its_line(tmp_path, text, line, words):
    path = written(tmp_path, text)
    with pytest.raises(Invalid) as found:
        config.load(path, {})
    assert f"{path}:{line}: " in str(found.value)
    assert words in str(found.value)


def test_a_wrong_value_in_the_environment_names_the_variable_and_what_is_meant():
    with pytest.raises(Invalid, match=r"DUBAN_CYCLE: .*应为整数"):
        config.load(None, {"DUBAN_CYCLE": "soon"})


def test_the_database_may_stand_in_a_file_of_its_own(tmp_path):
    secret = tmp_path / "url"
    secret.write_text("postgresql://duban:word@db/duban\n", encoding="utf-8")
    settings = config.load(written(tmp_path, f"database_file: {secret}\n"), {})
    assert settings.database_url() == "postgresql://duban:word@db/duban"


def test_a_database_file_that_is_not_there_is_told():
    with pytest.raises(Invalid, match="database_file"):
        config.load(None, {"DUBAN_DATABASE_FILE": "/nowhere/url"}).database_url()


def test_the_file_named_wins_over_the_environment(tmp_path):
    path = written(tmp_path, "")
    assert config.find(path, {"DUBAN_CONFIG": "other.yaml"}) == path
    assert config.find(None, {"DUBAN_CONFIG": "other.yaml"}) == Path("other.yaml")


def test_metrics_of_targets_are_chosen_by_name():
    every = config.Settings()
    assert every.series == config.TARGET_SERIES
    assert every.labels == config.TARGET_LABELS
    some = config.Settings(target_series="actual, level", target_labels="none")
    assert (some.series, some.labels) == (("actual", "level"), ())


def test_a_series_that_does_not_exist_is_told_with_the_ones_that_do(tmp_path):
    path = tmp_path / "duban.yaml"
    path.write_text("target_series: actual, levle\n", encoding="utf-8")
    with pytest.raises(Invalid) as told:
        config.load(path, {})
    assert f"{path}:1: " in str(told.value)
    assert "看不懂的名称 'levle' (unknown name)" in str(told.value)
    assert "'level'" in str(told.value)
    assert "none 或" in str(told.value)


@pytest.mark.parametrize("address", ["grafana:3000", "http://grafana:3000/", "javascript:alert(1)"])
def test_the_address_of_grafana_is_one_that_paths_can_follow(address):
    with pytest.raises(Invalid, match="DUBAN_GRAFANA"):
        config.load(None, {"DUBAN_GRAFANA": address})
