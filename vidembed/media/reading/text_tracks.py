"""Subtitle tracks of text inside a video, on the picture's clock: SubRip, mov_text, ASS, WebVTT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidembed.config.schema import LimitSettings
from vidembed.media.reading.clock import Clock
from vidembed.media.reading.container import discard_others, mapped_errors, open_container, packets
from vidembed.media.subtitles import SHORTEST_S, language_code, plain
from vidembed.types import Span, SubtitleKind, SubtitleTrack, TextLine

_TEXT_CODECS = frozenset({"ass", "ssa", "subrip", "srt", "mov_text", "webvtt", "text"})  # FFmpeg's decoders


def read_text_tracks(path: Path, limits: LimitSettings, *, clock: Clock) -> list[SubtitleTrack]:
    """Every text track, in the file's order.

    Args:
        path: The video.
        limits: As for pictures.
        clock: The file's.

    Raises:
        MediaUnreadable: The file cannot be opened or read.
    """
    with open_container(path, limits) as container, mapped_errors(path, "read"):
        streams = [s for s in container.streams.subtitles if s.codec_context and s.codec_context.name in _TEXT_CODECS]
        if not streams:
            return []
        discard_others(container, *streams)
        lines: dict[int, list[TextLine]] = {stream.index: [] for stream in streams}
        broken = dict.fromkeys(lines, 0)
        for packet in clock.carried_on(packets(container, streams, {"corrupt": 0}, "corrupt")):
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
