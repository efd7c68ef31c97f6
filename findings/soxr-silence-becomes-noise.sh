#!/usr/bin/env bash
# soxr 1.1.0 puts dither on 16-bit output, also where there is nothing: a second of zeros at 44.1 kHz is at 16 kHz a quarter of samples of
# +1 and -1, and the same call with 32-bit integers or floats gives zeros. "Is there any sound?" (any(), max() > 0) is then yes for every clip of
# a silent film, two silent clips are no longer equal, and levels are -96 dB instead of -inf. It cannot be turned off.
# vidembed keeps floats, and calls a clip silent by its level.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q soxr==1.1.0 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
import soxr

print("soxr", soxr.__version__)
loud = {}
for kind in ("int16", "int32", "float32"):
    out = soxr.resample(np.zeros(44100, kind), 44100, 16000)
    loud[kind] = int(np.count_nonzero(out))
    print(f"{kind}: {loud[kind]} of {len(out)} samples are not 0, {out.min()} to {out.max()}")
assert loud["int32"] == loud["float32"] == 0
assert 3000 < loud["int16"] < 5000
PY
