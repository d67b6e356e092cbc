"""Results as JUnit XML, which every build server shows."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Case(NamedTuple):
    """One case of a ``suite``; ``failure`` is "" for one that is well."""

    suite: str
    name: str
    seconds: float = 0.0
    failure: str = ""


def write(path: Path, cases: Sequence[Case]) -> None:
    """All cases, those of one suite together, into ``path``."""
    from xml.etree import ElementTree as ET  # most who count cases write no such file

    root = ET.Element("testsuites", _counts(cases))
    for suite in dict.fromkeys(case.suite for case in cases):
        mine = [case for case in cases if case.suite == suite]
        node = ET.SubElement(root, "testsuite", {"name": suite, **_counts(mine)})
        for case in mine:
            one = ET.SubElement(node, "testcase", classname=suite, name=case.name, time=f"{case.seconds:.3f}")
            if case.failure:
                ET.SubElement(one, "failure", message=case.failure.splitlines()[0]).text = case.failure
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _counts(cases: Sequence[Case]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(bool(case.failure) for case in cases)),
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }
