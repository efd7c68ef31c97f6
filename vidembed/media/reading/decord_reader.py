"""Frames through decord; sound through PyAV, whose clock both readers share.

decord finds frames by number. Measured against a full decode, the numbers lead to wrong pictures in MPEG-TS, MPEG-PS
and AVI files, after seeks in files with open GOPs, and where an edit list hides frames. So the packets are looked
through first (without decoding), and a file that decord would get wrong is refused instead, as is one whose damage it
covers up with copies of neighbouring frames (half-damaged pictures it does not notice). It ships an FFmpeg of 2020:
no AV1. A file is given to it only after PyAV's allow-list let it pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import MediaSettings
from vidembed.errors import MediaUnreadable, needs
from vidembed.media.reading.audio import OpenFile
from vidembed.media.reading.bitstream import begins_group
from vidembed.media.reading.container import open_container, packets
from vidembed.media.reading.gops import group, slot_of
from vidembed.media.reading.scaling import transfer_of
from vidembed.media.segmenting.shots import with_known_cuts
from vidembed.protocols import Frame, StreamMode
from vidembed.types import FrameBatch, Image, Span

_EPSILON_S = 1e-6
_CHUNK = 16  # frames decoded in one call when streaming
_ALIGNED_PX = 32  # decord fails on narrower pictures, and on turned ones whose rows do not fill this alignment
_NO_REPAIRS = 1e-9  # share of damaged frames that decord may replace by copies of their neighbours without saying so
_SAME_TIME_S = 2e-3  # Matroska rounds to milliseconds
_EDITED = "it finds wrong frames in files with an edit list or without times"
_TRUSTED = ("mov", "matroska")


# decord raises a bare Exception subclass of its own for most things, RuntimeError and AssertionError for others.
_FOREIGN = Exception


class DecordReader(OpenFile):
    """One opened video (`protocols.VideoReader`).

    counts["decoded"] are the frames handed over: decord does not say how many it decoded for them.
    """

    backend: str = "decord"

    def __init__(self, path: str | Path, settings: MediaSettings | None = None, *, threads: int = 0) -> None:
        """threads: that decode; 0 = decord's choice."""
        super().__init__(path, settings)
        self._threads = threads
        self._reader: Any = None
        self._size: tuple[int, int] | None = None
        self._times_s: NDArray[np.float64] = np.empty(0)

    def frames(self, times_s: Sequence[float], *, short_side_px: int) -> FrameBatch:
        if not len(times_s):
            raise ValueError("frames needs at least one time")
        self._open(short_side_px)
        asked_s = np.asarray(times_s, dtype=np.float64)
        found = np.searchsorted(self._times_s, asked_s + _EPSILON_S, side="right") - 1
        numbers = np.unique(np.maximum(found, 0))
        images = self._decode(numbers)
        return FrameBatch(np.stack(images), self._times_s[numbers])

    def stream(
        self,
        *,
        rate_hz: float,
        short_side_px: int,
        span: Span | None = None,
        mode: StreamMode = "fixed",
        cuts: bool = False,
    ) -> Iterator[Frame]:
        if not rate_hz > 0:
            raise ValueError(f"rate_hz must be positive, got {rate_hz}")
        if cuts:
            frames = self.stream(rate_hz=rate_hz, short_side_px=short_side_px, span=span, mode=mode)
            cuts_s = self._cuts(rate_hz, span, mode)
            yield from with_known_cuts(frames, cuts_s, lambda at_s: self._first_frame(at_s, short_side_px))
            return
        self._open(short_side_px)
        numbers = self._chosen(rate_hz, mode, span)
        if not numbers and span is not None and mode != "keyframes":
            numbers = [max(0, int(np.searchsorted(self._times_s, span.start_s + _EPSILON_S, side="right")) - 1)]
        for start in range(0, len(numbers), _CHUNK):
            chunk = np.asarray(numbers[start : start + _CHUNK])
            for number, image in zip(chunk, self._decode(chunk), strict=True):
                yield Frame(float(self._times_s[number]), image)
        self._counts["skipped"] = max(0, len(self._times_s) - self._counts["decoded"])

    def close(self) -> None:
        self._reader = None
        super().close()

    def _cuts(self, rate_hz: float, span: Span | None, mode: StreamMode) -> list[float]:
        """As PyAV's reader finds them: decord does not show what it decodes on the way to a frame."""
        from vidembed.media.reading.pyav_reader import PyavReader

        with PyavReader(self._path, MediaSettings(limits=self._limits), threads=self._threads) as video:
            frames = video.stream(rate_hz=rate_hz, short_side_px=_ALIGNED_PX, span=span, mode=mode, cuts=True)
            return [frame.cut_s for frame in frames if frame.cut_s is not None]

    def _first_frame(self, at_s: float, short_side_px: int) -> Frame:
        found = self.frames([at_s], short_side_px=short_side_px)
        return Frame(float(found.times_s[0]), found.rgb[0])

    def _chosen(self, rate_hz: float, mode: StreamMode, span: Span | None) -> list[int]:
        """Frame numbers by the rules of `gops`."""
        keys = frozenset(self._reader.get_key_indices()) if mode != "fixed" else frozenset()
        chosen: dict[int, int] = {}
        for number, time_s in enumerate(self._times_s):
            if span is not None and not span.contains(time_s):
                continue
            slot, is_key = slot_of(time_s, rate_hz), number in keys
            if mode == "keyframes" and not is_key:
                continue
            if slot not in chosen or (mode == "adaptive" and is_key and chosen[slot] not in keys):
                chosen[slot] = number
        return sorted(chosen.values())

    def _decode(self, numbers: NDArray[np.int64]) -> list[Image]:
        try:
            batch = self._reader.get_batch(numbers.tolist()).asnumpy()
        except _FOREIGN as error:
            raise self._unreadable(error) from error
        assert self._size is not None
        width, height = self._size
        self._counts["decoded"] += len(numbers)
        self._counts["seeks"] += 1
        images = []
        for image in batch:
            # decord turns pictures itself; those it was asked for in another size are left to scale.
            images.append(image if image.shape[:2] == (height, width) else _resized(image, width, height))
        return images

    def _open(self, short_side_px: int) -> None:
        """Open the file, again for another size: decord scales while decoding, to a size fixed when it opens."""
        geometry = self._geometry()
        width, height = geometry.scaled_size(short_side_px)
        size = (height, width) if geometry.turns % 2 else (width, height)
        if self._reader is not None and size == self._size:
            return
        with needs("decord", extra="all", purpose="the decord reader"):
            import decord
        if not len(self._times_s):
            self._times_s = self._scan()
        decord.logging.set_level(decord.logging.QUIET)
        try:
            self._reader = decord.VideoReader(
                str(self._path.absolute()),
                ctx=decord.cpu(0),
                width=_asked(size[0], geometry.turns),
                height=_asked(size[1], geometry.turns),
                num_threads=self._threads,
                fault_tol=_NO_REPAIRS,
            )
            stamps = self._reader.get_frame_timestamp(range(len(self._reader)))[:, 0]
        except _FOREIGN as error:
            self._reader = None
            raise self._unreadable(error) from error
        own_s = self._times_s - self._times_s[:1]  # decord counts from the first picture
        if len(stamps) != len(own_s) or not np.allclose(stamps, own_s, atol=_SAME_TIME_S):
            self._reader = None
            raise self._refused(f"its table of {len(stamps)} frame times is not the file's ({len(self._times_s)})")
        self._size = size

    def _scan(self) -> NDArray[np.float64]:
        """(T,) times of all frames, from the packets. Raises MediaUnreadable for what decord gets wrong."""
        assert self._headers.video_index is not None
        with open_container(self._path, self._limits) as container:
            if container.format.name.split(",")[0] not in _TRUSTED:
                raise self._refused(f"it finds wrong frames in {container.format.name} files")
            stream = container.streams[self._headers.video_index]
            if transfer_of(stream.codec_context):
                raise self._refused("it gives wrong colours for high dynamic range")
            if self._geometry().mirrored:
                raise self._refused("it does not mirror pictures")
            if any(self._geometry().hidden_px):
                raise self._refused("it shows edges that are to be hidden")
            if stream.index in self._headers.hidden:
                raise self._refused(_EDITED)
            begins = begins_group(stream.codec_context.codec.canonical_name, stream.codec_context.extradata)
            stamps: list[float] = []
            for gop in group(
                packets(container, stream, self._counts, "corrupt"),
                lambda packet: None if packet.pts is None else float(packet.pts * packet.time_base),
            ):
                if gop.refers_back:
                    raise self._refused("it finds wrong frames in files with open GOPs")
                if any(packet.is_discard or packet.pts is None for packet in gop.packets):
                    raise self._refused(_EDITED)
                if gop.packets[0].is_keyframe and not begins(gop.packets[0]):
                    raise self._refused("it finds wrong frames in files with periodic intra refresh")
                stamps.extend(time_s for time_s in gop.times_s if time_s is not None)
        return np.sort(np.asarray(stamps, dtype=np.float64)) - self._headers.start_s

    def _refused(self, reason: str) -> MediaUnreadable:
        return MediaUnreadable(
            f"{self._path.name}: not readable with decord: {reason}", hint="use the default reader: media.reader=pyav"
        )

    def _unreadable(self, error: BaseException) -> MediaUnreadable:
        return self._refused(f"it fails with: {' '.join(str(error).split())[:200]}")


def _asked(side_px: int, turns: int) -> int:
    """The side to ask decord for; what is not the side wanted is scaled afterwards."""
    return -(-side_px // _ALIGNED_PX) * _ALIGNED_PX if turns or side_px < _ALIGNED_PX else side_px


def _resized(image: Image, width: int, height: int) -> Image:
    import PIL.Image

    return np.asarray(PIL.Image.fromarray(image).resize((width, height), PIL.Image.Resampling.BICUBIC))
