#!/usr/bin/env bash
# mutagen's length of an MP4 file is that of its first sound track: a video of 10 s with 3 s of speech is 3 s long; without any sound
# it is 10. tinytag says 10 for both. Sums of hours and filters by length that come from tags miss the silent rest.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q tinytag==2.3.2 mutagen==1.48.1 av==18.1.0 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import av
import mutagen
import numpy as np
from tinytag import TinyTag

print("mutagen", version("mutagen"), "tinytag", version("tinytag"))


def write(path, sound_s):
    with av.open(path, "w") as file:
        pictures = file.add_stream("libx264", rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound = file.add_stream("aac", rate=48_000, layout="mono") if sound_s else None
        for number in range(250):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), format="rgb24")
            frame.pts = number
            file.mux(pictures.encode(frame))
        file.mux(pictures.encode(None))
        if sound:
            frame = av.AudioFrame.from_ndarray(np.ones((1, sound_s * 48_000), np.int16), format="s16", layout="mono")
            frame.sample_rate = 48_000
            file.mux(sound.encode(frame))
            file.mux(sound.encode(None))


seen = {}
for sound_s in (3, 10, 0):
    write("video.mp4", sound_s)
    seen[sound_s] = mutagen.File("video.mp4").info.length, TinyTag.get("video.mp4").duration
    print(f"10 s of pictures, {sound_s:2} s of sound: mutagen {seen[sound_s][0]:.1f} s, tinytag {seen[sound_s][1]} s")
assert round(seen[3][0]) == 3 and round(seen[10][0]) == round(seen[0][0]) == 10
assert all(round(tinytag) == 10 for _, tinytag in seen.values())
PY
