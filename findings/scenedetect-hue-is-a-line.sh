#!/usr/bin/env bash
# ContentDetector, PySceneDetect's best known, compares hues as numbers from 0 to 179, not round the circle, and whatever
# the saturation. With its default threshold it cuts between two reds, and between two greys, that look the same, and does
# not cut from blue to green, from dark grey to light grey, or from dull red to dull green.
# HistogramDetector sees the last three.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 scenedetect==0.7.2 opencv-python==5.0.0.93 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
import imageio_ffmpeg
import scenedetect

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def cuts(first, second):
    inputs = [word for colour in (first, second) for word in ("-f", "lavfi", "-i", f"color={colour}:s=160x120:r=25:d=2")]
    encode = ["-filter_complex", "[0][1]concat=n=2", "-c:v", "libx264", "-crf", "5", "-pix_fmt", "yuv420p", "a.mp4"]
    subprocess.run([FFMPEG, "-y", "-v", "error", *inputs, *encode], check=True)
    detectors = (scenedetect.ContentDetector(), scenedetect.HistogramDetector())
    return [len(scenedetect.detect("a.mp4", detector)) > 1 for detector in detectors]


print("PySceneDetect", scenedetect.__version__, "[ContentDetector cuts, HistogramDetector cuts]")
seen = {}
for name, first, second in (
    ("two reds", "0xcc2936", "0xcc3629"),
    ("two greys", "0x807e7e", "0x7e807e"),
    ("blue to green", "0x0000ff", "0x00ff00"),
    ("dark to light grey", "0x303030", "0x707070"),
    ("dull red to dull green", "0x806060", "0x608060"),
):
    seen[name] = cuts(first, second)
    print(name, first, second, seen[name])
assert seen["two reds"][0] and seen["two greys"][0]
assert seen["blue to green"] == seen["dark to light grey"] == seen["dull red to dull green"] == [False, True]
PY
