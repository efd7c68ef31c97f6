#!/usr/bin/env bash
# Cutting at 2.4 s with -ss before -i, everything encoded anew. A subtitle that began at 1 s and is still shown makes the
# whole Matroska file start 1.4 s late: the picture comes at 1.4 s and the later subtitles with it, with empty time
# before. The same cut without the subtitle stream begins at 0. To cut out one .srt by itself shifts it by 1 s, not 2.4,
# and even brings back a cue that had ended. Times of hits and captions no longer fit the clip that was cut.
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


def starts(*options):
    """First time of each stream of the cut, in seconds."""
    subprocess.run([*QUIET, "-ss", "2.4", "-i", "a.mkv", "-c:v", "libx264", *options, "cut.mkv"], check=True)
    found = {}
    with av.open("cut.mkv") as container:
        for packet in container.demux():
            if packet.pts is not None:
                found.setdefault(packet.stream.type, []).append(float(packet.pts * packet.time_base))
    return {kind: [round(t, 2) for t in (min(times), max(times))] for kind, times in found.items()}


def srt(at):
    command = [*QUIET, "-ss", at, "-i", "a.srt", "-f", "srt", "-"]
    return [line for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines() if "-->" in line]


without, with_subtitles = starts("-sn"), starts("-c:s", "srt")
print("first and last packet without subtitles", without, "with", with_subtitles)
print("the .srt cut at 2.4 s:", srt("2.4"), "at 5.5 s:", srt("5.5"))
assert without["video"][0] == 0.0
assert with_subtitles["video"][0] == 1.4  # 2.4 s - 1 s
assert with_subtitles["subtitle"] == [0.0, 5.0]  # "later" was at 6 s: 3.6 s after the cut
assert srt("2.4") == srt("5.5") == ["00:00:00,000 --> 00:00:04,000", "00:00:05,000 --> 00:00:06,000"]
PY
