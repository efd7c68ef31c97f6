"""Fetching from a hub: only what is needed, once, checked, resumed; and what is said when it fails."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hub_server import Hub

from vidembed.errors import WeightsMissing
from vidembed.models import fetching, weights
from vidembed.models import hub as cache
from vidembed.models.fetching import Advance
from vidembed.models.spec import ModelSpec

WEIGHTS = bytes(range(256)) * 4096  # a MiB
MODEL = ModelSpec(name="tiny", kind="encoder", factory="m.x:load", repo="org/tiny")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    for name in ("model.safetensors", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "onnx/model.onnx"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(WEIGHTS)
    for name in ("config.json", "tokenizer.json", "onnx/config.json"):
        (folder / name).write_text(json.dumps({"file": name}))
    (folder / "vocab.txt").write_text("a\nb\n")
    (folder / "modeling_x.py").write_text("raise SystemExit")
    (folder / "README.md").write_text("A model.")
    return folder


@pytest.fixture
def seen() -> Iterator[list[int]]:
    """The total that was told before, then every step."""
    steps: list[int] = []

    @contextmanager
    def watcher(what: str, size: int) -> Iterator[Advance]:
        steps.append(size)
        yield steps.append

    before = fetching._watcher[0]
    fetching.watch(watcher)
    yield steps
    fetching.watch(before)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(fetching, "time", SimpleNamespace(sleep=waited.append))
    return waited


def test_only_what_is_needed_comes_and_nothing_is_asked_again(hub: Hub, repository: Path, seen: list[int]) -> None:
    commit = hub.add("org/tiny", repository)
    at = weights.folder(MODEL)
    assert (at / "model.safetensors").read_bytes() == WEIGHTS
    assert sorted(hub.names()) == ["config.json", "model.safetensors", "tokenizer.json", "vocab.txt"]
    assert seen[0] == len(WEIGHTS) + 23 + 26 + 4
    assert sum(seen[1:]) == seen[0]
    assert at.name == commit
    asked = len(hub.asked)
    assert weights.folder(MODEL) == weights.folder(MODEL, offline=True) == at
    assert len(hub.asked) == asked


def test_weights_replaced_on_the_hub_change_nothing_here(hub: Hub, repository: Path, tmp_path: Path) -> None:
    first = hub.add("org/tiny", repository)
    at = weights.folder(MODEL)
    newer = shutil.copytree(repository, tmp_path / "newer")
    (newer / "model.safetensors").write_bytes(WEIGHTS[::-1])
    second = hub.add("org/tiny", newer)
    assert weights.folder(MODEL) == at
    assert cache.pinned(MODEL).revision == first
    assert fetching.ask(MODEL).commit == second == cache.pinned(MODEL).revision
    assert (weights.folder(MODEL) / "model.safetensors").read_bytes() == WEIGHTS[::-1]
    assert cache.pinned(MODEL, first).revision == first, "an index keeps its own"


def test_a_cut_download_goes_on_at_the_byte_it_reached(hub: Hub, repository: Path, seen: list[int]) -> None:
    hub.add("org/tiny", repository)
    hub.faults.cut_at, hub.faults.cuts = 300_000, 1
    at = weights.folder(MODEL)
    assert (at / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.sent == {"model.safetensors": len(WEIGHTS)}
    assert sum(seen[1:]) == seen[0]
    assert not list(cache.cache_folder("org/tiny").rglob("*.incomplete"))


def test_a_connection_cut_for_good_says_what_to_do_and_the_next_run_resumes(
    hub: Hub, repository: Path, waits: list[float]
) -> None:
    hub.add("org/tiny", repository)
    hub.faults.cut_at, hub.faults.cuts = 300_000, 100
    with pytest.raises(WeightsMissing, match=r"'tiny' could not be fetched: the connection to http://127") as caught:
        weights.folder(MODEL)
    assert "vidembed models download tiny" in caught.value.hint
    assert waits == [1.0, 2.0, 4.0, 8.0]
    hub.faults.cuts = 0
    assert (weights.folder(MODEL) / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.sent == {"model.safetensors": len(WEIGHTS)}


def test_an_interrupted_download_is_resumed(hub: Hub, repository: Path, seen: list[int]) -> None:
    hub.add("org/tiny", repository)

    @contextmanager
    def impatient(what: str, size: int) -> Iterator[Advance]:
        got: list[int] = []

        def advance(more: int) -> None:
            got.append(more)
            if sum(got) > 100_000:
                raise KeyboardInterrupt

        yield advance

    fetching.watch(impatient)
    with pytest.raises(KeyboardInterrupt):
        weights.folder(MODEL)
    (part,) = cache.cache_folder("org/tiny").rglob("*.incomplete")
    reached = part.stat().st_size
    assert reached > 100_000
    fetching.watch(lambda what, size: contextmanager(lambda: iter([seen.append]))())
    weights.folder(MODEL)
    assert hub.names()[-1] == "model.safetensors"
    assert reached in seen


def test_a_server_without_ranges_sends_the_file_again(hub: Hub, repository: Path, seen: list[int]) -> None:
    hub.add("org/tiny", repository)
    hub.faults.cut_at, hub.faults.cuts, hub.faults.no_ranges = 300_000, 1, True
    assert (weights.folder(MODEL) / "model.safetensors").read_bytes() == WEIGHTS
    assert sum(seen[1:]) == seen[0]


def test_a_file_of_another_hash_is_refused_and_deleted(hub: Hub, repository: Path) -> None:
    hub.add("org/tiny", repository)
    hub.faults.changed = True
    with pytest.raises(WeightsMissing, match="model.safetensors of org/tiny came with another hash"):
        weights.folder(MODEL)
    hub.faults.changed = False
    assert (weights.folder(MODEL) / "model.safetensors").read_bytes() == WEIGHTS


def test_a_file_cut_short_here_is_fetched_again(hub: Hub, repository: Path) -> None:
    hub.add("org/tiny", repository)
    at = weights.folder(MODEL)
    os.truncate(at / "model.safetensors", 1000)
    with pytest.raises(WeightsMissing, match="not in the hub cache"):
        weights.folder(MODEL, offline=True)
    assert (weights.folder(MODEL) / "model.safetensors").read_bytes() == WEIGHTS


def test_a_gated_repository_says_where_its_licence_is(
    hub: Hub, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("org/tiny", repository, token="hf_right")
    with pytest.raises(WeightsMissing, match="org/tiny is gated") as caught:
        weights.folder(MODEL)
    assert f"accept it at {hub.url}/org/tiny, then run: hf auth login, or set HF_TOKEN" in caught.value.hint
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(WeightsMissing, match="org/tiny is gated") as caught:
        weights.folder(MODEL)
    assert "access is granted to your account" in caught.value.hint
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert (weights.folder(MODEL) / "model.safetensors").is_file()


def test_a_mistyped_name_gets_close_ones(hub: Hub) -> None:
    with pytest.raises(
        WeightsMissing, match=r"the hub has no model 'openai/clip-vit-base-patch23', or it is pri"
    ) as caught:
        weights.folder(ModelSpec(name="hf:x", kind="encoder", factory="m:l", repo="openai/clip-vit-base-patch23"))
    assert "did you mean openai/clip-vit-base-patch32" in caught.value.hint
    assert "HF_TOKEN" in caught.value.hint


def test_a_revision_that_is_not_there(hub: Hub, repository: Path) -> None:
    hub.add("org/tiny", repository)
    wrong = ModelSpec(name="tiny", kind="encoder", factory="m:l", repo="org/tiny", revision="0" * 40)
    with pytest.raises(WeightsMissing, match="org/tiny has no revision '0000"):
        weights.folder(wrong)


def test_a_hub_that_is_down_or_refuses_the_token(hub: Hub, repository: Path) -> None:
    hub.add("org/tiny", repository)
    hub.faults.status = 418
    with pytest.raises(WeightsMissing, match="the hub answered 418"):
        weights.folder(MODEL)
    hub.faults.status, hub.faults.message = 401, "Invalid credentials in Authorization header"
    with pytest.raises(WeightsMissing, match="the hub refuses the access token") as caught:
        weights.folder(MODEL)
    assert "hf auth login" in caught.value.hint


def test_nothing_listens(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WeightsMissing, match=r"the connection to http://127.0.0.1:9 failed"):
        weights.folder(MODEL)


def test_offline_by_the_hubs_own_variable(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsMissing, match="HF_HUB_OFFLINE forbids"):
        weights.folder(MODEL)


def test_a_full_disk_says_how_much_is_needed(hub: Hub, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("org/tiny", repository)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000))
    with pytest.raises(WeightsMissing, match=r"need 0\.00 GB more, and .* has 0\.00 GB free") as caught:
        weights.folder(MODEL)
    assert "HF_HOME" in caught.value.hint


def test_weights_that_only_other_libraries_read_are_named(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "flax").mkdir()
    (tmp_path / "flax" / "flax_model.msgpack").write_bytes(WEIGHTS)
    (tmp_path / "flax" / "config.json").write_text("{}")
    hub.add("org/tiny", tmp_path / "flax")
    with pytest.raises(WeightsMissing, match="has no weights that load here"):
        weights.folder(MODEL)


def test_what_another_program_fetched_is_taken(hub: Hub, repository: Path) -> None:
    from huggingface_hub import snapshot_download

    commit = hub.add("org/tiny", repository)
    snapshot_download("org/tiny", allow_patterns=["*.json", "*.txt"])
    assert cache.here(MODEL) is None, "without weights it is no model"
    snapshot_download("org/tiny", allow_patterns=["*.safetensors"])
    asked = len(hub.asked)
    assert weights.folder(MODEL).name == commit
    assert fetching.resolve(MODEL).revision == commit
    assert len(hub.asked) == asked
    (cache.cache_folder("org/tiny") / "refs" / "main").write_text("1" * 40)
    assert cache.pinned(MODEL).revision == commit, "kept, whatever that program does next"


def test_shards_that_lack_one_are_not_whole(hub: Hub, tmp_path: Path) -> None:
    from huggingface_hub import snapshot_download

    folder = tmp_path / "shards"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model-00001-of-00002.safetensors").write_bytes(WEIGHTS)
    (folder / "model-00002-of-00002.safetensors").write_bytes(WEIGHTS)
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    hub.add("org/tiny", folder)
    snapshot_download("org/tiny", allow_patterns=["*.json", "model-00001*"])
    assert cache.here(MODEL) is None
    assert len(list(weights.folder(MODEL).glob("*.safetensors"))) == 2


@pytest.mark.parametrize(
    ("names", "open_clip", "weights_taken"),
    [
        (["open_clip_model.safetensors", "model.safetensors", "open_clip_pytorch_model.bin"], True,
         {"open_clip_model.safetensors"}),
        (["open_clip_model.safetensors", "model.safetensors", "pytorch_model.bin"], False, {"model.safetensors"}),
        (["pytorch_model.bin", "training_args.bin", "optimizer.pt"], False, {"pytorch_model.bin"}),
        (["model.bin", "vocabulary.txt"], False, {"model.bin", "vocabulary.txt"}),
        (["model.safetensors", "2_Dense/model.safetensors", "2_Dense/pytorch_model.bin", "onnx/model.safetensors"],
         False, {"model.safetensors", "2_Dense/model.safetensors"}),
        (["model-1.safetensors", "consolidated.safetensors", "pytorch_model-1.bin"], False, {"model-1.safetensors"}),
        ([".cache/x.json", "a.py", "b.md", "weights.pt"], False, {"weights.pt"}),
    ],
)  # fmt: skip
def test_one_copy_of_the_weights_is_needed(names: list[str], open_clip: bool, weights_taken: set[str]) -> None:
    assert set(cache.needed(names, open_clip=open_clip)) == weights_taken
