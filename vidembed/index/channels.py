"""Channels from their settings: the source, the model, and the clip encoder that joins them. Loaded when first used.

What decides a channel's vectors, in eight hex digits: they name its collection, so that unlike vectors never mix.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vidembed.config.schema import ChannelSettings, Config
from vidembed.errors import ConfigError, did_you_mean
from vidembed.models import registry
from vidembed.models.registry import ModelSpec
from vidembed.protocols import Channel, ClipEncoder, Encoder, Source, WordEncoder, collection_name
from vidembed.types import Floats, Image, Modality

if TYPE_CHECKING:
    from vidembed.media.segmenting.kernel import FrameEncoder


DEFAULT_SIDE_PX = 224
DEFAULT_RATE_HZ = 16_000
UNITS_AT_ONCE = 32
_PLAIN = ("{}",)


@dataclass(frozen=True)
class ChannelSpec:
    """A channel that is not loaded: what is known of it from its settings and the model's record."""

    name: str
    settings: ChannelSettings
    model: ModelSpec
    fingerprint: str

    @property
    def collection(self) -> str:
        return collection_name(self.name, self.fingerprint)


def channel_spec(name: str, settings: ChannelSettings) -> ChannelSpec:
    """Raises UnknownModel. Reads records only."""
    model = registry.find(settings.model)
    return ChannelSpec(name, settings, model, fingerprint(settings, model))


def wanted_specs(config: Config, names: Sequence[str] | None) -> dict[str, ChannelSpec]:
    """The channels a run is to fill: the enabled ones, changed by "+name" and "-name", or just those named."""
    known = config.channels
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
    return {name: channel_spec(name, known[name]) for name in known if name in wanted}


class ChannelFactory:
    """Makes channels; those with the same model share it, those with the same text source share that.

    caption_of: clip_id -> caption, for the captions source. Safe for many threads.
    """

    def __init__(self, config: Config, *, caption_of: Callable[[str], str | None]) -> None:
        self._config = config
        self._caption_of = caption_of
        self._encoders: dict[str, Encoder | WordEncoder] = {}
        self._sources: dict[str, Source] = {}
        self._channels: dict[str, Channel] = {}
        self._lock = threading.RLock()

    def load(self, spec: ChannelSpec) -> Channel:
        """The channel, made once. Raises what `registry.load_encoder` raises."""
        with self._lock:
            if spec.collection not in self._channels:
                encoder, source = self._encoder(spec), self._source(spec)
                clips = self._clip_encoder(spec, source, encoder)
                self._channels[spec.collection] = Channel(spec.name, source, clips, spec.fingerprint)
            return self._channels[spec.collection]

    # -- the model ---------------------------------------------------------------------------------------------------

    def _encoder(self, spec: ChannelSpec) -> Encoder | WordEncoder:
        settings, config = spec.settings, self._config
        how: dict[str, Any] = {
            "device": settings.device or config.device,
            "dtype": settings.dtype,
            **settings.options,
            **({"engine": settings.engine} if settings.engine else {}),
        }
        key = json.dumps([spec.model.name, str(spec.model.path), how], sort_keys=True, default=str)
        if key not in self._encoders:
            loaded = registry.load_encoder(spec.model, weights_dir=config.weights_dir, offline=config.offline, **how)
            if config.segment.kind == "changes" and spec.settings.source == "frames":
                from vidembed.models.encoders.remembering import Remembering

                loaded = Remembering(cast("Encoder", loaded))
            self._encoders[key] = loaded
        return self._encoders[key]

    def _clip_encoder(self, spec: ChannelSpec, source: Source, encoder: Encoder | WordEncoder) -> ClipEncoder:
        from vidembed.models.encoders.pooled import NativeEncoder, PooledEncoder, TextLinesEncoder

        settings, stage = spec.settings, f"encode:{spec.name}"
        batch_size = settings.batch_size or UNITS_AT_ONCE
        if spec.model.kind == "words":
            from vidembed.models.encoders.words import WordsEncoder

            self._fits(spec, source.modality, frozenset({"text"}))
            return WordsEncoder(cast("WordEncoder", encoder), name=spec.name)
        encoder = cast("Encoder", encoder)
        whole = "video" in encoder.modalities and (
            source.modality == "video" or source.modality not in encoder.modalities
        )
        if whole and source.modality in ("video", "image", "audio"):
            return NativeEncoder(
                encoder, batch_size=batch_size, templates=settings.templates or spec.model.templates, stage=stage
            )
        self._fits(spec, source.modality, encoder.modalities)
        if source.modality == "text":
            # Prompts such as "a photo of {}" are for pictures, not for sentences against sentences.
            return TextLinesEncoder(
                encoder, pool=settings.pool, batch_size=batch_size, keep_units=settings.keep_units,
                templates=settings.templates or _PLAIN, stage=stage,
            )  # fmt: skip
        window_s = settings.window_s or spec.model.input.window_s
        return PooledEncoder(
            encoder,
            source.modality,
            pool=settings.pool,
            batch_size=batch_size,
            keep_units=settings.keep_units,
            window_s=window_s if source.modality == "audio" else None,
            hop_s=(settings.hop_s or (window_s / 2 if window_s else None)) if source.modality == "audio" else None,
            silence_rms=settings.silence_rms,
            templates=settings.templates or spec.model.templates,
            stage=stage,
        )

    def _fits(self, spec: ChannelSpec, modality: Modality, understood: frozenset[Modality]) -> None:
        if modality not in understood:
            raise ConfigError(
                f"channels.{spec.name}: the source {spec.settings.source!r} gives {modality}, "
                f"the model {spec.model.name!r} understands {', '.join(sorted(understood))}",
                hint="choose another model for this channel; vidembed models lists what each understands",
            )

    # -- the source --------------------------------------------------------------------------------------------------

    def _source(self, spec: ChannelSpec) -> Source:
        kind, given = spec.settings.source, spec.settings
        side_px = given.short_side_px or _side_px(spec.model)
        rate_hz = spec.model.input.rate_hz or DEFAULT_RATE_HZ
        if kind == "frames":
            from vidembed.sources.basic import FramesSource

            return FramesSource(short_side_px=side_px)
        if kind == "audio":
            from vidembed.sources.basic import AudioSource

            return AudioSource(rate_hz=rate_hz, silence_rms=given.silence_rms)
        if kind == "av":
            from vidembed.sources.basic import AudioVisualSource

            return AudioVisualSource(short_side_px=side_px, rate_hz=rate_hz, silence_rms=given.silence_rms)
        if kind == "captions":
            from vidembed.sources.basic import CaptionsSource

            return CaptionsSource(self._caption_of)
        key = json.dumps([kind, given.source_options], sort_keys=True, default=str)
        if key not in self._sources:
            self._sources[key] = self._text_source(spec)
        return self._sources[key]

    def _text_source(self, spec: ChannelSpec) -> Source:
        options = dict(spec.settings.source_options)
        try:
            if spec.settings.source == "speech":
                from vidembed.sources import speech

                config = self._config
                options = {"device": spec.settings.device or config.device, **options}
                return speech.shared(weights_dir=config.weights_dir, offline=config.offline, **options)
            from vidembed.sources.ocr import OcrSource

            if spec.settings.short_side_px is not None:
                options.setdefault("short_side_px", spec.settings.short_side_px)
            return OcrSource(**options)
        except TypeError as error:
            raise ConfigError(f"channels.{spec.name}.source_options: {error}") from error


