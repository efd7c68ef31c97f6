"""An index remembers what made it; what cannot be opened or written is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from toy_index import all_vectors

from vidembed import VideoIndex, open_index
from vidembed.errors import (
    ConfigError,
    IndexBusy,
    IndexMismatch,
    InputError,
    StoreError,
    StoreUnavailable,
    UnknownModel,
)


def test_it_remembers_its_profile_and_settings(videos: Path, tmp_path: Path) -> None:
    where = tmp_path / "kept"
    with open_index(where, profile="toy", overrides={"sample.rate_hz": 4.0, "search.rrf_k": 9}) as index:
        index.add(videos)
        before = all_vectors(index)
        asked = [(m.path, m.span) for m in index.search("blue")]
    with open_index(where) as index:
        assert (index.config.profile, index.config.sample.rate_hz, index.config.search.rrf_k) == ("toy", 4.0, 9)
        assert all_vectors(index) == before
        assert [(m.path, m.span) for m in index.search("blue")] == asked
        assert len(index.add(videos).unchanged) == 3


def test_settings_of_the_search_act(videos: Path, tmp_path: Path) -> None:
    with open_index(tmp_path / "rrf", profile="toy", overrides=["search.fusion=rrf", "search.rrf_k=3"]) as index:
        index.add(videos)
        assert index.search("blue", k=1, channels=["vision"])[0].score == pytest.approx(1 / (3 + 1))


def test_other_settings_are_refused_with_the_way_out(index: VideoIndex) -> None:
    where = index.path
    with pytest.raises(IndexMismatch) as caught:
        open_index(where, overrides=["segment.window_s=5"])
    assert "segment.window_s = 2.0; now it is segment.window_s = 5" in str(caught.value)
    with pytest.raises(IndexMismatch) as caught:
        open_index(where, overrides=["channels.vision.pool=max"])
    assert "channels.vision.pool = 'mean'; now it is channels.vision.pool = 'max'" in str(caught.value)
    assert f"vidembed index --index {where} --reencode vision" in caught.value.hint
    with pytest.raises(IndexMismatch, match="sample"):
        open_index(where, profile="starter")
    with open_index(where, overrides=["search.rrf_k=3", "run.workers=2"]) as other:
        assert other.config.search.rrf_k == 3


def test_damage_and_newer_formats_are_said(index: VideoIndex) -> None:
    manifest = index.path / "index.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"format": 2', '"format": 3'))
    with pytest.raises(IndexMismatch, match="has format 3, this vidembed reads up to 2"):
        open_index(index.path)
    manifest.write_text("{")
    with pytest.raises(StoreUnavailable, match="index.json cannot be read"):
        open_index(index.path)


def test_places_where_no_index_can_be(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no index at"):
        open_index(tmp_path / "absent", create=False)
    with pytest.raises(ConfigError, match="holds other files"):
        open_index(videos, profile="toy")
    assert not (videos / "index.json").exists()
    with pytest.raises(UnknownModel, match="nothing"):
        open_index(tmp_path / "unknown", profile="toy", overrides=["channels.vision.model=nothing"])
    assert not (tmp_path / "unknown").exists()


def test_readonly_reads_only(index: VideoIndex, videos: Path) -> None:
    with open_index(index.path, readonly=True) as reader:
        assert reader.info().videos == 3
        with pytest.raises(StoreError, match="for reading only"):
            reader.add(videos)


def test_a_folder_that_nobody_may_write_to_answers(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "index"
    with open_index(folder, profile="toy") as made:
        made.add(videos)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).startswith(str(folder)) and access(path, mode))
    with open_index(folder, readonly=True) as reader:
        assert reader.search("green", k=1)[0].path.name == "green.mp4"
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_two_processes_do_not_write_at_once(index: VideoIndex, videos: Path) -> None:
    from filelock import FileLock

    with FileLock(index.path / "write.lock"), pytest.raises(IndexBusy, match="another process is writing"):
        index.add(videos)
