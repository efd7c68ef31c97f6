"""`vidembed models`: facts of models in a table, by name and by profile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vidembed.cli import main
from vidembed.config.load import profiles


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert main(["models", *arguments, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_table_says_weights_licence_size_and_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--profile", "gpu"]) == 0
    table = capsys.readouterr().out
    assert "google/videoprism-lvt-large-f8r288" in table
    line = next(line for line in table.splitlines() if line.startswith("pe-av-base-16-frame"))
    assert line.split()[-5:] == ["4.1", "missing", "8", "facebook/pe-av-base-16-frame", "Apache-2.0"]


@pytest.mark.parametrize("profile", ["laptop", "gpu", "joint", "gemma"])
def test_models_of_a_pretrained_profile_are_whole_and_for_commercial_use(
    capsys: pytest.CaptureFixture[str], profile: str
) -> None:
    found = rows(capsys, "--profile", profile)
    assert found
    for row in found:
        assert row["commercial"], row["name"]
        assert row["kind"] == "words" or (row["repo"] and row["size_gb"]), row["name"]


def test_every_bundled_profile_names_known_models(capsys: pytest.CaptureFixture[str]) -> None:
    for profile in profiles():
        assert rows(capsys, "--profile", profile)


def test_a_captioner_is_found_by_name_too(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = rows(capsys, "starter-captioner")
    assert row["kind"] == "captioner"


def test_modalities_are_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = rows(capsys, "starter")
    assert row["modalities"] == ["audio", "image", "text"]


def test_an_unknown_name_says_close_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "startr"]) == 4
    assert "starter" in capsys.readouterr().err


def test_what_comes_with_the_package_is_not_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "rm", "toy"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said == [f"{name} comes with vidembed: there is nothing to delete" for name in ("toy", "toy-captioner")]
