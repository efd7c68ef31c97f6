#!/usr/bin/env bash
# `ffmpeg -i video -r 1 %d.png`, the usual way to take a picture a second, gives 12 pictures of a 10-second video: the
# second is the very next frame (0.04 s) and the one at position k shows second k - 1.12, not k. The filter fps=1 gives
# ten, each half a second into its second. Captions or embeddings of such pictures are off by more than a second.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1
venv/bin/python - <<'PY'
import subprocess
import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0])
# Every pixel of frame N has value N; 25 frames a second, 10 seconds.
source = ["-f", "lavfi", "-i", "color=black:s=16x16:r=25:d=10,format=gray,geq=lum=N"]
subprocess.run([FFMPEG, "-v", "error", *source, "-c:v", "ffv1", "a.mkv"], check=True)


def frames_taken(*options):
    command = [FFMPEG, "-v", "error", "-i", "a.mkv", *options, "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    return list(subprocess.run(command, capture_output=True, check=True).stdout[:: 16 * 16])


by_rate, by_filter = frames_taken("-r", "1"), frames_taken("-vf", "fps=1")
print("-r 1   takes the frames at seconds", [n / 25 for n in by_rate])
print("fps=1  takes the frames at seconds", [n / 25 for n in by_filter])
assert by_rate == [0, 1, 22, 47, 72, 97, 122, 147, 172, 197, 222, 247]
assert by_filter == [12, 37, 62, 87, 112, 137, 162, 187, 212, 237]
PY
