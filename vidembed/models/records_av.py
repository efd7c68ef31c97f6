"""Records of the models for sound, video, and both together. Data only.

Sizes are those of the weights to download. Licences are those of the weights, read from their model cards.
"""

from __future__ import annotations

from vidembed.models.spec import ModelInput, ModelSpec
from vidembed.types import Modality, Space

_SOUND: frozenset[Modality] = frozenset({"text", "audio"})
_CLIPS: frozenset[Modality] = frozenset({"text", "video"})


def _clap(name: str, repo: str, size_gb: float, summary: str) -> ModelSpec:
    return ModelSpec(
        name=name,
        kind="encoder",
        factory="vidembed.models.encoders.clap:load",
        summary=summary,
        license="Apache-2.0",
        commercial=True,
        space=Space(name, 512),
        modalities=_SOUND,
        repo=repo,
        size_gb=size_gb,
        input=ModelInput(window_s=10.0, rate_hz=48_000, max_tokens=77),
        templates=("{}", "This is a sound of {}."),  # LAION's own prompt for its zero-shot tests
        reference=f"https://huggingface.co/{repo}",
    )


def _pe_av(size: str, size_gb: float, min_gpu_gb: float, summary: str, *, frames: int | None = 16) -> ModelSpec:
    name = f"pe-av-{size}" + ("-16-frame" if frames else "")
    return ModelSpec(
        name=name,
        kind="encoder",
        factory="vidembed.models.encoders.pe_av:load",
        summary=summary,
        license="Apache-2.0",
        commercial=True,
        space=None,  # one for each option `target`
        modalities=frozenset({"text", "audio", "video"}),
        repo=f"facebook/{name}",
        size_gb=size_gb,
        min_gpu_gb=min_gpu_gb,
        input=ModelInput(image_px=336, frames=frames, window_s=10.0, rate_hz=48_000),
        options={"frames": frames},
        reference=f"https://huggingface.co/facebook/{name}",
    )


def _videoprism(size: str, dim: int, frames: int, size_gb: float, min_gpu_gb: float | None, summary: str) -> ModelSpec:
    repo = f"google/videoprism-lvt-{size}-f{frames}r288"
    return ModelSpec(
        name=f"videoprism-lvt-{size}",
        kind="encoder",
        factory="vidembed.models.encoders.videoprism:load",
        summary=summary,
        license="Apache-2.0",
        commercial=True,
        space=Space(f"videoprism-lvt-{size}", dim),
        modalities=_CLIPS,
        repo=repo,
        size_gb=size_gb,
        min_gpu_gb=min_gpu_gb,
        input=ModelInput(image_px=288, frames=frames, max_tokens=64),
        templates=("a video of {}.",),  # the authors' demo
        reference=f"https://huggingface.co/{repo}",
    )


SPECS: tuple[ModelSpec, ...] = (
    _clap("clap-htsat-unfused", "laion/clap-htsat-unfused", 0.6, "sound and text; the best CLAP for general sounds"),
    _clap("clap-htsat-fused", "laion/clap-htsat-fused", 0.6, "sound and text; hears long windows as a whole"),
    _clap("larger-clap-general", "laion/larger_clap_general", 0.8, "sound and text; larger, also music and speech"),
    _pe_av("small", 3.4, 6.0, "pictures, sound, both, and text; 16 frames a clip"),
    _pe_av("base", 4.1, 8.0, "pictures, sound, both, and text; 16 frames a clip"),
    _pe_av("large", 8.9, 16.0, "pictures, sound, both, and text; 16 frames a clip; the strongest on sound"),
    _pe_av("base", 4.1, 12.0, "pictures, sound, both, and text; all frames of a clip", frames=None),
    _pe_av("large", 8.9, 24.0, "pictures, sound, both, and text; all frames of a clip", frames=None),
    _videoprism("base", 768, 16, 1.0, None, "clips as a whole, with motion; 16 frames"),
    _videoprism("large", 1024, 8, 2.3, 6.0, "clips as a whole, with motion; 8 frames"),
    ModelSpec(
        name="xclip-base-patch32",
        kind="encoder",
        factory="vidembed.models.encoders.xclip:load",
        summary="clips as a whole, 8 frames; small and old: prefer videoprism-lvt-base",
        license="MIT",
        commercial=True,
        space=Space("xclip-base-patch32", 512),
        modalities=_CLIPS,
        repo="microsoft/xclip-base-patch32",
        size_gb=0.8,
        input=ModelInput(image_px=224, frames=8, max_tokens=77),
        templates=("{}", "a video of {}."),
        reference="https://huggingface.co/microsoft/xclip-base-patch32",
    ),
)
