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

if TYPE_CHECKING:
    from av.container import InputContainer


# One name of each demuxer is enough: FFmpeg matches any name of "mov,mp4,m4a,3gp,3g2,mj2".
DEMUXERS = (
    "mov,matroska,avi,mpeg,mpegts,mpegvideo,flv,live_flv,asf,ogg,gif,apng,nut,mxf,gxf,wtv,rm,ivf,dv,"
    "h264,hevc,obu,av1,vc1,m4v,h263,mjpeg,yuv4mpegpipe,"
    "wav,w64,mp3,flac,aac,aiff,au,caf,amr,ac3,eac3,dts,truehd,ape,wv,tta,loas,xwma"
)

# First bytes of formats that refer to other files: only to say so by name, the allow-list is what refuses them.
_REFERENCES = (
    (b"#EXTM3U", "an HLS playlist (m3u8)"),
    (b"<MPD", "a DASH manifest (mpd)"),
    (b"ffconcat version", "an ffconcat list"),
    (b"v=0", "an SDP session description"),
    (b"[playlist]", "a PLS playlist"),
    (b"<?xml", "an XML file"),
    (b"<asx", "an ASX playlist"),
)


def open_container(path: str | Path, limits: LimitSettings) -> InputContainer:
    """Open a file. Raises MediaNotFound and MediaUnreadable."""
    import av

    path = Path(path)
    size_bytes, most = stat_regular(path).st_size, limits.max_size_bytes
    if size_bytes > most:
        what = f"{size_bytes:,} bytes is more than the allowed {most:,}"
        raise beyond_limit(path.name, what, "media.limits.max_size_bytes")
    with mapped_errors(path):
        return av.open(
            f"file:{path}",
            mode="r",
            options={
                "format_whitelist": DEMUXERS,
                "protocol_whitelist": "file",
                "enable_drefs": "0",
                "max_pixels": str(limits.max_pixels),
            },
            timeout=(limits.io_timeout_s, limits.io_timeout_s),
            metadata_errors="ignore",
        )


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
    reference = refers_to_others(path)
    if reference:
        return f"{path.name}: {reference}, which refers to other files; refused", "give the media files themselves"
    text = getattr(error, "strerror", None) or str(error)
    return (
        f"{path.name}: not a media file that can be {doing} ({text})",
        "damaged, cut off before its index, or no video or sound file at all; try playing it with ffplay",
    )


def refers_to_others(path: Path) -> str | None:
    """What kind of list or manifest the file is by its first bytes; None when it does not look like one."""
    try:
        with open(path, "rb") as file:
            head = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError:
        return None
    return next((kind for mark, kind in _REFERENCES if head.lower().startswith(mark.lower())), None)


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
        except av.error.FFmpegError:
            counts[key] += 1
            errors_in_row += 1
            # A demuxer may step over one bad packet; one that no longer moves must not keep us here for ever.
            if errors_in_row > 8:
                return
            demuxed = container.demux(stream)
            continue
        errors_in_row = 0
        yield packet


def discard_others(container: InputContainer, stream: Any) -> None:
    """Let the demuxer skip the bytes of all other streams."""
    from av.stream import Discard

    for other in container.streams:
        other.discard = Discard.default if other.index == stream.index else Discard.all


def beyond_limit(name: str, what: str, setting: str) -> MediaUnreadable:
    """The error for a file that goes beyond one of the `LimitSettings`."""
    return MediaUnreadable(f"{name}: {what}", hint=f"raise {setting} if you trust the file")


def check_picture(limits: LimitSettings, width_px: int, height_px: int, name: str) -> None:
    """Raises MediaUnreadable for a picture with too many pixels."""
    if width_px * height_px > limits.max_pixels:
        what = f"a picture of {width_px} x {height_px} is more than the allowed {limits.max_pixels:,} pixels"
        raise beyond_limit(name, what, "media.limits.max_pixels")
