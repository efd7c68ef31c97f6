#!/usr/bin/env bash
# samplerate's Resampler, fed in pieces with end_of_input=True on the last one, keeps what its filter still holds: a
# second of 48 kHz sound gives 15,858 of 16,000 samples at 16 kHz ("sinc_best"), and nothing more comes when asked with
# no input. Joined clips run 9 ms early each, and words at the end of a clip lose their last sound; all at once it is
# whole.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q samplerate==0.2.4 numpy==2.3.5
venv/bin/python - <<'PY'
from importlib import metadata
import numpy as np
import samplerate

print("samplerate", metadata.version("samplerate"))
sound, missing = np.ones(48_000, np.float32), {}
for converter in ("sinc_best", "sinc_medium", "sinc_fastest", "linear"):
    resampler = samplerate.Resampler(converter)
    pieces = [
        resampler.process(sound[i : i + 1000], 1 / 3, end_of_input=i + 1000 == len(sound)) for i in range(0, 48_000, 1000)
    ]
    late = resampler.process(np.zeros(0, np.float32), 1 / 3, end_of_input=True)
    whole = samplerate.resample(sound, 1 / 3, converter)
    missing[converter] = len(whole) - sum(map(len, pieces)) - len(late)
    print(f"{converter:12} at once {len(whole)}, in pieces {sum(map(len, pieces))}, asked again {len(late)}")
assert missing == {"sinc_best": 142, "sinc_medium": 45, "sinc_fastest": 19, "linear": 0}, missing
PY
