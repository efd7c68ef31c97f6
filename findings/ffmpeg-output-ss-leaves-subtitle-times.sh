#!/usr/bin/env bash
# With -ss after -i ("decode and throw away"), picture and sound of the new file begin at 0, but subtitles keep the
# times of the old one and a cue that is on screen at the cut is lost. The file looks whole and its captions come late
# by as much as was cut off.
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
with open("a.srt", "w") as file:
    file.write("1\n00:00:01,000 --> 00:00:05,000\nlong\n\n2\n00:00:06,000 --> 00:00:07,000\nlater\n")
video = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=10"]
subprocess.run([*QUIET, *video, "-i", "a.srt", "-map", "0", "-map", "1", "-c:v", "libx264", "-c:s", "srt", "a.mkv"], check=True)
subprocess.run([*QUIET, "-i", "a.mkv", "-ss", "2.5", "-c:v", "libx264", "-c:s", "srt", "cut.mkv"], check=True)
found = {}
with av.open("cut.mkv") as container:
    for packet in container.demux():
        if packet.pts is not None:
            found.setdefault(packet.stream.type, []).append(float(packet.pts * packet.time_base))
print("video from", min(found["video"]), "to", max(found["video"]), "| subtitles at", found["subtitle"])
assert 0 <= min(found["video"]) < 0.05 and 7.4 < max(found["video"]) < 7.5
assert found["subtitle"] == [6.0]  # 3.5 s into the new file would be right; "long" is gone
PY
