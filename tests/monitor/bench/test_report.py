import xml.etree.ElementTree as ET

import pytest

from monitor.bench.pace import run
from monitor.bench.report import calibration_svg, render
from tests.monitor.bench.tables import table, written
from tests.monitor.cli.shell import typed


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return run(written(tmp_path_factory.mktemp("pace"), table(n=40)), ets_sample=0)


def test_the_text_shows_the_numbers_of_the_report(report):
    text = render(report)
    assert f"{report.cases} cases of 40 series" in text
    for score in report.scores:
        assert f"{score.auc:.3f}" in text
    assert sum(line.startswith("0.") for line in text.splitlines()) == 10
    assert "nan" not in text


def test_the_picture_is_well_formed_and_has_a_dot_for_each_tenth(report):
    root = ET.fromstring(calibration_svg(report))  # noqa: S314 - our own picture
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == sum(t.month == 0 for t in report.tenths)


def test_the_command_prints_the_table_and_leaves_the_picture(tmp_path):
    path, svg = written(tmp_path, table(n=3)), tmp_path / "sub" / "calibration.svg"
    done = typed("bench", "pace", str(path), "--ets", "0", "--svg", str(svg))
    assert done.returncode == 0
    assert "cases of 3 series" in done.stdout
    assert "ets" not in done.stdout
    assert svg.read_text(encoding="utf-8").startswith("<svg")
