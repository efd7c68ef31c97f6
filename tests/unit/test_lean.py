"""Text towers of transformers: converted once, then the same vectors without torch; sound is torch's as before."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models_av

from vidembed.models import registry
from vidembed.models.encoders import _engines, lean
from vidembed.models.encoders.dual import ClapEncoder
from vidembed.models.encoders.sentence import SentenceEncoder
from vidembed.types import AudioSamples

pytest.importorskip("sentence_transformers")
pytestmark = pytest.mark.skipif(not _engines.available(), reason="OpenVINO is not installed")

TEXTS = ["a red car", "Two dogs, running!", "", "red " * 40, "été: <pad> blue", *["dog"] * 20, "a green lake"]
WITHOUT_TORCH = """
import sys
for name in ("torch", "transformers", "sentence_transformers"):
    sys.modules[name] = None  # importing it raises ImportError
import numpy as np
from vidembed.models import registry
encoder = registry.load_encoder(sys.argv[1], device="cpu")
np.save(sys.argv[2], encoder.encode("text", np.load(sys.argv[3]).tolist()))
"""


@pytest.fixture(params=["clap", "sentence"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIDEMBED_CACHE", str(tmp_path / "cache"))
    made = tiny_models_av.clap_folder if kind == "clap" else tiny_models_av.sentence_folder
    return made(tmp_path / "model")


def opened(folder: Path, **settings: Any) -> Any:
    return registry.load_encoder(str(folder), device="cpu", **settings)


def in_torch(encoder: lean.LeanEncoder) -> Any:
    return encoder._once("torch", encoder._make)


def test_what_is_kept_gives_torchs_vectors_without_torch(folder: Path, tmp_path: Path) -> None:
    first = opened(folder)
    np.save(tmp_path / "texts.npy", TEXTS)
    command = [
        sys.executable,
        "-c",
        WITHOUT_TORCH,
        str(folder),
        str(tmp_path / "rows.npy"),
        str(tmp_path / "texts.npy"),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    rows = np.load(tmp_path / "rows.npy")
    assert (rows * in_torch(first).encode("text", TEXTS)).sum(axis=1).min() >= 0.9999
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_sound_is_the_torch_encoders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEMBED_CACHE", str(tmp_path / "cache"))
    encoder = opened(tiny_models_av.clap_folder(tmp_path / "model"))
    sound = AudioSamples(np.sin(np.arange(16_000) / 7).astype(np.float32), 16_000)
    assert isinstance(in_torch(encoder), ClapEncoder)
    np.testing.assert_array_equal(encoder.encode("audio", [sound]), in_torch(encoder).encode("audio", [sound]))
    assert encoder.encode("text", []).shape == (0, encoder.space.dim)
    with pytest.raises(ValueError, match="understands audio and text, not 'image'"):
        encoder.encode("image", [sound])


def test_another_device_engine_or_dtype_is_torchs(folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    of_torch = ClapEncoder if kind == "clap" else SentenceEncoder
    assert isinstance(opened(folder), lean.LeanEncoder)
    assert isinstance(opened(folder, dtype="bfloat16"), of_torch)
    monkeypatch.setattr(_engines, "available", lambda: False)
    assert isinstance(opened(folder), of_torch)


def test_what_openvino_cannot_run_is_torchs_with_a_word_said_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from vidembed.models.encoders import _text_conversion

    def fail(*_: object) -> None:
        raise RuntimeError("an operation it does not know\nand more")

    monkeypatch.setattr(_text_conversion, "convert", fail)
    with caplog.at_level(logging.WARNING, logger="vidembed"):
        rows = [opened(folder).encode("text", ["a red car"]) for _ in range(2)]
    said = [record.getMessage() for record in caplog.records if record.name == lean.__name__]
    assert len(said) == 1
    assert said[0].endswith("torch takes its place and is slower: an operation it does not know")
    np.testing.assert_array_equal(*rows)


def test_a_damaged_copy_is_made_anew(folder: Path, tmp_path: Path) -> None:
    first = opened(folder).encode("text", ["a red car"])
    (model,) = (tmp_path / "cache").rglob("text/model.xml")
    model.write_text("no model")
    again = opened(folder)
    np.testing.assert_array_equal(again.encode("text", ["a red car"]), first)
    assert model.read_text() != "no model", "at once, and nothing else"
    assert (model.parents[1] / "facts").is_dir()


def test_a_model_of_pictures_and_text_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder says nothing of what it understands before it is loaded."""
    import tiny_models_sentence

    monkeypatch.setenv("VIDEMBED_CACHE", str(tmp_path / "cache"))
    encoder = opened(tiny_models_sentence.qwen3_vl_embedding_folder(tmp_path / "model"))
    assert isinstance(encoder, SentenceEncoder)
    assert not list((tmp_path / "cache").rglob("model.bin"))


def test_other_weights_are_converted_anew(folder: Path, tmp_path: Path) -> None:
    opened(folder)
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "config.json").write_text((copy / "config.json").read_text() + " ")
    opened(copy)
    assert len(list((tmp_path / "cache").rglob("text/model.xml"))) == 2
