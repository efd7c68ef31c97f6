"""A video tower gets as many frames of a clip as it was trained on, and the other channels see what they saw before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_videos

from vidembed import open_index
from vidembed.models import registry
from vidembed.models.spec import ModelSpec
from vidembed.types import AudioVisual, Floats, Item, Modality, Space

SEEN: list[Floats] = []


class Tower:
    """Remembers the times of the frames that it is given."""

    space = Space("sixteen", 2)
    modalities: frozenset[Modality] = frozenset({"text", "video"})
    clip_frames = 16

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        for item in items:
            if isinstance(item, AudioVisual) and item.frames is not None:
                SEEN.append(item.frames.times_s)
        return np.tile(np.array([1, 0], np.float32), (len(items), 1))


def load(spec: ModelSpec, **given: Any) -> Tower:
    return Tower()


@pytest.fixture(autouse=True)
def record() -> Iterator[None]:
    registry._registry.cache_clear()
    registry.register(
        ModelSpec(
            name="sixteen", kind="encoder", factory=f"{__name__}:load", space=Tower.space, modalities=Tower.modalities
        )
    )
    SEEN.clear()
    yield
    registry._registry.cache_clear()


@pytest.mark.parametrize(("source", "isolate"), [("frames", "crashed"), ("av", "always")])
def test_sixteen_frames_evenly_from_the_first_to_the_last(tmp_path: Path, source: str, isolate: str) -> None:
    toy_videos.make(tmp_path / "films" / "a.mp4", "red", "blue", "lime", "red", hz=200)
    plain: dict[str, Any] = {"media.isolate": isolate}
    with open_index(tmp_path / "plain", profile="toy", overrides=plain) as index:
        index.add(tmp_path / "films")
        (video,) = index.videos()
        before = index.parts.vectors("vision", [clip.clip_id for clip in index.clips(video.info.video_id)])
    settings = {**plain, "channels.motion.source": source, "channels.motion.model": "sixteen"}
    with open_index(tmp_path / "index", profile="toy", overrides=settings) as index:
        assert not index.add(tmp_path / "films").failed
        clips = index.clips(video.info.video_id)
        after = index.parts.vectors("vision", [clip.clip_id for clip in clips])
    assert {key: row.tolist() for key, row in after.items()} == {key: row.tolist() for key, row in before.items()}
    assert len(SEEN) == len(clips)
    for clip, times_s in zip(clips, SEEN, strict=True):
        frames = min(16, round(clip.span.duration_s * 10))  # the films have ten frames a second
        assert len(np.unique(times_s)) == len(times_s) == frames
        assert times_s[0] == pytest.approx(clip.span.start_s, abs=0.11)
        assert times_s[-1] == pytest.approx(clip.span.end_s - 0.1, abs=0.11)
        assert np.ptp(np.diff(times_s)) < 0.11
