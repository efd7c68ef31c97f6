#!/usr/bin/env bash
# The loudness range of a steady tone is 0. pyloudnorm 0.2 puts 1.5 s of silence behind the sound first, and for clips under
# 20 s the fade into it counts: 2.4 LU for 4 s, 1 LU for 10 s, where ffmpeg's ebur128 says 0.0. Clips of one level look lively;
# the integrated loudness of both agrees. Measure the whole recording, not its clips.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pyloudnorm==0.2.0 soundfile==0.14.0 imageio-ffmpeg==0.8.1 numpy==2.4.6 scipy==1.17.1
venv/bin/python - <<'PY'
import re
import subprocess
from importlib.metadata import version

import imageio_ffmpeg
import numpy as np
import pyloudnorm
import soundfile

print("pyloudnorm", version("pyloudnorm"))
RATE = 48_000
ranges = {}
for seconds in (4, 10, 30):
    tone = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(RATE * seconds) / RATE)
    soundfile.write("tone.wav", tone, RATE)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostats", "-i", "tone.wav", "-af", "ebur128", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    theirs = {name: float(re.findall(rf"{name}:\s+(-?[\d.]+) LU", said)[-1]) for name in ("I", "LRA")}
    meter = pyloudnorm.Meter(RATE)
    ranges[seconds] = round(meter.loudness_range(tone), 2), theirs["LRA"]
    loudness = meter.integrated_loudness(tone)
    print(f"{seconds:2} s: loudness {loudness:.1f}, ffmpeg {theirs['I']}; range {ranges[seconds][0]}, ffmpeg {theirs['LRA']}")
    assert abs(loudness - theirs["I"]) < 0.2
assert 2.3 < ranges[4][0] < 2.5 and 0.9 < ranges[10][0] < 1.1 and ranges[30][0] == 0
assert all(theirs == 0 for _, theirs in ranges.values())
PY
