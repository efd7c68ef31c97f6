"""Generated videos for the benchmarks: a short piece is encoded once and joined to any length without encoding."""

from __future__ import annotations

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


def plain_film(folder: Path, colour: str, *, seconds: int) -> Path:
    """A small H.264 file of one colour and no sound, by a name that ffmpeg knows."""
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{colour}.mp4"
    _run("-f", "lavfi", "-i", f"color=c={colour}:s=128x96:r=10:d={seconds}", "-c:v", "libx264", str(out))
    return out


def _run(*arguments: str) -> None:
    subprocess.run([find_ffmpeg(), "-nostdin", "-v", "error", "-y", *arguments], check=True)
