"""What is written in a clip's pictures, by RapidOCR (PP-OCR models inside its wheel, offline)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import ConfigError
from vidembed.protocols import ClipMedia
from vidembed.sources.recognisers import LineReader, ReadLine
from vidembed.types import FrameBatch, Image, Modality, Span, TextLine, TimedText, UnreadLine
from vidembed.vectors import evenly_spaced

_NEAR = 0.04  # of the picture: a line that is not read is the same one if it is that near


class OcrSource:
    """On-screen text: each line once, with the time it is shown. Thread-safe; reads one picture at a time.

    Not all frames of a clip are read: the first and the last, others so that at most `every_s` lie between, then those
    between two whose texts differ, halving the gap until neighbours are reached or `max_frames` are read. So what is
    shown for `every_s` or longer is found, and a text that comes or goes is timed to the sampling of the frames
    (half a second at one frame a second), while a clip that shows the same all along costs few readings.

    A line in a script that no recogniser reads is told as such, never as words: those of other scripts would make up
    letters that look alike.
    """

    modality: Modality = "text"
    needs_frames = True

    def __init__(
        self,
        *,
        short_side_px: int = 480,
        every_s: float = 3.0,
        max_frames: int = 24,
        min_confidence: float = 0.7,
        scripts: Sequence[str] = (),
        threads: int = -1,
        weights_dir: str | Path | None = None,
        offline: bool = False,
    ) -> None:
        """Load nothing yet.

        Args:
            short_side_px: Of the frames to read.
            every_s: What is shown at least this long is found.
            max_frames: How many frames of a clip are read at most.
            min_confidence: Lines below this are left out, as are those with fewer than two letters or digits.
            scripts: To read besides Latin, Chinese and Japanese: "cyrillic", "greek", "arabic", "devanagari", "thai",
                "hangul". Their recognisers are fetched when a line needs them first.
            threads: Of onnxruntime; -1 = all cores.
            weights_dir: A folder with recognisers by name.
            offline: Fetch nothing.

        Raises:
            ConfigError: A value is out of bounds, or there is no recogniser for a script.
        """
        if not (short_side_px >= 32 and every_s > 0 and max_frames >= 1 and 0 <= min_confidence <= 1):
            raise ConfigError(
                "ocr needs short_side_px >= 32, every_s > 0, max_frames >= 1 and 0 <= min_confidence <= 1; "
                f"got {short_side_px}, {every_s}, {max_frames}, {min_confidence}"
            )
        self.short_side_px = short_side_px
        scripts = sorted(set([scripts] if isinstance(scripts, str) else scripts))
        self.producer = f"ocr:rapidocr:{short_side_px}:{every_s:g}:{max_frames}:{min_confidence}:{'+'.join(scripts)}"
        self._every_s, self._max_frames = every_s, max_frames
        self._min_confidence = min_confidence
        self._reader = LineReader(scripts, threads=threads, weights_dir=weights_dir, offline=offline)
        self._lock = threading.Lock()

    def item(self, media: ClipMedia) -> TimedText | None:
        """The clip's lines by time, then from top to bottom; None where nothing is written."""
        if media.frames is None:
            return None
        found = merge(self._read_some(media.frames), media.frames.times_s, media.clip.span)
        lines = tuple(line for line in found if isinstance(line, TextLine))
        unread = tuple(line for line in found if isinstance(line, UnreadLine))
        return TimedText(lines, unread=unread) if found else None

    def _read_some(self, frames: FrameBatch) -> dict[int, list[ReadLine]]:
        """Frame number -> its lines, for the frames worth reading."""
        ends = _spread(frames.times_s, self._every_s, self._max_frames)
        read = {i: self.read(frames.rgb[i]) for i in ends}
        gaps = list(pairwise(ends))
        while gaps and len(read) < self._max_frames:
            gaps.sort(key=lambda gap: gap[0] - gap[1])  # the widest first
            first, last = gaps.pop(0)
            if last - first < 2 or _same(read[first], read[last]):
                continue
            middle = (first + last) // 2
            read[middle] = self.read(frames.rgb[middle])
            gaps += [(first, middle), (middle, last)]
        return read

    def read(self, rgb: Image) -> list[ReadLine]:
        """The lines of one picture, from top to bottom. rgb: (H, W, 3) uint8."""
        with self._lock:
            lines = self._reader.read(rgb)
        kept = [
            line
            for line in lines
            if line.unread or (line.confidence >= self._min_confidence and sum(map(str.isalnum, line.text)) >= 2)
        ]
        return sorted(kept, key=_reading_order)


