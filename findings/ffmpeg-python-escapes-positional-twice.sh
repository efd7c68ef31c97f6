#!/usr/bin/env bash
# ffmpeg-python escapes a filter's positional value once more than a named one: `.filter("subtitles", "it's.srt")`, the
# form of its own documentation, makes ffmpeg look for "it\'s.srt", so burning in subtitles fails for every name with a
# quote, an equals sign, a colon or a backslash (each Windows path), while `filename="it's.srt"` works. Options of
# filters have to be named. A comma or brackets are right both ways, which hides it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q ffmpeg-python==0.2.0 imageio-ffmpeg==0.8.1
venv/bin/python - <<'PY'
import subprocess
from importlib import metadata
import ffmpeg
import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
print("ffmpeg-python", metadata.version("ffmpeg-python"), "with ffmpeg", imageio_ffmpeg.get_ffmpeg_version())
opened = {}
for name in ("it's.srt", "a=b.srt", "a\\b.srt", "a,b[1].srt"):
    with open(name, "w") as file:
        file.write("1\n00:00:00,000 --> 00:00:02,000\nHello\n")
    for form in ("positional", "named"):
        picture = ffmpeg.input("color=black:s=64x48:d=1:r=5", f="lavfi")
        shown = picture.filter("subtitles", name) if form == "positional" else picture.filter("subtitles", filename=name)
        command = shown.output("out.mkv", vcodec="ffv1").overwrite_output().get_args()
        done = subprocess.run([FFMPEG, "-v", "error", *command], capture_output=True, text=True)
        opened[name, form] = done.returncode == 0
        print(f"{name:11} {form:10} {'opened' if done.returncode == 0 else done.stderr.splitlines()[0].partition('] ')[2]}")
assert [opened[name, "positional"] for name in ("it's.srt", "a=b.srt", "a\\b.srt", "a,b[1].srt")] == [False] * 3 + [True]
assert all(right for (_, form), right in opened.items() if form == "named")
PY
