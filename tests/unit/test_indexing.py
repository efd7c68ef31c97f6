"""The run over many files, with hand-made media: what is decoded, encoded, stored and kept."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_media import Bench, video_id

from vidembed.config.schema import SampleSettings, SegmentSettings
from vidembed.index.pipeline import run as progress
from vidembed.media.segmenting.sampling import distinct
from vidembed.media.segmenting.segment import FixedWindows
from vidembed.protocols import Channel, Frame
from vidembed.types import Clip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.world.write("a.mp4", "grey 0 hz 1 seconds 6")
    made.world.write("b.mp4", "grey 100 seconds 4")
    return made


def test_every_clip_of_every_channel_is_stored_and_counted(bench: Bench) -> None:
    report = bench.run()
    assert [Path(path).name for path in report.done] == ["a.mp4", "b.mp4"]
    assert (report.clips, report.seconds_of_video, report.failed, report.found) == (5, 10.0, (), 2)
    assert report.counts["decoded"] == report.counts["frames"] == 20
    assert bench.store.count("vision.00000001") == 5
    assert bench.store.count("sound.00000002") == 3, "b.mp4 has no sound: absent, not a vector"
    states = {name: bench.catalog.states.of(video_id(bench, name)) for name in ("a.mp4", "b.mp4")}
    assert states["a.mp4"] == {"vision.00000001": "done", "sound.00000002": "done"}
    assert states["b.mp4"] == {"vision.00000001": "done", "sound.00000002": "absent"}
    assert bench.catalog.states.pending() == []
    clip = bench.catalog.videos.clips(video_id(bench, "b.mp4"))[1]
    # Frames 4..7 of b.mp4 are 140, 150, 160, 170: their mean is 155.
    expected = np.array([1.0, 155 / 255, 0, 0]) / np.hypot(1.0, 155 / 255)
    assert bench.vectors()[clip.clip_id] == pytest.approx(expected, abs=1e-6)


def test_a_run_opens_each_file_once(bench: Bench) -> None:
    bench.run()
    assert sorted(bench.world.opened) == ["a.mp4", "b.mp4"]


def test_a_second_run_decodes_and_encodes_nothing_and_loads_no_model(bench: Bench) -> None:
    bench.run()
    before, encoded, decoded = bench.vectors(), len(bench.encoder.clips), len(bench.world.opened)
    bench.channels = dict(bench.channels)

    class Untouchable(dict):  # type: ignore[type-arg]
        def __getitem__(self, name: str) -> Channel:
            raise AssertionError(f"channel {name} was loaded")

    known = bench.channels
    bench.channels = Untouchable(known)
    report = bench.run()
    bench.channels = known
    assert (len(report.done), len(report.unchanged), len(report.failed)) == (0, 2, 0)
    assert (len(bench.encoder.clips), len(bench.world.opened)) == (encoded, decoded)
    assert bench.vectors() == before


def test_renamed_and_copied_files_are_recognised_by_content(bench: Bench) -> None:
    bench.run()
    encoded, opened = len(bench.encoder.clips), len(bench.world.opened)
    (bench.world.folder / "a.mp4").rename(bench.world.folder / "renamed.mp4")
    bench.world.write("copy.mp4", "grey 100 seconds 4")
    report = bench.run()
    assert (len(report.done), len(report.unchanged)) == (0, 3)
    assert (len(bench.encoder.clips), len(bench.world.opened)) == (encoded, opened)
    assert [Path(row.path).name for row in bench.catalog.videos.paths_of(video_id(bench, "copy.mp4"))] == [
        "b.mp4",
        "copy.mp4",
    ]


def test_two_copies_in_one_run_are_encoded_once_and_both_listed(bench: Bench) -> None:
    bench.world.write("c.mp4", "grey 100 seconds 4")
    report = bench.run(workers=2)
    assert (len(report.done), len(report.unchanged), len(report.failed)) == (2, 1, 0)
    assert len(bench.encoder.clips) == len(set(bench.encoder.clips)) == 5
    assert video_id(bench, "b.mp4") == video_id(bench, "c.mp4")


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 64])
@pytest.mark.parametrize("prefetch", [0, 1, 4])
def test_batches_workers_and_prefetch_do_not_change_vectors(
    tmp_path: Path, workers: int, batch_size: int, prefetch: int
) -> None:
    def vectors(folder: str, **options: Any) -> tuple[dict[str, tuple[float, ...]], ...]:
        (tmp_path / folder).mkdir()
        bench = Bench(tmp_path / folder)
        for number in range(5):
            bench.world.write(f"{number}.mp4", f"grey {30 * number} hz 1 seconds {2 + number}")
        bench.run(**options)
        return bench.vectors(), bench.vectors("sound")

    plain = vectors("plain", batch_size=3, prefetch=0)
    assert [len(channel) for channel in plain] == [1 + 2 + 2 + 3 + 3] * 2
    assert vectors("other", workers=workers, batch_size=batch_size, prefetch=prefetch) == plain


def test_adding_a_channel_that_needs_no_picture_decodes_none(bench: Bench) -> None:
    bench.run()
    decoded, encoded = list(bench.world.decoded), len(bench.encoder.clips)
    bench.channels["speech"] = Channel("speech", bench.words, bench.text_encoder, "00000003")
    report = bench.run()
    assert len(report.done) == 2
    assert bench.world.decoded == decoded
    assert len(bench.encoder.clips) == encoded, "the other channels are left alone"
    assert bench.store.count("speech.00000003") == 2
    assert bench.words.asked == 5
    bench.channels["speech_words"] = Channel("speech_words", bench.words, bench.text_encoder, "00000004")
    bench.run()
    assert bench.words.asked == 5, "what was heard once is in the catalog"
    assert bench.store.count("speech_words.00000004") == 2


def test_a_picture_channel_added_later_uses_the_clips_of_the_index(bench: Bench) -> None:
    vision = bench.channels.pop("vision")
    bench.run()
    assert bench.world.decoded == []
    clips = bench.catalog.videos.clips()
    bench.channels["vision"] = vision
    bench.run(tools={"segmenter": FixedWindows(SegmentSettings(window_s=1))})  # another cut would give other clips
    assert bench.catalog.videos.clips() == clips
    assert set(bench.vectors()) == {clip.clip_id for clip in clips}


def test_repeats_are_left_out_but_no_clip_is_without_a_picture(bench: Bench) -> None:
    steps = partial(distinct, settings=SampleSettings(distinct=0.05))  # they are 10 / 255 = 0.039
    bench.run(tools={"distinct": steps})
    assert bench.store.count("vision.00000001") == 5
    counts = bench.run().counts
    assert counts == {}
    bench.world.write("still.mp4", "grey 1 seconds 1")
    kept = bench.run(tools={"distinct": partial(distinct, settings=SampleSettings(distinct=1))}).counts
    assert (kept["frames"], kept["kept"], kept["repeats"]) == (2, 1, 1)


def test_progress_counts_up_to_the_end(bench: Bench) -> None:
    bench.world.write("bad.mp4", "junk 1")
    bench.run()
    assert bench.seen[-1].stage == "done"
    assert (bench.seen[-1].done_items, bench.seen[-1].total_items) == (3, 3)
    assert bench.seen[-1].done_s == bench.seen[-1].total_s == 10.0
    steps = [(progress.done_items, progress.done_s) for progress in bench.seen]
    assert steps == sorted(steps)


def test_memory_is_bounded_by_the_queue_not_by_the_video(bench: Bench) -> None:
    """A slow encoder holds the decoder back: at most prefetch + a few chunks of clips exist at once."""
    (bench.world.folder / "a.mp4").unlink()
    bench.world.write("b.mp4", "grey 0 seconds 400")
    streamed: list[int] = []
    furthest: list[int] = []

    def counting(frames: Any) -> Iterator[Frame]:
        for number, frame in enumerate(frames):
            streamed.append(number)
            yield frame

    encode = bench.encoder.encode_clips

    def watching(items: Sequence[Any], clips: Sequence[Clip]) -> Any:
        furthest.append(len(streamed) // 4 - clips[-1].index)  # 4 frames a clip
        return encode(items, clips)

    bench.encoder.encode_clips = watching  # type: ignore[method-assign]
    bench.run(batch_size=2, prefetch=2, tools={"distinct": counting})
    assert len(bench.encoder.clips) == 200
    # Two chunks wait, one is being made, one is being offered, two may wait together for the encoder: 6 x 2 clips.
    assert max(furthest) <= 12


def test_what_is_handed_to_the_encoder_is_bounded_in_bytes_too(bench: Bench) -> None:
    """Clips of 4 pictures of 1.5 MiB: the second makes 8 MiB full, long before 64 clips are there."""
    (bench.world.folder / "a.mp4").unlink()
    bench.world.write("b.mp4", "grey 0 seconds 8")

    def large(frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            yield Frame(frame.time_s, np.zeros((512, 1024, 3), np.uint8))

    bench.run(batch_size=64, prefetch=0, tools={"distinct": large})
    assert bench.encoder.batches == [2, 2]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_freed_memory_between_what_is_in_use_goes_back() -> None:
    def resident_mb() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    blocks = [bytes(64_000) for _ in range(1000)]
    kept = blocks[::10]
    before = resident_mb()
    del blocks
    assert progress.trim_heap()
    assert before - resident_mb() > 40, "9 of 10 blocks, 58 MB"
    assert len(kept) == 100


def test_a_long_run_gives_back_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, given = [0.0], []
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(progress, "trim_heap", lambda: given.append(clock[0]))
    trim = progress.HeapTrimmer()
    for clock[0] in (1.0, 9.0, 11.0, 20.0, 21.5):
        trim()
    assert given == [11.0, 21.5]
