#!/usr/bin/env bash
# decord finds pictures by number. In MPEG-TS it gives, without a word, others than asked: for numbers 0, 1 and 2 it
# gives picture 20, the second keyframe, and what follows. Their count and times are right, so that nothing looks wrong,
# but what is embedded for second 0 was shown at second 2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 decord==0.6.0 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
from importlib.metadata import version

import decord
import imageio_ffmpeg
import numpy as np

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
QUIET = [FFMPEG, "-y", "-v", "error"]
# Picture N has the grey value 20 + 5 N; a keyframe every 20 pictures, 10 a second.
grey = "color=black:s=64x64:d=4:r=10,format=gray,geq=lum=20+N*5,scale=out_range=pc"
subprocess.run(
    [*QUIET, "-f", "lavfi", "-i", grey, "-c:v", "libx264", "-crf", "1", "-bf", "2", "-g", "20", "-sc_threshold", "0",
     "-pix_fmt", "yuvj420p", "a.mp4"], check=True,
)
subprocess.run([*QUIET, "-i", "a.mp4", "-c", "copy", "a.ts"], check=True)


def pictures(path):
    reader = decord.VideoReader(path)
    found = [round((float(np.mean(reader[n].asnumpy())) - 20) / 5) for n in (0, 1, 2)]
    return len(reader), found, [round(float(t), 3) for t in reader.get_frame_timestamp([0, 1, 2])[:, 0]]


for path in ("a.mp4", "a.ts"):
    print("decord", version("decord"), path, "count, pictures for the numbers 0, 1, 2, their times:", pictures(path))
assert pictures("a.mp4") == (40, [0, 1, 2], [0.0, 0.1, 0.2])
count, found, times = pictures("a.ts")
assert count == 40 and times == [0.0, 0.1, 0.2]
assert min(found) == 20  # the second keyframe
PY
