"""Records of the models for proposing captions. Data only."""

from __future__ import annotations

from vidembed.model_spec import ModelSpec

SPECS: tuple[ModelSpec, ...] = (
    ModelSpec(
        name="toy-captioner",
        kind="captioner",
        factory="vidembed.captions.captioners.toy:load",
        summary="Names colours and tones; for tests",
        license="Apache-2.0",
        commercial=True,
    ),
    ModelSpec(
        name="starter-captioner",
        kind="captioner",
        factory="vidembed.captions.captioners.starter:load",
        summary="Small decoder trained by this project on Flickr8k; offline, on a CPU",
        license="Apache-2.0 (trained on Flickr8k: non-commercial research data)",
        reference="vidembed/assets/starter/MODEL_CARD_CAPTIONER.md",
    ),
    ModelSpec(
        name="openai-compatible",
        kind="captioner",
        factory="vidembed.captions.captioners.openai:load",
        summary="Any endpoint you name with caption.options.base_url and .model; frames are sent there",
        license="as the endpoint's model",
        reference="https://platform.openai.com/docs/api-reference/chat",
    ),
)
