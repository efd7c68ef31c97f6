#!/usr/bin/env bash
# Copying an MP4 whose clock ticks 600 times a second, as QuickTime's does, into AVI makes a file that says 600 pictures a
# second and 2400 pictures, of which 40 exist: AVI counts the empty places between. PyAV and OpenCV pass that on, and
# PySceneDetect's PyAV backend takes the 4-second file for 4 minutes. Sampling every n-th picture reads almost nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 av==18.1.0 opencv-python-headless==5.0.0.93 scenedetect==0.7.2 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
import av
import cv2
import imageio_ffmpeg
import scenedetect

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
QUIET = [FFMPEG, "-y", "-v", "error"]
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0])
source = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=4"]
encode = ["-c:v", "libx264", "-bf", "0", "-video_track_timescale", "600"]
subprocess.run([*QUIET, *source, *encode, "a.mp4"], check=True)
subprocess.run([*QUIET, "-i", "a.mp4", "-c", "copy", "a.avi"], check=True)


def said(path):
    with av.open(path) as container:
        stream = container.streams.video[0]
        rate, frames = int(stream.average_rate), stream.frames
        decoded = sum(1 for _ in container.decode(stream))
    capture = cv2.VideoCapture(path)
    opened = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return rate, frames, decoded, opened, scenedetect.open_video(path, backend="pyav").duration.seconds


print("PyAV", av.__version__, "| OpenCV", cv2.__version__, "| PySceneDetect", scenedetect.__version__)
for path in ("a.mp4", "a.avi"):
    print(path, "(PyAV: rate, pictures, decoded; OpenCV: rate, pictures; PySceneDetect: seconds)", said(path))
assert said("a.mp4") == (10, 40, 40, (10.0, 40.0), 4.0)
rate, frames, decoded, opened, seconds = said("a.avi")
assert (rate, decoded, opened[0]) == (600, 40, 600.0)
assert frames > 2300 and opened[1] > 2300 and seconds > 230
PY
