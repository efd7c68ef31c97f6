"""Records of the models for proposing captions. Data only."""

from __future__ import annotations

from typing import Any

from vidembed.models.spec import ModelSpec

VLM = "vidembed.models.captioners.vlm:load"


def _vlm(
    name: str,
    repo: str,
    summary: str,
    size_gb: float,
    gpu_gb: float | None,
    *,
    license: str = "Apache-2.0",
    **more: Any,
) -> ModelSpec:
    commercial = license in ("Apache-2.0", "BSD-3-Clause")
    return ModelSpec(
        name=name, kind="captioner", factory=VLM, summary=summary, repo=repo, license=license, commercial=commercial,
        size_gb=size_gb, min_gpu_gb=gpu_gb, extra="caption", reference=f"https://huggingface.co/{repo}", **more,
    )  # fmt: skip


SPECS: tuple[ModelSpec, ...] = (
    ModelSpec(
        name="toy-captioner",
        kind="captioner",
        factory="vidembed.models.captioners.toy:load",
        summary="Names colours and tones; for tests",
        license="Apache-2.0",
        commercial=True,
    ),
    ModelSpec(
        name="starter-captioner",
        kind="captioner",
        factory="vidembed.models.captioners.starter:load",
        summary="Small decoder trained by this project on Flickr8k; offline, on a CPU",
        license="Apache-2.0 (trained on Flickr8k: non-commercial research data)",
        reference="vidembed/assets/starter/MODEL_CARD_CAPTIONER.md",
    ),
    ModelSpec(
        name="retrieval",
        kind="captioner",
        factory="vidembed.captions.retrieval:load",
        summary="Nearest sentences of a bank, ours or your own file; compares stored vectors only",
        license="Apache-2.0",
        commercial=True,
        reference="https://arxiv.org/abs/2403.03715",
    ),
    ModelSpec(
        name="openai-compatible",
        kind="captioner",
        factory="vidembed.models.captioners.openai:load",
        summary="Any endpoint you name with caption.options.base_url and caption.options.model; frames are sent there",
        license="as the endpoint's model",
        reference="https://platform.openai.com/docs/api-reference/chat",
    ),
    _vlm(
        "smolvlm2-256m",
        "HuggingFaceTB/SmolVLM2-256M-Video-Instruct",
        "Video to text, small enough for a CPU",
        1.0,
        None,
    ),
    _vlm("smolvlm2-500m", "HuggingFaceTB/SmolVLM2-500M-Video-Instruct", "Video to text, on a patient CPU", 2.0, None),
    _vlm("smolvlm2-2.2b", "HuggingFaceTB/SmolVLM2-2.2B-Instruct", "Video to text on a small GPU", 9.0, 6.0),
    _vlm("qwen3-vl-2b", "Qwen/Qwen3-VL-2B-Instruct", "Video with times to text, many languages", 4.3, 6.0),
    _vlm("qwen3-vl-4b", "Qwen/Qwen3-VL-4B-Instruct", "Video with times to text, many languages", 8.9, 12.0),
    _vlm("qwen3-vl-8b", "Qwen/Qwen3-VL-8B-Instruct", "Video with times to text, many languages", 17.5, 22.0),
    _vlm(
        "gemma-3n-e2b",
        "google/gemma-3n-E2B-it",
        "Pictures and sound to text; accept its licence on the hub first",
        10.9,
        12.0,
        license="Gemma terms of use",
    ),
    _vlm("gemma-4-e2b", "google/gemma-4-E2B-it", "Video and sound to text", 10.2, 12.0),
    _vlm(
        "blip-base",
        "Salesforce/blip-image-captioning-base",
        "A small classic: one picture, a few words; on a CPU",
        1.0,
        None,
        license="BSD-3-Clause",
    ),
)
