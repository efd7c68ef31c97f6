"""Cut a span of a video into a file of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidembed.errors import InputError, MediaNotFound, MediaUnreadable
from vidembed.media.editing import ffmpeg as program
from vidembed.media.reading.container import DEMUXERS, Limits, mapped_errors, open_container
from vidembed.media.reading.probe import Headers, probe, read_headers
from vidembed.types import Span

_CLOSE_S = 0.001  # start this much early: a frame exactly at the start must not be lost to rounding
_AUDIO_SUFFIXES = frozenset({".m4a", ".mp3", ".wav", ".flac", ".ogg", ".oga", ".opus", ".aac", ".mka"})


@dataclass(frozen=True)
class CutFile:
    """A file that was cut; usable as a path. span: what it really holds, in the source's time."""

    path: Path
    span: Span
    exact: bool

    def __fspath__(self) -> str:
        return str(self.path)


def cut(
    path: str | Path,
    span: Span,
    out: str | Path,
    *,
    exact: bool = False,
    overwrite: bool = False,
    height_px: int | None = None,
    limits: Limits | None = None,
    timeout_s: float = 3600.0,
) -> CutFile:
    """Write the span into `out`; its extension chooses the container.

    exact = False copies pictures and sound without encoding them again: fast and lossless, but the file begins at
    the keyframe at or before the start. exact = True encodes again (H.264 or, for .webm, VP9) and begins at the frame.
    height_px: with exact = True, shrink a higher picture to this height, and pack it harder: a preview.
    The file appears under its name only when it is whole; an existing one is replaced only with overwrite.
    Raises MediaNotFound, MediaUnreadable, InputError (out exists, span beyond the end).
    """
    path, out = Path(path), Path(out)
    limits = limits or Limits()
    with open_container(path, limits) as container:
        headers = read_headers(container, path, limits)
    span = _checked(span, headers, out, overwrite)
    with_picture = headers.info.has_video and out.suffix.lower() not in _AUDIO_SUFFIXES
    seek_s = span.start_s
    if with_picture:
        seek_s, start_s = _keyframe_before(path, headers, span.start_s, limits)
        span = span if exact else Span(start_s, span.end_s)
    # In the file's own time: ffmpeg's versions differ in what they take for its start.
    from_s = max(0.0, seek_s + headers.start_s - _CLOSE_S)
    skip_s = span.start_s - seek_s if exact else 0.0
    partial = out.with_name(f".{out.stem}.{os.getpid()}.part{out.suffix}")
    try:
        stream = _graph(headers, from_s, skip_s, span.end_s - seek_s - skip_s, partial, exact, with_picture, height_px)
        program.run(stream, doing=f"cutting {path.name}", timeout_s=timeout_s)
        _check_made(partial, path, limits)
        publish(partial, out, overwrite)
    finally:
        partial.unlink(missing_ok=True)
    return CutFile(out, span, exact)


def _keyframe_before(path: Path, headers: Headers, time_s: float, limits: Limits) -> tuple[float, float]:
    """(time to seek to, time of the keyframe that this leads to): the last one at or before time_s, or an earlier one.

    Formats without an index (MPEG-TS) land behind the time asked for; then from further back.
    """
    assert headers.video_index is not None
    for back_s in (0.0, 1.0, 3.0, 10.0, 30.0):
        goal_s = max(0.0, time_s - back_s)
        with open_container(path, limits) as container, mapped_errors(path, "read"):
            stream: Any = container.streams[headers.video_index]
            container.seek(round((goal_s + headers.start_s) / stream.time_base), stream=stream)
            for packet in container.demux(stream):
                if packet.pts is not None and packet.is_keyframe:
                    key_s = float(packet.pts * packet.time_base) - headers.start_s
                    if key_s <= time_s + _CLOSE_S:
                        return goal_s, max(0.0, min(key_s, time_s))
                    break
    return 0.0, 0.0


def _checked(span: Span, headers: Headers, out: Path, overwrite: bool) -> Span:
    info = headers.info
    if not out.parent.is_dir():
        raise MediaNotFound(f"{out.parent}: no such folder to write to")
    if out.exists() and out.samefile(info.path):
        raise InputError(f"{out}: is the file to cut from", hint="choose another name")
    if out.exists() and not overwrite:
        raise InputError(f"{out}: exists", hint="choose another name, or allow overwriting")
    if span.start_s >= info.duration_s:
        raise InputError(f"{info.path.name}: {span} begins after its end ({info.duration_s:.3f} s)")
    return Span(span.start_s, min(span.end_s, info.duration_s))


def _graph(
    headers: Headers,
    from_s: float,
    skip_s: float,
    duration_s: float,
    partial: Path,
    exact: bool,
    with_picture: bool,
    height_px: int | None,
) -> Any:
    """Seek to from_s, leave out skip_s by decoding, write duration_s."""
    import ffmpeg

    source = ffmpeg.input(
        f"file:{headers.info.path.absolute()}",
        seek_timestamp=1,
        ss=f"{from_s:.6f}",
        fflags="+genpts",  # AVI does not say when a frame is shown
        protocol_whitelist="file",
        format_whitelist=DEMUXERS,
    )
    streams = [source["a?"]]
    settings: dict[str, Any] = {"t": f"{duration_s:.6f}", "map_metadata": 0, "dn": None, "sn": None}
    if skip_s > 0:
        settings["ss"] = f"{skip_s:.6f}"
    if with_picture:
        streams.insert(0, source[str(headers.video_index)])
    if not exact:
        settings |= {"c": "copy", "avoid_negative_ts": "make_zero"}
    elif with_picture and partial.suffix.lower() == ".webm":
        settings |= {"c:v": "libvpx-vp9", "crf": 30, "b:v": 0, "row-mt": 1, "cpu-used": 4, "c:a": "libopus"}
    elif with_picture:
        # H.264 in 4:2:0 needs even sides; this is what every player shows.
        settings |= {"vf": "scale='max(2,trunc(iw/2)*2)':'max(2,trunc(ih/2)*2)'", "pix_fmt": "yuv420p"}
        settings |= {"c:v": "libx264", "crf": 18, "preset": "veryfast", "c:a": "aac", "b:a": "192k"}
        if height_px is not None:
            settings |= {"vf": f"scale=-2:'max(2,trunc(min(ih,{int(height_px)})/2)*2)'", "crf": 26, "b:a": "96k"}
    if partial.suffix.lower() in (".mp4", ".m4v", ".mov", ".m4a"):
        settings["movflags"] = "+faststart"
    return ffmpeg.output(*streams, f"file:{partial.absolute()}", **settings)


def _check_made(partial: Path, path: Path, limits: Limits) -> None:
    """ffmpeg calls it success to write a file with nothing in it."""
    try:
        probe(partial, limits)
    except InputError as error:
        raise MediaUnreadable(
            f"cutting {path.name}: nothing could be written for this span", hint="try exact=True, or another container"
        ) from error


def publish(partial: Path, out: Path, overwrite: bool) -> None:
    """Give a finished file its name. Raises InputError when that was taken and is not to be replaced."""
    if overwrite:
        os.replace(partial, out)
        return
    try:
        os.link(partial, out)  # unlike a rename, fails when the name was taken in the meantime
    except FileExistsError as error:
        raise InputError(f"{out}: exists", hint="choose another name, or allow overwriting") from error
    except OSError:
        os.rename(partial, out)  # a file system without hard links
