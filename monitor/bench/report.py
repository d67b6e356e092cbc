"""The results as a text and the calibration as a picture."""

import numpy as np

from monitor.bench.pace import MONTHS, Report, Score, Tenth


def render(report: Report) -> str:
    """The report as plain text."""
    lines = [
        f"{report.file}: {report.cases:,} cases of {report.series} series, {report.met:.1%} met their goal"
        + (f"; {report.left_out} left out, their goal is nil" if report.left_out else ""),
        "",
        *_score_lines(report.scores),
    ]
    if report.sample:
        lines += ["", f"on a sample of {report.sample[0].cases}, ets included", *_score_lines(report.sample)]
        seconds = {s.method: s.seconds for s in [*report.scores, *report.sample] if not np.isnan(s.seconds)}
        lines.append(f"duban is {seconds['ets'] / seconds['duban']:,.0f} times faster than ets")
        if report.failed:
            lines += [f"ets gave no answer {report.failed} times: counted as probability 0.5"]
    lines += ["", "calibration of duban: goals met - forecast, in points (cases)", "forecast     all months  "]
    lines[-1] += "  ".join(f"{f'month {m}':>12}" for m in MONTHS)
    found = {(t.month, round(t.low * 10)): t for t in report.tenths}
    for k in range(10):
        cells = [found.get((month, k)) for month in (0, *MONTHS)]
        lines.append(f"{k / 10:.1f}-{(k + 1) / 10:.1f}   " + "  ".join(_tenth_cell(cell) for cell in cells))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _tenth_cell(tenth: Tenth | None) -> str:
    if tenth is None:
        return f"{'-':>12}"
    return f"{100 * (tenth.met - tenth.forecast):+5.1f}{f'({tenth.cases})':>7}"


def _score_lines(scores: list[Score]) -> list[str]:
    """A table with a row for each method and month; relative Brier scores are to naive on the same cases."""
    naive_brier = {s.month: s.brier for s in scores if s.method == "naive"}
    lines = ["method  month  brier   to naive  auc    recall  precision  s per 1,000"]
    for s in sorted(scores, key=lambda s: s.month):
        relative = s.brier / naive_brier[s.month] - 1 if naive_brier.get(s.month) else np.nan
        cells = (
            f"{s.method:<7}", f"{s.month:>5}", _cell(s.brier, "6.4f"), _cell(relative, "+8.1%"), _cell(s.auc, "5.3f"),
            _cell(s.recall, "6.3f"), _cell(s.precision, "9.3f"), _cell(s.seconds, "11.3g"),
        )  # fmt: skip
        lines.append("  ".join(cells))
    return lines


def _cell(value: float, form: str) -> str:
    width = int(form.strip("+").split(".")[0])
    return f"{'-':>{width}}" if np.isnan(value) else f"{value:{form}}"


def calibration_svg(report: Report) -> str:
    """The calibration of all months as a picture: a dot for each tenth, its area the cases, and the 3-point band."""
    side, left, top = 300, 50, 30
    most = max((t.cases for t in report.tenths if t.month == 0), default=1)

    def at(x: float, y: float) -> tuple[float, float]:
        return left + side * x, top + side * (1 - y)

    corners = [(0, 0.03), (0.97, 1), (1, 1), (1, 0.97), (0.03, 0), (0, 0)]
    band = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*corner) for corner in corners))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + side + 20}" height="{top + side + 50}">',
        "<style>text { font: 12px sans-serif }</style>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="18">goals met by forecast probability: {report.cases} cases, months 3, 6, 9</text>',
        f'<polygon points="{band}" fill="#dde8f5"/>',
        f'<rect x="{left}" y="{top}" width="{side}" height="{side}" fill="none" stroke="#888"/>',
        f'<line x1="{left}" y1="{top + side}" x2="{left + side}" y2="{top}" stroke="#888" stroke-dasharray="4"/>',
    ]
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        x, y = at(tick, tick)
        parts.append(f'<text x="{x:.1f}" y="{top + side + 16}" text-anchor="middle">{tick:.1f}</text>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:.1f}</text>')
    for tenth in (t for t in report.tenths if t.month == 0):
        x, y = at(tenth.forecast, tenth.met)
        title = f"{tenth.cases} cases: forecast {tenth.forecast:.3f}, met {tenth.met:.3f}"
        radius = 2 + 8 * (tenth.cases / most) ** 0.5
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="#1f5fa8" fill-opacity="0.8">')
        parts.append(f"<title>{title}</title></circle>")
    parts.append(f'<text x="{left + side / 2}" y="{top + side + 36}" text-anchor="middle">forecast probability</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
