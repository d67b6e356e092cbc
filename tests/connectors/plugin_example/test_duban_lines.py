"""What the author of the example runs: the contract that every connector keeps."""

from dataclasses import astuple
from pathlib import Path

import pytest
from duban_lines import Lines

from connectors.contract import ConnectorContract, Row


class TestLines(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def connector(self, rows: tuple[Row, ...]) -> Lines:
        with (self.folder / "figures.txt").open("w", encoding="utf-8") as file:
            for row in rows:
                period, value, series, subject, unit, known, status = astuple(row)
                cells = (series, subject, period, "" if value is None else value, unit, known, status)
                file.write("|".join(map(str, cells)) + "\n")
        return self.broken()

    def broken(self) -> Lines:
        return Lines(Lines.Options(path="figures.txt"), self.folder)
