"""Weights that are on no hub: one file from an address of their own, by the same rules."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hub_server import Hub

from vidembed.cli import main
from vidembed.errors import WeightsMissing
from vidembed.models import hub as cache
from vidembed.models import registry, weights
from vidembed.models.spec import ModelSpec

CONTENT = b"letters" * 1000


@pytest.fixture
def spec(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelSpec:
    """The record of the recogniser of Cyrillic, served from loopback."""
    served = tmp_path / "served"
    served.mkdir()
    (served / "rec.onnx").write_bytes(CONTENT)
    hub.add("some/models", served, commit="1" * 40)
    known = registry.find("ocr-cyrillic", "ocr")
    url = f"{hub.url}/some/models/resolve/{'1' * 40}/rec.onnx"
    made = replace(known, url=url, files={"rec.onnx": hashlib.sha256(CONTENT).hexdigest()})
    monkeypatch.setitem(registry._registry(), ("ocr", known.name), made)
    return made


def test_a_file_comes_once_checked_and_without_the_hubs_token(
    hub: Hub, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert cache.here(spec) is None
    folder = weights.folder(spec)
    assert (folder / "rec.onnx").read_bytes() == CONTENT
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".lock") == ["rec.onnx"]
    assert weights.folder(spec, offline=True) == folder == cache.here(spec)
    assert hub.names() == ["rec.onnx"]
    assert not any("hf_secret" in str(headers) for headers in hub.headers)


def test_a_cut_file_goes_on_where_it_stopped(hub: Hub, spec: ModelSpec) -> None:
    hub.faults.cut_at, hub.faults.cuts = 3000, 1
    assert (weights.folder(spec) / "rec.onnx").read_bytes() == CONTENT
    assert hub.sent["rec.onnx"] == len(CONTENT)


def test_another_content_is_refused_and_deleted(hub: Hub, spec: ModelSpec) -> None:
    hub.faults.changed = True
    with pytest.raises(WeightsMissing, match="another SHA-256"):
        weights.folder(spec)
    assert cache.here(spec) is None
    hub.faults.changed = False
    assert (weights.folder(spec) / "rec.onnx").read_bytes() == CONTENT


def test_a_missing_file_and_offline_say_what_to_do(hub: Hub, spec: ModelSpec) -> None:
    with pytest.raises(WeightsMissing) as caught:
        weights.folder(spec, offline=True)
    assert "vidembed models download ocr-cyrillic" in caught.value.hint
    assert hub.asked == []
    hub.faults.status = 404
    with pytest.raises(WeightsMissing, match="answered 404"):
        weights.folder(spec)


def test_the_commands_know_it(hub: Hub, spec: ModelSpec, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "download", "ocr-cyrillic"]) == 0
    at = Path(capsys.readouterr().out.strip())
    assert (at / "rec.onnx").is_file()
    assert main(["models", "path", "ocr-cyrillic"]) == 0
    assert capsys.readouterr().out.strip() == str(at)
    assert main(["models", "ocr-cyrillic"]) == 0
    assert "here         here" in capsys.readouterr().out
    assert main(["models", "rm", "ocr-cyrillic"]) == 0
    assert not at.exists()


def test_a_record_with_an_address_names_one_file(spec: ModelSpec) -> None:
    with pytest.raises(ValueError, match="one file"):
        replace(spec, files={})
