#!/usr/bin/env bash
# OpenCV's correlations say 1.0, a perfect match, where one side is flat and nothing can be said: a black or white template matches
# every place of every picture in matchTemplate(TM_CCOEFF_NORMED), and an even histogram is that of every picture in
# compareHist(HISTCMP_CORREL). A logo search fed with a black frame finds it all the time. Check the deviation first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q opencv-python-headless==5.0.0.93
venv/bin/python - <<'PY'
import cv2
import numpy as np

print("OpenCV", cv2.__version__)
picture = np.random.default_rng(0).integers(0, 256, (60, 80), dtype=np.uint8)
templates = {"cut out of it": picture[20:30, 30:40].copy(), "black": np.zeros((10, 10), np.uint8), "white": np.full((10, 10), 255, np.uint8)}
lowest = {}
for name, template in templates.items():
    scores = cv2.matchTemplate(picture, template, cv2.TM_CCOEFF_NORMED)
    lowest[name] = float(scores.min()), float(scores.max())
    print(f"a template {name:14} scores from {scores.min():.2f} to {scores.max():.2f} in a picture of noise")
assert lowest["cut out of it"][0] < 0 and lowest["cut out of it"][1] > 0.99
assert lowest["black"] == lowest["white"] == (1.0, 1.0)
dark = cv2.calcHist([picture // 8], [0], None, [16], [0, 256])
bright = cv2.calcHist([255 - picture // 8], [0], None, [16], [0, 256])
even = np.full_like(dark, dark.mean())
found = [cv2.compareHist(dark, other, cv2.HISTCMP_CORREL) for other in (dark, bright, even)]
print("histogram of a dark picture with itself, a bright one and an even one:", [round(score, 2) for score in found])
assert found[0] == 1 and found[1] < 0 and found[2] == 1
PY