def look_of(specs: Mapping[str, ChannelSpec], load: Callable[[ChannelSpec], Channel]) -> FrameEncoder | None:
    """The tower of the first channel that encodes frames one by one, loaded when first asked; None without one."""
    found = next((spec for spec in specs.values() if spec.settings.source == "frames"), None)
    if found is None:
        return None

    def look(images: Sequence[Image]) -> Floats:
        from vidembed.models.encoders.pooled import PooledEncoder

        encoder = load(found).encoder
        if not isinstance(encoder, PooledEncoder):
            raise ConfigError(
                f"segment.kind: 'changes' needs vectors of single frames, which channel {found.name!r} does not make",
                hint="choose another model for it, or another kind",
            )
        return encoder.query_rows("image", images)

    return look


def _side_px(spec: ModelSpec) -> int:
    """Frames a little larger than the model's square: its own resizing then has something to crop from."""
    return round((spec.input.image_px or DEFAULT_SIDE_PX) * 8 / 7)


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


_SAMPLE_BYTES = 1 << 16


def fingerprint(settings: ChannelSettings, spec: ModelSpec) -> str:
    """8 hex digits of all that changes the channel's stored vectors.

    Left out: prompts (they only change queries), device, number format and engine (they must agree to 0.999), batch
    sizes. Sampling and cutting belong to the whole index and are compared there.
    """
    text = json.dumps(vector_settings(settings, spec), sort_keys=True, ensure_ascii=True, default=str)
    return blake2b(text.encode(), digest_size=4).hexdigest()


def vector_settings(settings: ChannelSettings, spec: ModelSpec) -> dict[str, Any]:
    """The settings behind a fingerprint, by name."""
    facts: dict[str, Any] = {
        "source": settings.source,
        "source_options": settings.source_options,
        "model": folder_mark(spec.path) if spec.path is not None else spec.name,
        "revision": spec.revision,
        "weights": dict(spec.files),
        "options": {**spec.options, **settings.options},
        "keep_units": settings.keep_units,
    }
    if spec.kind != "words":
        facts["pool"] = settings.pool
    if settings.source in ("frames", "av", "ocr"):
        facts["short_side_px"] = settings.short_side_px
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
