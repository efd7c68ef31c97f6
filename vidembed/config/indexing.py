"""Settings of indexing: how videos are read, cut, encoded and stored; and what all sections share."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from vidembed.vectors import Pooling


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
    """Which frames are looked at."""

    rate_hz: float = Field(default=1.0, gt=0, le=60, description="frames a second, each at its own timestamp")
    mode: Literal["fixed", "adaptive", "keyframes"] = Field(
        default="adaptive",
        description="fixed: all; adaptive: keyframes where dense enough, no repeats; keyframes: only those",
    )
    distinct: Share = Field(
        default=0.03, description="not fixed: a frame is a repeat if no grid cell's grey (0..1) differs by more"
    )
    max_frames_per_clip: int = Field(default=32, ge=1, le=1024, description="evenly spaced, where a clip has more")


class SegmentSettings(Section):
    """How a video is cut into clips."""

    kind: Literal["windows", "shots", "changes", "whole"] = Field(
        default="shots",
        description="windows: fixed length; shots: at cuts; changes: where content changes; whole: one clip",
    )
    window_s: Seconds = Field(default=10.0, description="windows: length")
    overlap_s: float = Field(default=0.0, ge=0, le=3600, description="windows: overlap with the one before")
    min_s: float | None = Field(
        default=None,
        ge=0,
        le=3600,
        description="shots, changes: shorter clips join a neighbour (null = 0.3 for shots, 2 for changes)",
    )
    max_s: Seconds = Field(default=20.0, description="shots, changes: longer clips are cut")
    detector: Literal["builtin", "transnetv2"] = Field(
        default="builtin",
        description="shots: builtin: from what is decoded anyway; transnetv2: a model, on every frame",
    )
    change: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="changes: what a cut must gain (null = 0.5: five frames each side, cosine below 0.9)",
    )

    @model_validator(mode="after")
    def _lengths_fit(self) -> SegmentSettings:
        if self.overlap_s >= self.window_s:
            raise ValueError(f"overlap_s ({self.overlap_s}) must be less than window_s ({self.window_s})")
        if self.min_s is not None and self.min_s > self.max_s:
            raise ValueError(f"min_s ({self.min_s}) must not be more than max_s ({self.max_s})")
        return self

    @property
    def shortest_s(self) -> float:
        """`min_s`, or what suits the kind where none is given; at most `max_s`."""
        usual_s = 2.0 if self.kind == "changes" else 0.3
        return min(usual_s, self.max_s) if self.min_s is None else self.min_s


class ChannelSettings(Section):
    """A channel: what of a clip is encoded, and the model that encodes it."""

    enabled: bool = Field(default=True, description="false: off, until switched on by --channels +name")
    source: Literal["frames", "audio", "av", "captions", "speech", "ocr"] = Field(
        description="what of a clip is encoded"
    )
    model: str = Field(min_length=1, description="the encoder; `vidembed models` lists them")
    pool: Pooling = Field(default="mean", description="how a clip's vector is made of its frames' or windows' vectors")
    templates: tuple[str, ...] = Field(
        default=(), description='prompts for queries, such as "a photo of {}"; their vectors are averaged'
    )
    window_s: Seconds | None = Field(default=None, description="sound: length of a window; null = the model's own")
    hop_s: Seconds | None = Field(default=None, description="sound: step between windows; null = the model's own")
    short_side_px: int | None = Field(
        default=None, ge=16, le=4096, description="size of decoded frames; null = the model's own"
    )
    keep_segments: bool = Field(
        default=True, description="store the vectors of frames and windows, for precise moments"
    )
    silence_rms: Share = Field(default=0.0005, description="sound below this level (root mean square) counts as absent")
    batch_size: int | None = Field(
        default=None, ge=1, le=4096, description="frames, windows or lines encoded at once; null = run.batch_size"
    )
    device: str | None = Field(default=None, description="null = the device above")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="precision of the model"
    )
    engine: str | None = Field(default=None, description="CPU engine, where a model has several: torch, openvino")
    options: dict[str, Any] = Field(default={}, description="passed to the model's loader")
    source_options: dict[str, Any] = Field(
        default={}, description="passed to the source (speech: model, language; ocr: frames, ...)"
    )


class StoreSettings(Section):
    """Where vectors are stored."""

    kind: Literal["edge", "server", "memory"] = Field(
        default="edge", description="edge: in the index folder, in this process; server: Qdrant; memory: until closed"
    )
    url: str | None = Field(default=None, description="server: such as http://localhost:6333")
    api_key_env: str | None = Field(
        default=None, description="server: the environment variable that holds the key, never the key itself"
    )
    namespace: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="server: prefix of this index's collections; null = made from the index's id",
    )
    quantization: Literal["none", "scalar", "binary", "turbo1", "turbo2", "turbo4"] = Field(
        default="none", description="none, scalar (int8), binary, turbo1, turbo2, turbo4 (bits per number)"
    )
    hnsw_ef: int | None = Field(
        default=None, ge=4, le=10_000, description="clips a graph search looks at; null = 256, or 2 for each hit wanted"
    )
    timeout_s: Seconds = Field(
        default=30.0, description="server: longest wait for one call, doubled where an answer takes longer"
    )
    prefer_grpc: bool = Field(default=False, description="server: call its gRPC port, faster for large batches")
    grpc_port: int = Field(default=6334, ge=1, le=65535, description="server: its gRPC port, of the same host")
    shards: int | None = Field(
        default=None, ge=1, le=1024, description="server: parts of a new collection; null = one for each node"
    )
    replicas: int = Field(default=1, ge=1, le=16, description="server: nodes that hold each part of a new collection")
    write_consistency: int = Field(
        default=1, ge=1, le=16, description="server: replicas that must have a write before it counts as done"
    )

    @model_validator(mode="after")
    def _server_has_url(self) -> StoreSettings:
        if self.kind == "server" and not self.url:
            raise ValueError('kind "server" needs url, such as http://localhost:6333')
        if self.url and "://" in self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url must begin with http:// or https://, got {self.url!r}")
        if self.write_consistency > self.replicas:
            raise ValueError(f"write_consistency {self.write_consistency} is more than the replicas, {self.replicas}")
        return self


class RunSettings(Section):
    """How an indexing run works."""

    batch_size: int = Field(default=8, ge=1, le=4096, description="clips encoded at once")
    prefetch: int = Field(
        default=2, ge=0, le=64, description="batches decoded ahead of the encoder; 0 = in turn with it, on one thread"
    )
    executor: Literal["serial", "threads", "ray"] = Field(
        default="threads", description="serial: one video at a time; threads: in this process; ray: on a Ray cluster"
    )
    workers: int = Field(default=1, ge=1, le=256, description="videos decoded in parallel; ray: and encoded")
    worker_cpus: float = Field(default=1.0, ge=0, le=1024, description="ray: CPU cores of each worker")
    worker_gpus: float = Field(default=0.0, ge=0, le=64, description="ray: GPUs of each worker; 0.5 = two share one")
    on_error: Literal["record", "raise"] = Field(
        default="record", description="record: list the file and go on; raise: stop, for debugging"
    )
    stop_after_same_error: int = Field(
        default=20, ge=1, le=1_000_000, description="stop when the same unexpected error comes so many times in a row"
    )


class LimitSettings(Section):
    """Files are untrusted: what is refused instead of tried."""

    max_pixels: int = Field(default=8192 * 8192, ge=1, description="width x height of one picture (8192 x 8192)")
    max_duration_s: float = Field(default=48 * 3600.0, gt=0, description="of a video (two days)")
    max_size_bytes: int = Field(default=1 << 40, ge=1, description="of a file (1 TiB)")
    io_timeout_s: Seconds = Field(
        default=30.0, description="longest wait for opening a file or reading its next packet"
    )
    decode_timeout_s: Seconds = Field(
        default=300.0, description="longest wait for a decoder; then the file counts as unreadable"
    )


class MediaSettings(Section):
    """How files are read."""

    reader: Literal["pyav", "decord"] = Field(default="pyav", description="pyav or decord")
    isolate: Literal["crashed", "always", "never"] = Field(
        default="crashed",
        description="decode apart, in a child process: files a run crashed at, all, or none",
    )
    audio_track: int | None = Field(default=None, ge=0, le=255, description="from 0; null = the file's default")
    limits: LimitSettings = LimitSettings()


class ThumbnailSettings(Section):
    """One picture of each clip, for the page."""

    enabled: bool = Field(default=True, description="false: no thumbnails")
    long_side_px: int = Field(default=320, ge=16, le=4096, description="the longer of width and height")
    quality: int = Field(default=80, ge=1, le=100, description="of the JPEG")
