"""Captions of an index against human ones. References are JSON lines, one video or stretch a line:

{"video": "lake.mp4", "captions": ["a dog jumps into a lake", "a dog is swimming"]}
{"video": "lake.mp4", "start_s": 0, "end_s": 5, "captions": ["a dog runs along the shore"]}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vidembed.errors import InputError
from vidembed.evaluation.annotations import jsonl_records
from vidembed.evaluation.caption_metrics import caption_report, clip_scores, ref_clip_scores
from vidembed.evaluation.dataset import MediaFolder
from vidembed.types import Caption, Floats, Span


class CaptionedIndex(Protocol):
    """What is measured: `vidembed.VideoIndex`."""

    def videos(self) -> Sequence[Any]: ...

    def captions(self, video_id: str | None = None) -> list[Caption]: ...


@dataclass(frozen=True)
class View:
    """A channel that compares clips with text. embed: texts -> (N, D) unit rows; vectors: clip ids -> their (D,)."""

    embed: Callable[[Sequence[str]], Floats]
    vectors: Callable[[Sequence[str]], Mapping[str, Floats]]


@dataclass(frozen=True)
class Reference:
    """Human captions of a video, or of a stretch of it."""

    video: str
    path: Path | None
    captions: tuple[str, ...]
    span: Span | None = None


def read_references(file: Path, media: Path | None = None) -> list[Reference]:
    """Raises InputError, naming file and line, for whatever is wrong."""
    folder = MediaFolder(media if media is not None else file.parent)
    found = []
    for record in jsonl_records(file):
        video = record.text("video")
        texts = record.list("captions")
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            raise record.wrong("captions must be a list of texts, at least one")
        timed = "start_s" in record.fields or "end_s" in record.fields
        span = record.span(record.get("start_s"), record.get("end_s")) if timed else None
        found.append(Reference(video, folder.find(video), tuple(" ".join(text.split()) for text in texts), span))
    if not found:
        raise InputError(f"{file} has no reference in it")
    return found


def evaluate_captions(
    index: CaptionedIndex, references: Sequence[Reference], views: Mapping[str, View] | None = None
) -> dict[str, Any]:
    """{"figures": metric -> value, "missing": videos without a caption, "captions": count}.

    A caption is compared with the references of the stretch it overlaps most, or of the whole video; captions written
    by a person are left out. For each of the views, CLIPScore and RefCLIPScore over the clips with a vector there.
    Raises InputError when nothing can be compared.
    """
    ids: dict[str, str] = {}
    for record in index.videos():
        for path in record.paths:
            ids[str(path)] = ids[Path(path).name] = record.info.video_id
    per_video: dict[str, list[Reference]] = {}
    missing: list[str] = []
    for reference in references:
        names = [reference.video, Path(reference.video).name, *([str(reference.path)] if reference.path else [])]
        video_id = next((ids[name] for name in names if name in ids), None)
        if video_id is None:
            missing.append(reference.video)
        else:
            per_video.setdefault(video_id, []).append(reference)
    texts: list[str] = []
    others: list[list[str]] = []
    clips: list[str] = []
    for video_id, given in per_video.items():
        made = [caption for caption in index.captions(video_id) if not caption.human]
        if not made:
            missing.extend(dict.fromkeys(reference.video for reference in given))
        for caption in made:
            fitting = _fitting(caption.clip.span, given)
            if fitting:
                texts.append(caption.text)
                others.append(list(fitting))
                clips.append(caption.clip.clip_id)
    if not texts:
        raise InputError("no caption to compare", hint="caption the index first: vidembed caption")
    figures = caption_report(texts, others)
    for name, view in (views or {}).items():
        figures |= _seen(name, view, clips, texts, others)
    return {"figures": figures, "missing": list(dict.fromkeys(missing)), "captions": len(texts)}


def _seen(
    name: str, view: View, clips: Sequence[str], texts: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, float]:
    """CLIPScore and RefCLIPScore by one channel; nothing where no clip has a vector there."""
    vectors = view.vectors(clips)
    held = [i for i, clip_id in enumerate(clips) if clip_id in vectors]
    if not held:
        return {}
    media = np.stack([vectors[clips[i]] for i in held])
    own = view.embed([texts[i] for i in held])
    others = [view.embed(references[i]) for i in held]
    return {
        f"CLIPScore ({name})": float(clip_scores(media, own).mean()),
        f"RefCLIPScore ({name})": float(ref_clip_scores(media, own, others).mean()),
    }


def _fitting(span: Span, references: Sequence[Reference]) -> tuple[str, ...]:
    """The captions of the stretch that overlaps the span most; of the whole video where no stretch does."""
    timed = [reference for reference in references if reference.span is not None]
    best = max(timed, key=lambda r: r.span.overlap_s(span) if r.span else 0.0, default=None)
    if best is not None and best.span is not None and best.span.overlap_s(span) > 0:
        return best.captions
    return tuple(text for reference in references if reference.span is None for text in reference.captions)
