"""Prompts of channels: the model's own for what is searched and stored as text, none of pictures for sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from vidembed.config.load import load_config
from vidembed.config.schema import ChannelSettings
from vidembed.index.channels import ChannelFactory, channel_spec
from vidembed.models import registry
from vidembed.types import Clip, Item, Modality, Space, Span, TextLine, TimedText


class Reads:
    """Remembers the texts that it is given."""

    def __init__(self, **prompts: Any) -> None:
        self.space, self.modalities = Space("reads", 2), frozenset({"text", "image"})
        self.texts: list[str] = []
        for name, value in prompts.items():
            setattr(self, name, value)

    def encode(self, modality: Modality, items: Sequence[Item]) -> Any:
        self.texts += [str(item) for item in items]
        return np.tile(np.array([1, 0], np.float32), (len(items), 1))


SENTENCES = {"queries": "query: {}", "documents": "passage: {}"}  # as its files say


@pytest.mark.parametrize(
    ("model", "prompts", "given", "stored", "asked"),
    [
        ("bge-small-en-v1.5", {"queries": "{}", "documents": "{}"}, (), "a dog",
         ["Represent this sentence for searching relevant passages: dog"]),
        ("embeddinggemma-2", {"queries": "{}", "documents": "{}"}, (), "title: none | text: a dog",
         ["task: search result | query: dog"]),
        ("hf:org/sentences", SENTENCES, (), "passage: a dog", ["query: dog"]),
        ("hf:org/sentences", SENTENCES, ("find {}",), "passage: a dog", ["find dog"]),
        ("pe-core-s-16-384", {}, (), "a dog", ["dog"]),
        ("minilm", {}, (), "a dog", ["dog"]),
    ],
)  # fmt: skip
def test_a_text_channel_keeps_the_models_own_prompts(
    monkeypatch: pytest.MonkeyPatch, model: str, prompts: dict[str, str], given: tuple[str, ...], stored: str,
    asked: list[str],
) -> None:  # fmt: skip
    reads = Reads(**prompts)
    monkeypatch.setattr(registry, "load_encoder", lambda *names, **how: reads)
    settings = ChannelSettings(source="captions", model=model, templates=given)
    factory = ChannelFactory(load_config("toy"), caption_of=lambda clip_id: None)
    encoder = factory.load(channel_spec("caption", settings)).encoder
    clip = Clip.make("a" * 32, 0, Span(0, 1))
    encoder.encode_clips([TimedText((TextLine(clip.span, " a dog "),))], [clip])
    assert reads.texts == [stored]
    encoder.encode_query("text", "dog")
    assert reads.texts[1:] == asked


def test_a_picture_channel_keeps_the_prompts_of_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads()
    monkeypatch.setattr(registry, "load_encoder", lambda *names, **how: reads)
    factory = ChannelFactory(load_config("toy"), caption_of=lambda clip_id: None)
    factory.load(
        channel_spec("vision", ChannelSettings(source="frames", model="pe-core-s-16-384"))
    ).encoder.encode_query("text", "dog")
    assert reads.texts == ["dog", "a photo of dog.", "a video frame of dog."]


def test_other_prompts_for_stored_text_are_other_vectors() -> None:
    from dataclasses import replace

    from vidembed.index.channels import fingerprint

    settings = ChannelSettings(source="captions", model="embeddinggemma-2")
    spec = registry.find("embeddinggemma-2")
    assert fingerprint(settings, spec) != fingerprint(settings, replace(spec, documents="text: {}"))
    pictures = ChannelSettings(source="frames", model="embeddinggemma-2")
    assert fingerprint(pictures, spec) == fingerprint(pictures, replace(spec, documents="text: {}"))
