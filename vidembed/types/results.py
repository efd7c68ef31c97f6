"""What comes out: hits, moments, captions, run reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    texts: Mapping[str, str] = field(default_factory=dict)  # channel -> the words that matched (speech, ocr)
    marks: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)  # of the query's words in `texts`
    agreement: float | None = None  # 0..1, how far a model that was shown the moment says yes (`VideoIndex.check`)
    grounded: Span | None = None  # where a model that was shown the moment and around sees it (`VideoIndex.ground`)
    good_match: bool = True  # confidence is at least `search.min_confidence`
    matched_by: Mapping[str, float] = field(default_factory=dict)  # channels that helped, surest first; 0..1 each alone

    @property
    def start_s(self) -> float:
        """Start of the span, in seconds."""
        return self.span.start_s

    @property
    def end_s(self) -> float:
        """End of the span, in seconds."""
        return self.span.end_s

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values: seconds to the millisecond, scores by channel. `pandas.DataFrame` takes a list of them.

        caption, agreement and grounded are left out where there are none. marks: (start, end) of the query's words in
        `texts`, in characters.
        """
        return {
            "path": str(self.path),
            **self.span.to_dict(),
            "best_s": round(self.best_s, 3),
            "score": round(self.score, 6),
            "confidence": round(self.confidence, 4),
            "good_match": self.good_match,
            "matched_by": {channel: round(sure, 4) for channel, sure in self.matched_by.items()},
            "channels": {hit.channel: {"score": round(hit.score, 4), "rank": hit.rank} for hit in self.hits},
            "texts": dict(self.texts),
            "marks": {channel: [list(place) for place in places] for channel, places in self.marks.items()},
            "clip_id": self.clip_id,
            "video_id": self.video_id,
            **({"agreement": round(self.agreement, 4)} if self.agreement is not None else {}),
            **({"grounded": list(self.grounded.to_dict().values())} if self.grounded else {}),
            **({"caption": self.caption} if self.caption else {}),
        }


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
    """One item that could not be done. item: path, path and span, or clip id; stage: "probe", "decode"..."""

    item: str
    stage: str
    kind: str  # class name of the error
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Damage:
    """What of one file that is in the index could not be decoded."""

    item: str
    frames: int  # looked at, not decodable; in "adaptive" and "keyframes" mode most frames are not looked at
    missing: int  # listed in the file's header, but the file ends before
    sounds: int  # packets of sound

    @classmethod
    def of(cls, item: str, counts: Mapping[str, int]) -> Damage | None:
        """From a reader's counts; None for a whole file."""
        found = (counts.get("corrupt", 0), counts.get("missing", 0), counts.get("audio_corrupt", 0))
        return cls(item, *found) if any(found) else None

    def __str__(self) -> str:
        return damage_text(self.frames, self.missing, self.sounds)


def damage_text(frames: int, missing: int, sounds: int) -> str:
    """Such as "22 frames could not be decoded, 70 are missing at the end"."""
    parts = [f"{frames} frame{'s' * (frames != 1)} could not be decoded"] if frames else []
    if missing:
        parts.append(f"{missing} {'' if frames else 'frames '}are missing at the end")
    if sounds:
        parts.append(f"{sounds} packet{'s' * (sounds != 1)} of sound could not be decoded")
    return ", ".join(parts)


@dataclass(frozen=True)
class RunReport:
    """How a run over many items ended; found == done + unchanged + failed."""

    done: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()
    clips: int = 0
    seconds_of_video: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)  # frames decoded, kept, skipped, corrupt, ...
    damaged: tuple[Damage, ...] = ()  # files that are done, but not whole
    moved: tuple[tuple[str, str], ...] = ()  # (old, new) path of files that were renamed or moved
    gone: tuple[str, ...] = ()  # files that are no longer where they were; their videos are hidden
    forgotten: tuple[str, ...] = ()  # the same, where they were to be forgotten (`prune`)
    ignored: tuple[str, ...] = ()  # files that are left out because somebody said so

    @property
    def found(self) -> int:
        """The number of items the run was given."""
        return len(self.done) + len(self.unchanged) + len({f.item for f in self.failed} - set(self.done))

    def __str__(self) -> str:
        damaged = f", {len(self.damaged)} damaged" if self.damaged else ""
        moved = f", {len(self.moved)} of them moved" if self.moved else ""
        gone = f", {len(self.gone)} gone" if self.gone else ""
        forgotten = f", {len(self.forgotten)} forgotten" if self.forgotten else ""
        ignored = f", {len(self.ignored)} ignored" if self.ignored else ""
        ended = f"{len(self.done)} done, {len(self.unchanged)} unchanged{moved}, {len(self.failed)} failed"
        return f"{ended}{damaged}{gone}{forgotten}{ignored}"

    def damage(self) -> str:
        """One line for people: "2 files are damaged: 24 frames could not be decoded"; "" when none is."""
        if not self.damaged:
            return ""
        sums = [sum(getattr(entry, name) for entry in self.damaged) for name in ("frames", "missing", "sounds")]
        files = "1 file is" if len(self.damaged) == 1 else f"{len(self.damaged)} files are"
        return f"{files} damaged: {damage_text(*sums)}"
