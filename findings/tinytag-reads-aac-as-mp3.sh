#!/usr/bin/env bash
# tinytag reads .aac files (ADTS, what recorders and ffmpeg write) as if they were MP3: 30 s of AAC are 0.4 s, 0.6 s or 81 s long, by
# sample rate and channels, and the sample rate is wrong as well; nothing is raised. mutagen's AAC class is right.
# A list of recordings by length throws away the long ones.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q tinytag==2.3.2 mutagen==1.48.1 av==18.1.0 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import av
import numpy as np
from mutagen.aac import AAC
from tinytag import TinyTag

print("tinytag", version("tinytag"), "mutagen", version("mutagen"))
seen = {}
for rate, layout, channels in ((48_000, "mono", 1), (44_100, "stereo", 2), (48_000, "stereo", 2)):
    samples = np.random.default_rng(0).integers(-3000, 3000, (1, 30 * rate * channels)).astype(np.int16)
    with av.open("sound.aac", "w") as file:
        stream = file.add_stream("aac", rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate = rate
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    tag, length = TinyTag.get("sound.aac"), AAC("sound.aac").info.length
    seen[rate, layout] = tag.duration
    print(f"30 s at {rate} Hz, {layout:6} tinytag: {tag.duration:.2f} s at {tag.samplerate} Hz; mutagen: {length:.2f} s")
    assert abs(length - 30) < 0.5
assert seen[48_000, "mono"] < 1 and seen[44_100, "stereo"] < 1 and seen[48_000, "stereo"] > 60
PY
