"""Records of the models for pictures and text, with the toy and the starter. Data only.

Sizes are those of the float32 weights to download. Licences are those of the weights, read from their model cards.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path

from vidembed.models.spec import ModelInput, ModelSpec
from vidembed.types import Modality, Space

_PICTURES: frozenset[Modality] = frozenset({"text", "image"})
# Prompts that suit frames of videos; their vectors are averaged (Radford et al. 2021, section 3.1.4).
PROMPTS = ("{}", "a photo of {}.", "a video frame of {}.")
_SIGLIP_PROMPTS = ("{}", "This is a photo of {}.")  # the pipeline's own prompt, Zhai et al. 2023


def _open_clip(
    name: str,
    arch: str,
    tag: str,
    repo: str,
    dim: int,
    image_px: int,
    max_tokens: int,
    size_gb: float,
    summary: str,
    *,
    license: str = "Apache-2.0",
    commercial: bool = True,
    min_gpu_gb: float | None = None,
    templates: tuple[str, ...] = PROMPTS,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        kind="encoder",
        factory="vidembed.models.encoders.open_clip:load",
        summary=summary,
        license=license,
        commercial=commercial,
        space=Space(name, dim),
        modalities=_PICTURES,
        repo=repo,
        size_gb=size_gb,
        min_gpu_gb=min_gpu_gb,
        input=ModelInput(image_px=image_px, max_tokens=max_tokens),
        templates=templates,
        options={"arch": arch, "tag": tag},
        reference=f"https://huggingface.co/{repo}",
    )


def _dual(
    name: str,
    repo: str,
    dim: int,
    image_px: int,
    max_tokens: int,
    size_gb: float,
    summary: str,
    *,
    license: str = "Apache-2.0",
    commercial: bool = True,
    min_gpu_gb: float | None = None,
    templates: tuple[str, ...] = _SIGLIP_PROMPTS,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        kind="encoder",
        factory="vidembed.models.encoders.dual:load",
        summary=summary,
        license=license,
        commercial=commercial,
        space=Space(name, dim),
        modalities=_PICTURES,
        repo=repo,
        size_gb=size_gb,
        min_gpu_gb=min_gpu_gb,
        input=ModelInput(image_px=image_px, max_tokens=max_tokens),
        templates=templates,
        reference=f"https://huggingface.co/{repo}",
    )


TOY = ModelSpec(
    name="toy",
    kind="encoder",
    factory="vidembed.models.encoders.toy:load",
    summary="Colours and tones against words; for tests",
    license="Apache-2.0",
    commercial=True,
    space=Space("toy", 14),
    modalities=frozenset({"text", "image", "audio", "video"}),
    reference="vidembed/models/toy_space.py",
)


# Changed when what is done to pictures and texts before the towers changes.
_STARTER_PREPARATION = "long pictures are cut towards 4:3, unfinished sentences are read with a full stop too"


def _starter_revision() -> str:
    """Eight hex digits of the shipped towers: an index made with others must not mix with these."""
    manifest = json.loads((Path(__file__).parents[1] / "assets" / "starter" / "manifest.json").read_text("utf-8"))
    towers = {name: entry["sha256"] for name, entry in manifest["files"].items() if not name.startswith("captioner")}
    towers["preparation"] = _STARTER_PREPARATION
    return blake2b(json.dumps(towers, sort_keys=True).encode(), digest_size=4).hexdigest()


STARTER = ModelSpec(
    name="starter",
    kind="encoder",
    factory="vidembed.models.encoders.starter:load",
    summary="Pictures, sound and text, with weights that pip brings: works without a hub",
    license="Apache-2.0 towers; heads trained on Flickr8k: non-commercial research",
    commercial=False,
    space=Space("starter-v1", 384),
    modalities=frozenset({"text", "image", "audio"}),
    size_gb=0.12,  # EfficientNet-Lite2 and MiniLM, in their pip packages
    input=ModelInput(image_px=256, max_tokens=256),
    revision=_starter_revision(),
    reference="vidembed/assets/starter/MODEL_CARD.md",
)

SPECS: tuple[ModelSpec, ...] = (
    TOY,
    STARTER,
    _open_clip(
        "pe-core-t-16-384", "PE-Core-T-16-384", "meta", "timm/PE-Core-T-16-384",
        512, 384, 32, 0.28, "Pictures, tiny: the fastest Perception Encoder",
    ),
    _open_clip(
        "pe-core-s-16-384", "PE-Core-S-16-384", "meta", "timm/PE-Core-S-16-384",
        512, 384, 32, 0.35, "Pictures, small: the laptop default",
    ),
    _open_clip(
        "pe-core-b-16", "PE-Core-B-16", "meta", "timm/PE-Core-B-16",
        1024, 224, 32, 1.79, "Pictures, base: best for its speed",
    ),
    _open_clip(
        "pe-core-l-14-336", "PE-Core-L-14-336", "meta", "timm/PE-Core-L-14-336",
        1024, 336, 32, 2.68, "Pictures, large: for a GPU", min_gpu_gb=4,
    ),
    _open_clip(
        "pe-core-g-14-448", "PE-Core-bigG-14-448", "meta", "timm/PE-Core-bigG-14-448",
        1280, 448, 72, 9.68, "Pictures, giant: the strongest here", min_gpu_gb=12,
    ),
    _open_clip(
        "vit-b-32-laion2b", "ViT-B-32", "laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        512, 224, 77, 0.61, "Pictures, base: fast, English", license="MIT",
    ),
    _open_clip(
        "vit-b-32-siglip2-256", "ViT-B-32-SigLIP2-256", "webli", "timm/ViT-B-32-SigLIP2-256",
        768, 256, 64, 1.51, "Pictures, base: fast, many languages", templates=_SIGLIP_PROMPTS,
    ),
    _open_clip(
        "vit-b-16-siglip2", "ViT-B-16-SigLIP2", "webli", "timm/ViT-B-16-SigLIP2",
        768, 224, 64, 1.50, "Pictures, base: many languages", templates=_SIGLIP_PROMPTS,
    ),
    _open_clip(
        "vit-so400m-16-siglip2-384", "ViT-SO400M-16-SigLIP2-384", "webli", "timm/ViT-SO400M-16-SigLIP2-384",
        1152, 384, 64, 4.54, "Pictures, large: many languages", min_gpu_gb=6, templates=_SIGLIP_PROMPTS,
    ),
    _open_clip(
        "mobileclip2-s0", "MobileCLIP2-S0", "dfndr2b", "timm/MobileCLIP2-S0-OpenCLIP",
        512, 256, 77, 0.30, "Pictures, tiny: research use only", license="Apple ML Research (apple-amlr)",
        commercial=False,
    ),
    _open_clip(
        "mobileclip2-b", "MobileCLIP2-B", "dfndr2b", "timm/MobileCLIP2-B-OpenCLIP",
        512, 224, 77, 0.60, "Pictures, base: research use only", license="Apple ML Research (apple-amlr)",
        commercial=False,
    ),
    _open_clip(
        "metaclip2-h-14", "ViT-H-14-worldwide-quickgelu", "metaclip2_worldwide",
        "timm/vit_huge_patch14_clip_224.metaclip2_worldwide",
        1024, 224, 77, 7.44, "Pictures, huge: 300 languages", license="CC-BY-NC-4.0", commercial=False, min_gpu_gb=10,
    ),
    _dual(
        "metaclip2-b-32", "facebook/metaclip-2-worldwide-b32",
        512, 224, 77, 2.4, "Pictures, base: 300 languages", license="CC-BY-NC-4.0", commercial=False,
        templates=PROMPTS,
    ),
    _dual(
        "siglip2-base-patch32-256", "google/siglip2-base-patch32-256",
        768, 256, 64, 1.51, "Pictures, base, through transformers",
    ),
    _dual(
        "siglip2-base-patch16-224", "google/siglip2-base-patch16-224",
        768, 224, 64, 1.50, "Pictures, base, through transformers",
    ),
    _dual(
        "siglip2-so400m-patch14-384", "google/siglip2-so400m-patch14-384",
        1152, 384, 64, 4.54, "Pictures, large, through transformers", min_gpu_gb=6,
    ),
    _dual(
        "clip-vit-base-patch32", "openai/clip-vit-base-patch32",
        512, 224, 77, 0.61, "Pictures: the original CLIP", license="MIT", templates=PROMPTS,
    ),
)  # fmt: skip
