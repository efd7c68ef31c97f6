#!/usr/bin/env bash
# MoviePy reads the pictures of a variable-rate video (screen recordings, phones) at one rate and counts them at another: at
# 2.5 s it shows picture 19, which is from 0.8 s, instead of 62, and 47 of the file's 69 pictures never; the duration is
# right. Where the picture begins a second late, it shows everything a second early, against the sound. No warning.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q moviepy==2.2.1 imageio-ffmpeg==0.8.1 av==18.1.0 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
from importlib.metadata import version

import imageio_ffmpeg
import numpy as np

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
WIDE = 16  # each picture shows its number as eight black or white blocks


def video(path, *options, rate="25", count=100):
    rows = [np.repeat([255 * (n >> bit & 1) for bit in range(8)], WIDE).astype(np.uint8) for n in range(count)]
    raw = b"".join(row.tobytes() * WIDE for row in rows)
    shape = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{8 * WIDE}x{WIDE}", "-r", rate]
    command = [FFMPEG, "-v", "error", *shape, "-i", "-", "-pix_fmt", "yuv420p", *options, path]
    subprocess.run(command, input=raw, check=True)
    return path


def number(picture):
    return sum(int(picture[WIDE // 2, WIDE // 2 + WIDE * bit, 0] > 128) << bit for bit in range(8))

import av
from moviepy import VideoFileClip

print("moviepy", version("moviepy"))
GAP = "select='not(between(n,20,50))'"
paths = (
    video("plain.mp4"),
    video("variable.mp4", "-vf", GAP, "-fps_mode", "vfr"),
    video("late.mp4", "-vf", "setpts=PTS+1/TB", "-fps_mode", "passthrough"),
)
for path in paths:
    with av.open(path) as file:
        shown = [(float(frame.time), number(frame.to_ndarray(format="rgb24"))) for frame in file.decode(video=0)]
    times = (0.5, 1.5, 2.5, 3.5)
    right = [max((n for time, n in shown if time <= t + 1e-6), default=None) for t in times]
    with VideoFileClip(path) as clip:
        given = [number(clip.get_frame(t)) for t in times]
        played = [number(picture) for picture in clip.iter_frames()]
    print(f"{path:12} at {times} right {right}, MoviePy {given}; it ends on picture {played[-1]}")
    if path == "plain.mp4":
        assert given == right and played[-1] == 99
    else:
        assert given != right
        assert path == "late.mp4" or played[-1] != 99
PY
