"""Container headers (and one decoded picture, for its rotation) to `VideoInfo`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidembed.config.schema import LimitSettings
from vidembed.errors import NoSuchStream
from vidembed.media.files import video_id
from vidembed.media.reading.container import beyond_limit, check_picture, mapped_errors, open_container, packets
from vidembed.media.reading.scaling import Geometry
from vidembed.types import VideoInfo, format_time

if TYPE_CHECKING:
    from av.container import InputContainer

_FIRST_PICTURE_PACKETS = 120  # how far to look for the first picture that decodes
_SMALLEST_DURATION_S = 0.04  # one frame at 25/s: a span cannot be empty


@dataclass(frozen=True)
class Headers:
    """What the readers need beyond `VideoInfo`. start_s: the container's time of t = 0."""

    info: VideoInfo
    start_s: float
    geometry: Geometry | None
    video_index: int | None  # stream index in the container
    audio_indices: tuple[int, ...]


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
    video = picture_stream(container)
    audio = [stream for stream in container.streams.audio if stream.codec_context is not None]
    if video is None and not audio:
        raise NoSuchStream(f"{path.name}: neither picture nor sound that can be decoded")
    with mapped_errors(path, "read"):
        start_s, geometry = _start_s(container, video, audio), None
        if video is not None:
            check_picture(limits, video.codec_context.width, video.codec_context.height, path.name)
            first = _first_picture(container, video)
            geometry = _geometry(video, first)
            if first is not None and first.pts is not None:
                # Headers may name the time of the first packet instead, as AVI does with B-frames.
                start_s = float(first.pts * video.time_base)
        duration_s = _duration_s(container, video, audio, start_s)
    if duration_s > limits.max_duration_s:
        what = f"{format_time(duration_s)} is longer than the allowed {format_time(limits.max_duration_s)}"
        raise beyond_limit(path.name, what, "media.limits.max_duration_s")
    status = path.stat()
    width_px, height_px = geometry.shown_size if geometry else (0, 0)
    info = VideoInfo(
        video_id=video_id(path),
        path=path,
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        duration_s=duration_s,
        width_px=width_px,
        height_px=height_px,
        fps=_rate(video),
        audio_rate_hz=audio[0].codec_context.sample_rate if audio else None,
        audio_channels=audio[0].codec_context.channels if audio else None,
        codec=video.codec_context.codec.canonical_name if video is not None else "",
    )
    indices = tuple(stream.index for stream in audio)
    return Headers(info, start_s, geometry, None if video is None else video.index, indices)


def picture_stream(container: InputContainer) -> Any | None:
    """The first moving picture that can be decoded; cover art of music files does not count."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails
    for stream in container.streams.video:
        context = stream.codec_context
        if context is not None and not stream.disposition & still and context.width > 0 and context.height > 0:
            return stream
    return None


def _rate(video: Any | None) -> Fraction:
    rate = None if video is None else (video.average_rate or video.guessed_rate)
    return Fraction(rate) if rate and rate > 0 else Fraction(0)


def _start_s(container: InputContainer, video: Any | None, audio: list[Any]) -> float:
    """The container's time of the first shown picture, or of the first sound where there is no picture."""
    stream = video if video is not None else audio[0]
    if stream.start_time is not None:
        return float(stream.start_time * stream.time_base)
    return container.start_time / 1_000_000 if container.start_time is not None else 0.0


def _duration_s(container: InputContainer, video: Any | None, audio: list[Any], start_s: float) -> float:
    """Until the end of the stream that ends last, from t = 0."""
    ends = [_end_s(stream) for stream in ([video] if video is not None else []) + audio]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends) and container.duration is not None:
        # Matroska gives one duration for the whole file, counted from its time zero.
        known.append(container.duration / 1_000_000 + min(0.0, (container.start_time or 0) / 1_000_000))
    duration_s = max(known, default=0.0) - start_s
    if duration_s <= 0 or not known:
        duration_s = _scanned_end_s(container) - start_s
    rate = _rate(video)
    return max(duration_s, float(1 / rate) if rate else _SMALLEST_DURATION_S)


def _end_s(stream: Any) -> float | None:
    if stream.duration is None:
        return None
    return float(((stream.start_time or 0) + stream.duration) * stream.time_base)


def _scanned_end_s(container: InputContainer) -> float:
    """The end of the last packet. For files whose writer never filled in a duration, as browsers' recorders do."""
    end_s = 0.0
    counts = {"corrupt": 0}
    for packet in packets(container, list(container.streams), counts, "corrupt"):
        if packet.pts is not None:
            end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    container.seek(0)
    return end_s


def _first_picture(container: InputContainer, video: Any) -> Any | None:
    """The first picture that decodes; None when there is none near the beginning."""
    import av

    for number, packet in enumerate(packets(container, video, {"corrupt": 0}, "corrupt")):
        try:
            whole = [frame for frame in packet.decode() if not frame.is_corrupt]
        except av.error.FFmpegError:
            whole = []
        if whole or number >= _FIRST_PICTURE_PACKETS:
            return whole[0] if whole else None
    return None


def _geometry(video: Any, first: Any | None) -> Geometry:
    """Size, aspect and rotation; FFmpeg hands the rotation over with the decoded pictures."""
    context, aspect = video.codec_context, video.sample_aspect_ratio
    rotation = first.rotation if first is not None else 0
    return Geometry(context.width, context.height, Fraction(aspect) if aspect else Fraction(1), rotation)
