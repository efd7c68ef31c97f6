#!/usr/bin/env bash
# An animated AVIF holds a still picture and a track. For ffmpeg 9 and PyAV both are video streams, and the still one is
# the first, at 1 picture a second: decode(video=0) and a plain ffmpeg command give one picture, while the file's
# duration says 4 s. The 40 pictures are in the second stream.
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
QUIET = [FFMPEG, "-y", "-v", "error"]
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0], "| PyAV", av.__version__)
source = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=4"]
subprocess.run([*QUIET, *source, "-c:v", "libaom-av1", "-cpu-used", "8", "a.avif"], check=True)
counts = []
for number in (0, 1):
    with av.open("a.avif") as container:
        counts.append(sum(1 for _ in container.decode(video=number)))
        duration_s = container.duration / 1e6
command = [*QUIET, "-i", "a.avif", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
by_ffmpeg = len(subprocess.run(command, capture_output=True, check=True).stdout) // (160 * 120)
print("duration", duration_s, "s; pictures by PyAV in streams 0 and 1:", counts, "; by ffmpeg:", by_ffmpeg)
assert duration_s == 4.0 and counts == [1, 40] and by_ffmpeg == 1
PY
