"""Figures of answered queries, by what the queries are about, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidembed.evaluation.bootstrap import interval
from vidembed.evaluation.dataset import EvalQuery
from vidembed.evaluation.metrics import (
    Doubles,
    Stretch,
    mean_of,
    moment_report,
    rank_report,
    recall_at,
    recalls,
    reciprocal_ranks,
    roc_auc,
)
from vidembed.evaluation.published import highlight_report, segment_ranking, segment_report

Figures = dict[str, dict[str, float]]
Intervals = dict[str, dict[str, tuple[float, float, float]]]
_NO_CHANNEL = "all channels"


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
    in_video: bool = False  # looked for in its own video only, so that a rank says nothing
    ndcg: float | None = None  # of the first ten videos; None without graded ones


def figures_of(results: Sequence[QueryResult]) -> tuple[Figures, Intervals]:
    """Group ("all", a channel) -> figures and their 95 % intervals. Ranks are of videos, where any was looked for."""
    groups: dict[str, list[QueryResult]] = {"all": [r for r in results if r.has_answer]}
    for result in groups["all"]:
        groups.setdefault(result.channel or _NO_CHANNEL, []).append(result)
    if set(groups) == {"all", _NO_CHANNEL}:
        del groups[_NO_CHANNEL]
    figures: Figures = {}
    intervals: Intervals = {}
    for name, part in groups.items():
        if part:
            figures[name], values = _of_group(part)
            owners = [str(r.right) for r in part]  # queries for the same answer are not independent
            for metric, data in values.items():
                found = interval(np.asarray(data, dtype=np.float64), groups=owners)
                intervals.setdefault(name, {})[metric] = (found.value, found.low, found.high)
    return figures, intervals


def _of_group(part: Sequence[QueryResult]) -> tuple[dict[str, float], dict[str, Doubles]]:
    """Figures, and the values of each query behind those that get an interval."""
    figures: dict[str, float] = {}
    values: dict[str, Doubles] = {}
    if not all(r.in_video for r in part):
        ranks = np.array([float(r.rank) if r.rank else np.inf for r in part])
        figures.update(rank_report(ranks))
        values["R@1"], values["R@5"] = (np.asarray(ranks <= k, dtype=np.float64) for k in (1, 5))
        values["MRR"] = reciprocal_ranks(ranks)
        graded = [r.ndcg for r in part if r.ndcg is not None]
        if len(graded) == len(part):
            values["nDCG@10"] = np.array(graded)
            figures["nDCG@10"] = mean_of(graded)
    found, true = [found_by(r) for r in part], [truth_of(r) for r in part]
    if any(true):
        moments = moment_report(found, true)
        figures["queries with spans"] = moments.pop("queries")
        figures.update(moments)
        if all(true):
            values["R@1,IoU=0.5"] = recalls(found, true, n=1, iou=0.5).astype(float)
    return figures, values


def published_figures(
    results: Sequence[QueryResult], queries: Sequence[EvalQuery], saliency: Mapping[str, Doubles]
) -> dict[str, float]:
    """What the data sets' own scripts print besides: highlights (QVHighlights), ranks of segments (DiDeMo).

    saliency: query id -> (clips,) of each 2-second clip.
    """
    rated = [query for query in queries if query.saliency is not None and query.query_id in saliency]
    figures: dict[str, float] = {}
    if rated:
        ratings = [query.saliency for query in rated if query.saliency is not None]
        figures.update(highlight_report([saliency[query.query_id] for query in rated], ratings))
    by_id = {result.query_id: result for result in results if result.in_video}
    chosen = [query for query in queries if query.segments and query.query_id in by_id]
    if chosen:
        ranked = [segment_ranking([(a, b) for _, a, b in by_id[query.query_id].answers]) for query in chosen]
        figures.update(segment_report(ranked, [query.segments for query in chosen]))
    figures.pop("queries", None)
    return figures


def no_answer_figures(results: Sequence[QueryResult]) -> dict[str, float]:
    """How well queries with and without an answer are told apart; empty unless there are both.

    Of each kind of query (text, image, sound) that has some without: sounds are less sure than texts, right or wrong.
    """
    kinds = {r.modality for r in results if not r.has_answer}
    yes, no = ([r for r in results if r.has_answer is wanted and r.modality in kinds] for wanted in (True, False))
    if not yes or not no:
        return {}
    return {
        "ROC AUC, confidence": roc_auc([r.confidence for r in yes], [r.confidence for r in no]),
        "ROC AUC, cosine": roc_auc([r.cosine for r in yes], [r.cosine for r in no]),
        "with answer": float(len(yes)),
        "without answer": float(len(no)),
    }


def found_by(result: QueryResult) -> list[Stretch]:
    """The answers' stretches, best first."""
    return [Stretch(*answer) for answer in result.answers]


def truth_of(result: QueryResult) -> list[Stretch]:
    """The true stretches."""
    return [Stretch(path, a, b) for path, a, b in result.right if a is not None and b is not None]


def recall_curve(results: Sequence[QueryResult], *, group: str, upto: int) -> list[tuple[int, float]]:
    """(k, R@k) for k from 1, of "all" or of the queries of one channel."""
    part = [r for r in results if r.has_answer and (group == "all" or r.channel == group)]
    ranks = [float(r.rank) if r.rank else np.inf for r in part]
    return [(k, recall_at(ranks, k)) for k in range(1, upto + 1)]
