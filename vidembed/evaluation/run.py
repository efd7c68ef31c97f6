"""A data set asked of an index: a report with figures, intervals, settings, models, machine and timings.

Retrieval counts videos: the rank of the first right one, as the video papers do it. Moments count spans, in the given
video where the data set's task says so. Queries without an answer measure whether the index knows that it has none: the
area under the ROC curve of the calibrated confidence, beside that of the raw cosine of the best hit.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidembed.errors import InputError
from vidembed.evaluation.dataset import DataSet, EvalQuery
from vidembed.evaluation.directions import Directions, vector_figures
from vidembed.evaluation.figures import (
    QueryResult,
    figures_of,
    found_by,
    no_answer_figures,
    published_figures,
    truth_of,
)
from vidembed.evaluation.machine import facts
from vidembed.evaluation.metrics import Doubles, Stretch, best_iou, iou_histogram, ndcg
from vidembed.evaluation.published import saliency_of
from vidembed.evaluation.report import Report
from vidembed.evaluation.trust import judged, reliability, trust_figures, trust_intervals
from vidembed.media.kinds import MEDIA_EXTENSIONS
from vidembed.search.searcher import Searcher
from vidembed.types import Filter, Moment, Query

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex

DEPTH = 50  # videos a query is answered with, for R@50
SPANS = 10  # moments a query is answered with, as QVHighlights' mAP counts
_BEYOND_S = 0.1  # by how much a true span may pass the video's end before it is counted


def evaluate(
    index: VideoIndex,
    dataset: DataSet,
    *,
    channels: Sequence[str] | None = None,
    vectors: Searcher | None = None,
) -> Report:
    """Ask every query whose media the index has. Media that are not in the index count as missing and are listed.

    Args:
        index: What is asked.
        dataset: What to ask, and the truth.
        channels: Channels to search; None = all.
        vectors: The index's searcher, to rank captioned media by their vectors as well: text to medium and back.

    Raises:
        InputError: Nothing is left to ask.
    """
    if dataset.task == "pictures":
        raise InputError(f"the media of {dataset.name} are pictures", hint="evaluate_pictures ranks them")
    files = _files(index)
    wanted = {key: _id_of(key, path, files) for key, path in dataset.media.items()}
    media = {key: (dataset.media[key] or Path(key)) if found else None for key, found in wanted.items()}
    there = replace(dataset, media=media)
    asked = there.present()
    if not asked.queries:
        raise InputError(
            f"none of the {len(there.media)} media of {dataset.name} is in the index",
            hint="index them first: vidembed index FOLDER",
        )
    ids = {key: found for key, found in wanted.items() if found}
    asker = _Asker(index, ids, {video_id: path for path, video_id in files.by_path.items()}, channels, asked.task)
    began = time.perf_counter()
    results = tuple(asker.ask(query) for query in asked.queries)
    took_s = time.perf_counter() - began
    figures, intervals = figures_of(results)
    if asked.task == "video":
        figures["all"].update(published_figures(results, asked.queries, asker.saliency(asked.queries)))
    if vectors is not None and asked.references:
        figures.update(vector_figures(vectors, asked, ids, channels))
    answered = [r for r in results if r.has_answer]
    areas = trust_intervals(results)
    return Report(
        name=dataset.name,
        protocol=dataset.protocol,
        made=_now(),
        counts={
            **there.counts(),
            "spans beyond the video's end": _beyond(index, asked, ids),
            "videos in the index": len(asker.paths),
        },
        missing=there.missing,
        figures=figures,
        intervals={**intervals, **({"confidence": areas} if areas else {})},
        no_answer=no_answer_figures(results),
        reliability=tuple(asdict(one) for one in reliability(*judged(results))),
        trust=trust_figures(results, threshold=index.config.search.min_confidence),
        iou_histogram=iou_histogram([found_by(r) for r in answered], [truth_of(r) for r in answered]),
        timings={
            "seconds": round(took_s, 3),
            "median ms per query": round(float(np.median([r.ms for r in results])), 2),
            "p95 ms per query": round(float(np.percentile([r.ms for r in results], 95)), 2),
        },
        models=models_of(index),
        settings=_settings(index, channels),
        machine=facts(["torch", "qdrant-edge-py"]),
        queries=results,
        broken=there.broken,
    )


def evaluate_pictures(index: VideoIndex, dataset: DataSet, directions: Directions) -> Report:
    """A report on pictures ranked by their vectors (`directions.of_pictures`); the index gives models and settings."""
    figures, intervals = figures_of(directions.results)
    media = {key: path if key in directions.ranked else None for key, path in dataset.media.items()}
    there = replace(dataset, media=media)
    return Report(
        name=dataset.name,
        protocol=dataset.protocol,
        made=_now(),
        counts=there.counts(),
        missing=there.missing,
        figures={**figures, **directions.figures},
        intervals=intervals,
        no_answer={},
        iou_histogram={},
        timings={"seconds": round(directions.seconds, 3)},
        models=models_of(index, directions.channels),
        settings=_settings(index, directions.channels),
        machine=facts(["torch"]),
        queries=directions.results,
        broken=there.broken,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _settings(index: VideoIndex, channels: Sequence[str] | None) -> dict[str, Any]:
    return {**dict(index.config.flat()), "evaluate.channels": list(channels) if channels else None}


def _beyond(index: VideoIndex, asked: DataSet, ids: Mapping[str, str]) -> int:
    """True spans that end after their video does."""
    ends = {record.info.video_id: record.info.duration_s + _BEYOND_S for record in index.videos()}
    return sum(s.end_s > ends[ids[s.video]] for query in asked.queries for s in query.stretches)


def models_of(index: VideoIndex, channels: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Channel -> model, revision, licence, fingerprint of its vectors, clips stored; of those with clips or named."""
    from vidembed.models.registry import find

    made: dict[str, dict[str, Any]] = {}
    for name, channel in index.info().channels.items():
        if channel.stored or name in channels:
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


