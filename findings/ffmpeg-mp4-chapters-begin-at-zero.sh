#!/usr/bin/env bash
# ffmpeg 9.0.2: chapters at 2-4 s and 6-8 s, written to an MP4 or MOV, are read back as 0-6 s and 6-8 s, without a word: the first begins with
# the film, and the gap between the two belongs to it. The file holds two lists: Nero's says 2 s (mutagen reads it), the chapter track, which ffmpeg and PyAV
# follow, says 0. Matroska keeps all four times. A cut, a quiz or a search "in chapter one" then shows what comes before it, and a chapter that
# marks one moment is a third of the film. vidembed writes its chapters as WebVTT, with both times, and reads none from films.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 av==18.1.0 mutagen==1.48.1
venv/bin/python - <<'PY'
import subprocess

import av
import imageio_ffmpeg
from mutagen.mp4 import MP4

ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
print("ffmpeg", subprocess.run([ffmpeg, "-version"], capture_output=True, text=True).stdout.split()[2], "PyAV", av.__version__)
with open("chapters.txt", "w") as out:
    print(";FFMETADATA1", file=out)
    for name, start, end in (("goal", 2000, 4000), ("save", 6000, 8000)):
        print(f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={name}", file=out)
read = {}
for kind in ("mp4", "mov", "mkv"):
    made = subprocess.run(
        [ffmpeg, "-v", "warning", "-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=10", "-i", "chapters.txt", "-map_chapters", "1", "-c:v", "libx264", f"film.{kind}"],
        check=True, capture_output=True, text=True,
    )
    with av.open(f"film.{kind}") as film:
        read[kind] = [(float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"])) for c in film.chapters()]
    print(kind, read[kind], "said:", repr(made.stderr))
    assert made.stderr == ""
nero = [chapter.start for chapter in MP4("film.mp4").chapters]
print("mutagen, of the same MP4: chapters begin at", nero)
assert read["mkv"] == [(2, 4), (6, 8)] and nero == [2, 6]
assert read["mp4"] == read["mov"] == [(0, 6), (6, 8)]
PY
