"""Long videos with exactly known spans, put together from pieces of other media: what moment search is measured on.

Each piece is brought to one size, frame rate and sound rate with a whole number of frames, so the spans are exact to
the frame: 12.5 frames a second are 1,280 samples each at 16 kHz. Then the pieces are joined without encoding again.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidembed.errors import InputError, MediaUnreadable
from vidembed.files import replacing
from vidembed.types import Span

WIDTH_PX, HEIGHT_PX = 320, 240
FPS = 12.5
RATE_HZ = 16_000
_SAMPLES = round(RATE_HZ / FPS)
_TIMEOUT_S = 300.0
_STILLS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


@dataclass(frozen=True)
class Piece:
    """A stretch of a file. path: its picture, None = black; sound: its sound, None = silence (often the same file)."""

    name: str  # of the medium and stretch; the same name may occur several times
    duration_s: float
    path: Path | None
    sound: Path | None = None
    start_s: float = 0.0

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise InputError(f"the piece {self.name!r} is shorter than a frame: {self.duration_s:g} s")

    @property
    def frames(self) -> int:
        """Length in frames at the rate of the assembled videos."""
        return round(self.duration_s * FPS)


@dataclass(frozen=True)
class Assembled:
    """A finished video. placed: name and span of each piece, in order, covering the whole of it."""

    path: Path
    placed: tuple[tuple[str, Span], ...]

    def spans_of(self, name: str) -> tuple[Span, ...]:
        """Where a piece was placed, in order."""
        return tuple(span for piece, span in self.placed if piece == name)


def deal(pieces: Sequence[Piece], *, videos: int, duration_s: float, seed: int) -> list[list[Piece]]:
    """Orders of pieces for `videos` videos of at least duration_s each; the same seed deals the same.

    A shuffled deck is dealt out and shuffled again when it is empty, so all pieces occur about equally often, and
    none twice in a row. Raises InputError with fewer than two pieces.
    """
    if len({piece.name for piece in pieces}) < 2:
        raise InputError("need at least two pieces to put long videos together")
    rng = random.Random(seed)
    deck: list[Piece] = []
    dealt: list[list[Piece]] = []
    for _ in range(videos):
        hand: list[Piece] = []
        length_s = 0.0
        while length_s < duration_s:
            if not deck:
                deck = list(pieces)
                rng.shuffle(deck)
            if hand and deck[-1].name == hand[-1].name:
                deck.insert(0, deck.pop())
                if len(deck) == 1:  # the deck's last card: draw a fresh deck under it
                    fresh = list(pieces)
                    rng.shuffle(fresh)
                    deck += fresh
                continue
            hand.append(deck.pop())
            length_s += hand[-1].frames / FPS
        dealt.append(hand)
    return dealt


def assemble(pieces: Sequence[Piece], out: Path, *, cache: Path | None = None) -> Assembled:
    """Join the pieces into one Matroska file (H.264, PCM sound); gaps of neither picture nor sound.

    cache: folder that keeps pieces brought to one form, for many videos of the same ones; default: a temporary one.
    Raises MediaUnreadable, with ffmpeg's words, for a piece that cannot be read; MissingDependency without ffmpeg.
    """
    if not pieces:
        raise InputError("no pieces to put together")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vidembed-pieces-") as temporary:
        folder = cache or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        parts = [_normal(piece, folder) for piece in pieces]
        _join(parts, out, Path(temporary))
    return placed(pieces, out)


def placed(pieces: Sequence[Piece], path: Path) -> Assembled:
    """Where each piece lies in the video that `assemble` makes of them."""
    spans: list[tuple[str, Span]] = []
    frame = 0
    for piece in pieces:
        spans.append((piece.name, Span(frame / FPS, (frame + piece.frames) / FPS)))
        frame += piece.frames
    return Assembled(path, tuple(spans))


def _normal(piece: Piece, folder: Path) -> Path:
    """The piece as a file of the common form, made once."""
    import ffmpeg

    from vidembed.media.editing.ffmpeg import run

    form = (str(piece.path), str(piece.sound), piece.start_s, piece.frames, WIDTH_PX, HEIGHT_PX, FPS, RATE_HZ)
    out = folder / f"{hashlib.blake2b(repr(form).encode(), digest_size=8).hexdigest()}.mkv"
    if out.exists():
        return out
    seconds = piece.frames / FPS
    with replacing(out) as part:
        stream = ffmpeg.output(
            _picture(piece, seconds),
            _sound(piece),
            str(part),
            vcodec="libx264",
            preset="ultrafast",
            crf=20,
            g=25,
            pix_fmt="yuv420p",
            acodec="pcm_s16le",
            threads=1,
        )
        run(stream, doing=f"bringing {piece.name} into form", timeout_s=_TIMEOUT_S)
        _check(part, piece)
    return out


def _check(path: Path, piece: Piece) -> None:
    """Raises MediaUnreadable unless the piece has its frames: one that lacks some would shift all spans after it."""
    from vidembed.media.reading.reader import open_video

    with open_video(path) as video:
        frames = sum(1 for _ in video.stream(rate_hz=FPS, short_side_px=32))
    if frames != piece.frames:
        found = f"{frames} frames, not {piece.frames}"
        raise MediaUnreadable(f"the piece {piece.name!r} of {piece.path} came out with {found}")


def _picture(piece: Piece, seconds: float) -> Any:
    import ffmpeg

    if piece.path is None:
        return ffmpeg.input(f"color=c=black:s={WIDTH_PX}x{HEIGHT_PX}:r={FPS}:d={seconds}", f="lavfi").video
    if piece.path.suffix.lower() in _STILLS:
        picture = ffmpeg.input(str(piece.path.resolve()), f="image2", pattern_type="none", framerate=FPS).video
    else:
        picture = ffmpeg.input(f"file:{piece.path}", ss=piece.start_s, t=seconds + 0.2).video.filter("fps", FPS)
        # The last frame stays on show where the file ends early: the count of frames must be exact.
        picture = picture.filter("tpad", stop_mode="clone", stop_duration=seconds)
    # One range and matrix for all pieces: joined without encoding, the next piece's are taken for the last one's.
    picture = picture.filter(
        "scale",
        WIDTH_PX,
        HEIGHT_PX,
        force_original_aspect_ratio="decrease",
        out_range="tv",
        out_color_matrix="smpte170m",
    )
    picture = picture.filter("pad", WIDTH_PX, HEIGHT_PX, "(ow-iw)/2", "(oh-ih)/2").filter("setsar", 1)
    picture = picture.filter("setparams", range="tv", colorspace="smpte170m")
    if piece.path.suffix.lower() in _STILLS:
        # Repeated after scaling: a large picture is decoded and scaled once, not once a frame.
        picture = picture.filter("loop", loop=-1, size=1, start=0)
    return picture.filter("trim", end_frame=piece.frames).filter("setpts", "PTS-STARTPTS")


def _sound(piece: Piece) -> Any:
    import ffmpeg

    samples = piece.frames * _SAMPLES
    if piece.sound is None:
        sound = ffmpeg.input(f"anullsrc=r={RATE_HZ}:cl=mono", f="lavfi").audio
    else:
        sound = ffmpeg.input(f"file:{piece.sound}", ss=piece.start_s, t=piece.duration_s).audio
        sound = sound.filter("aresample", RATE_HZ).filter("aformat", channel_layouts="mono", sample_fmts="s16")
        sound = sound.filter("apad", whole_len=samples)
    return sound.filter("atrim", end_sample=samples).filter("asetpts", "PTS-STARTPTS")


def _join(parts: Sequence[Path], out: Path, folder: Path) -> None:
    import ffmpeg

    from vidembed.media.editing.ffmpeg import run

    listing = folder / "pieces.txt"
    quoted = (str(part.resolve()).replace("'", r"'\''") for part in parts)
    listing.write_text("".join(f"file 'file:{name}'\n" for name in quoted), encoding="utf-8")
    with replacing(out) as part:
        stream = ffmpeg.input(str(listing), f="concat", safe=0, protocol_whitelist="file").output(str(part), c="copy")
        run(stream, doing=f"joining {out.name}", timeout_s=_TIMEOUT_S)
