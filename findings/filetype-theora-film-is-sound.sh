#!/usr/bin/env bash
# filetype 1.2.0 knows Ogg by its first four bytes and calls it audio/ogg: a film with a Theora picture is an audio file, is_video
# says no and is_audio yes. Of MPEG-TS and MXF it knows nothing at all. A folder sorted with it loses such films without a word.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q filetype==1.2.0 imageio-ffmpeg==0.8.1
venv/bin/python - <<'PY'
import subprocess
from importlib.metadata import version

import filetype
import imageio_ffmpeg

print("filetype", version("filetype"))
made = {"mp4": "libx264", "ogv": "libtheora", "ts": "libx264", "mxf": "mpeg2video"}
said = {}
for suffix, codec in made.items():
    source = ["-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=1"]
    film = f"film.{suffix}"
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *source, "-c:v", codec, "-pix_fmt", "yuv420p", film], check=True
    )
    kind = filetype.guess(film)
    said[suffix] = (kind and kind.mime, filetype.is_video(film), filetype.is_audio(film))
    print(film, *said[suffix])
assert said["mp4"] == ("video/mp4", True, False)
assert said["ogv"] == ("audio/ogg", False, True)
assert said["ts"] == said["mxf"] == (None, False, False)
PY
