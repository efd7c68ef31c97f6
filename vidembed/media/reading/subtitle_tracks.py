"""Subtitle tracks inside a video, on the picture's clock: of text, and of pictures (PGS, DVB subtitles, VobSub)."""

from __future__ import annotations

import io
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import LimitSettings
from vidembed.media.reading.clock import Clock
from vidembed.media.reading.container import discard_others, mapped_errors, open_container, packets
from vidembed.media.reading.palettes import CODECS, Palette, Palettes
from vidembed.media.subtitles import SHORTEST_S, language_code, plain
from vidembed.types import Span, SubtitleKind, SubtitleTrack, TextLine

MAX_PIXELS = 4096 * 2304  # of one picture
MAX_BYTES = 64 << 20  # of a track's pictures; a film has about 1,500 of 2 to 10 kB
LAST_S = 5.0  # a picture that nothing ends is shown so long
NEAR_S = 0.1  # the same picture after at most so long is still the one before
_ENDLESS_MS = 2**32 - 1
_BRIGHT = 128


@contextmanager
def _sent(
    path: Path, limits: LimitSettings, clock: Clock, codecs: Container[str]
) -> Iterator[tuple[list[Any], Iterable[Any]]]:
    """The subtitle streams of these codecs, in the file's order, and their packets, on the file's clock."""
    with open_container(path, limits) as container, mapped_errors(path, "read"):
        streams = [s for s in container.streams.subtitles if s.codec_context and s.codec_context.name in codecs]
        if streams:
            discard_others(container, *streams)
        yield streams, clock.carried_on(packets(container, streams, {"corrupt": 0}, "corrupt")) if streams else ()


def read_picture_tracks(path: Path, limits: LimitSettings, *, clock: Clock) -> list[SubtitleTrack]:
    """Every track of pictures, in the file's order; lines without text, with their pictures.

    Args:
        path: The video.
        limits: As for pictures.
        clock: The file's.

    Raises:
        MediaUnreadable: The file cannot be opened or read.
    """
    with _sent(path, limits, clock, CODECS) as (streams, sent):
        tracks = {s.index: _Track(s.codec_context.name, bytes(s.codec_context.extradata or b"")) for s in streams}
        for packet in sent:
            if packet.pts is not None and packet.size:
                tracks[packet.stream.index].add(packet, float(packet.pts * packet.time_base) - clock.start_s)
        found = []
        for number, stream in enumerate(streams, start=1):
            shown = tracks[stream.index].finished()
            lines = tuple(TextLine(span, "") for span, _ in shown)
            pictures = tuple(png for _, png in shown)
            found.append(described_track(stream, number, lines, pictures=pictures))
        return found


class _Track:
    """Puts the packets of one track together: what is shown, from when to when."""

    def __init__(self, codec: str, header: bytes) -> None:
        self._palettes = Palettes(codec, header)
        self._done: list[tuple[Span, bytes]] = []
        self._shown: tuple[float, float, bytes] | None = None  # from, at most until, picture
        self._bytes = 0

    def add(self, packet: Any, time_s: float) -> None:
        import av

        palette = self._palettes.of(bytes(packet))
        try:
            events = packet.stream.decode2(packet)
        except av.error.FFmpegError:
            return
        if events is None:
            return
        begin_s = time_s + events.start_display_time / 1000
        picture = _png(list(events), palette)
        self._end(begin_s)
        if picture is not None and self._bytes < MAX_BYTES:
            self._shown = (begin_s, _until(packet, events, begin_s), picture)

    def finished(self) -> list[tuple[Span, bytes]]:
        """All pictures with their times, in order."""
        if self._shown is not None:
            self._end(self._shown[0] + LAST_S)
        return sorted(self._done, key=lambda one: one[0])

    def _end(self, time_s: float) -> None:
        if self._shown is None:
            return
        begin_s, until_s, picture = self._shown
        self._shown = None
        span = max(begin_s, 0.0), min(time_s, until_s)
        if span[0] >= span[1]:
            return
        if self._done and self._done[-1][1] == picture and 0 <= span[0] - self._done[-1][0].end_s <= NEAR_S:
            span = self._done.pop()[0].start_s, span[1]  # sent again, for players that begin in the middle
        else:
            self._bytes += len(picture)
        self._done.append((Span(*span), picture))


