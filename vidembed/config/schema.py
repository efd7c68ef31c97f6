"""The one schema of the settings: every key with its type, bounds, default and description.

Here are the sections of searches and captions, and the whole; those of indexing are in `vidembed.config.indexing`. A
component takes its section (`SearchSettings`, `MomentSettings`, ...) as it is. `vidembed.config.reference` writes
configs/base.yaml from here.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, PrivateAttr

from vidembed.config.indexing import ChannelName, Finite, Seconds, Section, Share, Weight
from vidembed.config.indexing import ChannelSettings as ChannelSettings
from vidembed.config.indexing import LimitSettings as LimitSettings
from vidembed.config.indexing import MediaSettings as MediaSettings
from vidembed.config.indexing import RunSettings as RunSettings
from vidembed.config.indexing import SampleSettings as SampleSettings
from vidembed.config.indexing import SegmentSettings as SegmentSettings
from vidembed.config.indexing import StoreSettings as StoreSettings
from vidembed.config.indexing import ThumbnailSettings as ThumbnailSettings
from vidembed.vectors import SegmentScore

Fusion = Literal["rrf", "zscore", "dbsf", "evidence"]


class MomentSettings(Section):
    """Spans on the score curve of a video."""

    smooth_s: float = Field(
        default=2.0, ge=0, le=600, description="standard deviation of the smoothing, not for lines of text; 0 = none"
    )
    min_s: Seconds = Field(default=1.0, description="shortest moment; shorter spans are widened around their best time")
    max_s: Seconds = Field(default=120.0, description="longest moment")
    context_s: float = Field(
        default=20.0, ge=0, le=600, description="before and after a span: what its score must stand out from"
    )
    levels: int = Field(default=12, ge=1, le=64, description="thresholds tried between the curve's lowest and highest")
    nms_sigma: float = Field(
        default=0.3, gt=0, le=10, description="softness of the suppression of overlapping spans (Bodla et al. 2017)"
    )
    per_video: int = Field(default=10, ge=1, le=1000, description="most moments of one video")
    videos: int = Field(default=50, ge=1, le=1000, description="videos whose curve is computed")
    context_share: Share = Field(default=1.0, description="how much standing out counts against the level itself")


class CalibrationSettings(Section):
    """How good a score is, against ordinary queries."""

    enabled: bool = Field(default=True, description="false: raw scores")
    bank: str | None = Field(default=None, description="text file, one ordinary query a line; null = the bundled one")
    temperature: float = Field(
        default=0.05, gt=0, le=10, description="of the soft maximum over the bank; 1/20 as in QB-Norm"
    )
    hubness: Share = Field(
        default=0.0, description="0 = off, 1 = full correction for clips that are close to everything"
    )


class SearchSettings(Section):
    """How answers are found and ranked."""

    fusion: Fusion = Field(
        default="evidence", description="evidence: by how far a score stands out; rrf: by rank; zscore, dbsf: by score"
    )
    rrf_k: int = Field(default=60, ge=1, le=10_000, description="rrf: its constant (Cormack et al. 2009)")
    weights: dict[ChannelName, Weight] = Field(default={}, description="channel: weight; 1 where not named")
    per_channel: int = Field(default=100, ge=1, le=100_000, description="candidate clips of each channel")
    segment_score: SegmentScore = Field(
        default="softmax", description="a clip's score from its frames' or windows': max, softmax, topk"
    )
    rescore: int = Field(
        default=50, ge=1, le=10_000, description="candidates of a channel that are scored by their frames"
    )
    seeds: int = Field(default=40, ge=1, le=10_000, description="best clips that one round of moments is made from")
    around: int = Field(default=12, ge=0, le=1000, description="neighbouring clips looked at on either side of each")
    clip_share: Share = Field(
        default=0.5, description="how much the clip's score counts for a moment against the span's own"
    )
    adaptive: bool = Field(
        default=True, description="a channel in which nothing stands out weighs less, down to a tenth"
    )
    min_confidence: Share = Field(default=0.2, description='answers below count as "no good match"')
    rerank: str | None = Field(
        default=None, description="reranker or vision-language model that looks at the 20 best and orders them; slow"
    )
    moments: MomentSettings = MomentSettings()
    calibration: CalibrationSettings = CalibrationSettings()


class ChoiceSettings(Section):
    """How a clip's caption is chosen; scores are z-scores against ordinary sentences."""

    specificity: Share = Field(default=0.5, description="0 = fit alone, 1 = only what the clip has more of than others")
    prior: float = Field(
        default=0.1,
        ge=0,
        le=10,
        description="taken off per place in the captioner's order: its favourite wins near-ties",
    )
    consensus: float = Field(
        default=0.0, ge=0, le=10, description="added at a mean cosine of 1 with the captioner's other candidates"
    )
    bank_margin: float = Field(
        default=1.0, ge=0, le=100, description="taken off bank sentences: as the best of many they look too good"
    )
    middle_z: Finite = Field(
        default=3.7, description="the score that gives confidence 0.5; fitted by benchmarks/caption_choice.py"
    )
    slope: float = Field(default=0.8, gt=0, le=100, description="of the logistic from score to confidence")


