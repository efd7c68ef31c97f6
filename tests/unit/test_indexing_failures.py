"""Files, channels and encoders that fail: what is recorded, what is tried again, what stops a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_media import Bench, Sound, known_clips, video_id

from vidembed.errors import StoreUnavailable, VidembedError, WeightsMissing
from vidembed.protocols import Channel, ClipMedia
from vidembed.types import AudioSamples, RunReport


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.world.write("a.mp4", "grey 0 hz 1 seconds 6")
    made.world.write("b.mp4", "grey 100 seconds 4")
    return made


def test_one_bad_file_changes_nobody_else(tmp_path: Path) -> None:
    def run(folder: str, *, bad: bool) -> tuple[dict[str, tuple[float, ...]], RunReport]:
        (tmp_path / folder).mkdir()
        bench = Bench(tmp_path / folder)
        bench.world.write("a.mp4", "grey 0 seconds 6")
        bench.world.write("z.mp4", "grey 50 seconds 4")
        if bad:
            bench.world.write("junk.mp4", "junk 1")
            bench.world.write("middle.mp4", "grey 9 seconds 8 breaks 11")
            bench.world.write("q.mp4", "grey 9 seconds 2 crashes 1")
        bench.run(batch_size=2)
        return bench.vectors(), bench.run(batch_size=2)

    clean, _ = run("clean", bad=False)
    mixed, again = run("mixed", bad=True)
    assert mixed == clean, "what the broken file put before it broke is taken out again"
    failed = {Path(failure.item).name: failure for failure in again.failed}
    assert {name: (f.stage, f.kind) for name, f in failed.items()} == {
        "junk.mp4": ("probe", "MediaUnreadable"),
        "middle.mp4": ("decode", "MediaUnreadable"),
        "q.mp4": ("decode", "RuntimeError"),
    }
    assert failed["middle.mp4"].message == "middle.mp4: damaged at frame 11"
    assert (len(again.unchanged), again.found) == (2, 5)


def test_copies_of_a_bad_file_are_named_each_by_itself(bench: Bench) -> None:
    for name in ("one.mp4", "two.mp4"):
        bench.world.write(name, "grey 9 seconds 8 breaks 11")
    failed = bench.run().failed
    assert [(Path(one.item).name, one.message) for one in failed] == [
        ("one.mp4", "one.mp4: damaged at frame 11"), ("two.mp4", "two.mp4: damaged at frame 11")
    ]  # fmt: skip
    assert list(failed) == bench.catalog.failures()


def test_failures_are_listed_and_tried_again(bench: Bench) -> None:
    bad = bench.world.write("bad.mp4", "junk 1")
    bench.run()
    assert [Path(f.item).name for f in bench.catalog.failures()] == ["bad.mp4"]
    bad.write_text("grey 7 seconds 2")
    report = bench.run()
    assert [Path(path).name for path in report.done] == ["bad.mp4"]
    assert bench.catalog.failures() == []


def test_a_file_that_fails_now_keeps_what_it_had(bench: Bench) -> None:
    bench.run()
    before, old = bench.vectors(), video_id(bench, "b.mp4")
    bench.world.write("b.mp4", "grey 5 seconds 4 breaks 3")
    report = bench.run()
    assert [(Path(f.item).name, f.stage) for f in report.failed] == [("b.mp4", "decode")]
    assert bench.vectors() == before
    assert video_id(bench, "b.mp4") == old
    bench.world.write("b.mp4", "grey 5 seconds 4")
    bench.run()
    assert video_id(bench, "b.mp4") != old
    assert bench.catalog.videos.get(old) is None, "the old content has no file any more"
    assert not set(bench.vectors()) & {clip for clip in before if clip not in known_clips(bench)}


def test_a_channel_that_fails_is_recorded_for_that_channel_alone(bench: Bench) -> None:
    bench.world.write("a.mp4", "grey 0 hz 1 seconds 6 deaf 3.0")
    report = bench.run()
    assert [(f.stage, f.kind, f.message) for f in report.failed] == [
        ("source:sound", "MediaUnreadable", "2 clips, the first at 0:00.000: corrupt sound")
    ]
    assert bench.store.count("vision.00000001") == 5
    assert bench.store.count("sound.00000002") == 1, "what could be heard is kept"
    assert bench.catalog.states.of(video_id(bench, "a.mp4"))["sound.00000002"] == "failed"
    decoded = list(bench.world.decoded)
    bench.run()
    assert bench.world.decoded == decoded, "the channel is tried again without decoding a picture"


def test_an_encoder_failure_is_of_its_channel_and_is_tried_again(bench: Bench) -> None:
    bench.encoder.fail_on = lambda clip: ValueError("odd clip") if clip.index == 1 else None
    report = bench.run()
    assert {(Path(f.item).name, f.stage, f.message) for f in report.failed} == {
        ("a.mp4", "encode:vision", "at 0:02.000: odd clip"),
        ("b.mp4", "encode:vision", "at 0:02.000: odd clip"),
    }
    assert bench.store.count("vision.00000001") == 3
    bench.encoder.fail_on = lambda clip: None
    assert bench.run().failed == ()
    assert bench.store.count("vision.00000001") == 5
    assert bench.catalog.failures() == []


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_that_are_nobodys_item_stop_the_run_at_once(bench: Bench, workers: int) -> None:
    class Missing(Sound):
        def item(self, media: ClipMedia) -> AudioSamples:
            raise WeightsMissing("no weights in /nowhere")

    bench.channels["sound"] = Channel("sound", Missing(), bench.sound_encoder, "00000002")
    with pytest.raises(WeightsMissing, match="no weights"):
        bench.run(workers=workers)
    assert bench.catalog.videos.all() == []
    assert bench.catalog.states.pending() == []
    assert bench.store.count("vision.00000001") == 0


def test_a_store_that_breaks_stops_the_run_and_what_is_done_stays(bench: Bench) -> None:
    put, calls = bench.store.put, []

    def breaks(collection: str, rows: Any) -> None:
        calls.append(collection)
        if len(calls) > 2:
            raise StoreUnavailable("disk full")
        put(collection, rows)

    bench.store.put = breaks  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable, match="disk full"):
        bench.run(prefetch=0, batch_size=3)
    assert [row.info.path.name for row in bench.catalog.videos.all()] == ["a.mp4"]
    bench.store.put = put  # type: ignore[method-assign]
    bench.run()
    assert bench.store.count("vision.00000001") == 5


def test_the_same_unexpected_error_stops_the_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for number in range(30):
        bench.world.write(f"{number:02d}.mp4", f"grey 1 seconds 2 crashes {number}")
    with pytest.raises(VidembedError, match=r"same error 20 times running \(decode, RuntimeError: decoder bug 19\)"):
        bench.run()
    assert len(bench.catalog.failures()) == 20
    for number in range(30):
        bench.world.write(f"{number:02d}.mp4", f"junk {number}")
    assert len(bench.run().failed) == 30, "errors about the files themselves do not stop a run"


def test_a_broken_encoder_stops_the_run_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for number in range(30):
        bench.world.write(f"{number:02d}.mp4", f"grey {number} seconds 2")
    bench.encoder.fail_on = lambda clip: RuntimeError("cuda gone")
    with pytest.raises(VidembedError, match="the same error 20 times running"):
        bench.run(batch_size=1)
    assert len(set(bench.encoder.clips)) < 30


def test_on_error_raise_shows_the_error_itself(bench: Bench) -> None:
    bench.world.write("q.mp4", "grey 9 seconds 2 crashes 1")
    with pytest.raises(RuntimeError, match="decoder bug 1"):
        bench.run(on_error="raise")
    bench.world.write("q.mp4", "grey 9 seconds 4")
    bench.encoder.fail_on = lambda clip: ValueError("odd clip")
    with pytest.raises(VidembedError, match="encode:vision: .*odd clip"):
        bench.run(on_error="raise")
