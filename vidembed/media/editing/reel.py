"""A highlight reel: stretches of several videos, one after the other, in one file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidembed.errors import InputError, MediaNotFound
from vidembed.media.editing import ffmpeg as program
from vidembed.media.editing.cut import cut, publish
from vidembed.media.reading.container import Limits
from vidembed.media.reading.probe import probe
from vidembed.types import Span, VideoInfo

_LARGEST_PX = (1920, 1080)
_WITHOUT_PICTURES_PX = (1280, 720)
_FPS, _RATE_HZ = 30, 48_000


def reel(
    pieces: Sequence[tuple[str | Path, Span]],
    out: str | Path,
    *,
    overwrite: bool = False,
    limits: Limits | None = None,
    timeout_s: float = 3600.0,
) -> Path:
    """Write the spans one after the other into `out`, H.264 and AAC at 30 frames a second.

    The picture has the size of the first piece that has one, at most 1920 x 1080; others are fitted in with black
    bars. A piece without sound is silent, one without pictures is black. The file appears under its name only when it
    is whole. Raises InputError (no pieces, out exists, a span beyond its video's end), MediaNotFound, MediaUnreadable.
    """
    out = Path(out)
    if not pieces:
        raise InputError("nothing to put into the reel", hint="give at least one piece")
    if not out.parent.is_dir():
        raise MediaNotFound(f"{out.parent}: no such folder to write to")
    if out.exists() and not overwrite:
        raise InputError(f"{out}: exists", hint="choose another name, or allow overwriting")
    partial = out.with_name(f".{out.stem}.{os.getpid()}.part.mp4")
    with tempfile.TemporaryDirectory(prefix="vidembed-reel-") as folder:
        cuts = [
            cut(path, span, Path(folder) / f"{place}.mp4", exact=True, limits=limits, timeout_s=timeout_s).path
            for place, (path, span) in enumerate(pieces)
        ]
        try:
            graph = _graph([probe(path) for path in cuts], partial)
            program.run(graph, doing=f"making {out.name}", timeout_s=timeout_s)
            publish(partial, out, overwrite)
        finally:
            partial.unlink(missing_ok=True)
    return out


def _graph(infos: Sequence[VideoInfo], partial: Path) -> Any:
    import ffmpeg

    width, height = _size(infos)
    streams: list[Any] = []
    for info in infos:
        source = ffmpeg.input(f"file:{info.path.absolute()}", protocol_whitelist="file")
        length = f"{info.duration_s:.6f}"
        if info.has_video:
            picture = source.video.filter("scale", width, height, force_original_aspect_ratio="decrease")
            picture = picture.filter("pad", width, height, "(ow-iw)/2", "(oh-ih)/2")
        else:
            picture = ffmpeg.input(f"color=black:size={width}x{height}:duration={length}", f="lavfi").video
        if info.has_audio:
            # Sound that ends early is filled up: the next piece's must not begin before its pictures.
            sound = source.audio.filter("aresample", _RATE_HZ).filter("apad", whole_dur=length)
            sound = sound.filter("atrim", duration=length)
        else:
            silence = f"anullsrc=channel_layout=stereo:sample_rate={_RATE_HZ}:duration={length}"
            sound = ffmpeg.input(silence, f="lavfi").audio
        streams.append(picture.filter("setsar", 1).filter("fps", _FPS).filter("format", "yuv420p"))
        streams.append(sound.filter("aformat", sample_rates=_RATE_HZ, channel_layouts="stereo"))
    joined = ffmpeg.concat(*streams, v=1, a=1).node
    settings: dict[str, Any] = {"c:v": "libx264", "crf": 18, "preset": "veryfast", "c:a": "aac", "b:a": "192k"}
    return ffmpeg.output(joined[0], joined[1], f"file:{partial.absolute()}", movflags="+faststart", **settings)


def _size(infos: Sequence[VideoInfo]) -> tuple[int, int]:
    """(width, height), even, of the first piece with pictures, shrunk where it is larger than we write."""
    width, height = next(((i.width_px, i.height_px) for i in infos if i.has_video), _WITHOUT_PICTURES_PX)
    factor = min(1.0, _LARGEST_PX[0] / width, _LARGEST_PX[1] / height)
    return max(2, round(width * factor / 2) * 2), max(2, round(height * factor / 2) * 2)
