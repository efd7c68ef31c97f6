#!/usr/bin/env bash
# "-ss 0" before -i sounds like no seek at all. For AVI with B-frames it is one: ffmpeg gives other pictures than without
# it, smeared ones, since the demuxer lands behind the keyframe; with -c copy nearly nothing is left of two seconds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 av==18.1.0 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
import av
import imageio_ffmpeg
import numpy as np

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
QUIET = [FFMPEG, "-y", "-v", "fatal"]
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0])
source = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=6"]
for name, coding in (("a.avi", ["-c:v", "mpeg4", "-bf", "2"]), ("a.mp4", ["-c:v", "mpeg4", "-bf", "2"])):
    subprocess.run([*QUIET, *source, *coding, "-g", "50", name], check=True)


def pictures(path, *seek):
    command = [*QUIET, *seek, "-i", path, "-t", "2", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True).stdout, np.uint8).reshape(-1, 120, 160).astype(int)


def copied(path, *seek):
    subprocess.run([*QUIET, *seek, "-fflags", "+genpts", "-i", path, "-t", "2", "-c", "copy", "copy.mp4"])
    with av.open("copy.mp4") as container:
        return sum(1 for _ in container.decode(video=0))


differ = {}
for path in ("a.mp4", "a.avi"):
    plain, sought = pictures(path), pictures(path, "-ss", "0")
    count = min(len(plain), len(sought))
    differ[path] = round(float(np.abs(plain[:count] - sought[:count]).mean()), 1)
    print(path, "mean difference of the first 2 s with -ss 0:", differ[path], "of 255; pictures copied without and with:",
          copied(path), copied(path, "-ss", "0"))
assert differ["a.mp4"] == 0 and differ["a.avi"] > 10
PY
