"""Captioned media ranked by their vectors alone: text to medium, and medium to text, as the papers print both.

A medium scores with a text what its best clip does (a picture has one vector). Fusion and moments play no part here, so
these figures measure the model of a channel; those of `run` measure what a search gives.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidembed.errors import BadQuery, InputError, MediaNotFound, MediaUnreadable
from vidembed.evaluation.dataset import DataSet
from vidembed.evaluation.figures import QueryResult
from vidembed.evaluation.metrics import Doubles, rank_report, ranks_from_scores
from vidembed.media.images import load_image
from vidembed.protocols import Channel
from vidembed.search.calibration import encode_texts
from vidembed.search.searcher import Searcher
from vidembed.types import Floats

_AT_ONCE = 512  # texts or media scored together


def both_ways(texts: Floats, media: Sequence[Floats], owners: Sequence[int]) -> tuple[Doubles, Doubles]:
    """Ranks of each text's medium, and of each medium's best text among all texts.

    Args:
        texts: (T, D) unit rows.
        media: Per medium (clips, D) unit rows, at least one.
        owners: Per text the number of its medium.

    Returns:
        (T,) and (M,) ranks from 1, equal scores behind; inf for a medium without a text.
    """
    rows = np.concatenate(media)
    starts = np.concatenate([[0], np.cumsum([len(clips) for clips in media])])
    own: list[list[int]] = [[] for _ in media]
    for text, medium in enumerate(owners):
        own[medium].append(text)
    there = [
        ranks_from_scores(
            np.maximum.reduceat(texts[i : i + _AT_ONCE] @ rows.T, starts[:-1], axis=1),
            [[medium] for medium in owners[i : i + _AT_ONCE]],
        )
        for i in range(0, len(texts), _AT_ONCE)
    ]
    back = []
    for i in range(0, len(media), _AT_ONCE):
        j = min(i + _AT_ONCE, len(media))
        block = np.maximum.reduceat(texts @ rows[starts[i] : starts[j]].T, starts[i:j] - starts[i], axis=1)
        back.append(ranks_from_scores(block.T, own[i:j]))
    return np.concatenate(there), np.concatenate(back)


def vector_figures(
    searcher: Searcher, asked: DataSet, ids: Mapping[str, str], channels: Sequence[str] | None
) -> dict[str, dict[str, float]]:
    """Figures by direction and channel ("video to text, vision"), for each dense channel that takes text."""
    figures = {}
    for name, channel, texts in _channels(searcher, asked, channels):
        clips: dict[str, list[Floats]] = {}
        for batch in searcher.store.scan(channel.collection):
            for row in batch:
                clips.setdefault(row.clip.video_id, []).append(np.asarray(row.vector))
        media = {key: np.stack(clips[ids[key]]) for key in asked.media if ids[key] in clips}
        there, back = _ranks(asked, texts, media)
        if len(there):
            figures[f"text to video, {name}"] = rank_report(there)
            figures[f"video to text, {name}"] = rank_report(back)
    return figures


@dataclass(frozen=True)
class Directions:
    """Pictures ranked by texts and back. ranked: keys of the pictures that could be read."""

    results: tuple[QueryResult, ...]
    figures: dict[str, dict[str, float]]
    channels: tuple[str, ...]
    ranked: frozenset[str]
    seconds: float


def of_pictures(searcher: Searcher, dataset: DataSet, channels: Sequence[str] | None = None) -> Directions:
    """Rank the data set's pictures, which need no index: the first channel whose model takes pictures and text.

    Raises InputError when no picture can be read, BadQuery for an unknown channel or when none takes pictures and text.
    """
    began = time.perf_counter()
    asked = dataset.present()
    for name, channel, texts in _channels(searcher, asked, channels):
        media = dict(_encoded(channel, asked))
        if not media:
            continue
        there, back = _ranks(asked, texts, media)
        return Directions(
            results=_results(asked, name, there, frozenset(media)),
            figures={"text to picture": rank_report(there), "picture to text": rank_report(back)},
            channels=(name,),
            ranked=frozenset(media),
            seconds=time.perf_counter() - began,
        )
    if not asked.queries:
        raise InputError(f"none of the {len(dataset.media)} pictures of {dataset.name} is in the folder of media")
    raise BadQuery("no channel takes both pictures and text", hint="a profile with a channel `vision` has one")


def _channels(
    searcher: Searcher, asked: DataSet, channels: Sequence[str] | None
) -> Iterator[tuple[str, Channel, Floats]]:
    """Dense channels that take text, with the vectors of all texts of the data set, in the order of its media."""
    texts = [text for key in asked.media for text in asked.references.get(key, ())]
    for name in channels or list(searcher.channels):
        if name not in searcher.channels:
            raise BadQuery(f"no channel {name!r} in this index", hint=f"channels: {', '.join(searcher.channels)}")
        channel = searcher.channels[name]
        rows = encode_texts(channel, texts) if texts and channel.encoder.space.kind == "dense" else None
        if rows is not None:
            yield name, channel, rows


def _ranks(asked: DataSet, texts: Floats, media: Mapping[str, Floats]) -> tuple[Doubles, Doubles]:
    owners: list[int] = []
    kept: list[int] = []
    row = 0
    number = {key: i for i, key in enumerate(media)}
    for key in asked.media:
        count = len(asked.references.get(key, ()))
        if key in number:
            owners += [number[key]] * count
            kept += range(row, row + count)
        row += count
    if not kept:
        return np.zeros(0), np.zeros(0)
    there, back = both_ways(texts[kept], list(media.values()), owners)
    return there, back[sorted(set(owners))]


def _encoded(channel: Channel, asked: DataSet) -> Iterator[tuple[str, Floats]]:
    """Each picture's (1, D) row; none if the channel takes no pictures. A picture that cannot be read is left out."""
    for key, path in asked.media.items():
        if path is None:
            continue
        try:
            picture = load_image(path)
        except (MediaNotFound, MediaUnreadable, BadQuery):
            continue  # listed as missing in the report
        row = channel.encoder.encode_query("image", picture)
        if not isinstance(row, np.ndarray):
            return
        yield key, row[None]


def _results(asked: DataSet, channel: str, there: Doubles, ranked: frozenset[str]) -> tuple[QueryResult, ...]:
    texts = [(key, text) for key in asked.media if key in ranked for text in asked.references.get(key, ())]
    return tuple(
        QueryResult(
            query_id=f"{key}#{i}",
            modality="text",
            value=text,
            channel=channel,
            has_answer=True,
            rank=int(rank),
            iou=None,
            best_iou_5=None,
            confidence=0.0,
            cosine=-1.0,
            answers=(),
            right=((str(asked.media[key]), None, None),),
        )
        for i, ((key, text), rank) in enumerate(zip(texts, there, strict=True))
    )