def _files(index: VideoIndex) -> _Files:
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


@dataclass(frozen=True)
class _Asker:
    """Asks an index the queries of a data set. ids: key -> video id; paths: video id -> file."""

    index: VideoIndex
    ids: Mapping[str, str]
    paths: Mapping[str, str]
    channels: Sequence[str] | None
    task: str

    def ask(self, query: EvalQuery) -> QueryResult:
        """Its answers beside the truth."""
        asked = _query(query)
        right = {self.ids[answer.video] for answer in query.answers}
        within = self.task == "video" and bool(right)
        where = Filter(videos=tuple(sorted(right))) if within else None
        began = time.perf_counter()
        moments = self.index.search(asked, k=SPANS, channels=self.channels, where=where)
        ms = (time.perf_counter() - began) * 1000
        rank = None if within else self._rank(asked, right, moments)
        graded = {self.ids[key]: grade for key, grade in query.relevance.items() if key in self.ids}
        paths = self.paths
        true = [Stretch(paths[self.ids[s.video]], s.start_s, s.end_s) for s in query.stretches]
        found = [Stretch(paths[m.video_id], m.span.start_s, m.span.end_s) for m in moments]
        best = moments[0] if moments else None
        whole = tuple((paths[self.ids[a.video]], None, None) for a in query.answers if not a.spans)
        cosines = [hit.score for hit in best.hits if -1.001 <= hit.score <= 1.001] if best else []
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
            cosine=max(cosines, default=-1.0),
            answers=tuple((s.video, round(s.start_s, 3), round(s.end_s, 3)) for s in found),
            right=(*((s.video, s.start_s, s.end_s) for s in true), *whole),
            clip_id=best.clip_id if best else None,
            ms=round(ms, 2),
            in_video=within,
            ndcg=self._ndcg(asked, graded) if graded else None,
        )

    def _ndcg(self, asked: Query, graded: Mapping[str, float]) -> float:
        """Of the first ten videos. graded: video id -> grade."""
        videos = self.index.search(asked, k=10, channels=self.channels, group_by_video=True)
        return ndcg([graded.get(m.video_id, 0.0) for m in videos], list(graded.values()))

    def _rank(self, asked: Query, right: set[str], moments: Sequence[Moment]) -> int | None:
        """Of the first right video."""
        if not right:
            return None
        if moments and moments[0].video_id in right:
            return 1
        videos = self.index.search(asked, k=DEPTH, channels=self.channels, group_by_video=True)
        return next((i for i, m in enumerate(videos, start=1) if m.video_id in right), None)

    def saliency(self, queries: Sequence[EvalQuery]) -> dict[str, Doubles]:
        """Query id -> (clips,) score of each 2-second clip of its video, for the queries with ratings."""
        made = {}
        for query in queries:
            if query.saliency is not None and query.answers:
                video_id = self.ids[query.answers[0].video]
                times_s, scores = self.index.curve(_query(query), video_id, channels=self.channels)
                made[query.query_id] = saliency_of(times_s, scores, len(query.saliency))
        return made


def _query(query: EvalQuery) -> Query:
    asked = {"text": Query.text, "image": Query.image, "audio": Query.audio}[query.modality](query.value)
    if query.example is None:
        return asked
    shown = Query.video if query.example.suffix.lower() in MEDIA_EXTENSIONS else Query.image
    return asked + shown(query.example)
