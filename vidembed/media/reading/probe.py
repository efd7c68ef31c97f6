"""Container headers (and one decoded picture, for its rotation) to `VideoInfo`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidembed.config.schema import LimitSettings
from vidembed.errors import MediaUnreadable, NoSuchStream
from vidembed.media.files import mtime_ns, video_id
from vidembed.media.reading import matroska, mp4
from vidembed.media.reading.clock import UNSTAMPED, Clock, extent
from vidembed.media.reading.container import (
    a_picture,
    beyond_limit,
    check_picture,
    demuxer,
    encrypted,
    is_scrambled,
    mapped_errors,
    only_decoding_times,
    open_container,
    packets,
)
from vidembed.media.reading.scaling import NO_EDGES, Edges, Geometry, Transfer, orientation, transfer_of
from vidembed.types import Span, VideoInfo, format_time

if TYPE_CHECKING:
    from av.container import InputContainer

_FIRST_PACKETS = 120  # how far to look for the first picture or sound that decodes
_SAME_S = 0.1
_CUT_OFF_S = 0.5  # what ends this long before the headers say so is missing, not rounded away
_PICTURE_CODECS = frozenset({"png", "bmp", "tiff", "webp", "gif"})
_SMALLEST_DURATION_S = 0.04  # one frame at 25/s: a span cannot be empty


@dataclass(frozen=True)
class Headers:
    """What the readers need beyond `VideoInfo`. missing: frames that the headers promise behind the last one."""

    info: VideoInfo
    clock: Clock
    geometry: Geometry | None
    video_index: int | None  # stream index in the container
    audio_indices: tuple[int, ...]  # in the file's order
    audio_index: int | None  # the one that players choose
    missing: int = 0
    transfer: Transfer | None = None  # of high dynamic range
    hidden: dict[int, tuple[Span, ...]] = field(default_factory=dict)  # when nothing of a stream is shown, from t = 0

    @property
    def start_s(self) -> float:
        """The container's time of t = 0."""
        return self.clock.start_s


def probe(path: str | Path, limits: LimitSettings | None = None) -> VideoInfo:
    """Read the headers of one local file.

    Raises:
        MediaNotFound: There is no such file.
        MediaUnreadable: The file is damaged, not a media file, refused, or beyond the limits.
        NoSuchStream: It holds neither picture nor sound.
    """
    limits = limits or LimitSettings()
    with open_container(path, limits) as container:
        return read_headers(container, Path(path), limits).info


def read_headers(container: InputContainer, path: Path, limits: LimitSettings) -> Headers:
    """Describe an opened container; its position afterwards is undefined."""
    video, audio = picture_stream(container), sound_streams(container)
    if not audio and (video is None or video.frames == 1) and (picture := a_picture(path)):
        raise picture
    if video is None and not audio:
        if is_scrambled(path):
            raise encrypted(path)
        raise NoSuchStream(f"{path.name}: neither picture nor sound that can be decoded")
    sound = _chosen_sound(audio)
    with mapped_errors(path, "read"):
        if video is not None:
            check_picture(limits, video.codec_context.width, video.codec_context.height, path.name)
        begins = _beginning(container, path, video, audio)
        indices = tuple(stream.index for stream in ([video] if video is not None else []) + audio)
        picture = None if video is None else video.index
        found = extent(container, path, limits, streams=indices, picture=picture, start_s=begins.start_s)
    fps = _rate(container, video)
    frame_s = float(1 / fps) if fps else _SMALLEST_DURATION_S
    duration_s = max(found.end_s, frame_s)
    if duration_s > limits.max_duration_s:
        what = f"{format_time(duration_s)} is longer than the allowed {format_time(limits.max_duration_s)}"
        raise beyond_limit(path.name, what, "media.limits.max_duration_s")
    status = path.stat()
    geometry = None if video is None else _geometry(video, begins.picture, _hidden_edges(container, path, video))
    width_px, height_px = geometry.shown_size if geometry else (0, 0)
    info = VideoInfo(
        video_id=video_id(path),
        path=path,
        size_bytes=status.st_size,
        mtime_ns=mtime_ns(status),
        duration_s=duration_s,
        width_px=width_px,
        height_px=height_px,
        fps=fps,
        audio_rate_hz=sound.codec_context.sample_rate if sound is not None else None,
        audio_channels=sound.codec_context.channels if sound is not None else None,
        codec=video.codec_context.codec.canonical_name if video is not None else "",
    )
    return Headers(
        info,
        found.clock,
        geometry,
        picture,
        tuple(stream.index for stream in audio),
        None if sound is None else sound.index,
        round(found.missing_s * fps) if found.missing_s > _CUT_OFF_S + frame_s else 0,
        None if begins.picture is None else transfer_of(begins.picture),
        _hidden_spans(container, path, found.clock.start_s),
    )


def picture_stream(container: InputContainer) -> Any | None:
    """The moving picture that players choose: the one marked as default, else the largest.

    Cover art, previews and other single pictures count only where there is nothing else.
    """
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails
    found = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None
        and not stream.disposition & still
        and stream.codec_context.width > 0
        and stream.codec_context.height > 0
    ]

    def rank(stream: Any) -> tuple[bool, bool, int]:
        context = stream.codec_context
        single = stream.frames == 1 or context.codec.canonical_name in _PICTURE_CODECS
        return not single, bool(stream.disposition & Disposition.default), context.width * context.height

    return max(found, key=rank, default=None)


