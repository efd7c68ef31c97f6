"""Channels from their settings: which model and source, what names their vectors, and the loaded channel itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vidembed.config.schema import ChannelSettings, Config
from vidembed.errors import ConfigError, did_you_mean
from vidembed.media.segmenting import FrameEncoder
from vidembed.models import fetching, hub, registry, weights
from vidembed.models.encoders.pooled import CachingEncoder, PooledEncoder, WholeClipEncoder
from vidembed.models.encoders.segments import AudioWindows
from vidembed.models.registry import ModelSpec
from vidembed.protocols import Channel, ClipEncoder, Encoder, Source, WordEncoder, collection_name
from vidembed.sources.basic import AudioSource, AudioVisualSource, CaptionsSource, FramesSource
from vidembed.types import Floats, Image, Modality

if TYPE_CHECKING:
    from vidembed.sources.speech import SpeechSource

DEFAULT_SIDE_PX = 224
DEFAULT_RATE_HZ = 16_000
UNITS_AT_ONCE = 32
_PLAIN = ("{}",)
_SAMPLE_BYTES = 1 << 16


@dataclass(frozen=True)
class ChannelSpec:
    """A channel that is not loaded.

    Attributes:
        name: As in the settings, `channels.NAME`.
        settings: Its settings.
        model: The record of its model.
        fingerprint: 8 hex digits of all that changes its vectors (see `fingerprint`).
    """

    name: str
    settings: ChannelSettings
    model: ModelSpec
    fingerprint: str

    @property
    def collection(self) -> str:
        """The name of its vectors in the store."""
        return collection_name(self.name, self.fingerprint)


def channel_spec(name: str, settings: ChannelSettings, made: Mapping[str, Any] | None = None) -> ChannelSpec:
    """Look up the model's record, at the commit of its weights where one is known.

    Args:
        name: Of the channel.
        settings: Its settings.
        made: Its entry in the index's manifest: vectors that are there keep the weights that made them.

    Raises:
        UnknownModel: The model has no record.
    """
    model = registry.find(settings.model)
    facts = (made or {}).get("facts", {})
    if facts.get("model") != model.name:
        model = hub.pinned(model)
    elif facts.get("revision") != model.revision:
        model = hub.pinned(model, facts.get("revision"))
    return ChannelSpec(name, settings, model, fingerprint(settings, model))


def resolved(spec: ChannelSpec, config: Config) -> ChannelSpec:
    """The channel at a commit of its weights; the hub is asked once where none is known. Raises WeightsMissing."""
    if config.offline or hub.COMMIT.fullmatch(spec.model.revision) or weights.is_local(spec.model, config.weights_dir):
        return spec
    model = fetching.resolve(spec.model)
    return replace(spec, model=model, fingerprint=fingerprint(spec.settings, model))


def wanted_specs(
    config: Config, names: Sequence[str] | None, made: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, ChannelSpec]:
    """The channels that a run is to fill, in the order of the profile.

    Args:
        config: The settings of the index.
        names: Just these channels; or "+name" and "-name", on top of the enabled ones; None = the enabled ones.
        made: The channels of the index's manifest.

    Raises:
        ConfigError: A name is unknown, or no channel is left.
        UnknownModel: A channel's model is unknown.
        WeightsMissing: The hub cannot be asked which weights it has.
    """
    known, made = config.channels, made or {}
    names = [names] if isinstance(names, str) else list(names or ())
    for name in names:
        if name.lstrip("+-") not in known:
            raise ConfigError(
                f"no channel {name.lstrip('+-')!r} in profile {config.profile!r}",
                hint=did_you_mean(name.lstrip("+-"), known),
            )
    plain = {name for name in names if name[0] not in "+-"}
    wanted = plain or {name for name, given in known.items() if given.enabled}
    wanted |= {name[1:] for name in names if name[0] == "+"}
    wanted -= {name[1:] for name in names if name[0] == "-"}
    if not wanted:
        raise ConfigError("no channel is left to fill", hint=f"this profile has: {', '.join(known) or 'none'}")
    found = {name: channel_spec(name, known[name], made.get(name)) for name in known if name in wanted}
    return {name: spec if name in made else resolved(spec, config) for name, spec in found.items()}


# -- what names a channel's vectors ------------------------------------------------------------------------------------


def fingerprint(settings: ChannelSettings, model: ModelSpec) -> str:
    """8 hex digits of all that changes a channel's stored vectors, so that unlike vectors never mix.

    Left out: prompts (they only change queries), device, number format and engine (they must agree to 0.999), batch
    sizes. Sampling and cutting belong to the whole index and are compared there.
    """
    text = json.dumps(vector_settings(settings, model), sort_keys=True, ensure_ascii=True, default=str)
    return blake2b(text.encode(), digest_size=4).hexdigest()


def vector_settings(settings: ChannelSettings, model: ModelSpec) -> dict[str, Any]:
    """The settings behind a fingerprint, by name."""
    facts: dict[str, Any] = {
        "source": settings.source,
        "source_options": settings.source_options,
        "model": folder_mark(model.path) if model.path is not None else model.name,
        "revision": model.revision,
        "weights": dict(model.files),
        "options": {**model.options, **settings.options},
        "keep_units": settings.keep_segments,
    }
    if model.kind != "words":
        facts["pool"] = settings.pool
    if settings.source in ("frames", "av", "ocr"):
        facts["short_side_px"] = settings.short_side_px
    if settings.source in ("captions", "speech", "ocr") and model.documents:
        facts["documents"] = model.documents
    if settings.source in ("frames", "av") and model.input.frames:
        facts["clip_frames"] = model.input.frames
    if settings.source in ("audio", "av"):
        facts |= {"window_s": settings.window_s, "hop_s": settings.hop_s, "silence_rms": settings.silence_rms}
    return facts


def folder_mark(path: Path) -> str:
    """A local model's content by names, sizes and the ends of its files: moving it changes nothing, new weights do."""
    digest = blake2b(digest_size=8)
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    for file in files:
        name = file.name if path.is_file() else file.relative_to(path).as_posix()
        if any(part.startswith(".") for part in name.split("/")):
            continue
        size = file.stat().st_size
        digest.update(f"{name}\0{size}\0".encode())
        with open(file, "rb") as content:
            digest.update(content.read(_SAMPLE_BYTES))
            content.seek(max(0, size - _SAMPLE_BYTES))
            digest.update(content.read(_SAMPLE_BYTES))
    return digest.hexdigest()


