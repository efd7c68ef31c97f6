"""On-screen text: how readings are merged over time, which frames are read, and what RapidOCR really reads."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

from vidembed.errors import ConfigError, MissingDependency, ModelError
from vidembed.protocols import ClipMedia
from vidembed.sources import recognisers
from vidembed.sources.ocr import OcrSource, ReadLine, merge
from vidembed.types import Clip, FrameBatch, Span

SPAN = Span(10.0, 20.0)


def line(text: str, confidence: float = 0.9, top: float = 0.5) -> ReadLine:
    return ReadLine(text, confidence, top)


def times(*seconds: float) -> np.ndarray:
    return np.array(seconds, dtype=np.float64)


class TestMerge:
    def test_a_text_lasts_from_its_first_frame_to_the_first_without_it(self) -> None:
        read = {0: [], 1: [line("hello")], 2: [line("hello")], 3: []}
        (merged,) = merge(read, times(10, 11, 12, 13), SPAN)
        assert (merged.text, merged.span) == ("hello", Span(10.5, 12.5))

    def test_at_the_ends_of_a_clip_it_lasts_to_the_border(self) -> None:
        (merged,) = merge({0: [line("hello")]}, times(14), SPAN)
        assert merged.span == SPAN

    def test_frames_left_out_as_repeats_looked_like_the_one_before(self) -> None:
        # Nothing changed from 11 s until just before 17 s, so the text came at about 17 s, not halfway at 14 s.
        (merged,) = merge({0: [], 1: [], 2: [line("hello")]}, times(10, 11, 17), SPAN)
        assert merged.span == Span(16.5, 20)

    def test_between_frames_with_unread_ones_the_border_is_halfway(self) -> None:
        (merged,) = merge({0: [], 4: [line("hello")]}, times(10, 11, 12, 13, 14), SPAN)
        assert merged.span == Span(12, 20)

    def test_readings_of_one_line_are_one_line_and_the_best_is_kept(self) -> None:
        read = {
            0: [line("THANKS FOR WAICHING", 0.8)],
            1: [line("THANKS FOR WATCHING", 0.99)],
            2: [line("THANKS FOR", 0.9)],
        }
        (merged,) = merge(read, times(10, 11, 12), SPAN)
        assert (merged.text, merged.confidence) == ("THANKS FOR WATCHING", 0.99)

    def test_other_texts_are_other_lines_in_order_of_time_then_place(self) -> None:
        read = {
            0: [line("title", top=0.1), line("subtitle one", top=0.9)],
            1: [line("title", top=0.1), line("next words", top=0.9)],
        }
        merged = merge(read, times(10, 11), SPAN)
        assert [(m.text, m.span) for m in merged] == [
            ("title", Span(10, 20)),
            ("subtitle one", Span(10, 10.5)),
            ("next words", Span(10.5, 20)),
        ]

    def test_a_text_that_returns_is_two_lines(self) -> None:
        read = {0: [line("hello")], 1: [], 2: [line("hello")]}
        assert [m.span for m in merge(read, times(10, 11, 12), SPAN)] == [Span(10, 10.5), Span(11.5, 20)]


class Scripted(OcrSource):
    """Reads what is planned for each frame; the frame's number is its first pixel. Counts its readings."""

    def __init__(self, plan: list[str], **options: Any) -> None:
        super().__init__(**options)
        self.plan, self.seen = plan, list[int]()

    def read(self, rgb: np.ndarray) -> list[ReadLine]:
        self.seen.append(int(rgb[0, 0, 0]))
        text = self.plan[self.seen[-1]]
        return [line(text)] if text else []


def media(n: int, span: Span = SPAN) -> ClipMedia:
    rgb = np.zeros((n, 4, 4, 3), np.uint8)
    rgb[:, 0, 0, 0] = np.arange(n)
    clip = Clip.make("a" * 32, 0, span)
    return ClipMedia(clip, None, FrameBatch(rgb, span.start_s + np.arange(n, dtype=np.float64)), None)  # type: ignore[arg-type]


def test_a_clip_that_stays_the_same_costs_one_reading_in_three_seconds() -> None:
    source = Scripted(["same"] * 10, every_s=3)
    text = source.item(media(10))
    assert source.seen == [0, 3, 6, 9]
    assert text is not None
    assert [(ln.text, ln.span) for ln in text.lines] == [("same", SPAN)]


def test_a_change_is_timed_to_the_sampling_step() -> None:
    source = Scripted([""] * 7 + ["hello"] * 3, every_s=9)
    text = source.item(media(10))
    assert text is not None
    (only,) = text.lines
    assert only.span == Span(16.5, 20.0)  # first seen at 17 s, sampled once a second
    assert len(source.seen) <= 6


def test_a_text_of_three_seconds_inside_a_long_clip_is_found_with_both_borders() -> None:
    for begins in range(1, 16):
        plan = [""] * 20
        plan[begins : begins + 3] = ["hello"] * 3
        source = Scripted(plan)
        text = source.item(media(20, Span(0, 20)))
        assert text is not None, begins
        assert [ln.span for ln in text.lines] == [Span(begins - 0.5, begins + 2.5)]
        assert len(source.seen) <= 12


