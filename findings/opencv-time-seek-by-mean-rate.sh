#!/usr/bin/env bash
# Setting CAP_PROP_POS_MSEC in OpenCV turns the time into a picture number by one rate for the whole file. In a video of
# variable rate (screen recordings, phones) second 2.55 leads to the picture of 2.9 s in MP4 and of 3.6 s in Matroska, as
# OpenCV itself says afterwards, though the pictures are the same. With a constant rate it is right to the next picture.
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
# 10 pictures a second for 4 s; the gap leaves out those from 0.5 to 1.4 s.
source = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=4"]
gap = ["-vf", "select='not(between(n,5,14))'", "-fps_mode", "vfr"]
subprocess.run([*QUIET, *source, "-c:v", "libx264", "constant.mp4"], check=True)
subprocess.run([*QUIET, *source, *gap, "-c:v", "libx264", "gap.mp4"], check=True)
subprocess.run([*QUIET, *source, *gap, "-c:v", "libx264", "gap.mkv"], check=True)
print("OpenCV", cv2.__version__)
asked, seen = [550, 1950, 2550], {}
for path in ("constant.mp4", "gap.mp4", "gap.mkv"):
    found = []
    for at_ms in asked:
        capture = cv2.VideoCapture(path)
        capture.set(cv2.CAP_PROP_POS_MSEC, at_ms)
        assert capture.read()[0]
        found.append(round(capture.get(cv2.CAP_PROP_POS_MSEC)))
    seen[path] = found
    print(path, "asked for ms", asked, "got the pictures of", found)
assert seen["constant.mp4"] == [600, 2000, 2600]
assert seen["gap.mp4"] == [400, 2500, 2900]
assert seen["gap.mkv"] == [1600, 3000, 3600]
PY
