"""A data set asked of an index: a report with figures, intervals, settings, models, machine and timings.

Retrieval counts videos: the rank of the first right one, as the video papers do it. Moments count spans. Queries
without an answer measure whether the index knows that it has none: the area under the ROC curve of the calibrated
confidence, beside that of the raw cosine of the best hit.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vidembed.errors import InputError
from vidembed.evaluation.annotations import Record, read_json
from vidembed.evaluation.bootstrap import Comparison, compare, interval
from vidembed.evaluation.dataset import DataSet, EvalQuery
from vidembed.evaluation.machine import facts
from vidembed.evaluation.metrics import (
    Stretch,
    best_iou,
    iou_histogram,
    moment_report,
    rank_report,
    recall_at,
    recalls,
    reciprocal_ranks,
    roc_auc,
)
from vidembed.types import Filter, Moment, Query

if TYPE_CHECKING:
    from vidembed.config.schema import Config

SCHEMA = 1
DEPTH = 50  # videos a query is answered with, for R@50
SPANS = 10  # moments a query is answered with, as QVHighlights' mAP counts
_NO_CHANNEL = "all channels"


class Index(Protocol):
    """What is measured: `vidembed.VideoIndex`, or a double of it."""

    @property
    def config(self) -> Config:
        """The settings that hold."""
        ...

    def search(
        self,
        query: str | Query,
        *,
        k: int = 10,
        channels: Sequence[str] | None = None,
        where: Filter | None = None,
        group_by_video: bool = False,
    ) -> list[Moment]:
        """The k best moments, best first."""
        ...

    def videos(self) -> Sequence[Any]:
        """Records of the videos."""
        ...

    def info(self) -> Any:
        """What is in the index."""
        ...


@dataclass(frozen=True)
class QueryResult:
    """How one query was answered. rank: of the first right video, None = not among the answers or none asked for."""

    query_id: str
    modality: str
    value: str
    channel: str | None
    has_answer: bool
    rank: int | None
    iou: float | None  # of the first answer with the best true span; None without true spans
    best_iou_5: float | None
    confidence: float  # of the first answer; 0 without one
    cosine: float  # best cosine among the first answer's hits; -1 without one
    answers: tuple[tuple[str, float, float], ...]  # (path, start_s, end_s), best first
    right: tuple[tuple[str, float | None, float | None], ...]  # (path, start_s, end_s) of the truth
    clip_id: str | None = None  # of the first answer, for its picture
    ms: float = 0.0


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
    schema: int = SCHEMA

    def to_json(self) -> str:
        """As JSON; NaN becomes null."""
        return json.dumps(_plain(asdict(self)), ensure_ascii=False, indent=1, allow_nan=False)


def evaluate(
    index: Index, dataset: DataSet, *, channels: Sequence[str] | None = None, spans: bool = True, seed: int = 0
) -> Report:
    """Ask every query whose media the index has. channels: channels to search, None = all.

    Media that are not in the index count as missing and are listed. spans: also find moments where the truth has
    spans. Raises InputError when nothing is left to ask.
    """
    files = _files(index)
    wanted = {key: _id_of(key, path, files) for key, path in dataset.media.items()}
    there = DataSet(
        dataset.name,
        dataset.protocol,
        dataset.queries,
        {key: (dataset.media[key] or Path(key)) if found else None for key, found in wanted.items()},
        dataset.references,
    )
    asked = there.present()
    if not asked.queries:
        raise InputError(
            f"none of the {len(there.media)} media of {dataset.name} is in the index",
            hint="index them first: vidembed index FOLDER",
        )
    ids = {key: found for key, found in wanted.items() if found}
    paths = {video_id: path for path, video_id in files.by_path.items()}
    began = time.perf_counter()
    results = tuple(_ask(index, query, ids, paths, channels=channels, spans=spans) for query in asked.queries)
    took_s = time.perf_counter() - began
    figures, intervals = _figures(results, asked.queries, seed=seed)
    answered = [r for r in results if r.has_answer]
    return Report(
        name=dataset.name,
        protocol=dataset.protocol,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        counts={**there.counts(), "videos in the index": len(paths)},
        missing=there.missing,
        figures=figures,
        intervals=intervals,
        no_answer=_no_answer(results),
        iou_histogram=iou_histogram([_found(r) for r in answered], [_true(r) for r in answered]),
        timings={
            "seconds": round(took_s, 3),
            "median ms per query": round(float(np.median([r.ms for r in results])), 2),
            "p95 ms per query": round(float(np.percentile([r.ms for r in results], 95)), 2),
        },
        models=models_of(index),
        settings={**dict(index.config.flat()), "evaluate.channels": list(channels) if channels else None},
        machine=facts(["torch", "qdrant-edge-py"]),
        queries=results,
    )


def read_report(path: Path) -> Report:
    """A report that was saved as JSON. Raises InputError, naming the file, for anything else."""
    data, record_at = read_json(path)
    record: Record = record_at(data, ())
    if record.fields.get("schema") != SCHEMA or "queries" not in record:
        raise record.wrong(f"not a report of vidembed evaluate (schema {SCHEMA})")
    try:
        queries = tuple(
            QueryResult(**{**q, "answers": _triples(q["answers"]), "right": _triples(q["right"])})
            for q in record.list("queries")
        )
        return Report(**{**record.fields, "queries": queries, "missing": tuple(record.list("missing"))})
    except (TypeError, KeyError) as error:
        raise record.wrong(f"a field of the report is missing or unknown: {error}") from error


def compare_reports(a: Report, b: Report, *, seed: int = 0) -> dict[str, Comparison]:
    """Paired comparison of two reports over the queries both have: reciprocal rank, and R@1 at IoU 0.5 with spans.

    Raises InputError when they share no query.
    """
    first, second = ({r.query_id: r for r in report.queries if r.has_answer} for report in (a, b))
    shared = [key for key in first if key in second and first[key].value == second[key].value]
    if not shared:
        raise InputError("the two reports share no query", hint="compare runs over the same data set")
    groups = [str(first[key].right) for key in shared]
    pairs: dict[str, Callable[[QueryResult], float]] = {"MRR": lambda r: 1 / r.rank if r.rank else 0.0}
    if all(first[key].iou is not None and second[key].iou is not None for key in shared):
        pairs["R@1,IoU=0.5"] = lambda r: float((r.iou or 0.0) >= 0.5)
    return {
        name: compare([of(first[k]) for k in shared], [of(second[k]) for k in shared], groups=groups, seed=seed)
        for name, of in pairs.items()
    }


def models_of(index: Index) -> dict[str, dict[str, Any]]:
    """Channel -> model, revision, licence, fingerprint of its vectors, clips stored."""
    from vidembed.models.registry import find

    made: dict[str, dict[str, Any]] = {}
    for name, channel in index.info().channels.items():
        if channel.stored:
            spec = find(channel.model)
            made[name] = {
                "model": channel.model,
                "revision": spec.revision if spec.repo else f"shipped with {spec.factory.partition(':')[0]}",
                "license": channel.license,
                "collection": channel.collection,
                "clips": channel.stored,
            }
    return made


@dataclass(frozen=True)
class _Files:
    by_path: Mapping[str, str]  # path of an indexed file -> video id
    by_name: Mapping[str, str]  # file names that only one of them has


def _files(index: Index) -> _Files:
    by_path = {str(path): record.info.video_id for record in index.videos() for path in record.paths}
    names: dict[str, set[str]] = {}
    for path, video_id in by_path.items():
        names.setdefault(Path(path).name, set()).add(video_id)
    return _Files(by_path, {name: next(iter(ids)) for name, ids in names.items() if len(ids) == 1})


def _id_of(key: str, path: Path | None, files: _Files) -> str | None:
    """The video id of a medium of the data set: by its path, its file name, or its key being an id."""
    known = set(files.by_path.values())
    if path is not None:
        found = files.by_path.get(str(path)) or files.by_path.get(str(path.resolve())) or files.by_name.get(path.name)
        if found:
            return found
    return key if key in known else files.by_path.get(key)


def _ask(
    index: Index,
    query: EvalQuery,
    ids: Mapping[str, str],
    paths: Mapping[str, str],
    *,
    channels: Sequence[str] | None,
    spans: bool,
) -> QueryResult:
    asked = {"text": Query.text, "image": Query.image, "audio": Query.audio}[query.modality](query.value)
    began = time.perf_counter()
    moments = index.search(asked, k=SPANS, channels=channels)
    ms = (time.perf_counter() - began) * 1000
    right = {ids[answer.video] for answer in query.answers}
    rank = next((i for i, m in enumerate(moments, start=1) if m.video_id in right), None) if len(right) else None
    if right and rank != 1:
        videos = index.search(asked, k=DEPTH, channels=channels, group_by_video=True)
        rank = next((i for i, m in enumerate(videos, start=1) if m.video_id in right), None)
    true = [Stretch(paths[ids[s.video]], s.start_s, s.end_s) for s in query.stretches] if spans else []
    found = [Stretch(paths[m.video_id], m.span.start_s, m.span.end_s) for m in moments]
    best = moments[0] if moments else None
    whole = tuple((paths[ids[a.video]], None, None) for a in query.answers if not a.spans)
    return QueryResult(
        query_id=query.query_id,
        modality=query.modality,
        value=str(query.value),
        channel=query.channel,
        has_answer=bool(query.answers),
        rank=rank,
        iou=best_iou(found, true) if true else None,
        best_iou_5=best_iou(found, true, n=5) if true else None,
        confidence=best.confidence if best else 0.0,
        cosine=max((hit.score for hit in best.hits if -1.001 <= hit.score <= 1.001), default=-1.0) if best else -1.0,
        answers=tuple((s.video, round(s.start_s, 3), round(s.end_s, 3)) for s in found),
        right=(*((s.video, s.start_s, s.end_s) for s in true), *whole),
        clip_id=best.clip_id if best else None,
        ms=round(ms, 2),
    )


def _figures(
    results: Sequence[QueryResult], queries: Sequence[EvalQuery], *, seed: int
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, tuple[float, float, float]]]]:
    groups: dict[str, list[QueryResult]] = {"all": [r for r in results if r.has_answer]}
    for result in groups["all"]:
        groups.setdefault(result.channel or _NO_CHANNEL, []).append(result)
    if set(groups) == {"all", _NO_CHANNEL}:
        del groups[_NO_CHANNEL]
    figures: dict[str, dict[str, float]] = {}
    intervals: dict[str, dict[str, tuple[float, float, float]]] = {}
    for name, part in groups.items():
        if not part:
            continue
        ranks = np.array([float(r.rank) if r.rank else np.inf for r in part])
        owners = [str(r.right) for r in part]  # queries for the same answer are not independent
        figures[name] = dict(rank_report(ranks))
        values = {"R@1": ranks <= 1, "R@5": ranks <= 5, "MRR": reciprocal_ranks(ranks)}
        placed = [r for r in part if r.iou is not None]
        if placed:
            figures[name].update(
                {k: v for k, v in moment_report([_found(r) for r in part], [_true(r) for r in part]).items()
                 if k != "queries"} | {"queries with spans": float(len(placed))}
            )  # fmt: skip
        for metric, data in values.items():
            found = interval(np.asarray(data, dtype=np.float64), groups=owners, seed=seed)
            intervals.setdefault(name, {})[metric] = (found.value, found.low, found.high)
        if placed:
            hits = recalls([_found(r) for r in placed], [_true(r) for r in placed], n=1, iou=0.5).astype(float)
            found = interval(hits, groups=[str(r.right) for r in placed], seed=seed)
            intervals[name]["R@1,IoU=0.5"] = (found.value, found.low, found.high)
    return figures, intervals


def _no_answer(results: Sequence[QueryResult]) -> dict[str, float]:
    yes, no = ([r for r in results if r.has_answer is wanted] for wanted in (True, False))
    if not yes or not no:
        return {}
    return {
        "ROC AUC, confidence": roc_auc([r.confidence for r in yes], [r.confidence for r in no]),
        "ROC AUC, cosine": roc_auc([r.cosine for r in yes], [r.cosine for r in no]),
        "with answer": float(len(yes)),
        "without answer": float(len(no)),
    }


def _found(result: QueryResult) -> list[Stretch]:
    return [Stretch(*answer) for answer in result.answers]


def _true(result: QueryResult) -> list[Stretch]:
    return [Stretch(path, a, b) for path, a, b in result.right if a is not None and b is not None]


def recall_curve(report: Report, *, group: str = "all", upto: int = DEPTH) -> list[tuple[int, float]]:
    """(k, R@k) for k from 1."""
    part = [r for r in report.queries if r.has_answer and (group == "all" or r.channel == group)]
    ranks = [float(r.rank) if r.rank else np.inf for r in part]
    return [(k, recall_at(ranks, k)) for k in range(1, upto + 1)]


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
