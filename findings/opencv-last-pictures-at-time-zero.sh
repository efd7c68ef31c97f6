#!/usr/bin/env bash
# CAP_PROP_POS_MSEC is the usual way to know when a picture read with OpenCV is shown. In AVI files with B-frames
# it is 0 for the last two, after having risen all the time. An index that takes it places the end of the
# video at its beginning; in MP4 it is right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 opencv-python-headless==5.0.0.93 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
import cv2
import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
QUIET = [FFMPEG, "-y", "-v", "error"]
print("OpenCV", cv2.__version__)
ends = {}
for path in ("a.mp4", "a.avi"):
    source = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=2"]
    subprocess.run([*QUIET, *source, "-c:v", "libx264", "-bf", "2", path], check=True)
    capture, times = cv2.VideoCapture(path), []
    while capture.read()[0]:
        times.append(round(capture.get(cv2.CAP_PROP_POS_MSEC)))
    ends[path] = times[-4:]
    print(path, len(times), "pictures, first at", times[:2], "last at", ends[path])
assert ends["a.mp4"] == [1840, 1880, 1920, 1960]
assert ends["a.avi"][-2:] == [0, 0] and ends["a.avi"][0] > 1700
PY
