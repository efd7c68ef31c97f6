"""An index whose model has changed since it was made: refused with a way out that works, and nothing lost on it."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toy_videos

from vidembed import open_index
from vidembed.cli import main
from vidembed.errors import ConfigError, IndexMismatch
from vidembed.models import registry


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    toy_videos.make(tmp_path / "videos" / "red.mp4", "red", "red", hz=200)
    toy_videos.make(tmp_path / "videos" / "blue.mp4", "blue", "blue", hz=None)
    return tmp_path / "videos"


@pytest.fixture
def index(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Made by the toy model before a newer vidembed brought another revision of it."""
    with open_index(tmp_path / "an index", profile="toy") as made:
        made.add(videos)
    newer = replace(registry.find("toy"), revision="newer")
    monkeypatch.setitem(registry._registry(), ("encoder", "toy"), newer)
    return tmp_path / "an index"


def test_the_hint_is_a_command_that_mends_it(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(IndexMismatch, match=r"channels\.vision\.revision = 'main'.*; now .*'newer'") as caught:
        open_index(index)
    command = re.search(r"vidembed (index .*)", str(caught.value.hint))
    assert command is not None
    assert not main(shlex.split(command[1])), capsys.readouterr().err
    with open_index(index) as mended:
        assert mended.search("red", k=1)[0].path.name == "red.mp4"
        assert sorted(mended.parts.store.collections()) == sorted(s.collection for s in mended.parts.specs.values())


def test_old_vectors_stay_until_the_new_ones_cover_the_same(index: Path, videos: Path) -> None:
    content = (videos / "red.mp4").read_bytes()
    (videos / "red.mp4").write_bytes(b"damaged")
    with open_index(index, outdated=True) as opened:
        names = list(opened.config.channels)
        old = opened.parts.manifest.collection("vision")
        assert opened.parts.specs == {}, "vectors of another model answer nothing"
        assert [Path(failure.item).name for failure in opened.reencode(names).failed] == ["red.mp4"]
        assert opened.parts.manifest.collection("vision") == old
        assert old in opened.parts.store.collections()
    (videos / "red.mp4").write_bytes(content)
    with open_index(index, outdated=True) as opened:
        assert len(opened.reencode(names).done) == 1, "what was done stays done"
        assert opened.search("red", k=1)[0].path.name == "red.mp4"
        assert old not in opened.parts.store.collections()


def test_nothing_is_added_to_vectors_of_another_model(index: Path, videos: Path) -> None:
    with open_index(index, outdated=True) as opened, pytest.raises(IndexMismatch, match="changed since"):
        opened.add(videos)


def test_no_channel_is_told(index: Path) -> None:
    with open_index(index, outdated=True) as opened, pytest.raises(ConfigError, match="no channel to re-encode"):
        opened.reencode([])


def test_other_settings_are_refused_all_the_same(index: Path) -> None:
    changed: dict[str, Any] = {"channels.vision.pool": "max"}
    with pytest.raises(IndexMismatch, match="pool = 'mean'"):
        open_index(index, overrides=changed, outdated=True)
