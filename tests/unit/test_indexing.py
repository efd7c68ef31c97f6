"""The run over many files, with hand-made media: what is decoded, encoded, stored, recorded and kept."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidembed.catalog import Catalog
from vidembed.errors import MediaUnreadable, NoSuchStream, StoreUnavailable, VidembedError, WeightsMissing
from vidembed.executors.serial import SerialExecutor
from vidembed.executors.threads import ThreadExecutor
from vidembed.indexing import Indexer, Progress, RunOptions, Tools
from vidembed.indexing.write import recover
from vidembed.media.sampling import distinct
from vidembed.media.segment import FixedWindows, KnownSpans
from vidembed.protocols import Channel, ClipMedia, Encoded, Frame
from vidembed.stores.memory import MemoryStore
from vidembed.types import (
    AudioSamples,
    Clip,
    Failure,
    FrameBatch,
    RunReport,
    Space,
    Span,
    TextLine,
    TimedText,
    VideoInfo,
)

DIM = 4


@dataclass
class World:
    """A folder of text files that stand for videos: "grey 100 seconds 6" and so on; counts what is done to them."""

    folder: Path
    decoded: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def tools(self, **changes: Any) -> Tools:
        given: dict[str, Any] = {
            "identify": lambda path: hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest(),
            "probe": self.probe,
            "open": lambda path: FakeReader(self, path, self.probe(path)),
            "segmenter": FixedWindows(2.0),
            "known_spans": KnownSpans,
            "distinct": distinct,
            "rate_hz": 2.0,
            "mode": "fixed",
            "max_frames_per_clip": 8,
        }
        return Tools(**(given | changes))

    def probe(self, path: Path) -> VideoInfo:
        facts = read(path)
        if "junk" in facts:
            raise MediaUnreadable(f"{path.name}: not a media file")
        stat = path.stat()
        video_id = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        picture = "grey" in facts
        return VideoInfo(
            video_id, path, stat.st_size, stat.st_mtime_ns, float(facts.get("seconds", 6)),
            64 if picture else 0, 48 if picture else 0, Fraction(10), 16000 if "hz" in facts else None, 1,
        )  # fmt: skip


def read(path: Path) -> dict[str, str]:
    words = path.read_text().split()
    return dict(zip(words[::2], words[1::2], strict=True))


class FakeReader:
    backend = "fake"

    def __init__(self, world: World, path: Path, info: VideoInfo) -> None:
        self.info, self._world, self._path = info, world, path
        self.counts: dict[str, int] = {"decoded": 0}
        world.opened.append(path.name)

    def stream(self, *, rate_hz: float, short_side_px: int, span: Any = None, mode: str = "fixed") -> Iterator[Frame]:
        facts = read(self._path)
        self._world.decoded.append(self._path.name)
        for number in range(int(self.info.duration_s * rate_hz)):
            if "breaks" in facts and number >= int(facts["breaks"]):
                raise MediaUnreadable(f"{self._path.name}: damaged at frame {number}")
            if "crashes" in facts:
                raise RuntimeError(f"decoder bug {facts['crashes']}")
            self.counts["decoded"] += 1
            level = (int(facts["grey"]) + 10 * number) % 256
            yield Frame(number / rate_hz, np.full((6, 8, 3), level, np.uint8))

    def audio(self, span: Span, *, rate_hz: int) -> AudioSamples:
        facts = read(self._path)
        if span.start_s < float(facts.get("deaf", 0)):
            raise MediaUnreadable("corrupt sound")
        if "hz" not in facts:
            raise NoSuchStream("no sound")
        return AudioSamples(np.full(round(span.duration_s * 10), 0.5, np.float32), 10, span.start_s)

    def close(self) -> None: ...

    def __enter__(self) -> FakeReader:
        return self

    def __exit__(self, *exc: object) -> None: ...


class Pictures:
    modality, needs_frames, short_side_px = "image", True, 32

    def item(self, media: ClipMedia) -> FrameBatch | None:
        return media.frames


class Sound:
    modality, needs_frames, short_side_px = "audio", False, 0

    def item(self, media: ClipMedia) -> AudioSamples | None:
        return media.video.audio(media.clip.span, rate_hz=10)


class Words:
    """Says "words" in the first clip of each video, nothing in the others."""

    modality, needs_frames, short_side_px, maker = "text", False, 0, "speech:fake"

    def __init__(self) -> None:
        self.asked = 0

    def item(self, media: ClipMedia) -> TimedText | None:
        self.asked += 1
        return TimedText((TextLine(media.clip.span, "words"),)) if media.clip.index == 0 else None


class Encoder:
    """The mean grey level as a vector; counts its work; fails on the clips it is told to."""

    space = Space("fake", DIM)

    def __init__(self) -> None:
        self.clips: list[str] = []
        self.batches: list[int] = []
        self.fail_on: Callable[[Clip], Exception | None] = lambda clip: None

    def encode_clips(self, items: Sequence[Any], clips: Sequence[Clip]) -> list[Encoded | Failure | None]:
        self.batches.append(len(items))
        answers: list[Encoded | Failure | None] = []
        for item, clip in zip(items, clips, strict=True):
            self.clips.append(clip.clip_id)
            error = self.fail_on(clip)
            if error is not None:
                answers.append(Failure(clip.clip_id, "encode", type(error).__name__, str(error)))
                continue
            level = float(item.rgb.mean()) if isinstance(item, FrameBatch) else 1.0
            vector = np.array([1.0, level / 255, 0, 0], np.float32)
            vector /= np.linalg.norm(vector)
            answers.append(Encoded(vector, vector[None].astype(np.float16), np.array([clip.span.middle_s])))
        return answers

    def encode_query(self, modality: str, value: Any) -> None:
        return None


class Bench:
    """An index without its `VideoIndex`."""

    def __init__(self, tmp_path: Path) -> None:
        (tmp_path / "videos").mkdir(exist_ok=True)
        self.world = World(tmp_path / "videos")
        self.catalog = Catalog(tmp_path / "catalog.sqlite")
        self.store = MemoryStore()
        self.encoder, self.sound_encoder, self.text_encoder = Encoder(), Encoder(), Encoder()
        self.words = Words()
        self.channels = {
            "vision": Channel("vision", Pictures(), self.encoder, "00000001"),
            "sound": Channel("sound", Sound(), self.sound_encoder, "00000002"),
        }
        self.seen: list[Progress] = []

    def run(self, *, workers: int = 1, tools: dict[str, Any] | None = None, **options: Any) -> RunReport:
        files = sorted(self.world.folder.iterdir())
        for channel in self.channels.values():
            self.store.create(channel.collection, channel.encoder.space)
        indexer = Indexer(
            self.catalog,
            self.store,
            self.world.tools(**(tools or {})),
            {name: channel.collection for name, channel in self.channels.items()},
            self.channels.__getitem__,
            executor=SerialExecutor() if workers == 1 else ThreadExecutor(workers),
            options=RunOptions(**options),
            forget=self.forget,
        )
        return indexer.run(files, progress=self.seen.append)

    def forget(self, video_id: str) -> None:
        self.store.delete(video_id)
        self.catalog.videos.delete(video_id)

    def vectors(self, name: str = "vision") -> dict[str, tuple[float, ...]]:
        found = {}
        for rows in self.store.scan(self.channels[name].collection, units=True):
            found |= {row.clip.clip_id: tuple(row.vector.tolist()) for row in rows}  # type: ignore[union-attr]
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.world.write("a.mp4", "grey 0 hz 1 seconds 6")
    made.world.write("b.mp4", "grey 100 seconds 4")
    return made


def test_every_clip_of_every_lane_is_stored_and_counted(bench: Bench) -> None:
    report = bench.run()
    assert [Path(path).name for path in report.done] == ["a.mp4", "b.mp4"]
    assert (report.clips, report.seconds_of_video, report.failed, report.found) == (5, 10.0, (), 2)
    assert report.counts["decoded"] == report.counts["frames"] == 20
    assert bench.store.count("vision.00000001") == 5
    assert bench.store.count("sound.00000002") == 3, "b.mp4 has no sound: absent, not a vector"
    states = {name: bench.catalog.lanes.of(video_id(bench, name)) for name in ("a.mp4", "b.mp4")}
    assert states["a.mp4"] == {"vision.00000001": "done", "sound.00000002": "done"}
    assert states["b.mp4"] == {"vision.00000001": "done", "sound.00000002": "absent"}
    assert bench.catalog.lanes.pending() == []
    clip = bench.catalog.videos.clips(video_id(bench, "b.mp4"))[1]
    # Frames 4..7 of b.mp4 are 140, 150, 160, 170: their mean is 155.
    expected = np.array([1.0, 155 / 255, 0, 0]) / np.hypot(1.0, 155 / 255)
    assert bench.vectors()[clip.clip_id] == pytest.approx(expected, abs=1e-6)


def video_id(bench: Bench, name: str) -> str:
    return bench.catalog.videos.paths()[(bench.world.folder / name).as_posix()].video_id


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
    assert [len(lane) for lane in plain] == [1 + 2 + 2 + 3 + 3] * 2
    assert vectors("other", workers=workers, batch_size=batch_size, prefetch=prefetch) == plain


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


def known_clips(bench: Bench) -> set[str]:
    return {clip.clip_id for clip in bench.catalog.videos.clips()}


def test_a_lane_that_fails_is_recorded_for_that_lane_alone(bench: Bench) -> None:
    bench.world.write("a.mp4", "grey 0 hz 1 seconds 6 deaf 3.0")
    report = bench.run()
    assert [(f.stage, f.kind, f.message) for f in report.failed] == [
        ("source:sound", "MediaUnreadable", "2 clips: corrupt sound")
    ]
    assert bench.store.count("vision.00000001") == 5
    assert bench.store.count("sound.00000002") == 1, "what could be heard is kept"
    assert bench.catalog.lanes.of(video_id(bench, "a.mp4"))["sound.00000002"] == "failed"
    decoded = list(bench.world.decoded)
    bench.run()
    assert bench.world.decoded == decoded, "the lane is tried again without decoding a picture"


def test_an_encoder_failure_is_of_its_lane_and_is_tried_again(bench: Bench) -> None:
    bench.encoder.fail_on = lambda clip: ValueError("odd clip") if clip.index == 1 else None
    report = bench.run()
    assert {(Path(f.item).name, f.stage, f.message) for f in report.failed} == {
        ("a.mp4", "encode:vision", "odd clip"),
        ("b.mp4", "encode:vision", "odd clip"),
    }
    assert bench.store.count("vision.00000001") == 3
    bench.encoder.fail_on = lambda clip: None
    assert bench.run().failed == ()
    assert bench.store.count("vision.00000001") == 5
    assert bench.catalog.failures() == []


def test_adding_a_lane_that_needs_no_picture_decodes_none(bench: Bench) -> None:
    bench.run()
    decoded, encoded = list(bench.world.decoded), len(bench.encoder.clips)
    bench.channels["speech"] = Channel("speech", bench.words, bench.text_encoder, "00000003")
    report = bench.run()
    assert len(report.done) == 2
    assert bench.world.decoded == decoded
    assert len(bench.encoder.clips) == encoded, "the other lanes are left alone"
    assert bench.store.count("speech.00000003") == 2
    assert bench.words.asked == 5
    bench.channels["speech_words"] = Channel("speech_words", bench.words, bench.text_encoder, "00000004")
    bench.run()
    assert bench.words.asked == 5, "what was heard once is in the catalog"
    assert bench.store.count("speech_words.00000004") == 2


def test_a_picture_lane_added_later_uses_the_clips_of_the_index(bench: Bench) -> None:
    vision = bench.channels.pop("vision")
    bench.run()
    assert bench.world.decoded == []
    clips = bench.catalog.videos.clips()
    bench.channels["vision"] = vision
    bench.run(tools={"segmenter": FixedWindows(1.0)})  # another cut would give other clips
    assert bench.catalog.videos.clips() == clips
    assert set(bench.vectors()) == {clip.clip_id for clip in clips}


def test_repeats_are_left_out_but_no_clip_is_without_a_picture(bench: Bench) -> None:
    bench.run(tools={"distinct": lambda frames: distinct(frames, 0.05)})  # steps are 10 / 255 = 0.039
    assert bench.store.count("vision.00000001") == 5
    counts = bench.run().counts
    assert counts == {}
    bench.world.write("still.mp4", "grey 1 seconds 1")
    kept = bench.run(tools={"distinct": lambda frames: distinct(frames, 1.0)}).counts
    assert (kept["frames"], kept["kept"], kept["repeats"]) == (2, 1, 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_that_are_nobodys_item_stop_the_run_at_once(bench: Bench, workers: int) -> None:
    class Missing(Sound):
        def item(self, media: ClipMedia) -> AudioSamples:
            raise WeightsMissing("no weights in /nowhere")

    bench.channels["sound"] = Channel("sound", Missing(), bench.sound_encoder, "00000002")
    with pytest.raises(WeightsMissing, match="no weights"):
        bench.run(workers=workers)
    assert bench.catalog.videos.all() == []
    assert bench.catalog.lanes.pending() == []
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


def test_an_interrupt_drops_the_video_in_hand_and_keeps_the_rest(bench: Bench) -> None:
    bench.world.write("c.mp4", "grey 30 seconds 8")

    class Interrupting(Encoder):
        def encode_clips(self, items: Sequence[Any], clips: Sequence[Clip]) -> list[Encoded | Failure | None]:
            if clips[0].index == 2 and len(self.clips) > 5:
                raise KeyboardInterrupt
            return super().encode_clips(items, clips)

    bench.encoder = Interrupting()
    bench.channels["vision"] = Channel("vision", Pictures(), bench.encoder, "00000001")
    with pytest.raises(KeyboardInterrupt):
        bench.run(prefetch=0, batch_size=1)
    assert [row.info.path.name for row in bench.catalog.videos.all()] == ["a.mp4", "b.mp4"]
    assert set(bench.vectors()) == known_clips(bench)
    assert bench.catalog.lanes.pending() == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vidembed")]


def test_recover_takes_out_half_done_work_and_notices_lost_vectors(bench: Bench) -> None:
    bench.run()
    done, lost = video_id(bench, "a.mp4"), video_id(bench, "b.mp4")
    catalog, store = bench.catalog, bench.store
    # As after a crash: one video half done, one done but its vectors not on disk, one done and whole.
    half = Clip.make("c" * 32, 0, Span(0, 2))
    row = store.rows("vision.00000001", [catalog.videos.clips(done)[0].clip_id])
    from dataclasses import replace

    store.put("vision.00000001", [replace(next(iter(row.values())), clip=half)])
    catalog.lanes.begin(half.video_id, ["vision.00000001"])
    store.delete(lost)
    catalog.lanes.begin(lost, ["vision.00000001"])
    catalog.lanes.begin(done, ["vision.00000001"])
    assert recover(catalog, store) == 2
    assert catalog.lanes.pending() == []
    assert half.clip_id not in bench.vectors()
    assert "vision.00000001" not in catalog.lanes.of(lost)
    assert catalog.lanes.of(done)["vision.00000001"] == "done"
    assert [Path(path).name for path in bench.run().done] == ["b.mp4"]
    assert store.count("vision.00000001") == 5


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


@pytest.mark.parametrize("workers", [1, 4])
def test_executors_return_every_item_and_stop_at_fatal_errors(workers: int) -> None:
    executor = SerialExecutor() if workers == 1 else ThreadExecutor(workers)

    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number * number

    answers = dict(executor.map(work, range(6)))
    assert {n: a for n, a in answers.items() if n != 3} == {0: 0, 1: 1, 2: 4, 4: 16, 5: 25}
    assert isinstance(answers[3], Failure)
    assert (answers[3].kind, answers[3].message) == ("ValueError", "three")

    def fatal(number: int) -> int:
        raise StoreUnavailable("gone")

    with pytest.raises(StoreUnavailable):
        list(executor.map(fatal, range(6)))


def test_the_thread_executor_takes_items_only_as_room_is_free() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    answers = ThreadExecutor(2).map(lambda number: number, items())
    for _ in range(3):
        next(answers)
    assert len(taken) <= 6
    answers.close()  # type: ignore[attr-defined]
