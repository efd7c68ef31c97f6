"""Whole-video titles, sentences and chapters of an index: put together or written, kept until the captions change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vidembed.batching import failure_of
from vidembed.captions.records import summary_from_record, summary_record
from vidembed.captions.summarise import VideoSummary, Writer, write_summary
from vidembed.errors import ConfigError
from vidembed.index.caption_judging import cues_of, sum_up, told_lines
from vidembed.types import Caption, Failure

if TYPE_CHECKING:
    from vidembed.index.base import OpenIndex

VERSION = 1  # of how they are put together


def kept_summary(index: OpenIndex, captions: Sequence[Caption], judge: str | None) -> VideoSummary | None:
    """The summary that is kept of a video, or one put together now. None without captions."""
    if not captions:
        return None
    return _kept(index, captions) or sum_up(index, captions, judge)


def make_summary(
    index: OpenIndex,
    captions: Sequence[Caption],
    judge: str | None,
    *,
    writer: Callable[[], Writer | None],
    seed: int,
    redo: bool = False,
) -> tuple[VideoSummary | None, Failure | None]:
    """The kept summary, else a new one, in the writer's words where there is one; and why it could not write.

    writer: called when there is something to write. What failed is not kept: the next run asks again.
    """
    if not captions:
        return None, None
    if not redo and (kept := _kept(index, captions)):
        return kept, None
    summary = sum_up(index, captions, judge)
    if summary is None:
        return None, None
    video_id, failure = captions[0].clip.video_id, None
    try:
        if (words := writer()) is not None:
            cues, lines = cues_of(index, captions, judge), told_lines(index, captions)
            summary = write_summary(words, summary, cues, lines, seed=seed)
    except ConfigError:
        raise
    except Exception as error:  # the model or the endpoint; the captions stand
        failure = failure_of(error, item=video_id, stage="caption:summary")
    if failure is None:
        body = json.dumps(summary_record(summary, "", video_id), ensure_ascii=False)
        index.catalog.summaries.put(video_id, _basis(index, captions), body)
    return summary, failure


def _kept(index: OpenIndex, captions: Sequence[Caption]) -> VideoSummary | None:
    body = index.catalog.summaries.get(captions[0].clip.video_id, _basis(index, captions))
    return summary_from_record(json.loads(body)) if body is not None else None


def _basis(index: OpenIndex, captions: Sequence[Caption]) -> str:
    """Digest of what a summary is made from: the captions, and what is said and written."""
    facts = [VERSION, [(c.clip.clip_id, c.text, c.model) for c in captions], told_lines(index, captions)]
    return hashlib.blake2b(json.dumps(facts, ensure_ascii=False).encode(), digest_size=8).hexdigest()
