"""Cut a span of a video into a file of its own, or several spans into one highlight reel."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidembed.config.schema import LimitSettings
from vidembed.errors import InputError, MediaNotFound, MediaUnreadable
from vidembed.files import check_printable, refuse_existing, replacing
from vidembed.media.editing import ffmpeg as program
from vidembed.media.editing.shown import hides, picture_filters, same_view, sound_filters
from vidembed.media.reading.container import DEMUXERS, mapped_errors, open_container
from vidembed.media.reading.probe import Headers, probe, read_headers
from vidembed.media.remote import COPIES
from vidembed.types import Span, VideoInfo

_CLOSE_S = 0.001  # start this much early: a frame exactly at the start must not be lost to rounding
# The ffmpeg program seeks this much earlier where pictures are stored in another order than shown, but for formats that
# are sought by when pictures are shown (AVFMT_SEEK_TO_PTS).
_EARLY_S, _SEEKS_SHOWN = 3 / 23, 0x4000000
_PREROLL_S = 0.75  # decoders of sound give nothing, or silence, right behind the place that was sought
_AUDIO_SUFFIXES = frozenset({".m4a", ".mp3", ".wav", ".flac", ".ogg", ".oga", ".opus", ".aac", ".mka"})
_VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".flv", ".mpg", ".mpeg")
_REEL_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
_H264 = {"c:v": "libx264", "crf": 18, "preset": "veryfast", "c:a": "aac", "b:a": "192k"}
_WEBM = {"c:v": "libvpx-vp9", "crf": 30, "b:v": 0, "row-mt": 1, "cpu-used": 4, "c:a": "libopus"}
_LARGEST_PX = (1920, 1080)
_WITHOUT_PICTURES_PX = (1280, 720)
_FPS, _RATE_HZ = 30, 48_000


@dataclass(frozen=True)
class CutFile:
    """A file that was cut; usable as a path.

    span: What it really holds, in the source's time. exact: Whether it was encoded again, asked for or not.
    """

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
    limits: LimitSettings | None = None,
    timeout_s: float = 3600.0,
) -> CutFile:
    """Write one span of a video to `out`, which appears only when it is complete.

    Args:
        path: The video; of a remote one a copy is made, which is gone afterwards.
        span: What to cut, in seconds of the video.
        out: The new file. Its extension chooses the container.
        exact: False: copy pictures and sound as they are. Fast and lossless, but the file begins at the keyframe at
            or before the start. True: encode again (H.264, or VP9 for .webm) and begin at the frame asked for. So it
            is done as well where a copy would show what players do not: in an empty edit, at edges that are cut off,
            or turned otherwise.
        overwrite: Replace `out` if it exists.
        height_px: With `exact`, a preview: scale higher pictures down to this height and compress more.
        limits: What files are refused.
        timeout_s: How long ffmpeg may take.

    Raises:
        MediaNotFound: There is no such video, or no folder to write to.
        MediaUnreadable: The video cannot be read, or ffmpeg fails.
        InputError: `out` exists, is the video itself, or the span lies beyond the end.
    """
    path, out = Path(path), Path(out)
    _check_container(out, (*_VIDEO_SUFFIXES, *sorted(_AUDIO_SUFFIXES)))
    for given in (path, out):  # ffmpeg-python takes no other
        check_printable(given)
    limits = limits or LimitSettings()
    with ExitStack() as held:
        path = held.enter_context(COPIES.local(path, limits))
        with open_container(path, limits) as container:
            headers = read_headers(container, path, limits)
        span = _checked(span, headers.info, out)
        picture = headers.info.has_video and out.suffix.lower() not in _AUDIO_SUFFIXES
        part = held.enter_context(replacing(out, overwrite=overwrite))
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix="vidembed-cut-"))
        work = _Work(path, headers, span, part, picture, limits, timeout_s, Path(folder))
        copied = None if exact else work.copy()
        if copied is None:
            work.encode(height_px)
    return CutFile(out, copied or span, copied is None)


@dataclass(frozen=True)
class _Work:
    """One span of one video on its way to a file. picture: whether that has one."""

    path: Path
    headers: Headers
    span: Span
    part: Path
    picture: bool
    limits: LimitSettings
    timeout_s: float
    folder: Path

    def copy(self) -> Span | None:
        """Copy from a keyframe; the span that is in the file, or None where it would show what players do not."""
        goal_s, key_s = self._begins(copying=True)
        span = Span(max(0.0, key_s), self.span.end_s)
        if hides(self.headers, span):
            return None
        coding, length_s = _copying(self.part.suffix.lower(), key_s), span.end_s - (goal_s or 0.0) - _CLOSE_S
        if self.headers.clock.edges:
            coding, length_s = {**coding, "ss": self._behind_beginning(span.start_s)}, span.duration_s
        made = self._run(goal_s, length_s, coding)
        return span if not self.picture or same_view(made, self.headers) else None

    def encode(self, height_px: int | None) -> None:
        """Encode again, from the frame asked for."""
        goal_s, _ = self._begins(copying=False)
        zero_s = -self._before_s() if goal_s is None else goal_s
        coding = _coding(self.part.suffix.lower(), self.picture, height_px)
        heard = sound_filters(self.headers, zero_s)
        if self.picture:
            first, last = picture_filters(self.headers, zero_s, self.folder)
            seen = [*first, *([coding["vf"]] if "vf" in coding else []), *last]
            coding = {**coding, "vf": ",".join(seen)} if seen else coding
        coding = {**coding, "af": ",".join(heard)} if heard else coding
        # After decoding.
        behind_s = self.span.start_s if goal_s is None else self.span.start_s - goal_s - _CLOSE_S
        if self.headers.clock.edges:
            coding = {**coding, "ss": self._behind_beginning(self.span.start_s)}
        elif behind_s > 0:
            coding = {**coding, "ss": f"{behind_s:.6f}"}
        self._run(goal_s, self.span.duration_s, coding)

    def _begins(self, *, copying: bool) -> tuple[float | None, float]:
        """(where ffmpeg is to go, None = nowhere, as to the very start, time of the picture or sound it comes to)."""
        start_s = self.span.start_s
        if self.headers.clock.edges:  # ffmpeg finds places in joined recordings only on its way from their beginning
            return None, min(self.headers.clock.key_before(start_s), start_s)
        if self.picture:
            return _keyframe_before(self.path, self.headers, start_s, self.limits, copying=copying)
        goal_s = start_s - _CLOSE_S - (0.0 if copying else _PREROLL_S)
        return (goal_s if min(goal_s, goal_s + self.headers.start_s) > 0 else None), start_s

    def _behind_beginning(self, time_s: float) -> str:
        return f"{max(0.0, time_s + self._before_s()):.6f}"

    def _before_s(self) -> float:
        """How long before t = 0 a file begins for ffmpeg."""
        with open_container(self.path, self.limits) as container:
            return self.headers.start_s - (container.start_time or 0) / 1_000_000

    def _run(self, goal_s: float | None, length_s: float, coding: dict[str, Any]) -> Headers:
        """Make the file; what is in it. Raises MediaUnreadable where that is nothing, which ffmpeg calls a success."""
        graph = self._graph(goal_s, length_s, coding)
        program.run(graph, doing=f"cutting {self.path.name}", timeout_s=self.timeout_s, folder=str(self.folder))
        try:
            with open_container(self.part, self.limits) as container:
                return read_headers(container, self.part, self.limits)
        except InputError as error:
            raise MediaUnreadable(
                f"cutting {self.path.name}: this span gave an empty file",
                hint="try exact=True, or another container",
            ) from error

    def _graph(self, goal_s: float | None, length_s: float, coding: dict[str, Any]) -> Any:
        import ffmpeg

        source = ffmpeg.input(
            f"file:{self.path.absolute()}",
            # In the file's own time: ffmpeg's versions differ in what they take for its start.
            **({} if goal_s is None else {"seek_timestamp": 1, "ss": f"{goal_s + self.headers.start_s:.6f}"}),
            fflags="+genpts",  # AVI does not say when a frame is shown
            protocol_whitelist="file",
            format_whitelist=DEMUXERS,
        )
        streams = [source[str(self.headers.video_index)]] if self.picture else []
        settings: dict[str, Any] = {"t": f"{length_s:.6f}", "map_metadata": 0, "dn": None, "sn": None, **coding}
        if self.part.suffix.lower() in _MP4_SUFFIXES:
            settings["movflags"] = "+faststart"
        return ffmpeg.output(*streams, source["a?"], f"file:{self.part.absolute()}", **settings)


def _checked(span: Span, info: VideoInfo, out: Path) -> Span:
    _check_folder(out)
    if out.exists() and out.samefile(info.path):
        raise InputError(f"{out}: is the video itself", hint="choose another name")
    if span.start_s >= info.duration_s:
        raise InputError(f"{info.path.name}: {span} begins after its end ({info.duration_s:.3f} s)")
    return Span(span.start_s, min(span.end_s, info.duration_s))


def _check_container(out: Path, known: Iterable[str]) -> None:
    if out.suffix.lower() not in known:
        raise InputError(f"{out}: no container for it", hint=f"end the name in one of: {', '.join(known)}")


def _check_folder(out: Path) -> None:
    if not out.parent.is_dir():
        raise MediaNotFound(f"{out.parent}: no such folder to write to")


def _keyframe_before(
    path: Path, headers: Headers, time_s: float, limits: LimitSettings, *, copying: bool
) -> tuple[float | None, float]:
    """(where ffmpeg is to go, None = nowhere, time of the keyframe that it comes to): the last one at or before time_s.

    Or an earlier one, as formats without an index (MPEG-TS) land behind the time asked for; then from further back. The
    time is negative where what is shown begins between two keyframes, as in an MP4 that was trimmed. To the very start
    ffmpeg does not go: seeking there loses the first pictures of AVI.
    """
    for back_s in (0.0, 1.0, 3.0, 10.0, 30.0):
        with open_container(path, limits) as container, mapped_errors(path, "read"):
            stream: Any = container.streams[headers.video_index or 0]
            early_s = (
                0.0 if container.format.flags & _SEEKS_SHOWN or not stream.codec_context.has_b_frames else _EARLY_S
            )
            # A copy begins at a keyframe that is sought; what is decoded is cut at the place that is sought.
            goal_s = time_s - back_s + (early_s + _CLOSE_S if copying else -_CLOSE_S)
            sought = time_s - back_s > 0 and goal_s + headers.start_s > 0 and goal_s > 0
            if sought:
                container.seek(int((goal_s + headers.start_s - early_s) * 1_000_000))
            for packet in container.demux(stream):
                if packet.pts is not None and packet.is_keyframe:
                    key_s = float(packet.pts * packet.time_base) - headers.start_s
                    if key_s <= time_s + _CLOSE_S:
                        return (goal_s if sought else None), min(key_s, time_s)
                    break
    return None, 0.0


_MP4_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".m4a"})


def _copying(suffix: str, key_s: float) -> dict[str, Any]:
    """What is hidden before t = 0 stays hidden: MP4 says so by an edit list, others begin at the next keyframe."""
    if key_s >= -_CLOSE_S:
        return {"c": "copy", "avoid_negative_ts": "make_zero"}
    if suffix in _MP4_SUFFIXES:
        return {"c": "copy", "avoid_negative_ts": "disabled"}
    return {"c": "copy", "avoid_negative_ts": "make_zero", "ss": f"{_CLOSE_S:.6f}"}


def _coding(suffix: str, with_picture: bool, height_px: int | None) -> dict[str, Any]:
    if not with_picture:
        return {}
    if suffix == ".webm":
        return _WEBM
    # H.264 in 4:2:0 needs even sides; this is what every player shows.
    scale = "scale='max(2,trunc(iw/2)*2)':'max(2,trunc(ih/2)*2)'"
    if height_px is None:
        return {**_H264, "pix_fmt": "yuv420p", "vf": scale}
    scale = f"scale=-2:'max(2,trunc(min(ih,{int(height_px)})/2)*2)'"
    return {**_H264, "pix_fmt": "yuv420p", "vf": scale, "crf": 26, "b:a": "96k"}


def reel(
    pieces: Sequence[tuple[str | Path, Span]],
    out: str | Path,
    *,
    overwrite: bool = False,
    limits: LimitSettings | None = None,
    timeout_s: float = 3600.0,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Write spans of videos one after the other to `out` at 30 frames a second: H.264 and AAC, in .webm VP9 and Opus.

    The picture has the size of the first piece that has one, at most 1920 x 1080; others are fitted in with black
    bars. A piece without sound is silent, one without pictures is black. `out` appears only when it is complete.

    Args:
        pieces: (video, span in seconds), in order.
        out: The new file. Its extension chooses the container.
        overwrite: Replace `out` if it exists.
        limits: What files are refused.
        timeout_s: How long ffmpeg may take for each piece, and for joining them.
        progress: Called with the number of pieces that are cut.

    Raises:
        InputError: No pieces, `out` exists, or a span lies beyond its video's end.
        MediaNotFound: There is no such video, or no folder to write to.
        MediaUnreadable: A video cannot be read, or ffmpeg fails.
    """
    out = Path(out)
    if not pieces:
        raise InputError("nothing to put into the reel", hint="give at least one piece")
    _check_container(out, _REEL_FORMATS)
    _check_folder(out)
    refuse_existing(out, overwrite=overwrite)
    with replacing(out, overwrite=overwrite) as part, tempfile.TemporaryDirectory(prefix="vidembed-reel-") as folder:
        cuts = [Path(folder) / f"{place}.mp4" for place in range(len(pieces))]
        for done, place in enumerate(COPIES.in_turn([path for path, _ in pieces]), start=1):
            cut(*pieces[place], cuts[place], exact=True, limits=limits, timeout_s=timeout_s)
            if progress is not None:
                progress(done)
        graph = _reel_graph([probe(path) for path in cuts], part)
        program.run(graph, doing=f"making {out.name}", timeout_s=timeout_s)
    return out


