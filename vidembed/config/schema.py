"""The shape of the settings: every key, its type and its bounds. Defaults live in configs/base.yaml alone.

Only `channels.*` has defaults here, because base.yaml cannot list lanes it does not know.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from vidembed.vectors import Pooling, UnitScore


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be finite")
    return value


Finite = Annotated[float, AfterValidator(_finite)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400 * 7)]
Weight = Annotated[Finite, Field(ge=0, le=1000)]
ChannelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class Section(BaseModel):
    """Frozen, and unknown keys are refused: a misspelt setting must not be silently without effect."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class SampleSettings(Section):
    rate_hz: float = Field(gt=0, le=60)
    mode: Literal["fixed", "adaptive", "keyframes"]
    distinct: Share
    max_frames_per_clip: int = Field(ge=1, le=1024)


class SegmentSettings(Section):
    kind: Literal["windows", "shots", "changes", "whole"]
    window_s: Seconds
    overlap_s: float = Field(ge=0, le=3600)
    min_s: float = Field(ge=0, le=3600)
    max_s: Seconds
    change: float | None = Field(default=None, gt=0, le=1000)  # None = `media.changes.DEFAULT_CHANGE`

    @model_validator(mode="after")
    def _lengths_fit(self) -> SegmentSettings:
        if self.overlap_s >= self.window_s:
            raise ValueError(f"overlap_s ({self.overlap_s}) must be less than window_s ({self.window_s})")
        if self.min_s > self.max_s:
            raise ValueError(f"min_s ({self.min_s}) must not be more than max_s ({self.max_s})")
        return self


class ChannelSettings(Section):
    """One lane: what of a clip it looks at, and the model that turns it into vectors."""

    enabled: bool = True  # False: the profile knows the lane, `--channels +name` switches it on
    source: Literal["frames", "audio", "av", "captions", "speech", "ocr"]
    model: str = Field(min_length=1)
    pool: Pooling = "mean"
    templates: tuple[str, ...] = ()  # "a photo of {}"; averaged at query time, no part of the fingerprint
    window_s: Seconds | None = None  # of one sound unit; None = the model's own
    hop_s: Seconds | None = None
    short_side_px: int | None = Field(default=None, ge=16, le=4096)  # None = what the model takes
    keep_units: bool = True  # keep the vectors of frames and windows, for precise moments
    silence_rms: Share = 0.0005  # sound below this level counts as absent
    batch_size: int | None = Field(default=None, ge=1, le=4096)  # units at once; None = run.batch_size
    device: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    engine: str | None = None  # CPU engine of the tower where it has several: torch, openvino
    options: dict[str, Any] = {}  # handed to the model's loader
    source_options: dict[str, Any] = {}  # handed to the source (speech: model, language; ocr: frames, ...)


class StoreSettings(Section):
    kind: Literal["edge", "server", "memory"]
    url: str | None
    api_key_env: str | None
    namespace: str | None = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    quantization: Literal["none", "scalar", "binary", "turbo1", "turbo2", "turbo4"]
    timeout_s: Seconds

    @model_validator(mode="after")
    def _server_has_url(self) -> StoreSettings:
        if self.kind == "server" and not self.url:
            raise ValueError('kind "server" needs url, such as http://localhost:6333')
        return self


class MomentSettings(Section):
    smooth_s: float = Field(ge=0, le=600)
    min_s: Seconds
    max_s: Seconds
    context_s: float = Field(ge=0, le=600)
    levels: int = Field(ge=1, le=64)
    nms_sigma: float = Field(gt=0, le=10)
    per_video: int = Field(ge=1, le=1000)
    videos: int = Field(ge=1, le=1000)
    context_share: Share


class CalibrationSettings(Section):
    enabled: bool
    bank: str | None
    temperature: float = Field(gt=0, le=10)
    hubness: Share


class SearchSettings(Section):
    fusion: Literal["rrf", "zscore", "dbsf", "evidence"]
    rrf_k: int = Field(ge=1, le=10_000)
    weights: dict[ChannelName, Weight]
    per_channel: int = Field(ge=1, le=100_000)
    unit_score: UnitScore
    rescore: int = Field(ge=1, le=10_000)
    seeds: int = Field(ge=1, le=10_000)
    around: int = Field(ge=0, le=1000)
    clip_share: Share
    adaptive: bool
    min_confidence: Share
    moments: MomentSettings
    calibration: CalibrationSettings


class CaptionSettings(Section):
    model: str | None
    candidates: int = Field(ge=1, le=64)
    bank_candidates: int = Field(ge=0, le=64)
    prompt: str | None
    seed: int = Field(ge=0)
    rerank: dict[ChannelName, Weight]
    min_confidence: Share
    summary: Literal["auto", "extract"]
    options: dict[str, Any]


class RunSettings(Section):
    batch_size: int = Field(ge=1, le=4096)
    prefetch: int = Field(ge=0, le=64)
    executor: Literal["serial", "threads", "ray"]
    workers: int = Field(ge=1, le=256)
    worker_cpus: float = Field(ge=0, le=1024)
    worker_gpus: float = Field(ge=0, le=64)
    on_error: Literal["record", "raise"]
    stop_after_same_error: int = Field(ge=1, le=1_000_000)


class LimitSettings(Section):
    max_pixels: int = Field(ge=1)
    max_duration_s: float = Field(gt=0)
    max_size_bytes: int = Field(ge=1)
    io_timeout_s: Seconds
    decode_timeout_s: Seconds


class MediaSettings(Section):
    reader: Literal["pyav", "decord"]
    isolate: Literal["never", "always"]
    audio_track: int | None = Field(ge=0, le=255)
    limits: LimitSettings


class ThumbnailSettings(Section):
    enabled: bool
    long_side_px: int = Field(ge=16, le=4096)
    quality: int = Field(ge=1, le=100)


class Config(Section):
    """All settings of one index or run. Made by `vidembed.config.load.load_config`."""

    profile: str
    device: str = Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    weights_dir: str | None
    offline: bool
    sample: SampleSettings
    segment: SegmentSettings
    channels: dict[ChannelName, ChannelSettings]
    store: StoreSettings
    search: SearchSettings
    caption: CaptionSettings
    run: RunSettings
    media: MediaSettings
    thumbnails: ThumbnailSettings

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    def flat(self) -> list[tuple[str, Any]]:
        """(dotted path, value) of every leaf, in the order of the schema."""
        return list(_leaves(self.model_dump(mode="json"), ""))

    def origin(self, path: str) -> str:
        """Where the value at a dotted path came from: "base", "profile starter", "file x.yaml", "environment ..."."""
        return nearest_origin(self._origins, path) or "default"


def _leaves(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in _leaves(item, f"{path}.{key}" if path else str(key))]
    return [(path, value)]


def nearest_origin(origins: dict[str, str], path: str) -> str | None:
    """The origin of the path, or of the closest section around it."""
    parts = path.split(".")
    for stop in range(len(parts), 0, -1):
        at = ".".join(parts[:stop])
        below = next((label for key, label in origins.items() if key.startswith(f"{at}.")), None)
        if at in origins or below:
            return origins.get(at) if stop == len(parts) and at in origins else below or origins[at]
    return None
