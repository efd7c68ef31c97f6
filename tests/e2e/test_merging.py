"""Indexes made apart and merged: the same as one made in one piece, into a folder or a server, also when killed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import toy_videos
from toy_index import all_vectors

from vidembed import VideoIndex, open_index
from vidembed.cli import main
from vidembed.errors import IndexMismatch, InputError
from vidembed.index.merging import merge
from vidembed.index.places import in_shard

SHARDS = 3
ACCENT = ("/videos/caf\u00e9.mp4", "/videos/cafe\u0301.mp4")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number, colour in enumerate(("red", "blue", "lime", "white", "yellow")):
        toy_videos.make(folder / f"{number}.mp4", colour, "black", hz=200 + 100 * number)
    shutil.copyfile(folder / "0.mp4", folder / "copy.mp4")
    (folder / "junk.mp4").write_text("no video at all")
    (folder / "list.csv").write_text(
        "path,camera\n" + "".join(f"{name}.mp4,{name}\n" for name in (*range(5), "junk")) + "copy.mp4,0\n"
    )
    return folder


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory, videos: Path) -> list[Path]:
    folders = []
    for number in range(1, SHARDS + 1):
        folders.append(tmp_path_factory.mktemp("shards") / str(number))
        with open_index(folders[-1], profile="toy") as index:
            index.add(videos / "list.csv", shard=(number, SHARDS))
    return folders


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, videos: Path) -> dict[str, Any]:
    with open_index(tmp_path_factory.mktemp("whole") / "index", profile="toy") as index:
        index.add(videos / "list.csv")
        return content(index)


def content(index: VideoIndex) -> dict[str, Any]:
    return {
        "videos": [(v.info.video_id, v.paths, v.state, v.clips, v.channels, dict(v.tags)) for v in index.videos()],
        "vectors": all_vectors(index),
        "failures": [(f.item, f.stage, f.kind) for f in index.failures()],
        "thumbnails": sorted(path.name for path in (index.path / "thumbnails").rglob("*.jpg")),
        "found": [(hit.video_id, hit.span, round(hit.score, 5)) for hit in index.search("red", k=20)],
        "given": index.catalog.places.get("given"),
    }


def test_every_file_is_in_one_shard_whatever_the_machine() -> None:
    paths = [f"/videos/{number}.mp4" for number in range(1000)]
    held = [[path for path in paths if in_shard(path, (number, 16))] for number in range(1, 17)]
    assert sorted(path for part in held for path in part) == sorted(paths)
    assert min(map(len, held)) > 30
    assert in_shard("/videos/0.mp4", (16, 16)), "this must never change: shards of other runs would not fit"
    forms = [[number for number in range(1, 100) if in_shard(name, (number, 99))] for name in ACCENT]
    assert forms[0] == forms[1], "one file system keeps the accent apart, another does not"


def test_merged_is_the_same_as_made_in_one_piece(
    tmp_path: Path, shards: list[Path], whole: dict[str, Any], videos: Path
) -> None:
    report = merge(shards, tmp_path / "index")
    assert (len({*report.done, *report.unchanged}), len(report.failed), report.clips) == (6, 1, 5)
    with open_index(tmp_path / "index") as index:
        assert content(index) == whole
        again = index.add()
        assert (again.done, len(again.unchanged)) == ((), 6)
    once_more = merge(shards, tmp_path / "index")
    assert (once_more.done, len(set(once_more.unchanged)), once_more.clips) == ((), 6, 0)


def test_merged_onto_a_server_in_two_steps(
    tmp_path: Path, shards: list[Path], whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from qdrant_client import QdrantClient

    client = QdrantClient(":memory:")
    monkeypatch.setattr("vidembed.index.stores.qdrant_server.connect", lambda *_: client)
    monkeypatch.setattr(client, "close", lambda: None)
    server = {"store.kind": "server", "store.url": "http://localhost:6333"}
    merge(shards[:1], tmp_path / "index", overrides=server)
    merge(shards, tmp_path / "index")
    with open_index(tmp_path / "index") as index:
        assert index.config.store.kind == "server"
        merged = content(index)
    assert {key: merged[key] for key in ("videos", "failures", "thumbnails", "given")} == {
        key: whole[key] for key in ("videos", "failures", "thumbnails", "given")
    }
    assert merged["vectors"].keys() == whole["vectors"].keys()


def test_a_merge_that_broke_off_goes_on(
    tmp_path: Path, shards: list[Path], whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidembed.index.stores.qdrant_edge import QdrantEdgeStore

    put, left = QdrantEdgeStore.put, [3]

    def dying(self: QdrantEdgeStore, *args: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        put(self, *args)

    monkeypatch.setattr(QdrantEdgeStore, "put", dying)
    with pytest.raises(KeyboardInterrupt):
        merge(shards, tmp_path / "index")
    merge(shards, tmp_path / "index")
    with open_index(tmp_path / "index") as index:
        assert content(index) == whole


def test_captions_of_people_and_of_shards_are_kept(tmp_path: Path, shards: list[Path]) -> None:
    from vidembed.types import Candidate, Caption

    mine = tmp_path / "mine"
    merge(shards, mine)
    with open_index(mine) as index:
        clip = index.clips()[0]
        index.save_captions([Caption(clip, "a red wall", 1.0, (Candidate("a red wall", {}),), "person", human=True)])
    merge([mine], tmp_path / "index")
    with open_index(tmp_path / "index", readonly=True) as index:
        assert index.catalog.captions.texts_of([clip.clip_id], uncertain=False) == {clip.clip_id: "a red wall"}


def test_shards_that_do_not_fit_are_refused(tmp_path: Path, shards: list[Path], videos: Path) -> None:
    merge(shards[:1], tmp_path / "index")
    other = {"segment.max_s": 7.0}
    with open_index(tmp_path / "other", profile="toy", overrides=other) as index:
        index.add(videos / "1.mp4")
    with pytest.raises(IndexMismatch, match="segment.max_s"):
        merge([tmp_path / "other"], tmp_path / "index")
    with pytest.raises(InputError, match="cannot be merged into itself"):
        merge([tmp_path / "index"], tmp_path / "index")
    with pytest.raises(InputError, match="no index at"):
        merge([tmp_path / "nothing"], tmp_path / "index")


def test_the_commands(tmp_path: Path, videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [str(tmp_path / f"shard{number}") for number in (1, 2)]
    for number, name in enumerate(names, start=1):
        code = main(["index", str(videos), "--shard", f"{number}/2", "--index", name, "--profile", "toy"])
        assert code in (0, 3)  # one of the two has the file that is no video
    assert main(["merge", *names, "--index", str(tmp_path / "index"), "--json"]) == 3
    assert '"clips": 5' in capsys.readouterr().out
    for wrong in ("0/4", "5/4", "x", "1"):
        assert main(["index", str(videos), "--shard", wrong, "--index", names[0]]) == 2
    assert "--shard takes N/M with N from 1 to M" in capsys.readouterr().err
