#!/usr/bin/env bash
# ffmpeg 9 has no -vsync any more (-fps_mode took its place). mediapy 1.2.7 and reelgrep 0.4.0, the newest of each, still pass it:
# with ffmpeg 9.0.2 mediapy reads no video, not one that it wrote itself, and reelgrep takes no pictures at cuts; with 7.0.2 both do.
# Whoever takes "the newest ffmpeg" beside such a tool, in one folder or image, loses every video of it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q mediapy==1.2.7 reelgrep==0.4.0 imageio-ffmpeg==0.8.1
venv/bin/pip install -q --no-deps --target old imageio-ffmpeg==0.6.0
cat > probe.py <<'PY'
import subprocess
from importlib.metadata import version

import imageio_ffmpeg
import mediapy
import numpy as np
from reelgrep.frames import sample_scenes

ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
mediapy.set_ffmpeg(ffmpeg)
said = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True).stdout.split()[2]
pictures = np.zeros((10, 48, 64, 3), np.uint8)
pictures[5:] = 255  # one cut
mediapy.write_video("film.mp4", pictures, fps=10)


def tried(call):
    try:
        return str(call())
    except Exception as error:
        told = [line.split(": ")[0] for line in str(error).splitlines() if "vsync" in line]
        return f"{type(error).__name__}: {told[0]}"


print("ffmpeg", said, "mediapy", version("mediapy"), "reelgrep", version("reelgrep"))
print("  mediapy.read_video:", tried(lambda: np.asarray(mediapy.read_video("film.mp4")).shape))
print("  reelgrep sample_scenes:", tried(lambda: [one.timestamp_ms for one in sample_scenes("film.mp4", "cuts", ffmpeg_binary=ffmpeg)]))
PY
PYTHONPATH=old venv/bin/python probe.py > old.txt
venv/bin/python probe.py > new.txt
cat old.txt new.txt
grep -q "ffmpeg 7" old.txt && grep -q "read_video: (10, 48, 64, 3)" old.txt && grep -q "sample_scenes: \[500\]" old.txt
grep -q "ffmpeg n9" new.txt && [ "$(grep -c "Error: " new.txt)" = 2 ]
