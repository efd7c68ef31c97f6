"""Tiny videos of one colour and one tone each, for tests of the index with the toy profile."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from media_factory import colour, ffmpeg_program, tone


def make(path: Path, *stretches: str, hz: int | None = 1000, second_each: float = 1.0) -> Path:
    """A video that shows each colour for `second_each` seconds, with one tone all through (None: no sound track)."""
    inputs = [part for name in stretches for part in colour(name, second_each)]
    sound = tone(hz, second_each * len(stretches)) if hz is not None else []
    joined = "".join(f"[{number}:v]" for number in range(len(stretches)))
    graph = ["-filter_complex", f"{joined}concat=n={len(stretches)}:v=1:a=0[v]", "-map", "[v]"]
    hear = ["-map", f"{len(stretches)}:a", "-c:a", "aac"] if hz is not None else []
    codec = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "ultrafast", "-g", "10"]
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [*inputs, *sound, *graph, *hear, *codec, f"file:{path}"]
    subprocess.run([ffmpeg_program(), "-v", "error", "-nostdin", "-y", *made], check=True, capture_output=True)
    return path


def touch_later(path: Path) -> None:
    """A new modification time, a minute later."""
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 60_000_000_000))
