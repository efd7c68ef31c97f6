#!/usr/bin/env bash
# MediaInfo's frame count is right in MP4 as a rule; in Matroska it is length times rate: a variable-rate file of 69 pictures
# has "100", and "CFR" beside it. In an MP4 whose picture begins a second late the empty second counts: 125 of 100. The
# length is a number in one and text in the other ("4000.000000"), so that duration / 1000 raises. Count packets.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pymediainfo==7.0.1 imageio-ffmpeg==0.8.1 av==18.1.0
venv/bin/python - <<'PY'
import subprocess
from importlib.metadata import version

import av
import imageio_ffmpeg
from pymediainfo import MediaInfo

print("pymediainfo", version("pymediainfo"))
GAP = ["-vf", "select='not(between(n,20,50))'", "-fps_mode", "vfr"]
LATE = ["-vf", "setpts=PTS+1/TB", "-fps_mode", "passthrough"]
seen = {}
for path, options in {"plain.mp4": [], "gap.mp4": GAP, "gap.mkv": GAP, "late.mp4": LATE, "late.mkv": LATE}.items():
    source = ["-f", "lavfi", "-i", "testsrc=r=25:d=4:s=320x240", "-pix_fmt", "yuv420p"]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *source, *options, path], check=True)
    with av.open(path) as file:
        real = sum(1 for _ in file.decode(video=0))
    track = MediaInfo.parse(path).video_tracks[0]
    seen[path] = real, int(track.frame_count)
    print(f"{path:9} pictures {real}, MediaInfo {track.frame_count} {track.frame_rate_mode}, duration {track.duration!r}")
    assert isinstance(track.duration, str if path.endswith("mkv") else int)
assert seen["plain.mp4"] == (100, 100) and seen["gap.mp4"] == (69, 69) and seen["late.mkv"] == (100, 100)
assert seen["gap.mkv"] == (69, 100) and seen["late.mp4"] == (100, 125)
PY