def _reel_graph(infos: Sequence[VideoInfo], part: Path) -> Any:
    import ffmpeg

    width, height = _reel_size(infos)
    streams: list[Any] = []
    for place, info in enumerate(infos):
        # Two inputs that are given alike are one for ffmpeg-python.
        made = {"f": "lavfi", "thread_queue_size": 8 + place}
        source = ffmpeg.input(f"file:{info.path.absolute()}", protocol_whitelist="file")
        length = f"{info.duration_s:.6f}"
        if info.has_video:
            # With square pixels first: those of DVDs and camcorders are not.
            square = source.video.filter("scale", "max(2,trunc(iw*sar/2)*2)", "ih").filter("setsar", 1)
            picture = square.filter("scale", width, height, force_original_aspect_ratio="decrease")
            picture = picture.filter("pad", width, height, "(ow-iw)/2", "(oh-ih)/2")
        else:
            picture = ffmpeg.input(f"color=black:size={width}x{height}:duration={length}", **made).video
        if info.has_audio:
            # Sound that ends early is filled up: the next piece's must not begin before its pictures.
            sound = source.audio.filter("aresample", _RATE_HZ).filter("apad", whole_dur=length)
            sound = sound.filter("atrim", duration=length)
        else:
            silence = f"anullsrc=channel_layout=stereo:sample_rate={_RATE_HZ}:duration={length}"
            sound = ffmpeg.input(silence, **made).audio
        streams.append(picture.filter("setsar", 1).filter("fps", _FPS).filter("format", "yuv420p"))
        streams.append(sound.filter("aformat", sample_rates=_RATE_HZ, channel_layouts="stereo"))
    joined = ffmpeg.concat(*streams, v=1, a=1).node
    name = f"file:{part.absolute()}"
    kind = _REEL_FORMATS[part.suffix.lower()]
    coding = _WEBM if kind == "webm" else _H264
    more = {"movflags": "+faststart"} if kind in ("mp4", "mov") else {}
    return ffmpeg.output(joined[0], joined[1], name, f=kind, **coding, **more)


def _reel_size(infos: Sequence[VideoInfo]) -> tuple[int, int]:
    """(width, height), even, of the first piece with pictures, shrunk where it is larger than we write."""
    width, height = next(((i.width_px, i.height_px) for i in infos if i.has_video), _WITHOUT_PICTURES_PX)
    factor = min(1.0, _LARGEST_PX[0] / width, _LARGEST_PX[1] / height)
    return max(2, round(width * factor / 2) * 2), max(2, round(height * factor / 2) * 2)
