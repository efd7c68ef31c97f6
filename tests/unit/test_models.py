"""The registry: every record is sound, names are found or explained, and finding loads nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from vidembed.errors import ConfigError, MissingDependency, UnknownModel, WeightsMissing
from vidembed.index.channels import fingerprint
from vidembed.models import registry, weights
from vidembed.models import spec as model_spec
from vidembed.models.spec import ModelSpec
from vidembed.models.toy_space import DIM
from vidembed.types import Space


@pytest.fixture(autouse=True)
def fresh_registry() -> Iterator[None]:
    registry._registry.cache_clear()
    yield
    registry._registry.cache_clear()


ALL = registry.specs()


def test_there_are_records() -> None:
    assert {"toy", "starter", "pe-core-s-16-384", "pe-core-b-16", "vit-b-32-siglip2-256", "mobileclip2-s0"} <= {
        spec.name for spec in ALL
    }


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: f"{spec.kind}-{spec.name}")
def test_every_record_is_complete(spec: ModelSpec) -> None:
    assert 0 < len(spec.summary) <= 100
    assert spec.license != "unknown"
    assert spec.repo is None or (spec.size_gb > 0 and spec.reference)
    assert spec.kind in ("captioner", "speech", "reranker", "ocr") or spec.modalities
    module = spec.factory.partition(":")[0].replace(".", "/") + ".py"
    assert (Path(registry.__file__).parents[2] / module).is_file()


@pytest.mark.parametrize(
    "spec", [s for s in ALL if "nc" in s.license.lower().split("-") or "amlr" in s.license.lower()]
)
def test_restricted_weights_are_marked(spec: ModelSpec) -> None:
    assert not spec.commercial


def test_the_toy_record_says_what_the_toy_is() -> None:
    assert registry.find("toy").space == Space("toy", DIM)
    encoder = registry.load_encoder("toy")
    assert encoder.encode("text", ["red"]).shape == (1, DIM)  # type: ignore[union-attr]


def test_unknown_names_get_close_ones() -> None:
    with pytest.raises(UnknownModel, match="'pe-core-s-16'") as caught:
        registry.find("pe-core-s-16")
    assert "pe-core-s-16-384" in caught.value.hint
    with pytest.raises(UnknownModel, match="no model folder"):
        registry.find("./nowhere")
    with pytest.raises(UnknownModel, match="ARCH/TAG"):
        registry.find("open_clip:ViT-B-32")
    with pytest.raises(UnknownModel, match="ORG/NAME"):
        registry.find("hf:siglip2")


def test_roles_are_kept_apart() -> None:
    with pytest.raises(UnknownModel, match="'vit-b-32-laion2b' is a model of kind encoder, not captioner"):
        registry.find("vit-b-32-laion2b", "captioner")
    with pytest.raises(ConfigError, match="not captioner"):
        registry.load_captioner(registry.find("toy"))


def test_name_forms() -> None:
    spec = registry.find("open_clip:RN50/openai")
    assert spec.options == {"arch": "RN50", "tag": "openai"}
    assert registry.find("hf:google/siglip2-base-patch16-224").name == "siglip2-base-patch16-224"
    assert registry.find("hf-hub:some/thing").repo == "some/thing"


def test_a_weights_file_needs_an_architecture(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    file.touch()
    with pytest.raises(UnknownModel, match="architecture") as caught:
        registry.find(str(file))
    assert f"open_clip:ARCH/{file}" in caught.value.hint
    assert registry.find(f"open_clip:ViT-B-32/{file}").path == file


@pytest.mark.parametrize(
    ("file", "content", "factory"),
    [
        ("open_clip_config.json", {}, "vidembed.models.encoders.open_clip:load"),
        ("align.json", {}, "vidembed.align.aligned:load_spec"),
        ("config.json", {"model_type": "siglip2"}, "vidembed.models.encoders.dual:load"),
        ("config.json", {"model_type": "clap"}, "vidembed.models.encoders.lean:load_clap"),
    ],
)
def test_a_folder_is_known_by_its_files(tmp_path: Path, file: str, content: dict[str, str], factory: str) -> None:
    (tmp_path / file).write_text(json.dumps(content))
    spec = registry.find(str(tmp_path))
    assert (spec.factory, spec.path) == (factory, tmp_path)


def test_a_strange_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="no model of a known family"):
        registry.find(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(UnknownModel, match="gpt2") as caught:
        registry.find(str(tmp_path))
    assert "siglip2" in caught.value.hint
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(WeightsMissing, match="not valid JSON"):
        registry.find(str(tmp_path))


def mine(name: str = "mine", **changes: object) -> ModelSpec:
    values: dict[str, object] = {"name": name, "kind": "encoder", "factory": f"{__name__}:load_mine", **changes}
    return ModelSpec(**values)  # type: ignore[arg-type]


def load_mine(spec: ModelSpec, *, device: str, dtype: str, weights_dir: Path, offline: bool, level: int = 1) -> object:
    return SimpleNamespace(spec=spec, device=device, weights_dir=weights_dir, offline=offline, level=level)


def test_registered_models_load_with_their_options(tmp_path: Path) -> None:
    registry.register(mine(options={"level": 2}))
    loaded = registry.load("mine", device="cpu", weights_dir=str(tmp_path), offline=True)
    assert (loaded.level, loaded.device, loaded.weights_dir, loaded.offline) == (2, "cpu", tmp_path, True)  # type: ignore[attr-defined]
    assert registry.load("mine", level=3).level == 3  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="no option 'levle'; allowed: level"):
        registry.load("mine", levle=3)
    with pytest.raises(ConfigError, match="two encoders have the name 'mine'"):
        registry.register(mine())


def test_entry_points_are_read_and_a_broken_one_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    points = [
        SimpleNamespace(name="good", value=f"{__name__}:others"),
        SimpleNamespace(name="bad", value="not_a_module_at_all:SPECS"),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    assert registry.find("theirs").name == "theirs"
    assert "not_a_module_at_all" in caplog.text
    assert registry.find("toy").name == "toy"


def others() -> list[ModelSpec]:
    return [mine("theirs")]


def test_a_missing_package_names_the_extra() -> None:
    with pytest.raises(MissingDependency, match="no_such_package") as caught:
        registry.load(mine(factory="no_such_package.room:load", extra="speech"))
    assert "vidembed[speech]" in caught.value.hint


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Big Name"},
        {"factory": "module"},
        {"templates": ()},
        {"templates": ("{} {}",)},
        {"modalities": {"smell"}},
    ],
)
def test_a_wrong_record_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must|template|modalities"):
        mine(**changes)


def test_missing_weights_name_the_folder_and_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = registry.find("pe-core-s-16-384")
    with pytest.raises(WeightsMissing) as caught:
        weights.folder(spec, weights_dir=tmp_path, offline=True)
    assert str(tmp_path / "pe-core-s-16-384") in caught.value.message
    assert f"vidembed models download pe-core-s-16-384 --to {tmp_path}" in caught.value.hint


def test_weights_are_taken_from_the_weights_folder(tmp_path: Path) -> None:
    (tmp_path / "pe-core-s-16-384").mkdir()
    assert weights.folder(registry.find("pe-core-s-16-384"), weights_dir=tmp_path) == tmp_path / "pe-core-s-16-384"


def test_files_are_checked_by_hash(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"abc")
    good = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert weights.folder(mine(path=tmp_path, files={"a.bin": good})) == tmp_path
    with pytest.raises(WeightsMissing, match=f"has SHA-256 {good}, expected 00"):
        weights.folder(mine(path=tmp_path, files={"a.bin": "00"}))
    with pytest.raises(WeightsMissing, match="lack the file"):
        weights.folder(mine(path=tmp_path, files={"b.bin": good}))


def test_loading_maps_foreign_errors_and_keeps_ours_and_memory(tmp_path: Path) -> None:
    spec = registry.find("pe-core-s-16-384")
    with pytest.raises(WeightsMissing, match="KeyError") as caught, weights.loading(spec, tmp_path):
        raise KeyError("layer.1")
    assert f"vidembed models download pe-core-s-16-384 --to {tmp_path.parent}" in caught.value.hint
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(MemoryError), weights.loading(spec, tmp_path):
        raise MemoryError


def test_finding_loads_nothing_heavy() -> None:
    code = (
        "import sys; from vidembed.models import registry; registry.specs(); registry.find('pe-core-b-16'); "
        "print([m for m in ('torch', 'transformers', 'open_clip', 'huggingface_hub') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_what_lies_beside_the_starters_towers_is_no_part_of_its_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index made with the same towers stays good when the captioner or the bank's vectors change."""
    manifest = tmp_path / "starter" / "manifest.json"
    manifest.parent.mkdir()
    monkeypatch.setattr(model_spec, "ASSETS", tmp_path)

    def revision(**files: str) -> str:
        manifest.write_text(json.dumps({"files": {n.replace("_", "."): {"sha256": s} for n, s in files.items()}}))
        return model_spec._starter_revision("starter")

    plain = revision(text_safetensors="a", picture_safetensors="b")
    assert revision(text_safetensors="a", picture_safetensors="b", bank_npy="c", captioner_safetensors="d") == plain
    assert revision(text_safetensors="x", picture_safetensors="b") != plain


def test_the_starters_revision_follows_its_towers() -> None:
    """Other shipped weights are another revision, so an index made with the old ones is not mixed with the new."""
    from vidembed.config.load import load_config
    from vidembed.index.channels import channel_spec

    spec = registry.find("starter")
    assert len(spec.revision) == 8
    vision = load_config("starter").channels["vision"]
    now = channel_spec("vision", vision)
    assert now.fingerprint != fingerprint(vision, replace(spec, revision="00000000"))
    assert now.fingerprint == fingerprint(vision, spec)
