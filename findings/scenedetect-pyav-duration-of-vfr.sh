#!/usr/bin/env bash
# PySceneDetect 0.7 handles variable frame rates. With the PyAV backend the duration of such a video is still the number of
# pictures divided by a rate: a 4-second file with a gap of a second lasts 3 s, while its own last picture is at 3.9 s.
# The OpenCV backend says 4 s. A scene list cut at the duration loses the end.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 av==18.1.0 scenedetect==0.7.2 opencv-python==5.0.0.93 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
import imageio_ffmpeg
import scenedetect

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
QUIET = [FFMPEG, "-y", "-v", "error"]
source = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=4"]
gap = ["-vf", "select='not(between(n,5,14))'", "-fps_mode", "vfr"]
subprocess.run([*QUIET, *source, *gap, "-c:v", "libx264", "a.mp4"], check=True)
seen = {}
for backend in ("opencv", "pyav"):
    video, last = scenedetect.open_video("a.mp4", backend=backend), None
    while video.read() is not False:
        last = video.position.seconds
    seen[backend] = round(video.duration.seconds, 2), round(last, 2)
print("PySceneDetect", scenedetect.__version__, "(duration, time of the last picture)", seen)
assert seen == {"opencv": (4.0, 3.9), "pyav": (3.0, 3.9)}
PY
