#!/usr/bin/env bash
# image-similarity-measures 0.3.6: a picture has a spectral angle (sam, 0 is best) of 89 degrees to itself, as the 8-bit products overflow; as floats
# it is 0. If one pixel of either is black, the mean is NaN and is told as 0.0: any two pictures with a black pixel are perfect.
# ssim and psnr take pictures for 12-bit unless told max_p=255: two pictures of different noise have an SSIM of 0.57 (right: 0.00) and a PSNR
# of 31.8 dB (right: 7.7). The formulas are the package's own, so the newer numpy taken here (it wants one before 2.0) changes nothing.
# vidembed compares pictures by vectors.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q scikit-image==0.26.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
venv/bin/pip install -q --no-deps image-similarity-measures==0.3.6 phasepack==1.5
venv/bin/python -W ignore - <<'PY'
from importlib.metadata import version

import numpy as np
from image_similarity_measures.quality_metrics import psnr, sam, ssim

print("image-similarity-measures", version("image-similarity-measures"))
random = np.random.default_rng(0)
one, other = random.integers(1, 256, (2, 64, 64, 3), dtype=np.uint8)
angles = {
    "itself, 8 bits": sam(one, one),
    "itself, floats": sam(one.astype(float), one.astype(float)),
    "another, floats": sam(one.astype(float), other.astype(float)),
}
one[0, 0] = 0
angles["another, floats, one black pixel"] = sam(one.astype(float), other.astype(float))
for name, angle in angles.items():
    print(f"angle to {name}: {angle:.1f} degrees")
assert angles["itself, 8 bits"] > 80 and angles["itself, floats"] < 0.01
assert angles["another, floats"] > 30 and angles["another, floats, one black pixel"] == 0
for measure in (ssim, psnr):
    print(f"{measure.__name__} of two noises: {measure(one, other):.2f}, with max_p=255 {measure(one, other, max_p=255):.2f}")
assert ssim(one, other) > 0.5 and abs(ssim(one, other, max_p=255)) < 0.05
assert psnr(one, other) - psnr(one, other, max_p=255) > 20
PY
