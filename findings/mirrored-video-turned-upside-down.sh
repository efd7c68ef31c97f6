#!/usr/bin/env bash
# A display matrix may mirror as well as turn (selfie cameras, ffmpeg -display_hflip). PyAV gives only frame.rotation,
# which is -180 for a picture mirrored left to right, and 0 for one mirrored top to bottom; OpenCV turns by it by itself.
# So a mirrored video comes out upside down, and one that must be flipped is left as it is; the ffmpeg program shows both
# right. Who trusts the rotation embeds and captions upside-down pictures.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 av==18.1.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
import av
import cv2
import imageio_ffmpeg
import numpy as np

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
QUIET = [FFMPEG, "-y", "-v", "error"]
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0])
print("PyAV", av.__version__, "| OpenCV", cv2.__version__)
# Black, with the top right quarter white.
graph = "[0][1]overlay=80:0"
lights = ["-f", "lavfi", "-i", "color=black:s=160x120:r=10:d=1", "-f", "lavfi", "-i", "color=white:s=80x60:r=10:d=1"]
subprocess.run([*QUIET, *lights, "-filter_complex", graph, "-c:v", "libx264", "-pix_fmt", "yuv420p", "plain.mp4"], check=True)
subprocess.run([*QUIET, "-display_hflip", "-i", "plain.mp4", "-c", "copy", "left-right.mp4"], check=True)
subprocess.run([*QUIET, "-display_vflip", "-i", "plain.mp4", "-c", "copy", "top-bottom.mp4"], check=True)


def white(picture):
    height, width = picture.shape[:2]
    rows = {"top": height // 4, "bottom": 3 * height // 4}
    columns = {"left": width // 4, "right": 3 * width // 4}
    return [f"{r} {c}" for r, y in rows.items() for c, x in columns.items() if np.mean(picture[y, x]) > 128][0]


def seen(path):
    raw = [FFMPEG, "-v", "error", "-i", path, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    program = np.frombuffer(subprocess.run(raw, capture_output=True, check=True).stdout, np.uint8).reshape(120, 160)
    frame = next(av.open(path).decode(video=0))
    turned = np.rot90(frame.to_ndarray(format="gray"), frame.rotation // 90)
    return white(program), frame.rotation, white(turned), white(cv2.VideoCapture(path).read()[1])


for name in ("plain", "left-right", "top-bottom"):
    print(name, "white is (ffmpeg, PyAV's rotation, PyAV turned by it, OpenCV):", seen(f"{name}.mp4"))
assert seen("plain.mp4") == ("top right", 0, "top right", "top right")
assert seen("left-right.mp4") == ("top left", -180, "bottom left", "bottom left")
assert seen("top-bottom.mp4") == ("bottom right", 0, "top right", "top right")
PY
