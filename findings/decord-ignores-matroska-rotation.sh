#!/usr/bin/env bash
# decord turns an MP4 as its display matrix says, and not the same stream in Matroska, which carries the same matrix: it
# gives a portrait clip lying on its side. A library that mixes .mp4 and .mkv gets two kinds of pictures of one scene,
# and copies of a video are no longer alike.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 decord==0.6.0 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
from importlib.metadata import version

import decord
import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
QUIET = [FFMPEG, "-y", "-v", "error"]
source = ["-f", "lavfi", "-i", "testsrc2=s=320x192:r=10:d=1"]
subprocess.run([*QUIET, *source, "-c:v", "libx264", "-pix_fmt", "yuv420p", "plain.mp4"], check=True)
shapes = {}
for path in ("turned.mp4", "turned.mkv"):
    subprocess.run([*QUIET, "-display_rotation", "90", "-i", "plain.mp4", "-c", "copy", path], check=True)
    said = subprocess.run([FFMPEG, "-hide_banner", "-i", path], capture_output=True, text=True).stderr
    matrix = [line.strip() for line in said.splitlines() if "rotation of" in line]
    shapes[path] = decord.VideoReader(path)[0].shape
    print("decord", version("decord"), path, matrix, "height, width", shapes[path][:2])
    assert matrix
assert shapes["turned.mp4"][:2] == (320, 192)
assert shapes["turned.mkv"][:2] == (192, 320)
PY
