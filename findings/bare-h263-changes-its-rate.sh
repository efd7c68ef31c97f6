#!/usr/bin/env bash
# A bare H.263 stream has no time stamps, but each picture has its number, in steps of 1001/30000 s. FFmpeg passes over it:
# it shows the first dozen pictures at 25 a second and all later ones at 29.97, whatever they say. Of bare MPEG-1, it gives
# the first pictures times by another rule than later ones, so that one picture seems to be missing at the beginning.
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
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0])
print("PyAV", av.__version__)
source = ["-f", "lavfi", "-i", "testsrc2=s=176x144:r=10:d=10"]  # 100 pictures, 10 a second
subprocess.run([FFMPEG, "-y", "-v", "error", *source, "-c:v", "h263", "a.h263"], check=True)
numbers, packets = [], []
with av.open("a.h263") as file:
    for packet in file.demux(video=0):
        if packet.size:
            numbers.append(int.from_bytes(bytes(packet)[:4]) >> 2 & 0xFF)
            packets.append(float(packet.pts * packet.time_base))
steps = [(later - earlier) % 256 for earlier, later in zip(numbers, numbers[1:])]
true_s = sum(steps) * 1001 / 30000
print(f"H.263, {len(packets)} pictures: by their numbers the last is shown at {true_s:.2f} s, by FFmpeg at {packets[-1]:.2f} s")
print("steps by FFmpeg:", sorted({round(later - earlier, 4) for earlier, later in zip(packets, packets[1:])}))
assert 295 <= sum(steps) <= 297
assert abs(true_s - 9.9) < 0.1 and packets[-1] < 4
source = ["-f", "lavfi", "-i", "testsrc2=s=176x144:r=25:d=4"]
subprocess.run([FFMPEG, "-y", "-v", "error", *source, "-c:v", "mpeg1video", "-bf", "0", "a.m1v"], check=True)
with av.open("a.m1v") as file:
    shown = [float(packet.pts * packet.time_base) for packet in file.demux(video=0) if packet.size]
gaps = [(number, round(later - earlier, 3)) for number, (earlier, later) in enumerate(zip(shown, shown[1:]), 1)
        if abs(later - earlier - 0.04) > 1e-6]
print(f"MPEG-1, {len(shown)} pictures, 25 a second: steps that are not 0.04 s: {gaps}; the last at {shown[-1]:.2f} s, true 3.96 s")
assert len(gaps) == 1 and abs(shown[-1] - 4.0) < 1e-6
PY
