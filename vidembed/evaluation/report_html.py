"""A report as one HTML page: figures, recall curves and IoU histogram as plain SVG, the worst queries with pictures.

The page loads nothing from anywhere: pictures are inside it, everything that came from files or people is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

from vidembed.errors import VidembedError
from vidembed.evaluation.figures import QueryResult, recall_curve
from vidembed.evaluation.report import Report
from vidembed.evaluation.run import DEPTH
from vidembed.types import format_time

Thumbnail = Callable[[str], Path | None]
_WORST = 20
_COLOURS = ("#2563eb", "#d97706", "#059669", "#7c3aed", "#dc2626")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 420, 240, 44, 30

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1f2937}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .8rem;border-bottom:1px solid #e5e7eb;text-align:right}
td:first-child,th:first-child{text-align:left}svg{max-width:100%}figure{display:inline-block;margin:0 1rem 1rem 0}
.worst td{text-align:left;vertical-align:top}.worst img{width:160px}details{margin:1rem 0}code{font-size:13px}
"""


def page(report: Report, *, thumbnail: Thumbnail | None = None) -> str:
    """The page as text. thumbnail: a clip's picture, such as `VideoIndex.thumbnail`; None = no pictures."""
    groups = ["all", *dict.fromkeys(result.channel for result in report.queries if result.channel)]
    found = {
        group: recall_curve(report.queries, group=group, upto=DEPTH) for group in groups if group in report.figures
    }
    curves = {group: [(float(k), value) for k, value in points] for group, points in found.items()}
    parts = [
        f"<h1>{escape(report.name)}</h1><p>{escape(report.protocol)}<br>{escape(report.made)}</p>",
        f"<p>{escape(', '.join(f'{name} {count}' for name, count in report.counts.items()))}</p>",
        _figures(report),
    ]
    if any(not result.in_video for result in report.queries):
        parts.append(f"<figure><figcaption>Recall at k</figcaption>{lines(curves)}</figure>")
    if any(result.iou is not None for result in report.queries):
        parts.append(f"<figure><figcaption>IoU of the first answer</figcaption>{bars(report.iou_histogram)}</figure>")
    if report.no_answer:
        shown = ", ".join(f"{name} {value:.3f}" for name, value in report.no_answer.items())
        parts.append(f"<p>Is there a match: {escape(shown)}</p>")
    if report.trust:
        shown = ", ".join(f"{name} {value:.3f}" for name, value in report.trust.items() if value == value)
        shares = [(one["confidence"], one["right"]) for one in report.reliability]
        bounds = [(one["confidence"], one["right_low"], one["right_high"]) for one in report.reliability]
        diagram = lines({"right": shares, "as it should be": [(0.0, 0.0), (1.0, 1.0)]}, bounds)
        parts.append(f"<figure><figcaption>Right answers by confidence</figcaption>{diagram}</figure>")
        parts.append(f"<p>What can be believed: {escape(shown)}</p>")
    parts += [_worst(report, thumbnail), _facts(report)]
    title = escape(report.name)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"</head><body>{''.join(parts)}</body></html>\n"
    )


def lines(
    curves: Mapping[str, Sequence[tuple[float, float]]], bounds: Sequence[tuple[float, float, float]] = ()
) -> str:
    """Curves of (x, y) with y in 0..1 as SVG, with a legend. bounds: (x, lowest y, highest y) of the first one."""
    span = max((x for points in curves.values() for x, _ in points), default=1.0)
    out = [_frame([f"{span * i / 5:.{0 if span >= 5 else 1}f}" for i in range(6)])]
    for i, (name, points) in enumerate(curves.items()):
        colour = _COLOURS[i % len(_COLOURS)]
        path = " ".join(f"{_x(x / span):.1f},{_y(y):.1f}" for x, y in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out.append(f'<text x="{_WIDTH - 110}" y="{_HEIGHT - 50 - 16 * i}" fill="{colour}">{escape(name)}</text>')
    for x, low, high in bounds:
        at = f'x1="{_x(x / span):.1f}" x2="{_x(x / span):.1f}"'
        out.append(f'<line {at} y1="{_y(low):.1f}" y2="{_y(high):.1f}" stroke="{_COLOURS[0]}"/>')
    return _svg(out)


def bars(counts: Mapping[str, int]) -> str:
    """A histogram as SVG; bars are labelled with their counts."""
    most = max(counts.values(), default=0) or 1
    width = (_WIDTH - _LEFT - 10) / max(len(counts), 1)
    out = []
    for i, (name, count) in enumerate(counts.items()):
        height = (_HEIGHT - _BOTTOM - 20) * count / most
        x, y = _LEFT + i * width, _HEIGHT - _BOTTOM - height
        out.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width - 3:.1f}" height="{height:.1f}" fill="{_COLOURS[0]}"/>'
        )
        middle = f'x="{x + width / 2:.1f}" text-anchor="middle"'
        out.append(f'<text {middle} y="{y - 4:.1f}">{count}</text>')
        out.append(f'<text {middle} y="{_HEIGHT - 12}">{escape(name.partition("-")[0])}</text>')
    return _svg(out)


