#!/usr/bin/env bash
# A click at 0.5 s, encoded to WMA. The ffmpeg program drops the first 46 ms and writes the click at 0.454 s; by the time
# stamps that PyAV gives with the samples it is at 0.546 s. Neither is right, and they differ by 92 ms, two pictures
# of a video. The same with AAC in MP4 gives 0.5 s both ways.
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
QUIET = [FFMPEG, "-y", "-v", "error"]
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0], "| PyAV", av.__version__)
click = "aevalsrc='if(between(t,0.5,0.51),0.8*sin(2*PI*2000*t),0)':s=44100:d=2"
seen = {}
for path, codec in (("a.m4a", "aac"), ("a.wma", "wmav2")):
    subprocess.run([*QUIET, "-f", "lavfi", "-i", click, "-c:a", codec, path], check=True)
    raw = subprocess.run([*QUIET, "-i", path, "-f", "f32le", "-"], capture_output=True, check=True).stdout
    by_ffmpeg = np.argmax(np.abs(np.frombuffer(raw, np.float32)) > 0.3) / 44100
    with av.open(path) as container:
        frames = list(container.decode(audio=0))
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    by_pyav = frames[0].time + np.argmax(np.abs(samples) > 0.3) / 44100
    seen[path] = round(float(by_ffmpeg), 3), round(float(by_pyav), 3)
    print(path, "click at (ffmpeg, PyAV's times)", seen[path])
assert seen["a.m4a"] == (0.5, 0.5)
assert seen["a.wma"] == (0.454, 0.546)
PY
