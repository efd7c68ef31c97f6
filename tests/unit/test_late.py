"""Late interaction: what is kept of a clip's screen, and what a query is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import tiny_models_vlm
import torch
from PIL import Image

from vidembed.errors import BadQuery, ConfigError, WeightsMissing
from vidembed.models import registry
from vidembed.models.encoders.late import LateClipEncoder, LateEncoder
from vidembed.types import Clip, Failure, Floats, FrameBatch, Span
from vidembed.vectors import late_score, unit_rows

FRAMES = FrameBatch(np.random.default_rng(0).integers(0, 255, (3, 40, 48, 3), dtype=np.uint8), np.arange(3.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models_vlm.colmodernvbert_folder(tmp_path_factory.mktemp("late") / "model")


def loaded(folder: Path, **options: Any) -> LateEncoder:
    spec = replace(registry.find("colmodernvbert"), path=folder, repo=None)
    return cast(LateEncoder, registry.load_encoder(spec, device="cpu", **options))


def theirs(folder: Path, rgb: np.ndarray) -> Floats:
    import transformers as t

    model = t.ColModernVBertForRetrieval.from_pretrained(folder).eval()
    processor: Any = t.ColModernVBertProcessor.from_pretrained(folder)
    with torch.inference_mode():
        return model(**processor.process_images([Image.fromarray(rgb)])).embeddings[0].numpy()


def test_a_page_is_what_transformers_makes_of_it(folder: Path) -> None:
    encoder = loaded(folder, pool_factor=1)
    page = theirs(folder, FRAMES.rgb[1])
    assert np.allclose(encoder.page(FRAMES.rgb[1]), page, atol=1e-5)
    assert np.allclose(encoder.stored(FRAMES.rgb[1]), page, atol=1e-5), "a factor of 1 keeps all, in their order"


def test_vectors_that_are_much_alike_are_stored_as_their_mean(folder: Path) -> None:
    encoder = loaded(folder, pool_factor=2)
    page, stored = theirs(folder, FRAMES.rgb[1]), encoder.stored(FRAMES.rgb[1])
    assert stored.shape == (len(page) // 2, 128)
    assert np.allclose(np.linalg.norm(stored, axis=1), 1, atol=1e-5)
    assert {round(late_score(row[None], page), 4) for row in stored} != {0.0}
    alone = unit_rows(page.sum(0, keepdims=True))
    assert np.allclose(loaded(folder, pool_factor=len(page)).stored(FRAMES.rgb[1]), alone, atol=1e-5)


def test_a_clip_is_the_screen_in_its_middle(folder: Path) -> None:
    encoder = loaded(folder)
    clips = [Clip.make("a" * 32, i, Span(3 * i, 3 * i + 3)) for i in range(3)]
    broken = FrameBatch(np.zeros((1, 1, 1, 3), np.uint8), np.zeros(1))
    broken.rgb.shape = (1, 3, 1, 1)  # no picture
    found = LateClipEncoder(encoder, stage="encode:slides").encode_clips([FRAMES, None, broken], clips)
    assert found[1] is None
    assert isinstance(found[2], Failure)
    assert (found[2].item, found[2].stage) == (clips[2].clip_id, "encode:slides")
    kept = found[0]
    assert kept is not None
    assert not isinstance(kept, Failure)
    assert kept.segments is not None
    assert kept.segment_times_s is not None
    assert np.allclose(kept.segments, encoder.stored(FRAMES.rgb[1]), atol=1e-3)
    assert set(kept.segment_times_s.tolist()) == {1.0}
    assert kept.segments.dtype == np.float16


def test_a_query_is_a_vector_a_word_and_text_alone(folder: Path) -> None:
    clips = LateClipEncoder(loaded(folder), stage="encode:slides")
    query = clips.encode_query("text", " a red car ")
    assert query is not None
    assert query.ndim == 2
    assert query.shape[1] == 128
    assert np.allclose(np.linalg.norm(query, axis=1), 1, atol=1e-5)
    assert clips.encode_query("image", FRAMES.rgb[0]) is None
    with pytest.raises(BadQuery, match="empty"):
        clips.encode_query("text", " ")
    with pytest.raises(ConfigError, match="pool_factor must be at least 1, got 0"):
        loaded(folder, pool_factor=0)


def test_a_folder_that_does_not_say_what_it_holds_is_named(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "architectures": None}))
    with pytest.raises(WeightsMissing, match="colmodernvbert.*do not load"):
        loaded(tmp_path / "model")
