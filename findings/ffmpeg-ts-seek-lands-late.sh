#!/usr/bin/env bash
# `ffmpeg -ss T` before -i is said to be exact when the output is encoded anew. In MPEG-TS it is not: the first
# picture is that of the next keyframe AFTER T, here 7 s late for second 3, and near the end there is none at all; the
# exit code is 0. PyAV's seek(backward=True) lands behind T as well. In MP4 the same commands are exact.
# Who cuts or samples broadcast recordings at a hit's time shows or captions the wrong seconds.
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
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0], "| PyAV", av.__version__)
source = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=40"]
subprocess.run([*QUIET, *source, "-c:v", "libx264", "-g", "250", "-sc_threshold", "0", "a.mp4"], check=True)
subprocess.run([*QUIET, "-i", "a.mp4", "-c", "copy", "a.ts"], check=True)


def start_s(path):
    with av.open(path) as container:
        stream = container.streams.video[0]
        return float(stream.start_time * stream.time_base)


def by_ffmpeg(path, at_s):
    """Time of the first picture that comes out, from the file's first one."""
    done = subprocess.run(
        [FFMPEG, "-hide_banner", "-ss", str(at_s), "-copyts", "-i", path, "-frames:v", "1", "-vf", "showinfo", "-f", "null", "-"],
        capture_output=True, text=True, check=True,
    )
    times = [line.split("pts_time:")[1].split()[0] for line in done.stderr.splitlines() if "pts_time:" in line]
    return round(float(times[0]) - start_s(path), 2) if times else None


def by_pyav(path, at_s):
    with av.open(path) as container:
        stream = container.streams.video[0]
        container.seek(round((at_s + start_s(path)) / stream.time_base), stream=stream, backward=True)
        frame = next(container.decode(stream), None)
        return None if frame is None else round(frame.time - start_s(path), 2)


asked = [3, 12, 25, 33]
for path in ("a.mp4", "a.ts"):
    print(path, "asked", asked, "ffmpeg", [by_ffmpeg(path, t) for t in asked], "PyAV", [by_pyav(path, t) for t in asked])
assert [by_ffmpeg("a.mp4", t) for t in asked] == asked
assert [by_pyav("a.mp4", t) for t in asked] == [0, 10, 20, 30]  # the keyframe before, to decode on from
assert [by_ffmpeg("a.ts", t) for t in asked] == [10, 20, 30, None]
assert [by_pyav("a.ts", t) for t in asked] == [10, 20, 30, None]
PY
