#!/usr/bin/env bash
# A clip made of a JPEG keeps the JPEG's full range in ffmpeg 9.0.2 (-pix_fmt yuv420p, color_range pc); ffmpeg 7.0.2 converted
# it to limited range. Whoever joins such a clip with ordinary ones by the concat demuxer and -c copy, which takes the first
# file's codec settings for all, now shows the ordinary ones in the wrong range: pure green of 255 comes out as 238 and black as
# 13. No message. "-vf scale=out_range=tv" (or -color_range tv with a scale) makes both versions agree.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for pair in old:0.6.0 new:0.8.1; do
  python3 -m venv "${pair%:*}"
  "${pair%:*}/bin/pip" install -q "imageio-ffmpeg==${pair#*:}"
done
cat > make.py <<'PY'
import re
import subprocess
import sys

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def ffmpeg(*arguments):
    return subprocess.run([FFMPEG, "-y", *arguments], capture_output=True, check=True)


def shown(path, at):
    done = ffmpeg("-i", path, "-vf", "scale=1:1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    return tuple(done.stdout[3 * at : 3 * at + 3])


def joined(*more):
    h264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-r", "10"]
    ffmpeg("-f", "lavfi", "-i", "color=gray:s=64x48", "-frames:v", "1", "picture.jpg")
    ffmpeg("-loop", "1", "-t", "1", "-i", "picture.jpg", *more, *h264, "picture.mkv")
    ffmpeg("-f", "lavfi", "-i", "color=lime:s=64x48:r=10:d=1", *h264, "film.mkv")
    open("list.txt", "w").write("file picture.mkv\nfile film.mkv\n")
    ffmpeg("-f", "concat", "-i", "list.txt", "-c", "copy", "joined.mkv")
    said = subprocess.run([FFMPEG, "-i", "picture.mkv"], capture_output=True).stderr.decode()
    return re.search(r"yuvj?420p\((pc)?", said).group(1), shown("film.mkv", 5), shown("joined.mkv", 15)


print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0][:22])
plain, fixed = joined(), joined("-vf", "scale=out_range=tv")
print("range of the picture's clip, green alone, green joined:", *plain, "| with scale=out_range=tv:", *fixed)
green = plain[1][1]
assert green >= 252, plain
assert fixed[0] is None and fixed[2][1] >= 252, fixed
if sys.argv[1] == "old":
    assert plain[0] is None and plain[2][1] >= 252, plain
else:
    assert plain[0] == "pc" and plain[2][1] <= 240, plain
PY
old/bin/python make.py old
new/bin/python make.py new
