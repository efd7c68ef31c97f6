"""What many hours of video take: vectors, disk, memory, machine hours; from constants that were measured."""

from __future__ import annotations

from dataclasses import dataclass

from vidembed.config.schema import Config
from vidembed.models import registry
from vidembed.types import Space

CLIP_S = 4.0  # mean clip of real footage cut at shots (docs/stores.md)
POINT_BYTES = 300  # id, payload and payload indexes of a clip in one collection
GRAPH_BYTES = 150  # of the HNSW graph, a clip
SPACE = 1.3  # files have holes, and an optimiser writes a copy before it drops the old
FILES_BYTES = 3_700_000 + 400_000  # thumbnails and catalog of an hour, starter (docs/performance.md)
WORDS_BYTES = 400  # a sparse vector of a line of text
CODE_BYTES = {"none": 4.0, "scalar": 1.0, "turbo4": 0.5}  # of one dimension, in memory
_USUAL_DIM = 1024
_PARTS_OF_A_SCREEN = 280  # of ColModernVBERT, 16:9, three made one
SPEED = {"starter": 17.0}  # seconds of video in a second of one core (docs/performance.md: 440 s in 25 to 27 s)


@dataclass(frozen=True)
class Need:
    """What one way of keeping vectors needs: bytes on disk and in memory, over all replicas."""

    quantization: str
    disk_bytes: float
    memory_bytes: float


@dataclass(frozen=True)
class Estimate:
    """What an index takes.

    Attributes:
        hours: Of video.
        clips: That it is cut into.
        vectors: Of clips, in all channels.
        segments: Vectors of their frames, windows and lines.
        machine_hours: To index; None = not measured for this profile.
        files_bytes: Thumbnails and catalog.
        needs: Of the vectors, by quantization.
        assumed: Channels whose dimensions only the weights know; 1024 were taken.
    """

    hours: float
    clips: float
    vectors: float
    segments: float
    machine_hours: float | None
    files_bytes: float
    needs: tuple[Need, ...]
    assumed: tuple[str, ...] = ()


def plan(config: Config, hours: float, *, speed: float | None = None, clip_s: float = CLIP_S) -> Estimate:
    """Estimate what an index of so many hours takes with these settings.

    Args:
        config: The settings; `store.replicas` counts for a server.
        hours: Of video.
        speed: Seconds of video that one machine indexes in a second; None = what was measured for the profile.
        clip_s: Mean length of a clip.
    """
    known = speed or SPEED.get(config.profile)
    assumed = []
    clips = hours * 3600 / clip_s
    vectors = segments = fixed = graph = 0.0
    wide = dict.fromkeys(CODE_BYTES, 0.0)
    for name, channel in config.channels.items():
        if not channel.enabled:
            continue
        space = registry.find(channel.model).space
        if space is None:
            assumed.append(name)
            space = Space(channel.model, _USUAL_DIM)
        vectors += clips
        fixed += clips * POINT_BYTES
        if space.kind == "sparse":
            fixed += clips * WORDS_BYTES
            continue
        own = _segments_of(config, name, clip_s, space) * clips if channel.keep_segments else 0.0
        segments += own
        graph += clips * GRAPH_BYTES
        fixed += clips * space.dim * 4 + own * space.dim * 2
        for codes, size in CODE_BYTES.items():
            wide[codes] += clips * space.dim * size
    copies = config.store.replicas if config.store.kind == "server" else 1
    needs = tuple(
        Need(
            codes,
            copies * SPACE * (fixed + graph + (0.0 if codes == "none" else size)),
            copies * (size + graph),
        )
        for codes, size in wide.items()
    )
    return Estimate(
        hours, clips, vectors, segments, hours / known if known else None, hours * FILES_BYTES, needs, tuple(assumed)
    )


def _segments_of(config: Config, name: str, clip_s: float, space: Space) -> float:
    """Frames, windows or lines of one clip, or parts of its screen."""
    channel = config.channels[name]
    if space.kind == "late":
        return _PARTS_OF_A_SCREEN
    if channel.source in ("audio", "av"):
        step = channel.hop_s or channel.window_s or registry.find(channel.model).input.window_s or clip_s
        return max(1.0, clip_s / step)
    if channel.source == "frames":
        return max(1.0, min(clip_s * config.sample.rate_hz, config.sample.max_frames_per_clip))
    return 1.0
