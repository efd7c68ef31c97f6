"""What decides a channel's vectors, in eight hex digits: they name its collection, so that unlike vectors never mix."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

from vidembed.models import ModelSpec
from vidembed.settings import ChannelSettings

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
