"""What lies under deploy/ fits the code and itself. Containers and clusters are not run here: their files are checked."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from monitor import config

DEPLOY = Path(__file__).parents[2] / "deploy"
ROOT = DEPLOY.parent
UNIT = DEPLOY / "systemd" / "duban.service"


def documents(name):
    return list(yaml.safe_load_all((DEPLOY / name).read_text("utf-8")))


def pins(path):
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize(
    "name", ["example/duban.yaml", "example/month.yaml", "compose/duban.yaml", "systemd/duban.yaml"]
)
def test_settings_that_are_shipped_are_settings(name):
    assert config.load(DEPLOY / name, {}).channels


def test_what_the_unit_runs_with_does_not_depend_on_where_a_command_is_given():
    settings = config.load(DEPLOY / "systemd" / "duban.yaml", {})
    places = [settings.database_file, settings.books, settings.archive, settings.cache]
    places += [Path(channel.options["path"]) for channel in settings.channels.values()]
    assert all(place.is_absolute() for place in places)


def test_the_settings_of_the_cluster_are_settings(tmp_path):
    (settings,) = [one for one in documents("kubernetes/duban.yaml") if one["kind"] == "ConfigMap"]
    (tmp_path / "duban.yaml").write_text(settings["data"]["duban.yaml"], encoding="utf-8")
    assert config.load(tmp_path / "duban.yaml", {}).port == 8000


def test_what_is_installed_in_production_is_what_is_tested():
    production, tested = pins(DEPLOY / "requirements.lock"), pins(ROOT / "requirements.lock")
    assert production.items() <= tested.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    del extras["dev"]
    needed = [*project["dependencies"], *(one for extra in extras.values() for one in extra)]
    assert {re.split(r"[^\w.-]", one)[0].replace(".", "-") for one in needed} <= production.keys(), "make lock"
    assert "pytest" not in production


def test_the_image_copies_only_what_is_there_and_is_let_through():
    text = (DEPLOY / "container" / "Containerfile").read_text("utf-8")
    copied = [name for line in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE) for name in line.split()]
    assert len(copied) > 5
    let = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE))
    for name in copied:
        assert (ROOT / name).exists()
        assert name in let


def test_the_image_and_the_cluster_run_as_nobody_in_particular():
    assert "\nUSER 10001\n" in (DEPLOY / "container" / "Containerfile").read_text("utf-8")
    (deployment,) = [one for one in documents("kubernetes/duban.yaml") if one["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    mounted = {one["name"] for one in container["volumeMounts"]}
    assert mounted == {one["name"] for one in pod["volumes"]}


def test_the_operator_of_the_cluster_gets_the_rules_of_prometheus():
    for made in documents("kubernetes/rules.yaml"):
        (rules,) = documents(f"prometheus/rules/{made['metadata']['name'].removeprefix('duban-')}.yml")
        assert made["spec"] == rules, "make rules"
    assert len(documents("kubernetes/rules.yaml")) == 2


def test_the_composed_services_mount_what_is_there():
    (composed,) = documents("compose/compose.yaml")
    made = {"./books", "./database-url", "./postgres-password"}  # by the commands at its head
    for service in composed["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith(".") and source not in made:
                assert (DEPLOY / "compose" / source).exists(), source
            elif not source.startswith("."):
                assert source in composed["volumes"]
        assert set(service.get("secrets", [])) <= composed["secrets"].keys()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_the_unit_is_one_and_leaves_little_open(tmp_path):
    unit = tmp_path / "duban.service"
    unit.write_text(UNIT.read_text("utf-8").replace("/opt/duban/bin/duban", "/bin/true"), encoding="utf-8")
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    assert (verified.returncode, verified.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit]
    rated = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert rated.returncode == 0, rated.stdout[-300:]


def test_the_unit_leaves_to_be_read_what_the_metrics_of_the_process_are_counted_from():
    unit = UNIT.read_text("utf-8")
    assert "ProcSubset" not in unit  # memory, processor time and files are told only where /proc/stat can be read
    assert "duban_process_resident_memory_bytes" in (DEPLOY / "grafana" / "build.py").read_text("utf-8")