def sound_streams(container: InputContainer) -> list[Any]:
    """Those that can be decoded, in the file's order."""
    return [stream for stream in container.streams.audio if stream.codec_context is not None]


def _chosen_sound(streams: list[Any]) -> Any | None:
    """The one marked as default; else the first that is no commentary and made for no one in particular."""
    from av.stream import Disposition

    special = Disposition.comment | Disposition.hearing_impaired | Disposition.visual_impaired

    def rank(stream: Any) -> tuple[bool, bool]:
        return bool(stream.disposition & Disposition.default), not stream.disposition & special

    return max(streams, key=rank, default=None)


def _rate(container: InputContainer, video: Any | None) -> Fraction:
    """Pictures a second. AVI and DV files may name the ticks of their clock as the average, bare pictures nothing."""
    if video is None:
        return Fraction(0)
    known = (video.guessed_rate,) if demuxer(container) in UNSTAMPED else (video.average_rate, video.guessed_rate)
    rates = [Fraction(rate) for rate in known if rate and rate > 0]
    return min(rates, default=Fraction(0))


@dataclass(frozen=True)
class _Beginning:
    """start_s: the container's time of t = 0; picture: the first one, where one decodes near the beginning."""

    start_s: float
    picture: Any | None = None


def _beginning(container: InputContainer, path: Path, video: Any | None, audio: list[Any]) -> _Beginning:
    """Decode the first picture, or the first sound. t = 0 is the earliest of picture and sound, as in players.

    Sound that begins less than _SAME_S before the picture, as its encoder's delay makes it, moves nothing.
    """
    if video is None:
        return _Beginning(_first_sound_s(container, path, audio))
    heard_s = None
    first = None
    for packet, frames in _decoded(container, path, [video, *audio], video):
        if packet.stream.index != video.index:
            if packet.pts is not None and not packet.is_discard:
                time_s = float(packet.pts * packet.time_base)
                heard_s = time_s if heard_s is None else min(heard_s, time_s)
        elif frames:
            first = frames[0]
            break
    # Headers may name the time of the first packet instead, as AVI does with B-frames.
    stamp = None if first is None else first.dts if only_decoding_times(container, video) else first.pts
    shown_s = _start_s(container, video) if stamp is None else float(stamp * video.time_base)
    early = heard_s is not None and heard_s < shown_s - _SAME_S
    return _Beginning(heard_s if early and heard_s is not None else shown_s, first)


def _first_sound_s(container: InputContainer, path: Path, audio: list[Any]) -> float:
    """When the first sound that decodes begins. Raises MediaUnreadable when none does."""
    for packet, frames in _decoded(container, path, audio, *audio):
        if frames:
            begins = packet.stream.start_time
            return _start_s(container, packet.stream) if begins is not None else frames[0].time or 0.0
    raise MediaUnreadable(
        f"{path.name}: no sound in it can be decoded",
        hint="damaged, or cut off right behind its headers; try playing it with ffplay",
    )


def _decoded(
    container: InputContainer, path: Path, streams: list[Any], *decoding: Any
) -> Iterator[tuple[Any, list[Any]]]:
    """The first packets of the streams, and what comes out of those that are decoded."""
    import av

    wanted = {stream.index for stream in decoding}
    number = 0
    for packet in packets(container, streams, {"corrupt": 0}, "corrupt"):
        if packet.has_sidedata("encryption_info"):
            raise encrypted(path)
        whole: list[Any] = []
        if packet.stream.index in wanted:
            number += 1
            with suppress(av.error.FFmpegError):
                whole = [frame for frame in packet.decode() if not frame.is_corrupt]
        yield packet, whole
        if number >= _FIRST_PACKETS:
            return


def _start_s(container: InputContainer, stream: Any) -> float:
    """By the headers."""
    if stream.start_time is not None:
        return float(stream.start_time * stream.time_base)
    return container.start_time / 1_000_000 if container.start_time is not None else 0.0


def _geometry(video: Any, first: Any | None, hidden_px: Edges) -> Geometry:
    """Size, aspect, and how the picture is turned; FFmpeg hands that over with the decoded pictures."""
    context, aspect = video.codec_context, video.sample_aspect_ratio
    turns, mirrored = (0, False) if first is None else orientation(first)
    width, height = (context.width, context.height) if first is None else (first.width, first.height)
    left, top, right, bottom = hidden_px
    if left + right >= width or top + bottom >= height:
        left, top, right, bottom = hidden_px = NO_EDGES
    aspect = Fraction(aspect) if aspect else Fraction(1)
    return Geometry(width - left - right, height - top - bottom, aspect, turns, mirrored, hidden_px)


def _hidden_spans(container: InputContainer, path: Path, start_s: float) -> dict[int, tuple[Span, ...]]:
    spans = mp4.empty_edits(path) if demuxer(container) == "mov" else {}
    return {
        stream.index: tuple(Span(span.start_s - start_s, span.end_s - start_s) for span in spans[stream.id])
        for stream in container.streams
        if stream.id in spans and all(span.start_s >= start_s for span in spans[stream.id])
    }


def _hidden_edges(container: InputContainer, path: Path, video: Any) -> Edges:
    """How much of each edge is not to be shown: FFmpeg's library keeps it from PyAV."""
    if demuxer(container) == "mov":
        return mp4.hidden_edges(path).get(video.id, NO_EDGES)
    if demuxer(container) != "matroska":
        return NO_EDGES
    edges = matroska.hidden_edges(path)
    found = dict(zip((stream.index for stream in container.streams.video), edges, strict=False))
    return found.get(video.index, NO_EDGES)
