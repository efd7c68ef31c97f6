#!/usr/bin/env bash
# imageio.v3.imread(video, index=50, plugin="pyav") is documented as the picture of that number. It turns the number into a
# time with one rate and seeks: where the picture begins a second late (as in many recordings) 50 gives picture 25, and
# 19 gives picture 0; in a variable-rate video 68, the last, gives another; in Matroska at 29.97 the second half is one too far,
# and improps says 0 pictures. imiter gives all of them rightly.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio==2.38.1 av==18.1.0 imageio-ffmpeg==0.8.1 numpy==2.4.6
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

import imageio.v3 as iio

print("imageio", version("imageio"), "PyAV", version("av"))
GAP = "select='not(between(n,20,50))'"
videos = {
    "plain": video("plain.mp4"),
    "late": video("late.mp4", "-vf", "setpts=PTS+1/TB", "-fps_mode", "passthrough"),
    "variable": video("variable.mp4", "-vf", GAP, "-fps_mode", "vfr"),
    "matroska": video("ntsc.mkv", rate="30000/1001"),
}
wrong = {}
for name, path in videos.items():
    order = [number(picture) for picture in iio.imiter(path, plugin="pyav")]
    asked = (0, 1, 19, 50, 68)
    given = [number(iio.imread(path, index=k, plugin="pyav")) for k in asked]
    wrong[name] = {k: (order[k], got) for k, got in zip(asked, given) if order[k] != got}
    print(f"{name:9} pictures {len(order)}; index: (right, given) where they differ: {wrong[name]}")
assert wrong["plain"] == {} and wrong["late"] == {19: (19, 0), 50: (50, 25), 68: (68, 43)}
assert wrong["variable"] == {68: (99, 68)} and wrong["matroska"] == {68: (68, 69)}
PY
