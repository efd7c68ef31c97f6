#!/usr/bin/env bash
# noisereduce 3.0.3 (as it is called by default) makes NaN of digital silence: of 2 s of zeros all, and of a film that is silent for its first minute
# the 37.5 s that it takes at a time. The sound after it is right, so it shows only where everything that is computed from the whole,
# the mean or the level, is NaN. With stationary=True, or 16-bit integers, silence stays zeros. vidembed takes no noise away, and
# refuses samples that are not finite.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q noisereduce==3.0.3 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
from importlib.metadata import version

import noisereduce
import numpy as np

print("noisereduce", version("noisereduce"))
rate = 16000
tone = (0.25 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.float32)
shares = {}
for name, sound in {"2 s silent": np.zeros(2 * rate, np.float32), "60 s silent, 1 s tone": np.append(np.zeros(60 * rate, np.float32), tone)}.items():
    for stationary in (False, True):
        out = noisereduce.reduce_noise(sound, rate, stationary=stationary)
        shares[name, stationary] = float(np.isnan(out).mean())
        print(f"{name}, stationary={stationary}: NaN {shares[name, stationary]:.0%}, mean {out.mean():.3f}, end {np.abs(out[-rate:]).max():.3f}")
assert shares["2 s silent", False] == 1 and 0.5 < shares["60 s silent, 1 s tone", False] < 0.7
assert shares["2 s silent", True] == shares["60 s silent, 1 s tone", True] == 0
PY
