"""Every record that comes from a hub, and every profile, as a user meets them: fetched, indexed, searched, offline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import hub_server
import numpy as np
import pytest
import tiny_hub
from hub_server import Faults, Hub

from vidembed import open_index
from vidembed.cli import main
from vidembed.cli.models import _of_profile
from vidembed.models import fetching, registry
from vidembed.models.spec import ModelSpec
from vidembed.types import AudioSamples, AudioVisual, FrameBatch
from vidembed.vectors import late_score

ENCODERS = [spec for spec in registry.specs("encoder") if spec.repo]
CAPTIONERS = [spec.name for spec in registry.specs("captioner") if spec.repo and tiny_hub.buildable(spec)]
PROFILES = ("laptop", "gpu", "joint", "gemma")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub_server.running() as served:
        hub_server.use(served, tmp_path / "cache", monkeypatch)
        yield served


def test_there_is_a_tiny_model_for_every_encoder_and_recogniser() -> None:
    lacking = [spec.name for spec in registry.specs() if spec.repo and not tiny_hub.buildable(spec)]
    assert lacking == ["gemma-3n-e2b"], "its pictures go through 300 million parameters: its inputs alone are tested"


def something(modality: str) -> object:
    rng = np.random.default_rng(0)
    frames = FrameBatch(rng.integers(0, 255, (20, 40, 48, 3), dtype=np.uint8), np.arange(20) / 2)
    sound = AudioSamples(rng.normal(0, 0.1, 16_000).astype(np.float32), 16_000, 0.0)
    return {"text": "a red car", "image": frames.rgb[0], "audio": sound, "video": AudioVisual(frames, sound)}[modality]


@pytest.mark.parametrize("spec", ENCODERS, ids=lambda spec: spec.name)
def test_every_encoder_is_fetched_and_encodes_what_it_says(hub: Hub, spec: ModelSpec) -> None:
    tiny_hub.publish(hub, spec)
    encoder = registry.load_encoder(spec, device="cpu")
    for modality in encoder.modalities:
        rows = encoder.encode(modality, [something(modality)])  # type: ignore[union-attr, list-item]
        assert rows.shape == (1, encoder.space.dim)
        assert np.isclose(np.linalg.norm(rows), 1, atol=1e-4)
    assert spec.modalities >= encoder.modalities
    asked = len(hub.asked)
    registry.load_encoder(spec, device="cpu", offline=True)
    registry.load_encoder(spec, device="cpu")
    assert len(hub.asked) == asked, "what is here is never asked for"
    assert not any(name.endswith((".h5", ".msgpack", ".onnx", ".py", ".md")) for name in hub.names())


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, films: Path) -> Path:
    folder = tmp_path_factory.mktemp("film")
    shutil.copy(films / "red_blue.mp4", folder)
    return folder


def said(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Standard output as JSON lines, down to the file descriptor: anything else there fails."""
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_fetched_indexed_searched_and_works_offline(
    hub: Hub, film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], profile: str
) -> None:
    for spec in _of_profile(profile):
        if spec.repo is not None:
            tiny_hub.publish(hub, spec)
    index = tmp_path / "index"
    given = ["--index", str(index)]
    capfd.readouterr()
    assert main(["index", str(film), *given, "--profile", profile, "--channels", "+speech_words", "--json"]) == 0
    (report,) = said(capfd)
    assert report
    assert not [entry for entry in hub.asked if entry.endswith((".h5", ".onnx"))]

    queries = [["a red car"], ["--image", str(picture(tmp_path))], ["--audio", str(film / "red_blue.mp4")]]
    queries.append(["--video", str(film / "red_blue.mp4")])
    asked = len(hub.asked)
    for query in queries:
        assert main(["search", *query, *given, "--json"]) == 0, capfd.readouterr().err
        found = said(capfd)
        assert found
        assert main(["search", *query, *given, "--json", "--set", "offline=true"]) == 0
        assert said(capfd) == found, "offline answers alike"
    assert len(hub.asked) == asked, "a search asks nobody"
    assert main(["models", "--profile", profile, "--json"]) == 0
    off = {
        "multilingual-minilm-l12-v2",
        "whisper-small",
        "whisper-large-v3-turbo",
        "qwen3-vl-embedding-2b",
        "colmodernvbert",
    }
    assert {row["here"] for row in said(capfd) if row["name"] not in off} <= {"here", "-"}


@pytest.mark.parametrize("fault", ["resume", "cut", "gated", "offline", "hash"])
@pytest.mark.parametrize("profile", PROFILES)
def test_what_goes_wrong_with_a_profile_is_said_and_leaves_no_half_file(
    hub: Hub, film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    profile: str, fault: str,
) -> None:  # fmt: skip
    """Profile x step x fault: nothing on standard output but data, exit 4 with the way out, and the next run works."""
    monkeypatch.setattr(fetching, "time", SimpleNamespace(sleep=lambda seconds: None))
    wanted = [spec for spec in _of_profile(profile) if spec.repo is not None]
    for spec in wanted:
        tiny_hub.publish(hub, spec)
        hub.repositories[str(spec.repo)].token = "hf_right" if fault == "gated" else None
    hub.faults.changed = fault == "hash"
    hub.faults.cut_at, hub.faults.cuts = 1000, {"resume": 1, "cut": 1000}.get(fault, 0)
    command = ["index", str(film), "--index", str(tmp_path / "index"), "--profile", profile, "--json"]
    capfd.readouterr()
    code = main([*command, *(["--set", "offline=true"] if fault == "offline" else [])])
    said_out, said_err = capfd.readouterr()
    if fault == "resume":
        assert code == 0, said_err
        assert json.loads(said_out)
        large = {path.resolve() for path in (tmp_path / "cache").rglob("*") if path.suffix in hub_server.LARGE}
        assert sum(hub.sent.values()) == sum(path.stat().st_size for path in large), "no byte came twice"
        return
    told = {
        "cut": "run the same command again",
        "gated": "HF_TOKEN",
        "offline": "models download",
        "hash": "another hash",
    }[fault]
    assert (code, said_out) == (4, "")
    assert told in " ".join(said_err.split())
    assert not [path for path in (tmp_path / "cache").rglob("*.safetensors") if not path.resolve().is_file()]
    for spec in wanted:
        hub.repositories[str(spec.repo)].token = None
    hub.faults = Faults()
    if fault == "offline":  # which the index keeps
        assert main(["models", "download", profile]) == 0
    assert main(command) == 0, capfd.readouterr().err
    assert json.loads(capfd.readouterr().out.splitlines()[-1])


