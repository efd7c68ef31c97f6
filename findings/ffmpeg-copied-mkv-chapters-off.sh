#!/usr/bin/env bash
# A cut without encoding begins at the keyframe before, here 5 s earlier than asked. In the Matroska file the chapters
# are moved as if it began where asked: chapter "two" (4-8 s of the old file) is at 0-3 s of the new one, whose picture
# still starts at second 0. In MP4 an edit list hides the 5 s and the same chapters are right.
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
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0])
with open("chapters.txt", "w") as file:
    file.write(";FFMETADATA1\n")
    for name, start, end in (("one", 0, 4000), ("two", 4000, 8000), ("three", 8000, 10000)):
        file.write(f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={name}\n")
video = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=10"]
keys = ["-c:v", "libx264", "-g", "250", "-sc_threshold", "0"]
subprocess.run([*QUIET, *video, "-i", "chapters.txt", "-map", "0", "-map_metadata", "1", *keys, "a.mkv"], check=True)
seen = {}
for out in ("cut.mkv", "cut.mp4"):
    subprocess.run([*QUIET, "-ss", "5", "-i", "a.mkv", "-c", "copy", out], check=True)
    with av.open(out) as container:
        chapters = [(c["metadata"]["title"], float(c["start"] * c["time_base"])) for c in container.chapters()]
        frames = sum(1 for _ in container.decode(video=0))
        seen[out] = (frames / 25, chapters)
        print(out, "plays", frames / 25, "s; chapters start at", chapters)
assert seen["cut.mkv"] == (10.0, [("two", 0.0), ("three", 3.0)])  # the picture of second 4 is at 4.0
assert seen["cut.mp4"] == (5.0, [("two", 0.0), ("three", 3.0)])
PY
