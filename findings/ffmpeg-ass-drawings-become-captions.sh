#!/usr/bin/env bash
# In ASS subtitles {\p1} begins a vector drawing (a logo, a box behind a sign) and {words} is a comment; no player shows
# either as text. ffmpeg writes both into SubRip and WebVTT: "m 0 0 l 10 0 10 10" as a caption of its own, and the
# comment in braces. pysubs2 leaves both out. Anime subtitles turned by ffmpeg fill a text index with coordinates.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 pysubs2==1.8.1
venv/bin/python - <<'PY'
import subprocess
from importlib.metadata import version

import imageio_ffmpeg
import pysubs2

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
subtitles = pysubs2.SSAFile()
subtitles.append(pysubs2.SSAEvent(1000, 2000, r"{\p1}m 0 0 l 10 0 10 10{\p0}"))
subtitles.append(pysubs2.SSAEvent(3000, 4000, "Hello {check spelling}Ann"))
subtitles.save("a.ass")
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0])
print("pysubs2", version("pysubs2"))
command = [FFMPEG, "-v", "error", "-i", "a.ass", "-f", "webvtt", "-"]
lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
by_ffmpeg = [line for line in lines[1:] if line and "-->" not in line]
by_pysubs2 = [cue.plaintext for cue in pysubs2.SSAFile.from_string(subtitles.to_string("srt"), format_="srt")]
print("ffmpeg", by_ffmpeg, "| pysubs2", by_pysubs2)
assert by_ffmpeg == ["m 0 0 l 10 0 10 10", "Hello {check spelling}Ann"]
assert by_pysubs2 == ["Hello Ann"]
PY
