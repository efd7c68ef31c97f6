"""A decoder that hangs is left behind: the file is unreadable, everything else goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_media import Bench, FakeReader, video_id
from media_factory import Media

from vidembed.errors import MediaUnreadable
from vidembed.media.reading.reader import GuardedReader
from vidembed.protocols import Frame, VideoReader
from vidembed.types import Span

LIMIT_S = 0.05


class Hanging(FakeReader):
    """Gives `after` frames, then never comes back, as a decoder inside one frame does; until `let_go`."""

    def __init__(self, *given: Any, after: int = 2) -> None:
        super().__init__(*given)
        self.after, self.inside, self.let_go, self.closed = after, *(threading.Event() for _ in range(3))

    def stream(self, **how: Any) -> Iterator[Frame]:
        for number in range(self.after):
            yield Frame(float(number), np.zeros((6, 8, 3), np.uint8))
        self.inside.set()
        self.let_go.wait()

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def hanging() -> Iterator[Callable[..., Hanging]]:
    made: list[Hanging] = []

    def make(*given: Any, **options: Any) -> Hanging:
        made.append(Hanging(*given, **options))
        return made[-1]

    yield make
    for reader in made:
        reader.let_go.set()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.world.write("a.mp4", "grey 0 seconds 6")
    made.world.write("hangs.mp4", "grey 50 seconds 8")
    made.world.write("z.mp4", "grey 100 seconds 4")
    return made


def opening(bench: Bench, hanging: Callable[..., Hanging], **guard: Any) -> Callable[[Path], VideoReader]:
    def opens(path: Path) -> VideoReader:
        kind = hanging if path.name == "hangs.mp4" else FakeReader
        made = kind(bench.world, path, bench.world.probe(path))
        return GuardedReader(lambda: made, path.name, **({"limit_s": LIMIT_S} | guard))

    return opens


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_goes_on_without_the_file(
    bench: Bench, hanging: Callable[..., Hanging], workers: int, prefetch: int
) -> None:
    report = bench.run(workers=workers, prefetch=prefetch, tools={"open": opening(bench, hanging)})
    assert sorted(Path(path).name for path in report.done) == ["a.mp4", "z.mp4"]
    (failure,) = report.failed
    assert (Path(failure.item).name, failure.stage, failure.kind) == ("hangs.mp4", "decode", "MediaUnreadable")
    assert failure.message == "hangs.mp4: the decoder did not answer within 0.05 s and was given up"
    assert "media.limits.decode_timeout_s" in failure.hint
    assert bench.store.count("vision.00000001") == 3 + 2
    assert bench.run().failed == (), "a reader that answers is all it takes"
    assert bench.catalog.videos.get(video_id(bench, "hangs.mp4")) is not None


def test_an_interrupt_does_not_wait_for_a_hanging_decoder(bench: Bench, hanging: Callable[..., Hanging]) -> None:
    """Its limit is an hour, and the run ends as soon as the encoder is interrupted."""
    (bench.world.folder / "a.mp4").rename(bench.world.folder / "m.mp4")  # "hangs" comes first
    stop = threading.Event()
    opens = opening(bench, hanging, limit_s=3600.0, stop=stop)

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    bench.encoder.encode_clips = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        bench.run(batch_size=1, workers=2, tools={"open": opens, "stop": stop})
    assert stop.is_set()
    assert bench.catalog.states.pending() == []


def test_a_hanging_reader_is_closed_when_it_comes_back_and_answers_no_more(
    bench: Bench, hanging: Callable[..., Hanging]
) -> None:
    path = bench.world.folder / "hangs.mp4"
    inner = hanging(bench.world, path, bench.world.probe(path), after=0)
    with GuardedReader(lambda: inner, path.name, limit_s=LIMIT_S) as reader:
        with pytest.raises(MediaUnreadable, match="did not answer"):
            next(reader.stream(rate_hz=1, short_side_px=8))
        with pytest.raises(MediaUnreadable, match="did not answer"):
            reader.audio(Span(0, 1), rate_hz=16000)
    assert inner.inside.is_set()
    assert not inner.closed.is_set()
    inner.let_go.set()
    assert inner.closed.wait(30)


def test_answers_and_errors_pass_through(bench: Bench) -> None:
    path = bench.world.write("b.mp4", "grey 7 seconds 4 breaks 3")
    with GuardedReader(lambda: FakeReader(bench.world, path, bench.world.probe(path)), "b.mp4", limit_s=60) as reader:
        assert isinstance(reader, VideoReader)
        assert (reader.info.duration_s, reader.backend) == (4.0, "fake")
        frames = reader.stream(rate_hz=2, short_side_px=8)
        assert [next(frames).time_s for _ in range(3)] == [0.0, 0.5, 1.0]
        with pytest.raises(MediaUnreadable, match="damaged at frame 3"):
            next(frames)
        assert reader.counts["decoded"] == 3


def test_closing_never_waits_for_a_program_that_logs(media: Media) -> None:
    """FFmpeg's messages sent to Python's logging: the threads of a decoder in a damaged file wait for Python to log."""
    logs = "import av, logging, sys; logging.basicConfig(level=10, stream=open(sys.argv[2], 'w'))"
    reads = (
        "av.logging.set_level(48)\n"
        "from vidembed.media.reading.reader import open_video\n"
        "for number in range(200):\n"
        "    with open_video(sys.argv[1], threads=4) as video:\n"
        "        video.frames([number % 40 / 10], short_side_px=48)\n"
    )
    path = media.path("bitrot.mp4")
    subprocess.run([sys.executable, "-c", f"{logs}\n{reads}", path, os.devnull], check=True, timeout=60)