def worst(report: Report, n: int = _WORST) -> list[QueryResult]:
    """The queries with an answer that fared worst: by IoU where there are spans, then by rank."""
    asked = [result for result in report.queries if result.has_answer]
    return sorted(asked, key=lambda r: (r.iou if r.iou is not None else 1 / (r.rank or 1000), -(r.rank or 1000)))[:n]


def _svg(parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" font-size="12" fill="#374151" '
        f'role="img">{"".join(parts)}</svg>'
    )


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - 10)


def _y(share: float) -> float:
    return 10 + (1 - share) * (_HEIGHT - _BOTTOM - 10)


def _frame(labels: Sequence[str]) -> str:
    out = []
    for i in range(6):
        y = _y(i / 5)
        out.append(f'<line x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        out.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{i / 5:.1f}</text>')
        out.append(f'<text x="{_x(i / 5):.1f}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(labels[i])}</text>')
    return "".join(out)


def _figures(report: Report) -> str:
    groups = list(report.figures)
    names = dict.fromkeys(name for group in groups for name in report.figures[group])
    head = "".join(f"<th>{escape(group)}</th>" for group in groups)
    rows = []
    for name in names:
        cells = "".join(f"<td>{_cell(report, group, name)}</td>" for group in groups)
        rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    return f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>"


def _cell(report: Report, group: str, name: str) -> str:
    value = report.figures[group].get(name)
    if value is None:
        return ""
    if name in report.intervals.get(group, {}):
        _, low, high = report.intervals[group][name]
        return f"{value:.3f} <small>[{low:.3f}, {high:.3f}]</small>"
    return f"{value:.3f}"


def _worst(report: Report, thumbnail: Thumbnail | None) -> str:
    rows = []
    for result in worst(report):
        rank = "not found" if result.rank is None else f"rank {result.rank}"
        iou = "" if result.iou is None else f", IoU {result.iou:.2f}"
        places = f"answered: {_place(result.answers[:1])}<br>right: {_place(result.right[:3])}"
        rows.append(
            f"<tr><td>{_picture(result, thumbnail)}</td><td><b>{escape(result.value)}</b><br>{rank}{iou}, confidence "
            f"{result.confidence:.2f}<br>{places}</td></tr>"
        )
    return f'<h2>The worst queries</h2><table class="worst">{"".join(rows)}</table>' if rows else ""


def _picture(result: QueryResult, thumbnail: Thumbnail | None) -> str:
    if thumbnail is None or result.clip_id is None:
        return ""
    try:
        path = thumbnail(result.clip_id)
    except VidembedError:
        path = None  # the file is gone: the figures are still right
    if path is None:
        return ""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<img alt="first answer" src="data:image/jpeg;base64,{data}">'


def _place(places: Sequence[tuple[str, float | None, float | None]]) -> str:
    shown = []
    for path, start_s, end_s in places:
        when = "" if start_s is None or end_s is None else f" {format_time(start_s)}-{format_time(end_s)}"
        shown.append(escape(Path(path).name + when))
    return ", ".join(shown) or "nothing"


def _facts(report: Report) -> str:
    out = []
    for title, facts in (
        ("Models", report.models),
        ("Timings", report.timings),
        ("Machine", report.machine),
        ("Settings", report.settings),
    ):
        rows = "".join(
            f"<tr><td><code>{escape(str(k))}</code></td><td>{escape(str(v))}</td></tr>" for k, v in facts.items()
        )
        out.append(f"<details><summary>{title}</summary><table>{rows}</table></details>")
    return "".join(out)
