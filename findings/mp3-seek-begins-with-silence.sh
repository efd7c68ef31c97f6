#!/usr/bin/env bash
# MP3 packets borrow bits from packets before. After a seek the decoder has not seen those and gives silence, in low-rate
# files for up to half a second, with the time asked for and no error: ffmpeg -ss and PyAV alike. The first word of a clip
# is lost for speech recognition; a decoder must begin half a second earlier, more than the one packet other codecs need.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 av==18.1.0 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
import av
import imageio_ffmpeg
import numpy as np

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
QUIET = [FFMPEG, "-y", "-v", "error"]
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0], "| PyAV", av.__version__)
RATE = 22050
source = ["-f", "lavfi", "-i", f"sine=f=440:r={RATE}:d=60"]
subprocess.run([*QUIET, *source, "-c:a", "libmp3lame", "-q:a", "4", "a.mp3"], check=True)
subprocess.run([*QUIET, *source, "-c:a", "aac", "a.m4a"], check=True)


def silent_s(samples):
    return round(float(np.argmax(np.abs(samples) > 0.05)) / RATE, 2)


def by_ffmpeg(path, at_s):
    command = [*QUIET, "-ss", str(at_s), "-i", path, "-t", "2", "-f", "f32le", "-ac", "1", "-"]
    return silent_s(np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32))


def by_pyav(path, at_s):
    with av.open(path) as container:
        stream = container.streams.audio[0]
        container.seek(round(at_s / stream.time_base), stream=stream)
        frames = [frame for frame, _ in zip(container.decode(stream), range(60))]
        assert abs(frames[0].time - at_s) < 0.1
        return silent_s(np.concatenate([frame.to_ndarray()[0] for frame in frames]))


asked = [20.25, 30.3, 41.7]
seen = {path: [(by_ffmpeg(path, t), by_pyav(path, t)) for t in asked] for path in ("a.m4a", "a.mp3")}
for path, silences in seen.items():
    print(path, "seconds of silence after seeking to", asked, "(ffmpeg, PyAV):", silences)
assert all(max(pair) < 0.05 for pair in seen["a.m4a"])
assert all(min(pair) > 0.3 for pair in seen["a.mp3"])
PY
