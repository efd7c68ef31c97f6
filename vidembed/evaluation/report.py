"""The report of an evaluation: kept as JSON, read again, compared with another query by query."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vidembed.errors import InputError
from vidembed.evaluation.annotations import Annotation, read_json
from vidembed.evaluation.bootstrap import Comparison, compare
from vidembed.evaluation.figures import QueryResult

SCHEMA = 1


@dataclass(frozen=True)
class Report:
    """One evaluation. figures: group ("all", a channel) -> metric -> value; intervals: of R@1, R@5, MRR, IoU."""

    name: str
    protocol: str
    made: str  # ISO 8601, UTC
    counts: Mapping[str, int]
    missing: tuple[str, ...]
    figures: Mapping[str, Mapping[str, float]]
    intervals: Mapping[str, Mapping[str, tuple[float, float, float]]]
    no_answer: Mapping[str, float]  # ROC AUC by confidence and by cosine, and the counts; empty without such queries
    iou_histogram: Mapping[str, int]
    timings: Mapping[str, float]
    models: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    queries: tuple[QueryResult, ...] = field(repr=False)
    trust: Mapping[str, float] = field(default_factory=dict)  # see `trust.trust_figures`
    reliability: tuple[Mapping[str, float], ...] = ()  # the bins of the diagram, see `trust.Bin`
    broken: tuple[str, ...] = ()  # rows of the annotation file that were left out: file, line and reason
    schema: int = SCHEMA

    def to_json(self) -> str:
        """As JSON; NaN becomes null."""
        return json.dumps(_plain(asdict(self)), ensure_ascii=False, indent=1, allow_nan=False)


def read_report(path: Path) -> Report:
    """A report that was saved as JSON. Raises InputError, naming the file, for anything else."""
    data, record_at = read_json(path)
    record: Annotation = record_at(data, ())
    if record.fields.get("schema") != SCHEMA or "queries" not in record:
        raise record.wrong(f"not a report of vidembed evaluate (schema {SCHEMA})")
    try:
        queries = tuple(
            QueryResult(**{**q, "answers": _triples(q["answers"]), "right": _triples(q["right"])})
            for q in record.list("queries")
        )
        return Report(
            **{
                **record.fields,
                "queries": queries,
                "missing": tuple(record.list("missing")),
                "broken": tuple(record.fields.get("broken", ())),
                "reliability": tuple(record.fields.get("reliability", ())),
            }
        )
    except (TypeError, KeyError) as error:
        raise record.wrong(f"a field of the report is missing or unknown: {error}") from error


def compare_reports(a: Report, b: Report) -> dict[str, Comparison]:
    """Paired comparison of two reports over the queries both have: reciprocal rank, and R@1 at IoU 0.5 with spans.

    Raises InputError when they share no query.
    """
    first, second = ({r.query_id: r for r in report.queries if r.has_answer} for report in (a, b))
    shared = [key for key in first if key in second and first[key].value == second[key].value]
    if not shared:
        raise InputError("the two reports share no query", hint="compare runs over the same data set")
    groups = [str(first[key].right) for key in shared]
    pairs: dict[str, Callable[[QueryResult], float]] = {}
    if not all(first[key].in_video and second[key].in_video for key in shared):
        pairs["MRR"] = lambda r: 1 / r.rank if r.rank else 0.0
    if all(first[key].iou is not None and second[key].iou is not None for key in shared):
        pairs["R@1,IoU=0.5"] = lambda r: float((r.iou or 0.0) >= 0.5)
    return {
        name: compare([of(first[k]) for k in shared], [of(second[k]) for k in shared], groups=groups)
        for name, of in pairs.items()
    }


def _triples(rows: Sequence[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(row) for row in rows)


def _plain(value: Any) -> Any:
    """For JSON: no NaN or infinity (null instead), paths as text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value