def merge(read: dict[int, list[ReadLine]], times_s: NDArray[np.float64], clip: Span) -> list[TextLine | UnreadLine]:
    """Lines over time: one per stretch in which a text is seen in each frame that was read.

    A line's span begins where the first frame with it begins to stand (see `_borders`), or with the clip, and ends
    where the next frame read begins. Readings of one line differ by a letter now and then: the best one is kept.
    """
    order = sorted(read)
    borders = _borders(order, times_s)
    before, after = [clip.start_s, *borders], [*borders, clip.end_s]  # of the time that a read frame stands for
    done: list[tuple[int, int, ReadLine]] = []
    running: list[tuple[int, ReadLine]] = []
    for k, index in enumerate(order):
        seen = list(read[index])
        still: list[tuple[int, ReadLine]] = []
        for start, line in running:
            match = next((other for other in seen if _same_line(line, other)), None)
            if match is None:
                done.append((start, k - 1, line))
            else:
                seen.remove(match)
                still.append((start, max(line, match, key=_quality)))
        running = still + [(k, line) for line in seen]
    done += [(start, len(order) - 1, line) for start, line in running]
    done.sort(key=lambda entry: (entry[0], _reading_order(entry[2])))
    return [_timed(Span(before[start], after[stop]), line) for start, stop, line in done]


def _timed(span: Span, line: ReadLine) -> TextLine | UnreadLine:
    return UnreadLine(span, line.unread) if line.unread else TextLine(span, line.text, min(1.0, line.confidence))


def _spread(times_s: NDArray[np.float64], every_s: float, limit: int) -> list[int]:
    """The first frame, the last, and others so that at most every_s lie between where frames do; at most `limit`."""
    chosen = [0]
    for i in range(1, len(times_s)):
        if i == len(times_s) - 1 or times_s[i + 1] - times_s[chosen[-1]] > every_s + 1e-6:
            chosen.append(i)
    return [chosen[i] for i in evenly_spaced(len(chosen), min(limit, len(chosen)))]


def _borders(order: list[int], times_s: NDArray[np.float64]) -> list[float]:
    """The times between frames that were read, at which what is shown is taken to change.

    Frames are distinct: what came before a frame lasted until one sampling step before it. The step is the smallest
    gap between frames, at most a second. With unread frames between, halfway.
    """
    step = min(1.0, float(np.diff(times_s).min())) if len(times_s) > 1 else 1.0
    return [
        float(times_s[b]) - step / 2 if b == a + 1 else (float(times_s[a]) + float(times_s[b])) / 2
        for a, b in pairwise(order)
    ]


def _same_line(first: ReadLine, second: ReadLine) -> bool:
    """Whether two frames show the same line: by its text, or, if it is not read, by its script and place."""
    if first.unread or second.unread:
        near = abs(first.top - second.top) < _NEAR and abs(first.left - second.left) < _NEAR
        return first.unread == second.unread and near
    return _alike(first.text, second.text)


def _alike(first: str, second: str) -> bool:
    """Whether two readings are of the same line: four fifths of the letters agree, or one holds the other."""
    a, b = sorted((first.casefold().replace(" ", ""), second.casefold().replace(" ", "")), key=len)
    if len(a) >= 4 and len(a) * 2 >= len(b) and a in b:
        return True
    return a == b or SequenceMatcher(None, a, b, autojunk=False).ratio() >= 0.8


def _reading_order(line: ReadLine) -> tuple[int, float]:
    """From top to bottom by rows of 2% of the height, in a row from left to right."""
    return round(line.top * 50), line.left


def _quality(line: ReadLine) -> float:
    """Longer is better (the line may be half covered in a frame), then surer."""
    return len(line.text) * line.confidence**4


def _same(first: list[ReadLine], second: list[ReadLine]) -> bool:
    """Whether two frames show the same lines."""
    return len(first) == len(second) and all(any(_same_line(a, b) for b in second) for a in first)