# -- loaded channels ---------------------------------------------------------------------------------------------------


class ChannelFactory:
    """Loads channels, each once; those with the same model share it. Safe for many threads."""

    def __init__(self, config: Config, *, caption_of: Callable[[str], str | None]) -> None:
        """caption_of: clip_id -> caption, for channels whose source is captions."""
        self._config = config
        self._caption_of = caption_of
        self._encoders: dict[str, Encoder | WordEncoder] = {}
        self._ocr: dict[str, Source] = {}
        self._channels: dict[str, Channel] = {}
        self._lock = threading.RLock()

    def load(self, spec: ChannelSpec) -> Channel:
        """The channel with its model. Raises ConfigError, ModelError."""
        with self._lock:
            if spec.collection not in self._channels:
                encoder = self._encoder(spec)
                source = self._source(spec, encoder)
                clips = self._clip_encoder(spec, source, encoder)
                self._channels[spec.collection] = Channel(spec.name, source, clips, spec.fingerprint)
            return self._channels[spec.collection]

    def _encoder(self, spec: ChannelSpec) -> Encoder | WordEncoder:
        settings, config = spec.settings, self._config
        how: dict[str, Any] = {
            "device": settings.device or config.device,
            "dtype": settings.dtype,
            **settings.options,
            **({"engine": settings.engine} if settings.engine else {}),
        }
        key = json.dumps([spec.model.name, spec.model.revision, str(spec.model.path), how], sort_keys=True, default=str)
        if key not in self._encoders:
            loaded = registry.load_encoder(spec.model, weights_dir=config.weights_dir, offline=config.offline, **how)
            if config.segment.kind == "changes" and settings.source == "frames" and spec.model.kind == "encoder":
                loaded = CachingEncoder(cast("Encoder", loaded))
            self._encoders[key] = loaded
        return self._encoders[key]

    def _clip_encoder(self, spec: ChannelSpec, source: Source, encoder: Encoder | WordEncoder) -> ClipEncoder:
        settings, modality = spec.settings, source.modality
        if spec.model.kind == "words":
            from vidembed.models.encoders.words import WordClipEncoder

            _check_modality(spec, modality, frozenset({"text"}))
            return WordClipEncoder(cast("WordEncoder", encoder), name=spec.name)
        if spec.model.kind == "late":
            from vidembed.models.encoders.late import LateClipEncoder, LateEncoder

            _check_modality(spec, modality, frozenset({"image"}))
            return LateClipEncoder(cast("LateEncoder", encoder), stage=f"encode:{spec.name}")
        encoder = cast("Encoder", encoder)
        queries = getattr(encoder, "queries", None)
        own = spec.model.templates if queries is None or spec.model.templates != _PLAIN else (queries,)
        how: dict[str, Any] = {
            "batch_size": settings.batch_size or UNITS_AT_ONCE,
            "templates": settings.templates or own,
            "stage": f"encode:{spec.name}",
        }
        whole = "video" in encoder.modalities and (modality == "video" or modality not in encoder.modalities)
        if whole and modality in ("video", "image", "audio"):
            return WholeClipEncoder(encoder, **how)
        _check_modality(spec, modality, encoder.modalities)
        how |= {"pool": settings.pool, "keep_segments": settings.keep_segments}
        if modality == "text":
            # Prompts such as "a photo of {}" are for pictures, not for sentences against sentences.
            how["templates"] = settings.templates or (_PLAIN if queries is None else how["templates"])
            how["documents"] = spec.model.documents or getattr(encoder, "documents", "{}")
        if modality == "audio":
            window_s = settings.window_s or spec.model.input.window_s
            hop_s = settings.hop_s or (window_s / 2 if window_s else None)
            how["windows"] = AudioWindows(window_s, hop_s, settings.silence_rms)
        return PooledEncoder(encoder, modality, **how)

    def _source(self, spec: ChannelSpec, encoder: Encoder | WordEncoder) -> Source:
        given, model, count = spec.settings, spec.model.input, getattr(encoder, "clip_frames", None)
        # A little larger than the model's square: its own resizing then has something to crop from.
        side_px = given.short_side_px or round((model.image_px or DEFAULT_SIDE_PX) * 8 / 7)
        rate_hz = model.rate_hz or DEFAULT_RATE_HZ
        if given.source == "frames":
            return FramesSource(short_side_px=side_px, count=count)
        if given.source == "audio":
            return AudioSource(rate_hz=rate_hz, silence_rms=given.silence_rms)
        if given.source == "av":
            return AudioVisualSource(short_side_px=side_px, rate_hz=rate_hz, silence_rms=given.silence_rms, count=count)
        if given.source == "captions":
            return CaptionsSource(self._caption_of)
        try:
            return speech_source(given, self._config) if given.source == "speech" else self._ocr_of(given)
        except TypeError as error:
            raise ConfigError(f"channels.{spec.name}.source_options: {error}") from error

    def _ocr_of(self, given: ChannelSettings) -> Source:
        """Channels with the same options read each picture once together."""
        from vidembed.sources.ocr import OcrSource

        size = {} if given.short_side_px is None else {"short_side_px": given.short_side_px}
        where = {"weights_dir": self._config.weights_dir, "offline": self._config.offline}
        options = {**size, **where, **given.source_options}
        key = json.dumps(options, sort_keys=True, default=str)
        if key not in self._ocr:
            self._ocr[key] = OcrSource(**options)
        return self._ocr[key]


