"""Hand-made media and encoders for tests of indexing: files of words stand for videos, and all work is counted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vidembed.config.schema import RunSettings, SampleSettings, SegmentSettings
from vidembed.errors import MediaUnreadable, NoSuchStream
from vidembed.index.catalog import Catalog
from vidembed.index.executors import SerialExecutor, ThreadExecutor
from vidembed.index.pipeline.jobs import Tools
from vidembed.index.pipeline.run import Indexer, Progress
from vidembed.index.stores.memory import MemoryStore
from vidembed.media.segmenting.sampling import distinct
from vidembed.media.segmenting.segment import FixedWindows, KnownSpans
from vidembed.protocols import Channel, ClipMedia, Encoded, Frame
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
            "open": lambda path: FakeReader(self, path, self.probe(path)),
            "segmenter": FixedWindows(SegmentSettings(window_s=2)),
            "known_spans": KnownSpans,
            "distinct": partial(distinct, settings=SampleSettings()),
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
        facts = read(path)
        known = ("corrupt", "missing", "audio_corrupt")
        self.counts: dict[str, int] = {"decoded": 0} | {key: int(facts[key]) for key in known if key in facts}
        world.opened.append(path.name)

    def stream(self, *, rate_hz: float, short_side_px: int, **how: Any) -> Iterator[Frame]:
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

    modality, needs_frames, short_side_px, producer = "text", False, 0, "speech:fake"

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
            settings=RunSettings(**options),
            forget=self.forget,
        )
        return indexer.run(files, progress=self.seen.append)

    def forget(self, video_id: str) -> None:
        self.store.delete(video_id)
        self.catalog.videos.delete(video_id)

    def vectors(self, name: str = "vision") -> dict[str, tuple[float, ...]]:
        found = {}
        for rows in self.store.scan(self.channels[name].collection, segments=True):
            found |= {row.clip.clip_id: tuple(row.vector.tolist()) for row in rows}  # type: ignore[union-attr]
        return found


def video_id(bench: Bench, name: str) -> str:
    return bench.catalog.videos.paths()[(bench.world.folder / name).as_posix()].video_id


def known_clips(bench: Bench) -> set[str]:
    return {clip.clip_id for clip in bench.catalog.videos.clips()}