class CaptionSettings(Section):
    """How clips and videos are captioned."""

    model: str | None = Field(default=None, description="the captioner; null = no captions")
    candidates: int = Field(default=5, ge=1, le=64, description="captions proposed for each clip")
    bank_candidates: int = Field(default=0, ge=0, le=64, description="extra candidates from the caption bank")
    prompt: str | None = Field(default=None, description="for captioners that take one; null = their own")
    seed: int = Field(default=0, ge=0, description="of the sampling")
    rerank: dict[ChannelName, Weight] = Field(
        default={}, description="channel: weight in choosing; {} = every channel that understands text"
    )
    min_confidence: Share = Field(default=0.3, description="captions below are marked as uncertain")
    reuse_above: float = Field(
        default=0.985,
        gt=0,
        le=2,
        description="a clip this similar (cosine) to a captioned one takes its caption; 2 = off",
    )
    use_uncertain: bool = Field(
        default=False, description="also put captions marked as uncertain into subtitles, search and titles"
    )
    max_chars: int = Field(default=400, ge=20, le=100_000, description="longer candidates are cut")
    summary: Literal["auto", "extract"] = Field(
        default="auto", description="of a video: auto: by the captioner if it is a language model; extract: of captions"
    )
    choice: ChoiceSettings = ChoiceSettings()
    options: dict[str, Any] = Field(default={}, description="passed to the captioner's loader")


class Config(Section):
    """All settings of one index or run. Made by `vidembed.config.load.load_config`."""

    profile: str = "base"
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="auto, cpu, cuda, cuda:1, mps; a channel may have its own",
    )
    weights_dir: str | None = Field(
        default=None, description="folder of downloaded weights; null = the usual cache of the model hub"
    )
    offline: bool = Field(default=False, description="true: no downloads; fail with the command to run instead")
    sample: SampleSettings = SampleSettings()
    segment: SegmentSettings = SegmentSettings()
    channels: dict[ChannelName, ChannelSettings] = Field(
        default={}, description="by name: what is encoded and by which model"
    )
    store: StoreSettings = StoreSettings()
    search: SearchSettings = SearchSettings()
    caption: CaptionSettings = CaptionSettings()
    run: RunSettings = RunSettings()
    media: MediaSettings = MediaSettings()
    thumbnails: ThumbnailSettings = ThumbnailSettings()

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    def flat(self) -> list[tuple[str, Any]]:
        """(dotted path, value) of every leaf, in the order of the schema."""
        return list(_leaves(self.model_dump(mode="json"), ""))

    def origin(self, path: str) -> str:
        """Where the value of a setting came from: "default", "profile starter", "file x.yaml", "environment ..."."""
        return self._origins.get(path, "default")


def _leaves(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in _leaves(item, f"{path}.{key}" if path else str(key))]
    return [(path, value)]