def picture(folder: Path) -> Path:
    from PIL import Image

    path = folder / "query.png"
    Image.fromarray(np.full((64, 48, 3), (250, 10, 10), np.uint8)).save(path)
    return path


@pytest.mark.parametrize("name", ["qwen3-vl-reranker-2b", "colmodernvbert"])
def test_a_reranker_is_fetched_and_orders_the_answers(
    hub: Hub, film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    tiny_hub.publish(hub, registry.find(name, "reranker"))
    given = ["--index", str(tmp_path / "index"), "--json"]
    assert main(["index", str(film), *given, "--profile", "toy"]) == 0
    capfd.readouterr()
    search = ["search", "a red car", *given, "--set", f"search.rerank={name}"]
    assert main(search) == 0, capfd.readouterr().err
    found = said(capfd)
    agreement = [float(str(answer["agreement"])) for answer in found]
    assert agreement == sorted(agreement, reverse=True)
    assert all(0 < value < 1 for value in agreement)
    asked = len(hub.asked)
    assert main([*search, "--set", "offline=true"]) == 0
    assert said(capfd) == found
    assert len(hub.asked) == asked


def test_slides_are_fetched_indexed_and_searched_word_by_word(
    hub: Hub, film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The scores are those of the vectors that the index keeps, compared by hand."""
    tiny_hub.publish(hub, registry.find("colmodernvbert"))
    config = tmp_path / "slides.yaml"
    config.write_text(
        "extends: toy\nsegment: {kind: windows, window_s: 1}\n"
        "channels:\n  slides: {source: frames, model: colmodernvbert}\n"
    )
    given = ["--index", str(tmp_path / "index"), "--json"]
    assert main(["index", str(film), *given, "--config", str(config)]) == 0, capfd.readouterr().err
    capfd.readouterr()
    search = ["search", "a red car", *given, "--channels", "slides", "-k", "5"]
    assert main(search) == 0, capfd.readouterr().err
    found = said(capfd)
    asked = len(hub.asked)
    assert main([*search, "--set", "offline=true"]) == 0
    assert said(capfd) == found
    assert len(hub.asked) == asked
    with open_index(tmp_path / "index") as index:
        channel = index.parts.channels["slides"]
        query = channel.encoder.encode_query("text", "a red car")
        (rows,) = index.parts.store.scan(channel.collection, segments=True)
    scores = {row.clip.clip_id: late_score(query, row.segments) for row in rows}
    assert len(rows) > 1
    assert len(set(scores.values())) > 1
    for answer in found:
        assert answer["channels"]["slides"]["score"] == pytest.approx(scores[str(answer["clip_id"])], abs=1e-3)  # type: ignore[index, call-overload]
    assert scores[str(found[0]["clip_id"])] == max(scores.values())


def test_a_grounder_is_fetched_and_both_spans_are_kept(
    hub: Hub, film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random weights name no times, so the two the model is made to write stand for its answer."""
    tiny_hub.publish(hub, registry.find("timelens2-4b", "captioner"))
    given = ["--index", str(tmp_path / "index"), "--json"]
    assert main(["index", str(film), *given, "--profile", "toy"]) == 0
    capfd.readouterr()
    search = ["search", "red", "-k", "1", *given, "--ground", "timelens2-4b"]
    assert main(search) == 0, capfd.readouterr().err
    (before,) = said(capfd)
    assert "grounded" not in before
    monkeypatch.setattr(
        "transformers.PreTrainedTokenizerFast.decode", lambda self, ids, **how: "<think>[9, 9]</think>[[0.5, 1.0]]"
    )
    assert main([*search, "--set", "offline=true"]) == 0, capfd.readouterr().err
    (after,) = said(capfd)
    assert after.pop("grounded") == [0.5, 1.0]
    assert after == before, "its own span stays"


@pytest.mark.parametrize("name", CAPTIONERS)
def test_a_captioner_is_fetched_and_writes(
    hub: Hub, film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    tiny_hub.publish(hub, registry.find(name, "captioner"))
    given = ["--index", str(tmp_path / "index")]
    assert main(["index", str(film), *given, "--profile", "toy"]) == 0
    capfd.readouterr()
    command = ["caption", *given, "--model", name, "--candidates", "4", "--set", "caption.summary=extract"]
    assert main([*command, "--out", str(tmp_path / "captions.jsonl")]) == 0, capfd.readouterr().err
    captions = [json.loads(line) for line in (tmp_path / "captions.jsonl").read_text().splitlines()]
    assert captions
    assert all(caption["text"] for caption in captions if caption["kind"] == "caption")
    asked = len(hub.asked)
    assert main([*command, "--redo", "--set", "offline=true"]) == 0
    assert len(hub.asked) == asked
    assert "ERROR" not in capfd.readouterr().out
