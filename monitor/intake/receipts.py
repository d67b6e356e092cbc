"""Receipts: what became of each row of a filing, told to the unit that filed it."""

import logging
import os
import tempfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine

from connectors.base import ConnectorError
from connectors.drop_folder import read
from connectors.filing_form import Form
from connectors.filing_workbook import Entry, Filing, FilingWorkbook, figures, filed
from connectors.observation import Refusal, Refused
from monitor import pipeline
from monitor.intake.filing_sheet import Mark, Receipt, workbook
from monitor.store import history, observations, quarantine
from monitor.store.database import reading
from monitor.wiring import Feed

log = logging.getLogger(__name__)


def acknowledge(engine: Engine, feed: Feed, at: datetime) -> None:
    """After a pull of forms: a receipt for each that has none, or was changed since. Never raises for the folder's sake."""
    connector = feed.connector
    assert isinstance(connector, FilingWorkbook)
    try:
        for file in connector.files():
            where = place(connector.receipts, file)
            if where.exists() and where.stat().st_mtime_ns >= file.stat().st_mtime_ns:
                continue
            try:
                filing = filed(read(file, connector.most).data, file.name, connector.most)
            except ConnectorError as error:
                log.info("action=no_receipt source=%s file=%s reason=%s", feed.source.key, file.name, error.reason)
                continue
            where.parent.mkdir(parents=True, exist_ok=True)
            write(where, workbook(filing.form, receipt(engine, feed, filing, file.name, at)))
    except (OSError, ConnectorError) as error:
        log.warning("action=no_receipt source=%s error=%s", feed.source.key, error)


def place(folder: Path, file: Path) -> Path:
    return folder / f"{file.stem}-回执.xlsx"


def write(path: Path, content: bytes) -> None:
    """Whole or not at all to everyone else."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    written = Path(file.name)
    written.chmod(0o644)
    written.replace(path)


def receipt(engine: Engine, feed: Feed, filing: Filing, document: str, at: datetime) -> Receipt:
    """What became of each row: refused as it was read, kept apart by the check, or in the store."""
    form, query = filing.form, pipeline.asked(feed, at)
    answer = figures(filing, query, document, "")
    refused = {refusal.cell: refusal for refusal in answer.refusals}
    whole = refused.get(document)
    with reading(engine) as connection:
        stored = _stored(connection, feed.source.key, form, at)
        doubts = {
            (row.series, row.subject, row.period, _same(row.value)): row.reason
            for row in quarantine.opened(connection)
            if row.source == feed.source.key
        }
    rows = answer.observations
    read_as = dict(zip(rows["cell"], rows["value"], strict=True))
    marks = {line.key: Mark("", "", "", None, "") for line in form.lines}
    strangers = []
    for entry in filing.entries:
        words = _refused(whole or refused.get(entry.cell))
        if entry.line is None:
            strangers.append((entry.trouble, words))
            continue
        before = marks[entry.line.key]
        if not entry.filled or (before.taken is not None and not words):
            if entry.note and before.taken is None:
                marks[entry.line.key] = before._replace(note=entry.note)
            continue
        if not words and entry.cell in read_as:
            words = _not_stored(entry, form.period, _same(read_as[entry.cell]), stored, doubts)
        marks[entry.line.key] = Mark(entry.value, entry.status, entry.note, not words, words)
    return Receipt(marks, strangers, _summary(feed, document, marks, strangers, at))


def _refused(refusal: Refusal | None) -> str:
    if refusal is None:
        return ""
    return f"“{refusal.text}”{refusal.reason.said}，{refusal.reason.cure}"


def _not_stored(
    entry: Entry,
    period: str,
    value: float | None,
    stored: dict[tuple[str, str], float | None],
    doubts: dict[tuple[str, str, str, float | None], str],
) -> str:
    """Why a figure that was read is not in the store, "" if it is."""
    assert entry.line
    figure = (entry.line.series, entry.line.subject)
    if figure in stored and stored[figure] == value:
        return ""
    doubt = doubts.get((*figure, period, value))
    if doubt is not None:
        return f"{Refused(doubt).said}，{Refused(doubt).cure}"
    return "未入库：另有较新的填报，或同一数据曾被驳回，请向督查部门核实"


def _stored(connection: Connection, source: str, form: Form, at: datetime) -> dict[tuple[str, str], float | None]:
    """What the store says of the form's lines for its period; None for nothing to report."""
    ids, _ = series_of(connection, source, {line.series for line in form.lines})
    if not ids:
        return {}
    found = history.these(connection, np.array(sorted(ids.values())), [date.fromisoformat(form.period)], at)
    value = {int(series): _same(value) for series, value in zip(found.series, found.value, strict=True)}
    return {figure: value[number] for figure, number in ids.items() if number in value}


def _same(value: float | None) -> float | None:
    """A figure as it can be compared: nothing to report is None."""
    return None if value is None or pd.isna(value) else float(value)


def _summary(feed: Feed, document: str, marks: dict[str, Mark], strangers: Sequence[object], at: datetime) -> str:
    taken = sum(mark.taken is True for mark in marks.values())
    refused = sum(mark.taken is False for mark in marks.values()) + len(strangers)
    empty = sum(mark.taken is None for mark in marks.values())
    when = f"{pd.Timestamp(at).tz_convert(feed.book.timezone):%Y-%m-%d %H:%M}"
    words = f"回执：应报 {len(marks)} 项，已收 {taken} 项，未收 {refused} 项，未填 {empty} 项。收到时间：{when}。文件：{document}。"
    return words + ("未收的各行标为红色，请按所列办法改正后，直接以本回执重报。" if refused else "")


def series_of(
    connection: Connection, source: str, names: Iterable[str]
) -> tuple[dict[tuple[str, str], int], dict[int, str]]:
    """Ids of the stored series of ``source`` by name and subject, and their units by id."""
    wanted = set(names)
    found = [
        (number, group.name, subject, group.unit)
        for group in observations.series(connection)
        if group.source == source and group.name in wanted
        for number, subject in zip(group.id.tolist(), group.subject, strict=True)
    ]
    return {(name, subject): number for number, name, subject, _ in found}, {it[0]: it[3] for it in found}
