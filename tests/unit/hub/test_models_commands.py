"""`vidembed models`: what is here, fetching, moving and deleting, against a hub on loopback."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_hub
import typer
from hub_server import Hub
from tiny_models import open_clip_folder

from vidembed.cli import main
from vidembed.models import hub as cache
from vidembed.models import registry
from vidembed.models.spec import Known

SPEC = registry.find("pe-core-s-16-384")


@pytest.fixture
def published(hub: Hub, tmp_path: Path) -> Hub:
    assert SPEC.repo is not None
    hub.add(SPEC.repo, open_clip_folder(tmp_path / "tiny"), commit=SPEC.revision)
    return hub


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert main(["models", *arguments, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_model_is_fetched_found_and_deleted(
    published: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rows(capsys, "pe-core-s-16-384")[0]["here"] == "missing"
    assert main(["models", "path", "pe-core-s-16-384"]) == 4
    assert "run: vidembed models download pe-core-s-16-384" in capsys.readouterr().err
    assert main(["models", "download", "pe-core-s-16-384"]) == 0
    printed = capsys.readouterr()
    at = Path(printed.out.strip())
    assert (at / "open_clip_model.safetensors").is_file()
    assert at.name == SPEC.revision
    assert "fetching pe-core-s-16-384 (timm/PE-Core-S-16-384): 0.01 GB" in printed.err
    assert rows(capsys, "pe-core-s-16-384")[0]["here"] == "here"
    assert main(["models", "path", "pe-core-s-16-384"]) == 0
    assert capsys.readouterr().out.strip() == str(at)
    assert main(["models", "rm", "pe-core-s-16-384"]) == 0
    assert "deleted timm/PE-Core-S-16-384: 0.01 GB" in capsys.readouterr().err
    assert rows(capsys, "pe-core-s-16-384")[0]["here"] == "missing"
    assert not cache.cache_folder(str(SPEC.repo)).exists()


def test_in_a_pipe_a_download_is_told_in_one_line_without_bars(
    published: Hub, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "download", "pe-core-s-16-384"]) == 0
    told = capfd.readouterr().err.splitlines()
    assert told == [
        "1 model to fetch, 0.35 GB: pe-core-s-16-384",
        "fetching pe-core-s-16-384 (timm/PE-Core-S-16-384): 0.01 GB",
    ]


def test_on_a_terminal_a_large_download_is_asked_about_first(
    published: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def refuse(question: str, **given: object) -> bool:
        asked.append(question)
        raise typer.Abort

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", refuse)
    assert main(["models", "download", "pe-core-s-16-384"]) == 0
    assert not asked, "0.35 GB are not much"
    assert main(["models", "rm", "pe-core-s-16-384"]) == 0
    monkeypatch.setattr("vidembed.cli.models.ASK_ABOVE_GB", 0.3)
    assert main(["models", "download", "pe-core-s-16-384"]) != 0
    assert asked == ["Fetch 0.35 GB?"]
    capsys.readouterr()
    assert rows(capsys, "pe-core-s-16-384")[0]["here"] == "missing"
    assert main(["models", "download", "pe-core-s-16-384", "--yes"]) == 0
    assert len(asked) == 1


def test_weights_go_into_a_folder_for_another_machine(
    published: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "download", "pe-core-s-16-384", "--to", str(tmp_path / "weights")]) == 0
    asked = len(published.asked)
    encoder = registry.load_encoder("pe-core-s-16-384", device="cpu", weights_dir=tmp_path / "weights", offline=True)
    assert encoder.encode("text", ["a red car"]).shape == (1, 24)  # type: ignore[union-attr]
    assert len(published.asked) == asked


def test_a_damaged_file_is_named_with_the_whole_command(
    published: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights_dir = tmp_path / "weights"
    assert main(["models", "download", "pe-core-s-16-384", "--to", str(weights_dir)]) == 0
    file = weights_dir / "pe-core-s-16-384" / "open_clip_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(Exception, match=r"open_clip_model.safetensors is cut short or damaged") as caught:
        registry.load_encoder("pe-core-s-16-384", device="cpu", weights_dir=weights_dir)
    assert f"vidembed models download pe-core-s-16-384 --to {weights_dir}" in caught.value.hint  # type: ignore[attr-defined]


def test_a_pinned_model_stays_and_a_named_one_moves(
    published: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "update", "pe-core-s-16-384"]) == 0
    assert f"stays at {SPEC.revision[:12]}" in capsys.readouterr().err
    first = published.add("org/mine", open_clip_folder(tmp_path / "first"))
    assert main(["models", "download", "hf:org/mine"]) == 0
    second = published.add("org/mine", open_clip_folder(tmp_path / "second"))
    assert main(["models", "download", "hf:org/mine"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(first), "nothing changes by itself"
    assert main(["models", "update", "hf:org/mine"]) == 0
    said = capsys.readouterr().err
    assert f"hf:org/mine: {first[:12]} -> {second[:12]}" in said
    assert "--reencode" in said
    assert main(["models", "path", "hf:org/mine"]) == 0
    assert capsys.readouterr().out.strip().endswith(second)


def test_a_profile_names_what_is_to_fetch_whisper_included(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--profile", "laptop"]) == 0
    said = capsys.readouterr()
    assert "1.91 GB to fetch: vidembed models download laptop" in said.err
    assert [line.split()[0] for line in said.out.splitlines()[1:]] == [
        "pe-core-s-16-384", "clap-htsat-unfused", "multilingual-minilm-l12-v2", "words", "whisper-small",
    ]  # fmt: skip
    assert hub.asked == []


def test_models_that_pip_brings_have_nothing_to_fetch(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "download", "starter"]) == 0
    assert "nothing to fetch" in capsys.readouterr().err
    assert main(["models", "path", "starter"]) == 4
    assert main(["models", "download", "startr"]) == 4
    assert "did you mean starter" in capsys.readouterr().err


def test_vectors_are_compared_with_the_published_ones(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """The MiniLM that pip brings is the published one; a CLIP of random weights is not."""
    assert main(["models", "check", "minilm", "words"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("minilm: ")
    assert float(told.out.split()[1]) < 1e-4
    assert "words: no vector of a text is published" in told.err
    assert main(["models", "check", "clip-vit-base-patch32", "minilm", "bge-small-en-v1.5"]) == 4
    told = capsys.readouterr()
    assert told.out.startswith("minilm: "), "one that is missing does not keep the next from being checked"
    assert "clip-vit-base-patch32: not checked: the weights of 'clip-vit-base-patch32' are not in" in told.err
    assert "2 models not checked" in told.err
    assert "models download clip-vit-base-patch32 bge-small-en-v1.5" in told.err.replace("\n", " ")
    tiny_hub.publish(hub, registry.find("clip-vit-base-patch32"))
    assert main(["models", "download", "clip-vit-base-patch32"]) == 0
    assert main(["models", "check", "clip-vit-base-patch32"]) == 4
    assert "other vectors than the published ones" in capsys.readouterr().err


def test_the_difference_is_the_largest_of_begins_and_cosines() -> None:
    rows = np.array([[1.0, 0.0], [0.6, 0.8]], np.float32)
    known = Known("by hand", ("a", "b"), begins=((1.0,), (0.5, 0.8)), cosines=((1.0, 0.4), (0.4, 1.0)))
    assert known.largest_difference(rows) == pytest.approx(0.2)
    assert Known("by hand", ("a", "b"), begins=((1.0,), (0.5, 0.8))).largest_difference(rows) == pytest.approx(0.1)
