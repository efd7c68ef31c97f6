"""Runs that are interrupted or killed, files that are damaged."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_media import Bench, Encoder, FakeReader, Pictures, known_clips, video_id

from vidembed.errors import MediaUnreadable
from vidembed.index.pipeline.write import recover
from vidembed.protocols import Channel, Encoded
from vidembed.types import Clip, Damage, Failure, Span


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.world.write("a.mp4", "grey 0 hz 1 seconds 6")
    made.world.write("b.mp4", "grey 100 seconds 4")
    return made


def test_an_interrupt_drops_the_video_in_hand_and_keeps_the_rest(bench: Bench) -> None:
    bench.world.write("c.mp4", "grey 30 seconds 8")

    class Interrupting(Encoder):
        def encode_clips(self, items: Sequence[Any], clips: Sequence[Clip]) -> list[Encoded | Failure | None]:
            if clips[0].index == 2 and len(self.clips) > 5:
                raise KeyboardInterrupt
            return super().encode_clips(items, clips)

    bench.encoder = Interrupting()
    bench.channels["vision"] = Channel("vision", Pictures(), bench.encoder, "00000001")
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        bench.run(prefetch=0, batch_size=1)
    assert [row.info.path.name for row in bench.catalog.videos.all()] == ["a.mp4", "b.mp4"]
    assert set(bench.vectors()) == known_clips(bench)
    assert bench.catalog.states.pending() == []
    assert not [
        thread for thread in threading.enumerate() if thread.name.startswith("vidembed") and thread not in before
    ]


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("prefetch", [0, 1])
def test_an_interrupt_is_not_lost_in_a_file_that_cannot_be_closed(bench: Bench, prefetch: int) -> None:
    """As a guarded reader, which does not wait for its file once the run is stopped."""

    class Stuck(FakeReader):
        def __exit__(self, *exc: object) -> None:
            raise MediaUnreadable(f"{self.info.path.name}: reading was stopped")

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    bench.encoder.encode_clips = interrupted  # type: ignore[method-assign]
    opens = {"open": lambda path: Stuck(bench.world, path, bench.world.probe(path))}
    with pytest.raises(KeyboardInterrupt):
        bench.run(prefetch=prefetch, batch_size=1, tools=opens)
    assert bench.catalog.states.pending() == []
    assert bench.catalog.videos.all() == []


def test_recover_takes_out_half_done_work_and_notices_lost_vectors(bench: Bench) -> None:
    bench.run()
    done, lost = video_id(bench, "a.mp4"), video_id(bench, "b.mp4")
    catalog, store = bench.catalog, bench.store
    # As after a crash: one video half done, one done but its vectors not on disk, one done and whole.
    half = Clip.make("c" * 32, 0, Span(0, 2))
    row = store.rows("vision.00000001", [catalog.videos.clips(done)[0].clip_id])
    store.put("vision.00000001", [replace(next(iter(row.values())), clip=half)])
    catalog.states.begin(half.video_id, ["vision.00000001"])
    store.delete(lost)
    catalog.states.begin(lost, ["vision.00000001"])
    catalog.states.begin(done, ["vision.00000001"])
    assert recover(catalog, store) == 2
    assert catalog.states.pending() == []
    assert half.clip_id not in bench.vectors()
    assert "vision.00000001" not in catalog.states.of(lost)
    assert catalog.states.of(done)["vision.00000001"] == "done"
    assert [Path(path).name for path in bench.run().done] == ["b.mp4"]
    assert store.count("vision.00000001") == 5


def test_what_is_damaged_is_said_and_kept(bench: Bench) -> None:
    rotten = bench.world.write("rotten.mp4", "grey 0 seconds 6 corrupt 3 audio_corrupt 1")
    short = bench.world.write("short.mp4", "grey 9 seconds 6 missing 40")
    report = bench.run()
    assert report.damaged == (Damage(rotten.as_posix(), 3, 0, 1), Damage(short.as_posix(), 0, 40, 0))
    assert str(report) == "4 done, 0 unchanged, 0 failed, 2 damaged"
    assert report.damage() == (
        "2 files are damaged: 3 frames could not be decoded, 40 are missing at the end, "
        "1 packet of sound could not be decoded"
    )
    row = bench.catalog.videos.get(video_id(bench, "rotten.mp4"))
    assert row is not None
    assert row.counts == {"decoded": 12, "corrupt": 3, "audio_corrupt": 1}
    again = bench.run()
    assert (again.damaged, again.damage()) == ((), "")


def test_a_later_pass_that_looks_at_less_does_not_make_a_file_whole(bench: Bench) -> None:
    bench.world.write("a.mp4", "grey 0 hz 1 seconds 6 corrupt 3")
    sound = bench.channels.pop("sound")
    bench.run()
    bench.channels["sound"] = sound
    before = list(bench.world.decoded)
    bench.run()
    assert bench.world.decoded == before
    row = bench.catalog.videos.get(video_id(bench, "a.mp4"))
    assert row is not None
    assert (row.counts["corrupt"], row.counts["decoded"]) == (3, 12)
