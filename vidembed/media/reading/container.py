"""Open an untrusted file with PyAV so that nothing but this one local file can be reached.

- the path must be a regular file (no pipe, device or socket) and is passed with the `file:` prefix, so no other
  protocol is looked at; `protocol_whitelist` says so again to everything inside FFmpeg;
- `format_whitelist` holds demuxers that read one file and nothing else. Playlists and formats that refer to other
  files (hls, dash, concat, sdp, image2, imf, vobsub, lavfi, rtsp ...) are not on it, whatever the extension says;
- QuickTime's external data references stay off, waits have a time limit, and what a file may ask of us is bounded
  (`LimitSettings`): a few hundred bytes can claim a 65535 x 65535 picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidembed.config.schema import LimitSettings
from vidembed.errors import MediaUnreadable, VidembedError
from vidembed.media.files import stat_regular
from vidembed.media.kinds import archive_or_text, picture_kind, refers_to_others

if TYPE_CHECKING:
    from av.container import InputContainer


# One name of each demuxer is enough: FFmpeg matches any name of "mov,mp4,m4a,3gp,3g2,mj2".
DEMUXERS = (
    "mov,matroska,avi,mpeg,mpegts,mpegvideo,flv,live_flv,asf,ogg,gif,apng,nut,mxf,gxf,wtv,rm,ivf,dv,"
    "h264,hevc,obu,av1,vc1,m4v,h263,mjpeg,yuv4mpegpipe,"
    "dhav,wav,w64,mp3,flac,aac,aiff,au,caf,amr,ac3,eac3,dts,truehd,ape,wv,tta,loas,xwma"
)

_PATIENT = {"analyzeduration": str(120_000_000), "probesize": str(256 << 20)}  # microseconds, bytes


def open_container(path: str | Path, limits: LimitSettings) -> InputContainer:
    """Open a file. Raises MediaNotFound and MediaUnreadable."""
    import av

    path = Path(path)
    size_bytes, most = stat_regular(path).st_size, limits.max_size_bytes
    if size_bytes > most:
        what = f"{size_bytes:,} bytes is more than the allowed {most:,}"
        raise beyond_limit(path.name, what, "media.limits.max_size_bytes")
    options = {
        "format_whitelist": DEMUXERS,
        "protocol_whitelist": "file",
        "enable_drefs": "0",
        "max_pixels": str(limits.max_pixels),
    }
    timeouts = (limits.io_timeout_s, limits.io_timeout_s)
    with mapped_errors(path):
        container = av.open(f"file:{path}", options=options, timeout=timeouts, metadata_errors="ignore")
        if any(stream.codec_context and not stream.codec_context.width for stream in container.streams.video):
            # Its pictures begin later than FFmpeg looks for them.
            container.close()
            options |= _PATIENT
            container = av.open(f"file:{path}", options=options, timeout=timeouts, metadata_errors="ignore")
        return container


def demuxer(container: InputContainer) -> str:
    """FFmpeg's first name of the container's format: "mov", "matroska", "mpegts" ..."""
    return container.format.name.split(",")[0]


@contextmanager
def mapped_errors(path: Path, doing: str = "opened") -> Iterator[None]:
    """Everything FFmpeg raises becomes MediaUnreadable, with the file's name and a reason people understand."""
    import av

    try:
        yield
    except VidembedError:
        raise
    except av.error.ExitError as error:
        raise MediaUnreadable(f"{path.name}: could not be {doing} in time; reading was given up") from error
    except (av.error.FFmpegError, ValueError, OSError, OverflowError) as error:
        message, hint = _reason(path, doing, error)
        raise MediaUnreadable(message, hint=hint) from error


def _reason(path: Path, doing: str, error: BaseException) -> tuple[str, str]:
    head = _head(path, 4096)
    if reference := refers_to_others(head):
        return f"{path.name}: {reference}, which refers to other files; refused", "give the media files themselves"
    if picture := a_picture(path):
        return picture.message, picture.hint
    if other := archive_or_text(head):
        return f"{path.name}: {other[0]}, not a video", other[1]
    text = getattr(error, "strerror", None) or str(error)
    return (
        f"{path.name}: not a media file that can be {doing} ({text})",
        "damaged, cut off before its index, or no video or sound file at all; try playing it with ffplay",
    )


def a_picture(path: Path) -> MediaUnreadable | None:
    """The error for a picture that was named as a video; None for what does not look like one."""
    kind = picture_kind(_head(path, 16))
    message = f"{path.name}: a picture ({kind}), not a video"
    return MediaUnreadable(message, hint="to search with it, use --image") if kind else None


def is_scrambled(path: Path) -> bool:
    """Whether a transport stream says of its packets that they are encrypted, as pay television's are."""
    head = _head(path, 1 << 20)
    headers = [head[place : place + 4] for place in range(0, len(head) - 4, 188)]
    if not headers or any(header[0] != 0x47 for header in headers):
        return False
    return sum(header[3] >> 6 > 0 for header in headers) > len(headers) / 10


def _head(path: Path, size_bytes: int) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(size_bytes)
    except OSError:
        return b""


def packets(container: InputContainer, stream: Any, counts: dict[str, int], key: str) -> Iterator[Any]:
    """The stream's packets, ending with the empty one that flushes; unreadable stretches are counted under `key`."""
    import av

    errors_in_row = 0
    demuxed = container.demux(stream)
    while True:
        try:
            packet = next(demuxed)
        except StopIteration:
            return
        except av.error.ExitError as error:
            raise MediaUnreadable(f"{container.name}: reading timed out") from error
        except (av.error.FFmpegError, IndexError):  # the second: of a stream that was not there at the beginning
            counts[key] += 1
            errors_in_row += 1
            # A demuxer may step over one bad packet; one that no longer moves must not keep us here for ever.
            if errors_in_row > 8:
                return
            demuxed = container.demux(stream)
            continue
        errors_in_row = 0
        yield packet


def only_decoding_times(container: InputContainer, stream: Any) -> bool:
    """Whether it is not known when a packet's picture is shown: packets are counted, and pictures may change places."""
    return demuxer(container) in ("avi", "mpegvideo") and bool(stream.codec_context.has_b_frames)


def discard_others(container: InputContainer, *streams: Any) -> None:
    """Let the demuxer skip the bytes of all other streams."""
    from av.stream import Discard

    wanted = {stream.index for stream in streams}
    for other in container.streams:
        other.discard = Discard.default if other.index in wanted else Discard.all


def encrypted(path: Path) -> MediaUnreadable:
    """The error for a file that cannot be read without a key."""
    return MediaUnreadable(f"{path.name}: it is encrypted", hint="only files without copy protection can be read")


def beyond_limit(name: str, what: str, setting: str) -> MediaUnreadable:
    """The error for a file that goes beyond one of the `LimitSettings`."""
    return MediaUnreadable(f"{name}: {what}", hint=f"raise {setting} if you trust the file")


def check_picture(limits: LimitSettings, width_px: int, height_px: int, name: str) -> None:
    """Raises MediaUnreadable for a picture with too many pixels."""
    if width_px * height_px > limits.max_pixels:
        what = f"a picture of {width_px} x {height_px} is more than the allowed {limits.max_pixels:,} pixels"
        raise beyond_limit(name, what, "media.limits.max_pixels")
