"""How fast frames come out of a video: python benchmarks/decode.py [--video FILE] [--seconds 60]

Without --video, makes moving, noisy 1080p30 H.264 films with keyframes every 8.3 s (x264's default), 2 s and 1 s.
Compares readers, modes and thread counts, and two bounds: PyAV's plain `container.decode`, converted at the same
rate, and reading the packets alone. Each measurement runs in a process of its own, for its peak memory.
Prints one JSON object; "x" is seconds of video per second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _machine import facts, peak_memory_mb

KEYFRAME_EVERY = {"default": 250, "2 s": 60, "1 s": 30}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, help="measure this file instead of generated ones")
    parser.add_argument("--seconds", type=int, default=60, help="length of the generated films")
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--rate-hz", type=float, default=1.0)
    parser.add_argument("--short-side", type=int, default=256)
    parser.add_argument("--out", type=Path, help="also write the JSON here")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.video, args.rate_hz, args.short_side, *args.one.split(":"))))
        return
    report: dict[str, Any] = {"benchmark": "decode", "machine": facts(), "rate_hz": args.rate_hz, "films": {}}
    with tempfile.TemporaryDirectory(prefix="vidembed-decode-") as folder:
        films = {args.video.name: args.video} if args.video else {}
        for name, frames in KEYFRAME_EVERY.items() if not args.video else ():
            films[name] = make_film(Path(folder), name, frames, args.seconds, args.size)
        for name, film in films.items():
            rows = []
            for how in ways():
                command = [sys.executable, __file__, "--video", str(film), "--one", how]
                command += ["--rate-hz", str(args.rate_hz), "--short-side", str(args.short_side)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                row = json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr.splitlines()[-1:]}
                rows.append({"how": how} | row)
                print(how, row, file=sys.stderr)
            report["films"][name] = rows
    text = json.dumps(report, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", "utf-8")


def ways() -> list[str]:
    """reader:mode:threads"""
    modes = [f"{reader}:{mode}:{threads}" for threads in (1, 2) for reader in ("pyav", "decord")
             for mode in ("fixed", "adaptive", "keyframes")]  # fmt: skip
    return [*modes, "plain:decode:1", "plain:decode:2", "plain:packets:1"]


def measure(film: Path, rate_hz: float, short_side_px: int, reader: str, mode: str, threads: str) -> dict[str, Any]:
    from vidembed.media.reading.probe import probe

    duration_s = probe(film).duration_s
    started, cpu_started = time.perf_counter(), time.process_time()
    if reader == "plain":
        frames, decoded = plain(film, rate_hz, short_side_px, mode, int(threads))
    else:
        from vidembed.config.schema import MediaSettings
        from vidembed.media.reading.reader import open_video

        with open_video(film, MediaSettings.model_validate({"reader": reader}), threads=int(threads)) as video:
            frames = sum(1 for _ in video.stream(rate_hz=rate_hz, short_side_px=short_side_px, mode=mode))  # type: ignore[arg-type]
            decoded = video.counts["decoded"]
    wall_s = time.perf_counter() - started
    return {
        "x": round(duration_s / wall_s, 1),
        "cpu_s": round(time.process_time() - cpu_started, 2),
        "frames": frames,
        "decoded": decoded,
        "peak_mb": round(peak_memory_mb()),
    }


def plain(film: Path, rate_hz: float, short_side_px: int, mode: str, threads: int) -> tuple[int, int]:
    """(frames converted, frames decoded) with nothing of ours."""
    import av

    kept = decoded = 0
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        if mode == "packets":
            return 0, sum(1 for _ in container.demux(stream))
        stream.thread_type, stream.codec_context.thread_count = "AUTO", threads
        due_s = 0.0
        for frame in container.decode(stream):
            decoded += 1
            if frame.time >= due_s:
                height = min(short_side_px, frame.height)
                frame.reformat(width=frame.width * height // frame.height, height=height, format="rgb24").to_ndarray()
                kept, due_s = kept + 1, due_s + 1 / rate_hz
    return kept, decoded


def make_film(folder: Path, name: str, keyframe_every: int, seconds: int, size: str) -> Path:
    """Moving shapes, text and film grain: about 8 Mbit/s at 1080p."""
    from vidembed.media.editing.ffmpeg import find_ffmpeg

    film = folder / f"{name.replace(' ', '')}.mp4"
    source = f"testsrc2=s={size}:r=30:d={seconds},noise=alls=4:allf=t"
    command = [find_ffmpeg(), "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", source]
    command += ["-c:v", "libx264", "-preset", "fast", "-crf", "27", "-pix_fmt", "yuv420p", "-g", str(keyframe_every)]
    subprocess.run([*command, str(film)], check=True)
    return film


if __name__ == "__main__":
    main()
