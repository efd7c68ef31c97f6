"""Towers are converted once, kept, and opened without torch: the same vectors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from open_clip_parts import encoder_of, least_cosine, picture

from vidembed.cli import main
from vidembed.models.encoders import _conversion, _engines, _tokens, kept

pytestmark = pytest.mark.skipif(not _engines.available(), reason="OpenVINO is not installed")

TEXTS = ["a red car", "Two dogs, running!", "x " * 99, "l'été à 3&nbsp;€", ""]
PICTURES = [picture(90, 160), picture(64, 64, 2), picture(33, 35, 4)]
WITHOUT_TORCH = """
import sys
for name in ("torch", "transformers", "open_clip", "timm"):
    sys.modules[name] = None  # importing it raises ImportError
import numpy as np
from vidembed.models import registry
given = np.load(sys.argv[2], allow_pickle=True)["given"].item()
encoder = registry.load_encoder(sys.argv[1], device="cpu", dtype="float32")
np.savez(sys.argv[3], **{modality: encoder.encode(modality, items) for modality, items in given.items()})
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIDEMBED_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def with_words_of_transformers(folder: Path) -> Path:
    """As SigLIP 2 in open_clip: a tokenizer of transformers, all tokens seen by all, the last one's vector."""
    tiny_models.open_clip_folder(folder, fast=True)
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    more = {"hf_tokenizer_name": "tiny", "tokenizer_kwargs": {"clean": "canonicalize"}, "no_causal_mask": True}
    config["model_cfg"]["text_cfg"] |= {**more, "pool_type": "last"}
    path.write_text(json.dumps(config))
    tiny_models.word_tokenizer(folder)
    return folder