def speech_source(given: ChannelSettings, config: Config) -> SpeechSource:
    """The recogniser of a channel of speech. Raises TypeError for an unknown option."""
    from vidembed.sources import speech

    options = {"device": given.device or config.device, **given.source_options}
    return speech.shared(weights_dir=config.weights_dir, offline=config.offline, **options)


def _check_modality(spec: ChannelSpec, modality: Modality, understood: frozenset[Modality]) -> None:
    if modality not in understood:
        raise ConfigError(
            f"channels.{spec.name}: the source {spec.settings.source!r} gives {modality}, "
            f"the model {spec.model.name!r} understands {', '.join(sorted(understood))}",
            hint="choose another model for this channel; vidembed models lists what each understands",
        )


class LazyChannels(Mapping[str, Channel]):
    """Channels by name; each is loaded when it is first asked for."""

    def __init__(self, specs: Mapping[str, ChannelSpec], load: Callable[[ChannelSpec], Channel]) -> None:
        self._specs = dict(specs)
        self._load = load

    def __getitem__(self, name: str) -> Channel:
        return self._load(self._specs[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def __contains__(self, name: object) -> bool:
        return name in self._specs  # Mapping's own would load the model to find out


def frame_encoder(specs: Mapping[str, ChannelSpec], load: Callable[[ChannelSpec], Channel]) -> FrameEncoder | None:
    """The image encoder of the first channel of frames, loaded when first called; None without such a channel."""
    of_frames = (spec for spec in specs.values() if spec.settings.source == "frames")
    found = next((spec for spec in of_frames if spec.model.kind == "encoder"), None)
    if found is None:
        return None

    def encode(images: Sequence[Image]) -> Floats:
        encoder = load(found).encoder
        if not isinstance(encoder, PooledEncoder):
            raise ConfigError(
                f"segment.kind: 'changes' needs vectors of single frames, which channel {found.name!r} does not make",
                hint="choose another model for it, or another kind",
            )
        return encoder.query_rows("image", images)

    return encode
