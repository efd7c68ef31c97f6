#!/usr/bin/env bash
# In WebVTT a block that begins with NOTE and a space is a comment. ffmpeg takes every block that begins with these four
# letters for one, and likewise STYLE and REGION: cues named "NOTES 1", "STYLE guide" or "REGIONAL news" are lost
# without a word. Such names are allowed (they hold no "-->"), and webvtt-py reads these cues.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 webvtt-py==0.6.0
venv/bin/python - <<'PY'
import subprocess
from importlib.metadata import version

import imageio_ffmpeg
import webvtt

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
names = ["chapter", "NOTES 1", "STYLE guide", "REGIONAL news", "notes 2"]
with open("a.vtt", "w") as file:
    file.write("WEBVTT\n")
    for number, name in enumerate(names):
        file.write(f"\n{name}\n00:00:0{number}.000 --> 00:00:0{number}.900\nsaid {number}\n")
done = subprocess.run([FFMPEG, "-v", "error", "-i", "a.vtt", "-f", "srt", "-"], capture_output=True, text=True, check=True)
by_ffmpeg = [line for line in done.stdout.splitlines() if line.startswith("said")]
by_webvtt = [cue.text for cue in webvtt.read("a.vtt")]
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0])
print("ffmpeg", by_ffmpeg, "| webvtt-py", version("webvtt-py"), by_webvtt)
print("ffmpeg's words:", repr(done.stderr))
assert by_webvtt == ["said 0", "said 1", "said 2", "said 3", "said 4"]
assert by_ffmpeg == ["said 0", "said 4"]
PY
