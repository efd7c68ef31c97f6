#!/usr/bin/env bash
# ffmpeg and PyAV tell how long an MPEG program stream (.mpg, .vob) is from the last time stamp in it, and the writer puts
# one stamp per packet of many pictures: this file of 4 s with 100 pictures is said to last 3.08 s. With low
# rates whole seconds are missing. Who samples up to the duration never sees the end.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 av==18.1.0
venv/bin/python - <<'PY'
import subprocess
import av
import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0], "| PyAV", av.__version__)
spans = {}
for name in ("a.mp4", "a.mpg"):
    source = ["-f", "lavfi", "-i", "color=gray:s=64x64:r=25:d=4"]
    subprocess.run([FFMPEG, "-y", "-v", "error", *source, "-c:v", "mpeg2video", "-q:v", "2", name], check=True)
    with av.open(name) as container:
        stream = container.streams.video[0]
        said = float(stream.duration * stream.time_base)
        times = [frame.time for frame in container.decode(stream)]
    spans[name] = said, round(times[-1] - times[0] + 0.04, 2)
    print(name, "said to last", round(said, 2), "s, pictures last", spans[name][1], "s:", len(times))
assert spans["a.mp4"] == (4.0, 4.0)
assert spans["a.mpg"][0] < 3.2 and spans["a.mpg"][1] == 4.0
PY
