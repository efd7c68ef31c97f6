"""Vectors made anew: another model for a channel, or vectors that are gone."""

from __future__ import annotations

from pathlib import Path

from toy_index import FAST

from vidembed import VideoIndex, open_index


def test_a_channel_is_encoded_anew_while_the_old_one_serves(videos: Path, tmp_path: Path) -> None:
    with open_index(tmp_path / "anew", profile="toy") as index:
        index.add(videos)
        old = index.parts.specs["vision"].collection
        best = {"channels.vision.pool": "max"}
        index.reencode("vision", overrides=best, progress=lambda _: check_old(index, old))
        new = index.parts.specs["vision"].collection
        assert new != old
        assert index.parts.store.aliases()["vision"] == new
        assert old not in index.parts.store.collections()
        assert index.config.channels["vision"].pool == "max"
        assert index.search("red", k=1)[0].path.name == "red_blue.mp4"
        assert len(index.add(videos).unchanged) == 3
    with open_index(tmp_path / "anew") as index:
        assert index.config.channels["vision"].pool == "max"


def test_a_failed_re_encoding_leaves_the_old_one_serving(index: VideoIndex, videos: Path) -> None:
    old = index.parts.specs["vision"].collection
    content = (videos / "green.mp4").read_bytes()
    (videos / "green.mp4").write_bytes(content[: len(content) // 2])
    report = index.reencode("vision", overrides={"channels.vision.pool": "max"})
    assert len(report.failed) == 1
    assert index.parts.specs["vision"].collection == old
    (videos / "green.mp4").write_bytes(content)
    report = index.reencode("vision", overrides={"channels.vision.pool": "max"})
    assert len(report.done) == 1, "what was done stays done"
    assert index.parts.specs["vision"].collection != old


def test_vectors_that_are_gone_are_made_again(videos: Path, tmp_path: Path) -> None:
    with open_index(tmp_path / "lost", profile="toy", overrides=FAST) as index:
        index.add(videos)
    with open_index(tmp_path / "lost") as index:  # a memory store forgets
        assert index.search("red") == []
        assert len(index.add(videos).done) == 3
        assert index.search("red", k=1)[0].path.name == "red_blue.mp4"


def check_old(index: VideoIndex, old: str) -> None:
    assert index.parts.specs["vision"].collection == old
    assert index.search("red", k=1)[0].path.name == "red_blue.mp4"
