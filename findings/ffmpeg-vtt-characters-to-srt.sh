#!/usr/bin/env bash
# WebVTT to SubRip with ffmpeg: &nbsp; becomes a backslash and an h, which players show as they are, and numbered
# references (&#39; for an apostrophe, as many tools write) stay as they are, while &amp; and &lt; are turned.
# Words next to them cannot be found: "10\hkm", "don&#39;t".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1
venv/bin/python - <<'PY'
import subprocess

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
with open("a.vtt", "w") as file:
    file.write("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n10&nbsp;km &amp; we don&#39;t stop\n")
done = subprocess.run([FFMPEG, "-v", "error", "-i", "a.vtt", "-f", "srt", "-"], capture_output=True, text=True, check=True)
text = done.stdout.splitlines()[2]
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0])
print(text)
assert text == r"10\hkm & we don&#39;t stop"
PY
