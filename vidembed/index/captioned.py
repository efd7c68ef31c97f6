"""Captions go into the catalog and, at once, into the channels that search them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vidembed.errors import VidembedError
from vidembed.sources.basic import caption_text
from vidembed.types import Caption, Failure, Row

if TYPE_CHECKING:
    from vidembed.index.channels import Lane
    from vidembed.index.video_index import VideoIndex


def save_captions(index: VideoIndex, captions: Sequence[Caption]) -> list[Caption]:
    """See `VideoIndex.save_captions`. A crash is mended by the next `add`: the lane is open till the end."""
    lanes = [entry for entry in index.lanes.values() if entry.settings.source == "captions"]
    with index.catalog.transaction():
        saved = index.catalog.captions.put(captions)
        videos = sorted({caption.clip.video_id for caption in saved})
        for entry in lanes:
            for video_id in videos:
                index.catalog.lanes.forget(entry.collection, video_id)
    for entry in lanes if saved else ():
        _encode(index, entry, saved, videos)
    return saved


def _encode(index: VideoIndex, entry: Lane, saved: Sequence[Caption], videos: Sequence[str]) -> None:
    channel = index.load(entry)
    clips = [caption.clip for caption in saved]
    answers = channel.encoder.encode_clips([caption_text(c.clip, c.text) for c in saved], clips)
    rows = []
    for clip, answer in zip(clips, answers, strict=True):
        if isinstance(answer, Failure):
            raise VidembedError(f"the caption of clip {clip.clip_id} cannot be encoded: {answer.message}")
        if answer is not None:
            rows.append(Row(clip, answer.vector, answer.units, answer.unit_times_s))
    if rows:
        index.store.put(entry.collection, rows)
    index.store.flush()
    for video_id in videos:
        captioned = [caption.clip.clip_id for caption in index.catalog.captions.get(video_id)]
        stored = len(index.store.rows(entry.collection, captioned, units=False))
        index.catalog.lanes.finish(video_id, entry.collection, "done" if stored else "absent", stored)
