"""Groups of pictures decoded on several threads give what one thread gives, and leave nothing behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from media_factory import SAMPLES, Media, Sample
from seen_media import KNOWN_TIMES

from vidembed.errors import MediaUnreadable
from vidembed.media.reading import forward
from vidembed.media.reading.forward import DecodedGop, GopDecoders
from vidembed.media.reading.gops import Gop, GopPlan, StreamRequest
from vidembed.media.reading.picture_stream import PictureStream
from vidembed.media.reading.pyav_reader import PyavReader
from vidembed.protocols import StreamMode, VideoReader
from vidembed.types import Span

DAMAGED = [sample for sample in SAMPLES if sample.name in ("truncated.mp4", "bitrot.mp4")]
assert len(DAMAGED) == 2


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "vidembed-gops" and thread not in before]


def same(one: VideoReader, other: VideoReader, **asked: Any) -> int:
    """How many frames both gave, all of them equal."""
    first = list(one.stream(short_side_px=48, **asked))
    second = list(other.stream(short_side_px=48, **asked))
    assert [frame.time_s for frame in first] == [frame.time_s for frame in second]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.rgb, b.rgb)
    return len(first)


@pytest.mark.parametrize("mode", ["fixed", "adaptive", "keyframes"])
@pytest.mark.parametrize("rate_hz", [1.0, 3.0, 1000.0])
@pytest.mark.parametrize("sample", KNOWN_TIMES, ids=lambda sample: sample.name)
def test_as_one_thread_does(media: Media, sample: Sample, rate_hz: float, mode: StreamMode) -> None:
    path = media.path(sample.name)
    with PyavReader(path, threads=1) as one, PyavReader(path, threads=3) as other:
        assert same(one, other, rate_hz=rate_hz, mode=mode)
        assert same(one, other, rate_hz=rate_hz, mode=mode), "a second pass begins anew"
        assert one.counts == other.counts


@pytest.mark.parametrize("sample", DAMAGED, ids=lambda sample: sample.name)
def test_damage_is_counted_alike_and_mended_alike_each_time(media: Media, sample: Sample) -> None:
    """What stands in for damaged parts depends on what the decoder saw before, so one thread may give others."""
    path = media.path(sample.name)
    runs = []
    for threads in (1, 3, 3):
        with PyavReader(path, threads=threads) as video:
            runs.append((list(video.stream(rate_hz=1000, short_side_px=48)), video.counts))
    one, other, again = ([frame.time_s for frame in frames] for frames, _ in runs)
    assert one == other == again
    assert runs[0][1] == runs[1][1] == runs[2][1]
    for a, b in zip(runs[1][0], runs[2][0], strict=True):
        np.testing.assert_array_equal(a.rgb, b.rgb)


def test_a_span_and_single_times_between_passes(media: Media) -> None:
    path = media.path("three_shots.mp4")
    with PyavReader(path, threads=1) as one, PyavReader(path, threads=3) as other:
        assert same(one, other, rate_hz=5, span=Span(0.75, 2.25)) == 8
        assert one.frames([1.0, 2.5], short_side_px=48).times_s.tolist() == [1.0, 2.5]
        assert other.frames([1.0, 2.5], short_side_px=48).times_s.tolist() == [1.0, 2.5]
        assert same(one, other, rate_hz=1) == 3


def given_away(monkeypatch: pytest.MonkeyPatch) -> list[GopPlan]:
    """The plans that other threads get from now on."""
    plans: list[GopPlan] = []
    submit = GopDecoders.submit

    def noted(
        self: GopDecoders, gop: Gop, chosen: GopPlan, request: StreamRequest, before: Gop | None = None
    ) -> Future[DecodedGop]:
        plans.append(chosen)
        return submit(self, gop, chosen, request, before)

    monkeypatch.setattr(GopDecoders, "submit", noted)
    return plans


def test_groups_that_refer_to_no_other_are_given_away(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six groups of half a second; at one frame a second three of them hold one that is wanted."""
    plans = given_away(monkeypatch)
    with PyavReader(media.path("three_shots.mp4"), threads=2) as video:
        assert len(list(video.stream(rate_hz=1, short_side_px=48))) == 3
    assert [list(plan.wanted_s.values()) for plan in plans] == [[0.0], [1.0], [2.0]]


def test_open_groups_stay_together(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = given_away(monkeypatch)
    with PyavReader(media.path("open_gop.mkv"), threads=2) as video:
        assert len(list(video.stream(rate_hz=10, short_side_px=48))) == 30
        assert not plans
        # Adaptive sampling leaves the pictures alone that tie the groups together.
        assert list(video.stream(rate_hz=1, short_side_px=48, mode="adaptive"))
        assert plans


def test_one_thread_and_one_group_need_no_helper(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = given_away(monkeypatch)
    with PyavReader(media.path("three_shots.mp4"), threads=1) as video:
        assert list(video.stream(rate_hz=1, short_side_px=48))
    with PyavReader(media.path("one_frame.mp4"), threads=2) as video:
        assert list(video.stream(rate_hz=1, short_side_px=48))
    assert not plans


def test_a_group_of_many_pictures_is_handed_on_one_by_one(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper gives its pictures all at once: three of 64 x 48 are one too many here."""
    plans = given_away(monkeypatch)
    monkeypatch.setattr(forward, "_MAX_PART_BYTES", 2 * 64 * 48 * 3)
    with PyavReader(media.path("three_shots.mp4"), threads=2) as video:
        assert len(list(video.stream(rate_hz=5, short_side_px=48))) == 15
    assert {len(plan.wanted) for plan in plans} == {2}, "groups of five frames hold two or three of those asked for"


def test_who_stops_looking_leaves_no_thread(media: Media) -> None:
    with PyavReader(media.path("three_shots.mp4"), threads=2) as video:
        assert next(iter(video.stream(rate_hz=5, short_side_px=48))).time_s == 0.0


def test_the_error_of_a_helper_is_raised_here_and_the_next_pass_works(
    media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = media.path("three_shots.mp4")
    decode = PictureStream.decode_gop
    with PyavReader(path, threads=2) as video:
        with monkeypatch.context() as patch:

            def broken(self: PictureStream, gop: Gop, chosen: GopPlan) -> Iterator[object]:
                yield next(decode(self, gop, chosen))
                raise MediaUnreadable("three_shots.mp4: broken here")

            patch.setattr(PictureStream, "decode_gop", broken)
            with pytest.raises(MediaUnreadable, match="broken here"):
                list(video.stream(rate_hz=5, short_side_px=48))
        assert len(list(video.stream(rate_hz=5, short_side_px=48))) == 15
