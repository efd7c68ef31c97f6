"""What a file is by its name, and by its first bytes where it is no video: a picture, an archive, a text, a list."""

from __future__ import annotations

from vidembed.tables import PARQUET

# What a folder walk picks up. A file named explicitly is always tried, whatever its extension.
_VIDEO = (
    ".264 .265 .360 .3g2 .3gp .asf .avi .dav .divx .dv .f4v .flv .gif .h264 .hevc .insv .ivf .m1v .m2t .m2ts .m2v .m4v "
    ".mjpeg .mjpg .mkv .mod .mov .mp4 .mpeg .mpg .mts .mxf .nut .ogm .ogv .qt .rm .rmvb .tod .trp .ts .tp .vob .webm "
    ".wmv .wtv .y4m"
)
_AUDIO = (
    ".aac .ac3 .aif .aiff .amr .ape .au .caf .eac3 .flac .m4a .m4b .mka .mp2 .mp3 .oga .ogg .opus .tta .wav .weba .wma "
    ".wv"
)
MEDIA_EXTENSIONS = frozenset(f"{_VIDEO} {_AUDIO}".split())
LIST_EXTENSIONS = frozenset({".txt", ".csv", ".lst", ".jsonl"}) | PARQUET
_PICTURES = (
    (b"\xff\xd8\xff", "JPEG"), (b"\x89PNG", "PNG"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"BM", "BMP"),
)  # fmt: skip
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"heis": "HEIC", b"mif1": "HEIF", b"avif": "AVIF"}
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
# Formats that refer to other files: only to say so by name, the allow-list of demuxers is what refuses them.
_REFERENCES = (
    (b"#EXTM3U", "an HLS playlist (m3u8)"),
    (b"<MPD", "a DASH manifest (mpd)"),
    (b"ffconcat version", "an ffconcat list"),
    (b"v=0", "an SDP session description"),
    (b"[playlist]", "a PLS playlist"),
    (b"<?xml", "an XML file"),
    (b"<asx", "an ASX playlist"),
)


def picture_kind(head: bytes) -> str | None:
    """What kind of picture a file is that begins so; None when it does not look like one."""
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    return next((kind for mark, kind in _PICTURES if head.startswith(mark)), None)


def may_move(head: bytes) -> bool:
    """Whether a picture that begins so is animated, or may hold a sequence."""
    return b"acTL" in head[:1024] or b"ANIM" in head[:64] or head[8:12] in (b"avif", b"mif1")


def archive_or_text(head: bytes) -> tuple[str, str] | None:
    """What a file that begins so is, and what to do with it; None when it is neither an archive nor a text."""
    if head.startswith(_ARCHIVES):
        return "an archive", "unpack it, then index the folder"
    if head and _is_text(head[:4096]):
        return "a text", f"a list of videos ends in {', '.join(sorted(LIST_EXTENSIONS))}"
    return None


def refers_to_others(head: bytes) -> str | None:
    """What kind of list or manifest a file is that begins so; None when it does not look like one."""
    head = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((kind for mark, kind in _REFERENCES if head.startswith(mark.lower())), None)


def _is_text(sample: bytes) -> bool:
    text = sample.decode("utf-8", errors="ignore")
    return len(sample) - len(text.encode()) < 4 and all(char.isprintable() or char in "\t\r\n\f" for char in text)