@pytest.mark.parametrize("kind", ["CLIP", "custom text", "words of transformers"])
def test_what_is_kept_gives_torchs_vectors_without_torch(kind: str, tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "model"
    if kind == "words of transformers":
        with_words_of_transformers(folder)
    else:
        tiny_models.open_clip_folder(folder, fast=kind == "custom text")
    given: dict[str, Any] = {"text": TEXTS, "image": PICTURES}
    first = encoder_of(folder, engine="auto", dtype="float32")
    for modality, items in given.items():
        first.encode(modality, items)  # type: ignore[arg-type]
    np.savez(tmp_path / "given.npz", given=np.array(given, dtype=object))
    command = [sys.executable, "-c", WITHOUT_TORCH, str(folder), str(tmp_path / "given.npz"), str(tmp_path / "out.npz")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    found, exact = np.load(tmp_path / "out.npz"), encoder_of(folder)
    for modality, items in given.items():
        assert least_cosine(found[modality], exact.encode(modality, items)) >= 0.9999, modality  # type: ignore[arg-type]
    parts = {file.relative_to(cache).parts[2] for file in cache.rglob("*.json")}
    assert parts == {"facts", "text"}
    assert {part.parent.name for part in cache.rglob("model.bin")} == {"text", "image"}


def test_two_at_once_keep_one_copy_and_leave_nothing_else(folder: Path, cache: Path) -> None:
    found = kept.Kept([folder / "open_clip_model.safetensors"], {})
    with found.adding("text") as mine:
        (mine / "who").write_text("mine")
        with found.adding("text") as theirs:
            (theirs / "who").write_text("theirs")
    assert found.part("text").joinpath("who").read_text() == "theirs"
    assert [path.name for path in found.folder.iterdir()] == ["text"]
    with pytest.raises(ZeroDivisionError), found.adding("image") as half:
        (half / "model.bin").write_bytes(bytes(1 // 0))
    assert [path.name for path in found.folder.iterdir()] == ["text"]


def test_a_part_that_cannot_get_its_name_is_an_error(folder: Path, cache: Path) -> None:
    found = kept.Kept([folder / "open_clip_model.safetensors"], {})
    found.folder.mkdir(parents=True)
    found.part("text").write_text("a file has the name")
    with pytest.raises(OSError, match="text"), found.adding("text"):
        pass
    assert [path.name for path in found.folder.iterdir()] == ["text"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files")
def test_a_full_disk_leaves_no_half_model(folder: Path, cache: Path, tmp_path: Path) -> None:
    """No file may get as long as the words or the picture tower's weights are."""
    code = """
import resource, sys
from pathlib import Path
import numpy as np
from open_clip_parts import encoder_of, least_cosine, picture
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
encoder = encoder_of(Path(sys.argv[1]), engine="auto")
np.savez(sys.argv[2], text=encoder.encode("text", ["a red car"]), image=encoder.encode("image", [picture(64, 64)]))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "rows.npz")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stderr.count("torch takes its place") == 2
    exact, found = encoder_of(folder), np.load(tmp_path / "rows.npz")
    np.testing.assert_allclose(found["text"], exact.encode("text", ["a red car"]), atol=1e-6)
    np.testing.assert_allclose(found["image"], exact.encode("image", [picture(64, 64)]), atol=1e-6)
    assert [path for path in cache.rglob("*") if path.is_file() and path.parent.name not in ("facts", "notes")] == []


def test_what_is_damaged_is_made_anew_with_a_word(folder: Path, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    exact = encoder_of(folder).encode("text", TEXTS)
    encoder_of(folder, engine="auto").encode("text", TEXTS)
    (model,) = cache.rglob("text/model.bin")
    whole = model.stat().st_size
    model.write_bytes(model.read_bytes()[: whole // 2])
    assert least_cosine(encoder_of(folder, engine="auto").encode("text", TEXTS), exact) >= 0.9999
    assert "is damaged and made anew" in caplog.text
    assert model.stat().st_size == whole


@pytest.mark.parametrize("content", ["", "[]", '{"dim": 3}'])
def test_facts_that_are_damaged_are_written_again(folder: Path, cache: Path, content: str) -> None:
    encoder_of(folder, engine="auto").encode("image", PICTURES)
    (facts,) = cache.rglob("facts.json")
    whole = facts.read_text()
    facts.write_text(content)
    assert kept.forget(folder.parent / "other") == 0
    encoder_of(folder, engine="auto")
    assert facts.read_text() == whole


def test_other_weights_are_another_model_and_the_older_conversion_goes(copy: Path, cache: Path) -> None:
    from safetensors.torch import load, save_file

    encoder_of(copy, engine="auto").encode("text", TEXTS)
    file = copy / "open_clip_model.safetensors"
    tensors = load(file.read_bytes())
    save_file({**tensors, "text_projection": -tensors["text_projection"]}, file)
    found = encoder_of(copy, engine="auto").encode("text", TEXTS)
    assert least_cosine(found, encoder_of(copy).encode("text", TEXTS)) >= 0.9999
    assert len(list(cache.glob("openvino/*/facts"))) == 1


def test_environments_that_share_the_folder_keep_their_copies(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three versions by turns: the newest of the others stays, so that two do not convert for ever."""
    places = []
    for number in range(3):
        monkeypatch.setattr(kept, "version_of", lambda _, version=str(number): version)
        ours = kept.Kept([folder / "open_clip_model.safetensors"], {"arch": None})
        ours.add_facts({"dim": 3, "prepare": {}})
        os.utime(ours.part("facts"), (number, number))
        places.append(ours.folder)
        if number == 1:
            assert all(place.exists() for place in places)
    assert [place.exists() for place in places] == [False, True, True]


def test_what_a_killed_conversion_left_goes_after_a_day(folder: Path, cache: Path) -> None:
    ours = kept.Kept([folder / "open_clip_model.safetensors"], {})
    old, new = (ours.folder / f".image.{name}.part" for name in ("old", "new"))
    for left in (old, new):
        left.mkdir(parents=True)
        (left / "model.bin").write_bytes(b"half")
    os.utime(old, (0, 0))
    with ours.adding("text"):
        pass
    assert sorted(path.name for path in ours.folder.iterdir()) == [".image.new.part", "text"]


def test_weights_are_hashed_once(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "open_clip_model.safetensors"
    first = kept.Kept([file], {"arch": None}).folder
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("read again"))
    assert kept.Kept([file], {"arch": None}).folder == first
    assert kept.Kept([file], {"arch": "ViT-B-32"}).folder != first


def test_models_rm_deletes_what_was_converted_and_not_a_users_own_weights(
    copy: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder_of(copy, engine="auto").encode("text", TEXTS)
    assert list(cache.rglob("model.bin"))
    assert main(["models", "rm", str(copy)]) == 0
    assert f"deleted what was converted from {copy}: 0.01 GB" in capsys.readouterr().err
    assert not list(cache.rglob("model.bin"))
    assert (copy / "open_clip_model.safetensors").is_file()


@pytest.mark.parametrize("clean", ["lower", "whitespace", "canonicalize"])
def test_tokens_are_those_of_open_clip(clean: str, tmp_path: Path) -> None:
    from open_clip.tokenizer import SimpleTokenizer

    theirs = SimpleTokenizer(context_length=16, clean=clean)
    texts = [
        *TEXTS, "they'll don't I'm we've 123 4.5 50%", "under_score -- dash", "naïve café Straße ÀÉ", "a\tb\r\nc\x00d",
        "&AMP; &amp;amp; &lt;b&gt;", "犬が走る 🐕🏃", "“quoted” ’tis ﬁn", "ＦＵＬＬ width", "<end_of_text> in it",
        "a" * 300,
    ]  # fmt: skip
    made, about = _tokens.converted(theirs)
    made.save(str(tmp_path / _tokens.FILE))
    np.testing.assert_array_equal(_tokens.Tokens(tmp_path, about)(texts), theirs(texts).numpy())


def test_a_tokenizer_that_reads_otherwise_is_not_kept(tmp_path: Path) -> None:
    from open_clip.tokenizer import SimpleTokenizer

    shuffling = SimpleTokenizer(context_length=16, reduction_mask="shuffle")
    with pytest.raises(_conversion.Disagreement, match="tokens"):
        _conversion._convert_tokenizer(shuffling, tmp_path)
