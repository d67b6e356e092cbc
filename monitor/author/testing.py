"""What ``duban test`` reads, runs and says; a case that fails shows how its verdict came about."""

import time
from collections.abc import Iterator
from pathlib import Path

from alerts import organisation
from alerts.organisation import Organisation
from monitor import config
from monitor.author.cases import Cases, files
from monitor.author.junit import Case
from monitor.author.proving import Failed, Proof, prove, text
from monitor.config import Settings
from rules import wording
from rules.calendar import label
from rules.document import Invalid


def run(path: Path | None, given: list[Path]) -> list[tuple[Case, Proof | None]]:
    """Every case of the files; one that cannot be read is a failed case of its own, without a proof."""
    settings = config.load(path)
    office = _organisation(settings)
    results: list[tuple[Case, Proof | None]] = []
    for file in files(given, settings.books):
        started = time.perf_counter()
        try:
            cases = Cases(file)
        except Invalid as error:
            results.append((Case(str(file), "读取", failure="\n".join(error.errors)), None))
            continue
        proofs = prove(cases, office)
        each = (time.perf_counter() - started) / max(len(proofs), 1)
        results += [(Case(str(file), proof.case.name, each, _failure(cases, proof)), proof) for proof in proofs]
    return results


def words(results: list[tuple[Case, Proof | None]]) -> str:
    """Failures in full, and how many there were."""
    failed = [case.failure for case, _ in results if case.failure]
    took = sum(case.seconds for case, _ in results)
    failed = [failure.replace(f"{Path.cwd()}/", "") for failure in failed]
    return "\n\n".join([*failed, f"通过 {len(results) - len(failed)} 项，失败 {len(failed)} 项（{took:.2f} 秒）"])


def _organisation(settings: Settings) -> Organisation:
    if settings.organisation is None:
        return Organisation.of_channels(settings.channels)
    return organisation.load(settings.organisation, settings.channels)


def _failure(cases: Cases, proof: Proof) -> str:
    case, target = proof.case, proof.case.target
    if not proof.failed:
        return ""
    lines = [f"{case.place}: {case.name}（{case.subject}{target.name}，{target.key}）"]
    for failed in proof.failed:
        lines.append(f"  {failed.expected.place}: {failed.expected.shown} {'；'.join(failed.wrong)}")
        lines += [f"    {line}" for line in _tree(cases, failed)]
    return "\n".join(lines)


def _tree(cases: Cases, failed: Failed) -> Iterator[str]:
    """How it came about, from the goal to the messages, each setting with where it was written."""
    found = failed.seen.verdict
    target = found.target
    written = cases.origins.get(target.id, {})
    facts = [
        ("目标", wording.goal(found), written.get("goal")),
        ("判定期", label(target.every, found.period) if found.period else "无数据", None),
        ("应报", wording.owed(found) + "，逾期未报" if found.owed else "", None),
        ("曲线", wording.curve(found), written.get("expect", "")),
        ("预期", "" if found.expected is None else target.goal.figure(found.expected), None),
        ("实际", wording.actual(found), None),
        ("差距", wording.gap(found), None),
        ("黄色", wording.thresholds(target.levels.yellow, target), written.get("yellow", "")),
        ("红色", wording.thresholds(target.levels.red, target), written.get("red", "")),
        ("解除", wording.clearing(target), written.get("clear") or written.get("clear_for", "")),
        ("级别", f"{found.level.text}：{wording.reason(found)}", None),
        ("预警", "、".join(sorted(failed.seen.stands)), None),
    ]
    for name, said, place in facts:
        if said:
            yield f"{name} {said}" + ("" if place is None else f"（{place or '缺省'}）")
    for told in failed.seen.told:
        yield f"消息 致{told.route.receiver}：{text(told).splitlines()[0]}（{told.route.why}）"
    if failed.expected.told and not failed.seen.told:
        yield "消息 无"
