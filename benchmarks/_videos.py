"""Generated videos for the benchmarks: a short piece is encoded once and joined to any length without encoding."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

from vidembed.files import replacing
from vidembed.media.editing.ffmpeg import find_ffmpeg


def long_video(folder: Path, *, width: int, height: int, seconds: int, piece_s: int = 20, sound: bool = False) -> Path:
    """An H.264 file of moving test pictures with a still stretch in each piece; made once, then reused.

    Half of every piece moves (test pattern with noise), half stands still, as films and lectures do.
    """
    out = folder / f"film_{width}x{height}_{seconds}s{'_sound' if sound else ''}.mp4"
    if out.exists():
        return out
    folder.mkdir(parents=True, exist_ok=True)
    piece = out.with_suffix(".piece.mp4")
    half = piece_s // 2
    size = f"{width}x{height}"
    moving = f"testsrc2=s={size}:r=30:d={half},noise=alls=4:allf=t,format=yuv420p[a]"
    still = f"smptehdbars=s={size}:r=30:d={piece_s - half},format=yuv420p[b]"
    tone = ["-f", "lavfi", "-i", f"sine=f=440:r=16000:d={piece_s}"] if sound else []
    codec = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "26", "-g", "250"]
    audio = ["-map", "0:a", "-c:a", "aac", "-b:a", "32k"] if sound else []
    graph = f"{moving};{still};[a][b]concat=n=2[v]"
    _run(*tone, "-filter_complex", graph, "-map", "[v]", *audio, *codec, str(piece))
    loops = max(0, -(-seconds // piece_s) - 1)
    with replacing(out) as part:
        _run("-stream_loop", str(loops), "-i", str(piece), "-c", "copy", "-t", str(seconds), str(part))
    piece.unlink()
    return out


def short_clips(folder: Path, count: int, *, seconds: int = 5, kinds: int = 8) -> Path:
    """A folder of so many H.264 files of 640 x 360 with sound, none equal to another; made once, then reused.

    Their pictures and tones are of `kinds` kinds; what differs otherwise is an empty box at the end of the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    codec = ["-c:v", "libx264", "-preset", "veryfast", "-g", "60", "-c:a", "aac", "-b:a", "64k"]
    for kind in range(min(kinds, count)):
        first = folder / f"{kind:05}.mp4"
        if not first.exists():
            picture = f"testsrc2=s=640x360:r=30:d={seconds},hue=h={360 * kind // kinds},format=yuv420p"
            tone = f"sine=f={220 * (kind + 1)}:r=16000:d={seconds}"
            with replacing(first) as part:
                _run("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, *codec, str(part))
        for number in range(kind + kinds, count, kinds):
            if not (clip := folder / f"{number:05}.mp4").exists():
                clip.write_bytes(first.read_bytes() + struct.pack(">I4sI", 12, b"free", number))
    return folder


def plain_film(folder: Path, colour: str, *, seconds: int) -> Path:
    """A small H.264 file of one colour and no sound, by a name that ffmpeg knows."""
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{colour}.mp4"
    _run("-f", "lavfi", "-i", f"color=c={colour}:s=128x96:r=10:d={seconds}", "-c:v", "libx264", str(out))
    return out


def _run(*arguments: str) -> None:
    subprocess.run([find_ffmpeg(), "-nostdin", "-v", "error", "-y", *arguments], check=True)
