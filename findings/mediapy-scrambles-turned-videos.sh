#!/usr/bin/env bash
# mediapy 1.2.7 takes a video's turn from the header that ffmpeg prints, the output's, too, where ffmpeg 7 says "rotation of -0.00 degrees":
# so a film held upright comes as 48 x 64 instead of 64 x 48, its rows cut up and laid side by side; no error, since as many
# bytes are read. A quarter turn of a picture that is white on the left is stripes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q mediapy==1.2.7 imageio-ffmpeg==0.6.0
venv/bin/python - <<'PY'
import subprocess
from importlib.metadata import version

import imageio_ffmpeg
import mediapy
import numpy as np

ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
mediapy.set_ffmpeg(ffmpeg)
print("mediapy", version("mediapy"), "ffmpeg", subprocess.run([ffmpeg, "-version"], capture_output=True, text=True).stdout.split()[2])


def make(*arguments):
    subprocess.run([ffmpeg, "-v", "error", "-y", *arguments], check=True)


picture = "nullsrc=s=64x48:r=5:d=1,geq=lum='if(lt(Y,24),235,16)':cb=128:cr=128"  # its upper half is white
make("-f", "lavfi", "-i", picture, "-c:v", "libx264", "-pix_fmt", "yuv420p", "lying.mp4")
make("-display_rotation", "90", "-i", "lying.mp4", "-c", "copy", "upright.mp4")
make("-i", "upright.mp4", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "right.rgb")  # ffmpeg turns it
right = np.fromfile("right.rgb", np.uint8).reshape(64, 48, 3)[..., 0]
shown = np.asarray(mediapy.read_video("upright.mp4"))[0, ..., 0]
print("turned by ffmpeg:", right.shape, "a row:", right[20, ::6].tolist())
print("by mediapy:      ", shown.shape, "a row:", shown[20, ::6].tolist())
halves = (right[:, :20] > 200).all() and (right[:, 28:] < 50).all()
assert halves and shown.shape == (48, 64)
changes = (np.abs(np.diff(shown[20].astype(int))) > 100).sum()
assert changes >= 2, changes  # a half that is white and one that is black have one
PY
