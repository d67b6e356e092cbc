"""The source kind ``lines``: a text file with one figure per line, series|subject|period|value|unit|known|status."""

import hashlib
from pathlib import Path

from connectors.base import ConnectorError, Failure
from connectors.fields import Constants
from connectors.figures import Cells, Column, objects, reading
from connectors.observation import Query, Reading


class LinesOptions(Constants):
    path: str


class Lines:
    Options = LinesOptions

    def __init__(self, options: LinesOptions, folder: Path) -> None:
        self.options, self.path = options, folder / options.path

    def fetch(self, query: Query) -> Reading:
        try:
            data = self.path.read_bytes()
            rows = [line.split("|") for line in data.decode("utf-8").splitlines()]
            series, subject, period, value, unit, known, status = zip(*rows, strict=True)
        except OSError as error:
            detail = f"{self.path}: 读不出文件 (unreadable): {error.strerror}；请检查 path"
            raise ConnectorError(Failure.NOT_FOUND, detail, retryable=True) from None
        except ValueError:
            detail = f"{self.path}: 不是每行七项 (bad lines)；请用 | 分隔七项，存为 UTF-8"
            raise ConnectorError(Failure.BAD_ANSWER, detail, retryable=False) from None
        names = {"series": series, "subject": subject, "period": period, "unit": unit, "known": known, "status": status}
        columns = {name: Column.of(cells) for name, cells in names.items()}
        cells = Cells.rows(objects(value), lambda at: [f"第{row + 1}行" for row in at.tolist()], **columns)
        return reading(cells, self.options, query, self.options.path, hashlib.sha256(data).hexdigest())
