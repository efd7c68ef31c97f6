"""A reader in a process of its own: the same answers, and a process that dies or hangs costs one file."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_videos
from media_factory import Media

from vidembed import open_index
from vidembed.config.schema import MediaSettings
from vidembed.errors import MediaNotFound, MediaUnreadable
from vidembed.media.reading import isolated
from vidembed.media.reading.isolated import PROCESSES, DecoderProcess, IsolatedReader
from vidembed.media.reading.reader import GuardedReader, open_video
from vidembed.protocols import VideoReader
from vidembed.types import Span

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")


@pytest.fixture(autouse=True, scope="module")
def no_process_is_left() -> Iterator[None]:
    yield
    PROCESSES.end()


def opened(path: Path, **options: Any) -> IsolatedReader:
    return IsolatedReader(PROCESSES.take(), path, MediaSettings(), **options)


def test_it_gives_what_the_reader_gives(media: Media) -> None:
    path = media.path("three_shots.mp4")
    with opened(path, threads=1) as there, open_video(path, threads=1) as here:
        assert isinstance(there, VideoReader)
        assert (there.info, there.backend) == (here.info, here.backend)
        for how in ({"rate_hz": 5, "mode": "fixed"}, {"rate_hz": 1, "mode": "adaptive", "span": Span(1, 2)}):
            frames = list(zip(there.stream(short_side_px=32, **how), here.stream(short_side_px=32, **how), strict=True))  # type: ignore[arg-type]
            assert frames
            for one, other in frames:
                assert one.time_s == other.time_s
                assert np.array_equal(one.rgb, other.rgb)
        assert there.counts == here.counts
        assert np.array_equal(
            there.frames([0.5, 2.5], short_side_px=48).rgb, here.frames([0.5, 2.5], short_side_px=48).rgb
        )
    path = media.path("tone.mp4")
    with opened(path) as there, open_video(path) as here:
        one, other = (reader.audio(Span(0.5, 1), rate_hz=8000) for reader in (there, here))
        assert (one.rate_hz, one.start_s) == (other.rate_hz, other.start_s)
        assert np.array_equal(one.samples, other.samples)


def test_errors_come_through_and_the_process_goes_on(media: Media) -> None:
    process = DecoderProcess()
    with pytest.raises(MediaUnreadable, match=r"junk\.mp4: a text, not a video") as caught:
        IsolatedReader(process, media.path("junk.mp4"), MediaSettings())
    assert caught.value.hint
    with pytest.raises(MediaNotFound):
        opened(media.folder / "nowhere.mp4")
    with pytest.raises(MediaUnreadable, match="more than the allowed"):
        IsolatedReader(PROCESSES.take(), media.path("tone.mp4"), MediaSettings(limits={"max_pixels": 10}))
    with opened(media.path("one_frame.mp4")) as reader:
        with pytest.raises(ValueError, match="rate_hz"):
            list(reader.stream(rate_hz=0, short_side_px=48))
        assert len(list(reader.stream(rate_hz=1, short_side_px=48))) == 1
    assert process.lives
    PROCESSES.end()
    assert not process.lives


@POSIX
def test_a_decoder_that_crashes_costs_its_file_alone(media: Media) -> None:
    process = DecoderProcess()
    reader = IsolatedReader(process, media.path("three_shots.mp4"), MediaSettings())
    frames = reader.stream(rate_hz=5, short_side_px=32)
    next(frames)
    os.kill(process._process.pid, signal.SIGSEGV)
    with pytest.raises(MediaUnreadable, match=r"three_shots\.mp4: it crashed the decoder \(exit -11\)"):
        list(frames)
    reader.close()
    with opened(media.path("three_shots.mp4")) as again:
        assert len(list(again.stream(rate_hz=1, short_side_px=32))) == 3


@POSIX
def test_a_decoder_that_hangs_is_ended(media: Media) -> None:
    process = DecoderProcess()
    path = media.path("three_shots.mp4")
    with GuardedReader(
        lambda: IsolatedReader(process, path, MediaSettings()), path.name, limit_s=60, give_up=process.kill
    ) as reader:
        frames = reader.stream(rate_hz=5, short_side_px=32)
        next(frames)
        os.kill(process._process.pid, signal.SIGSTOP)
        reader._thread._limit_s = 0.05
        with pytest.raises(MediaUnreadable, match="did not answer within 0.05 s"):
            next(frames)
    assert not process.lives


def test_a_process_that_lies_is_not_believed(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    says = """print('{"arrays": [["object", [1]]]}', flush=True); import sys; sys.stdin.read()"""
    real = isolated.subprocess.Popen
    monkeypatch.setattr(isolated.subprocess, "Popen", lambda _, **how: real([sys.executable, "-c", says], **how))
    process = DecoderProcess()
    with pytest.raises(MediaUnreadable, match="it crashed the decoder"):
        IsolatedReader(process, media.path("tone.mp4"), MediaSettings())
    assert not process.lives


def test_an_index_is_the_same(tmp_path: Path) -> None:
    toy_videos.make(tmp_path / "videos" / "red.mp4", "red", "blue", hz=200)
    (tmp_path / "videos" / "junk.mp4").write_text("no video at all")
    found = []
    for isolate in ("never", "always"):
        overrides = {"store.kind": "memory", "media.isolate": isolate}
        with open_index(tmp_path / isolate, profile="toy", overrides=overrides) as index:
            report = index.add(tmp_path / "videos")
            rows = [rows for spec in index.parts.specs.values() for rows in index.parts.store.scan(spec.collection)]
            vectors = {row.clip.clip_id: np.asarray(row.vector).tobytes() for part in rows for row in part}
            found.append((report.done, report.failed, report.counts, vectors))
    assert found[0] == found[1]
    assert len(found[0][1]) == 1
