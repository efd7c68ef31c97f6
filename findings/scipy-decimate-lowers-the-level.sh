#!/usr/bin/env bash
# scipy.signal.decimate takes every n-th sample after a filter. Its default filter passes a steady level at 0.9886: its ripple has its
# low point at frequency 0, and zero_phase applies it twice. A score curve or an envelope that is 1.0 all along is 0.989 after it,
# under a threshold of 0.99, and 0.977 after two rounds. ftype="fir" gives 1.0.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
import scipy
from scipy.signal import decimate, resample_poly

print("scipy", scipy.__version__)
curve = np.ones(4000)
seen = {
    "decimate by 2": decimate(curve, 2),
    "decimate by 8": decimate(curve, 8),
    "by 2, then by 4": decimate(decimate(curve, 2), 4),
    "by 8, ftype='fir'": decimate(curve, 8, ftype="fir"),
    "resample_poly by 8": resample_poly(curve, 1, 8),
}
middle = {name: round(float(found[len(found) // 2]), 4) for name, found in seen.items()}
for name, level in middle.items():
    print(f"a curve of 1.0, {name:18} in its middle: {level}")
assert middle["decimate by 2"] == middle["decimate by 8"] == 0.9886
assert middle["by 2, then by 4"] == 0.9772
assert middle["by 8, ftype='fir'"] == 1.0 and abs(middle["resample_poly by 8"] - 1) < 0.001
PY
