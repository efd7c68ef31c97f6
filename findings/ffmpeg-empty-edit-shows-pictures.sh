#!/usr/bin/env bash
# An MP4's edit list can say: show this, then nothing for 2 s, then that. FFmpeg takes an empty edit at the beginning as a
# delay, as it should. One in the middle it takes for an edit of that length from the beginning of the media: it shows
# pictures again that were shown before, and pictures that are in none of the edits, as if they were in the film.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 av==18.1.0 numpy==2.4.6
venv/bin/python - <<'PY'
import re
import struct
import subprocess

import av
import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0])
print("PyAV", av.__version__)
source = []
for colour in ("red", "lime", "blue"):
    source += ["-f", "lavfi", "-i", f"color={colour}:s=64x48:r=10:d=1"]
join = ["-filter_complex", "concat=n=3", "-c:v", "libx264", "-bf", "0", "-g", "5", "-pix_fmt", "yuv420p"]
subprocess.run([FFMPEG, "-y", "-v", "error", *source, *join, "a.mp4"], check=True)

# The edit list, anew: 1 s from 0 s of the media (red), 2 s of nothing, 1 s from 2 s of the media (blue); green in none.
data = bytearray(open("a.mp4", "rb").read())
(movie_hz,) = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)
(media_hz,) = struct.unpack_from(">I", data, data.index(b"mdhd") + 16)
edits = ((1, 0), (2, -1), (1, 2 * media_hz))
rows = b"".join(struct.pack(">IiI", seconds * movie_hz, at, 1 << 16) for seconds, at in edits)
place = data.index(b"elst") - 4
(size,) = struct.unpack_from(">I", data, place)
elst = struct.pack(">I4sII", 16 + len(rows), b"elst", 0, len(edits)) + rows
data[place : place + size] = elst
for name in (b"moov", b"trak", b"edts"):  # the index is at the end, so no place of a picture changes
    box = data.index(name) - 4
    struct.pack_into(">I", data, box, struct.unpack_from(">I", data, box)[0] + len(elst) - size)
for name in (b"mvhd", b"tkhd"):
    struct.pack_into(">I", data, data.index(name) + (20 if name == b"mvhd" else 24), 4 * movie_hz)
open("a.mp4", "wb").write(data)


def runs(pictures):
    found = []
    for time_s, pixel in pictures:
        name = ("red", "green", "blue")[max(range(3), key=lambda channel: pixel[channel])]
        if not found or found[-1][1] != name:
            found.append((round(time_s, 1), name))
    return found


show = [FFMPEG, "-hide_banner", "-i", "a.mp4", "-vf", "showinfo,scale=1:1", "-f", "rawvideo", "-pix_fmt", "rgb24"]
done = subprocess.run([*show, "-fps_mode", "passthrough", "-"], capture_output=True, check=True)
times = [float(one) for one in re.findall(rb"pts_time:\s*(\S+)", done.stderr)]
program = runs((time_s, done.stdout[3 * n : 3 * n + 3]) for n, time_s in enumerate(times))
library = runs((frame.time, frame.to_ndarray(format="rgb24")[24, 32]) for frame in av.open("a.mp4").decode(video=0))
print("true: red from 0, nothing from 1, blue from 3 s")
print("ffmpeg:", program)
print("PyAV:  ", library)
assert program == library == [(0.0, "red"), (2.0, "green"), (3.0, "blue")]
PY
