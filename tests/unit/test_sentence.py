"""sentence-transformers: the library's rows, shortened vectors, texts that look like files, never random weights."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_models_av
from PIL import Image

from vidembed.errors import ConfigError, MissingDependency, WeightsMissing
from vidembed.models import registry
from vidembed.protocols import Encoder
from vidembed.types import Span, TextLine, TimedText
from vidembed.vectors import unit_rows

pytest.importorskip("sentence_transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models_av.sentence_folder(tmp_path_factory.mktemp("sentence"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return registry.load_encoder(str(folder), device="cpu")  # type: ignore[return-value]


def test_rows_are_the_librarys(folder: Path, encoder: Encoder) -> None:
    from sentence_transformers import SentenceTransformer

    texts = ["red car", "a dog runs in the lake", "blue"]
    theirs = SentenceTransformer(str(folder), device="cpu").encode(texts)
    np.testing.assert_allclose(encoder.encode("text", texts), unit_rows(theirs), atol=1e-3)


def test_the_text_of_a_clip_is_encoded_as_its_text(encoder: Encoder) -> None:
    timed = TimedText((TextLine(Span(0, 1), "a dog"), TextLine(Span(1, 2), "runs")))
    rows = encoder.encode("text", [timed, "a dog runs"])
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-3)


def test_shortened_vectors_are_the_first_values_scaled_to_length_1(folder: Path, encoder: Encoder) -> None:
    short = registry.load_encoder(str(folder), device="cpu", dim=8)
    full = encoder.encode("text", ["red car"])
    np.testing.assert_allclose(short.encode("text", ["red car"]), unit_rows(full[:, :8]), atol=1e-3)  # type: ignore[union-attr]
    assert short.space.dim == 8
    assert short.space.name != encoder.space.name  # rows of other sizes are not compared
    with pytest.raises(ConfigError, match="dim may be 1 to 32, got 33"):
        registry.load_encoder(str(folder), device="cpu", dim=33)


def test_text_that_names_a_file_or_an_address_is_not_opened(encoder: Encoder, tmp_path: Path) -> None:
    picture = tmp_path / "red.png"
    Image.new("RGB", (4, 4), "red").save(picture)
    # On-screen text and speech come from strangers' videos: nothing they say may read a file or call a server.
    rows = encoder.encode("text", [str(picture), "http://127.0.0.1:9/red.jpg", "https://youtube.com/watch?v=1"])
    assert rows.shape == (3, encoder.space.dim)


def test_missing_weights_are_never_made_up(folder: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    state = load_file(broken / "model.safetensors")
    state.pop("encoder.layer.1.output.dense.weight")
    save_file(state, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsMissing, match=r"missing or of another shape"):
        registry.load_encoder(str(broken), device="cpu")


def test_the_extra_is_named_when_the_package_is_missing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDEMBED_CACHE", str(tmp_path))  # what was converted needs it no more
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingDependency) as caught:
        registry.load_encoder(str(folder), device="cpu")
    assert "vidembed[sentence]" in caught.value.hint


@pytest.mark.needs_weights
@pytest.mark.parametrize("name", ["all-minilm-l6-v2", "embeddinggemma-2", "qwen3-vl-embedding-2b"])
def test_real_weights_rank_what_is_known(name: str) -> None:
    try:
        encoder = registry.load_encoder(name, device="cpu", offline=True)
    except WeightsMissing as error:
        pytest.skip(error.message)
    texts = encoder.encode("text", ["a dog is running", "a puppy runs", "stock prices fell"])  # type: ignore[union-attr]
    assert texts[0] @ texts[1] > texts[0] @ texts[2]
    if "image" in encoder.modalities:  # type: ignore[union-attr]
        pictures = [np.full((64, 64, 3), colour, np.uint8) for colour in ((220, 0, 0), (0, 0, 220))]
        seen = encoder.encode("image", pictures)  # type: ignore[union-attr]
        asked = encoder.encode("text", ["a red picture", "a blue picture"])  # type: ignore[union-attr]
        assert (asked @ seen.T).argmax(axis=1).tolist() == [0, 1]


def test_a_pooler_that_the_files_lack_is_not_missed(folder: Path, encoder: Encoder, tmp_path: Path) -> None:
    """Many sentence models are published without it: their own pooling module never reads it."""
    from safetensors.torch import load_file, save_file

    copy = shutil.copytree(folder, tmp_path / "copy")
    tensors = load_file(copy / "model.safetensors")
    assert any(name.startswith("pooler.") for name in tensors)
    kept = {name: value for name, value in tensors.items() if not name.startswith("pooler.")}
    save_file(kept, copy / "model.safetensors", metadata={"format": "pt"})
    loaded = registry.load_encoder(str(copy), device="cpu")
    np.testing.assert_allclose(loaded.encode("text", ["red car"]), encoder.encode("text", ["red car"]), atol=1e-6)  # type: ignore[union-attr]
