"""What comes out: hits, moments, captions, run reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vidembed.types.media import Clip
from vidembed.types.time import Span


@dataclass(frozen=True)
class Hit:
    """One clip in one channel's ranking. score: cosine in -1..1 (dense) or BM25 > 0 (sparse); rank from 1."""

    clip_id: str
    channel: str
    score: float
    rank: int


@dataclass(frozen=True)
class Moment:
    """One answer: a span of a video, with the evidence for it."""

    video_id: str
    path: Path
    span: Span
    best_s: float  # time of the best frame, inside the span
    score: float  # fused over channels; no unit, comparable within one answer list only
    confidence: float  # calibrated, 0..1; below `search.min_confidence` = "no good match"
    clip_id: str  # the clip the moment was found from
    hits: tuple[Hit, ...] = ()  # best hit per channel, the evidence shown to people
    caption: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)  # lane -> the words that matched (speech, ocr)


@dataclass(frozen=True)
class Candidate:
    """One proposed caption with what each channel thinks of it."""

    text: str
    scores: Mapping[str, float]  # channel -> cosine with the clip
    origin: str = ""  # "beam 1", "sample 3", "bank"


@dataclass(frozen=True)
class Caption:
    """The chosen text of one clip; the candidates stay, so that the choice can be explained and redone."""

    clip: Clip
    text: str
    score: float  # calibrated, 0..1
    candidates: tuple[Candidate, ...]
    model: str
    confident: bool = True
    human: bool = False  # written or edited by a person; never overwritten by a model


@dataclass(frozen=True)
class Failure:
    """One item that could not be done. item: path or clip id; stage: "probe", "decode", "encode:vision"..."""

    item: str
    stage: str
    kind: str  # class name of the error
    message: str
    hint: str = ""


@dataclass(frozen=True)
class RunReport:
    """How a run over many items ended; found == done + unchanged + failed."""

    done: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()
    clips: int = 0
    seconds_of_video: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)  # frames decoded, kept, skipped, corrupt, ...

    @property
    def found(self) -> int:
        return len(self.done) + len(self.unchanged) + len({f.item for f in self.failed} - set(self.done))

    def __str__(self) -> str:
        return f"{len(self.done)} done, {len(self.unchanged)} unchanged, {len(self.failed)} failed"
