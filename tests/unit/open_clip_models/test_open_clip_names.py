"""Models by name: architectures, tags, checkpoint files, our records of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from open_clip_parts import encoder_of

from vidembed.errors import UnknownModel, WeightsMissing
from vidembed.models import registry
from vidembed.models.encoders.open_clip import load
from vidembed.models.spec import ModelSpec


def test_a_checkpoint_file_for_a_named_architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The architecture is open_clip's own, made small, so that nothing big is built."""
    import open_clip
    from open_clip import factory

    folder = tiny_models.open_clip_folder(tmp_path / "source")
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    monkeypatch.setitem(factory._MODEL_CONFIGS, "Tiny-8", {k: v for k, v in config.items() if k != "custom_text"})
    file = tmp_path / "only" / "tiny.safetensors"
    file.parent.mkdir()
    shutil.copy(folder / "open_clip_model.safetensors", file)
    encoder: Any = registry.load_encoder(f"open_clip:Tiny-8/{file}", device="cpu", engine="torch")
    np.testing.assert_array_equal(encoder.encode("text", ["red"]), encoder_of(folder).encode("text", ["red"]))
    # No settings beside the file and no published tags: CLIP's own preprocessing.
    assert encoder.prepare.mean == open_clip.OPENAI_DATASET_MEAN
    assert encoder.space.name.startswith("tiny-")


def test_names_open_clip_does_not_know() -> None:
    with pytest.raises(UnknownModel, match="no architecture 'ViT-B-23'") as caught:
        registry.load_encoder("open_clip:ViT-B-23/openai", offline=True)
    assert "ViT-B-32" in caught.value.hint
    with pytest.raises(UnknownModel, match="no pretrained tag 'laion9b'") as caught:
        registry.load_encoder("open_clip:ViT-B-32/laion9b", offline=True)
    assert "laion2b_s34b_b79k" in caught.value.hint


def test_a_tag_without_weights_here_names_its_repository() -> None:
    with pytest.raises(WeightsMissing) as caught:
        registry.load_encoder("open_clip:PE-Core-T-16-384/meta", offline=True)
    assert "vidembed models download hf:timm/PE-Core-T-16-384" in caught.value.hint


def test_a_tag_that_has_only_an_address_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import open_clip

    cfg = {"url": "https://example.org/weights.pt", "hf_hub": ""}
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda arch, tag: cfg)
    with pytest.raises(WeightsMissing, match=r"https://example.org/weights\.pt") as caught:
        registry.load_encoder("open_clip:RN50/mine", offline=True)
    assert "open_clip:RN50/PATH" in caught.value.hint


def test_registry_records_match_open_clip() -> None:
    import open_clip

    records = [
        spec for spec in registry.specs("encoder") if spec.factory.startswith("vidembed.models.encoders.open_clip")
    ]
    assert len(records) >= 10
    for spec in records:
        arch = spec.options["arch"]
        cfg, model = open_clip.get_pretrained_cfg(arch, spec.options["tag"]), open_clip.get_model_config(arch)
        assert cfg["hf_hub"].rstrip("/") == spec.repo, spec.name
        assert spec.space is not None
        assert model["embed_dim"] == spec.space.dim, spec.name
        assert model["vision_cfg"]["image_size"] == spec.input.image_px, spec.name
        assert model["text_cfg"].get("context_length", 77) == spec.input.max_tokens, spec.name


def test_the_factory_takes_a_record(folder: Path) -> None:
    spec = ModelSpec(name="mine", kind="encoder", factory="vidembed.models.encoders.open_clip:load", path=folder)
    assert load(spec, device="cpu", engine="torch").encode("text", ["red"]).shape == (1, 24)