def test_distinct_frames_far_apart_are_all_read() -> None:
    # A still picture on which a text stands from 5 s to 9 s: only the frames that differ are there.
    source = Scripted(["", "hello", "", "bye"])
    shown = media(4, Span(0, 20))
    assert shown.frames is not None
    frames = FrameBatch(shown.frames.rgb, times(0, 5, 9, 18))
    text = source.item(ClipMedia(shown.clip, None, frames, None))  # type: ignore[arg-type]
    assert text is not None
    assert [(ln.text, ln.span) for ln in text.lines] == [("hello", Span(4.5, 8.5)), ("bye", Span(17.5, 20))]


@pytest.mark.parametrize("limit", [1, 6])
def test_no_more_frames_are_read_than_allowed(limit: int) -> None:
    source = Scripted([f"number {chr(97 + i) * 9}" for i in range(32)], max_frames=limit)
    source.item(media(32, Span(0, 32)))
    assert len(source.seen) == limit


def test_no_picture_or_nothing_written_is_absent() -> None:
    source = Scripted([""] * 5)
    assert source.item(media(5)) is None
    assert source.item(ClipMedia(Clip.make("a" * 32, 0, SPAN), None, None, None)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"short_side_px": 8}, {"every_s": 0}, {"max_frames": 0}, {"min_confidence": 1.5}])
def test_bad_settings_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="every_s"):
        OcrSource(**options)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rapidocr", None)
    with pytest.raises(MissingDependency) as caught:
        OcrSource().read(np.zeros((64, 64, 3), np.uint8))
    assert "vidembed[ocr]" in caught.value.hint


@pytest.fixture(scope="module")
def source() -> OcrSource:
    pytest.importorskip("rapidocr")
    return OcrSource(threads=1)


class TestRealReader:
    def test_reads_drawn_lines_from_top_to_bottom(self, source: OcrSource) -> None:
        picture = PILImage.new("RGB", (640, 360), (20, 60, 30))
        draw = ImageDraw.Draw(picture)
        draw.text((40, 230), "Invoice 2024-117", fill="yellow", font=ImageFont.load_default(36))
        draw.text((40, 60), "Hello World", fill="white", font=ImageFont.load_default(36))
        lines = source.read(np.asarray(picture))
        assert [ln.text for ln in lines] == ["Hello World", "Invoice 2024-117"]
        assert all(ln.confidence > 0.9 for ln in lines)
        assert 0.1 < lines[0].top < 0.25 < 0.6 < lines[1].top < 0.7

    def test_a_picture_without_text_and_noise_read_as_nothing(self, source: OcrSource) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
        gradient = np.tile(np.linspace(0, 255, 320, dtype=np.uint8)[None, :, None], (240, 1, 3))
        assert source.read(noise) == source.read(gradient) == source.read(np.zeros((16, 16, 3), np.uint8)) == []

    def test_threads_share_one_reader(self, source: OcrSource) -> None:
        picture = PILImage.new("RGB", (320, 120), "black")
        ImageDraw.Draw(picture).text((20, 30), "Together", fill="white", font=ImageFont.load_default(36))
        found: list[list[ReadLine]] = []
        threads = [threading.Thread(target=lambda: found.append(source.read(np.asarray(picture)))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [[ln.text for ln in lines] for lines in found] == [["Together"]] * 3

    def test_gradios_video_thanks_for_watching(self, source: OcrSource) -> None:
        gradio = pytest.importorskip("gradio")
        av = pytest.importorskip("av")
        path = Path(gradio.__file__).parent / "media_assets" / "videos" / "a.mp4"
        if not path.is_file():
            pytest.skip("this gradio has no a.mp4")
        rgb, shown = [], []
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                if not shown or frame.time >= shown[-1] + 1:
                    rgb.append(frame.to_ndarray(format="rgb24", width=854, height=480))
                    shown.append(float(frame.time))
        clip = Clip.make("a" * 32, 0, Span(0, 7))
        text = source.item(ClipMedia(clip, None, FrameBatch(np.stack(rgb), np.array(shown)), None))  # type: ignore[arg-type]
        assert text is not None
        assert "thanks for watching" in text.text.casefold()
        # Frames 2.5 s to 5.5 s show it (looked at by eye).
        best = max(text.lines, key=lambda ln: ln.span.duration_s)
        assert best.span.overlap_s(Span(2.5, 5.5)) > 2.4
        assert best.span.iou(Span(2.5, 5.5)) > 0.7


def test_a_failing_reader_is_our_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(threads: int, params: dict[str, Any]) -> Any:
        def engine(picture: np.ndarray) -> Any:
            raise RuntimeError("session is gone")

        return engine

    monkeypatch.setattr(recognisers, "_load_rapidocr", broken)
    with pytest.raises(ModelError, match="session is gone"):
        OcrSource().read(np.zeros((64, 64, 3), np.uint8))