def _until(packet: Any, events: Any, begin_s: float) -> float:
    """When a picture is taken away at the latest, by its packet; endless where it does not say."""
    said = [events.end_display_time - events.start_display_time] if events.end_display_time < _ENDLESS_MS else []
    if packet.duration and packet.duration < _ENDLESS_MS:
        said.append(float(packet.duration * packet.time_base) * 1000)
    return begin_s + min((ms for ms in said if ms > 0), default=float("inf")) / 1000


def _png(pictures: Sequence[Any], palette: Palette) -> bytes | None:
    """What is shown at once, bright on dark, as a grey PNG; None where nothing is."""
    from PIL import Image as Picture

    placed = [(p.x, p.y, numbers) for p in pictures for numbers in _numbers(p)]
    if not placed:
        return None
    left, top = min(x for x, _, _ in placed), min(y for _, y, _ in placed)
    width = max(x + n.shape[1] for x, _, n in placed) - left
    height = max(y + n.shape[0] for _, y, n in placed) - top
    if width * height > MAX_PIXELS:
        return None
    light = np.zeros((height, width, 2), np.uint8)
    for x, y, numbers in placed:
        light[y - top : y - top + numbers.shape[0], x - left : x - left + numbers.shape[1]] = palette[numbers]
    bright, opaque = light[..., 0].astype(np.uint16), light[..., 1].astype(np.uint16)
    if not opaque.any():
        return None
    if bright[opaque > _BRIGHT].max(initial=0) < _BRIGHT:  # dark letters without a bright rim
        bright = 255 - bright
    buffer = io.BytesIO()
    Picture.fromarray((bright * opaque // 255).astype(np.uint8)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _numbers(picture: Any) -> Iterator[NDArray[np.uint8]]:
    """(H, W) colour numbers of one picture; nothing of an empty one."""
    if picture.type == b"bitmap" and picture.planes and picture.width and picture.height:
        flat = np.frombuffer(picture.planes[0], np.uint8)
        stride = flat.size // picture.height
        yield flat[: stride * picture.height].reshape(picture.height, stride)[:, : picture.width]


_TEXT_CODECS = frozenset({"ass", "ssa", "subrip", "srt", "mov_text", "webvtt", "text"})  # FFmpeg's decoders


def read_text_tracks(path: Path, limits: LimitSettings, *, clock: Clock) -> list[SubtitleTrack]:
    """Every text track, in the file's order; arguments and errors as of `read_picture_tracks`."""
    with _sent(path, limits, clock, _TEXT_CODECS) as (streams, sent):
        lines: dict[int, list[TextLine]] = {stream.index: [] for stream in streams}
        broken = dict.fromkeys(lines, 0)
        for packet in sent:
            if packet.pts is None or packet.size == 0:
                continue
            text = plain(_words(packet))
            begin_s = float(packet.pts * packet.time_base) - clock.start_s
            end_s = begin_s + float((packet.duration or 0) * packet.time_base)
            if text and end_s > 0:
                broken[packet.stream.index] += end_s <= begin_s
                begin_s = max(begin_s, 0.0)
                lines[packet.stream.index].append(TextLine(Span(begin_s, max(end_s, begin_s + SHORTEST_S)), text))
        return [
            described_track(stream, number, tuple(lines[stream.index]), broken=broken[stream.index])
            for number, stream in enumerate(streams, start=1)
        ]


def _words(packet: Any) -> str:
    """The packet's text with its markup; empty when it does not decode."""
    import av

    try:
        events = packet.decode()
    except av.error.FFmpegError:
        return ""
    return "\n".join(event.dialogue.decode("utf-8", "replace") for event in events or () if event.type == b"ass")


def described_track(
    stream: Any, number: int, lines: tuple[TextLine, ...], *, broken: int = 0, pictures: tuple[bytes, ...] = ()
) -> SubtitleTrack:
    """A track's lines with what the container says of it. number: counted from 1, for people."""
    from av.stream import Disposition

    given = stream.disposition
    title = stream.metadata.get("title", "").casefold()
    kind: SubtitleKind = "full"
    if given & Disposition.forced or "forced" in title:
        kind = "forced"
    elif given & (Disposition.hearing_impaired | Disposition.captions) or "sdh" in title:
        kind = "sdh"
    return SubtitleTrack(
        lines=tuple(sorted(lines, key=lambda line: line.span)),
        pictures=pictures,
        origin=f"subtitle track {number} ({stream.codec_context.codec.canonical_name})",
        language=language_code(stream.metadata.get("language", "und")),
        kind=kind,
        default=bool(given & Disposition.default),
        broken=broken,
    )
