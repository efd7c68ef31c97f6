#!/usr/bin/env bash
# cv2.add, subtract, multiply and absdiff of a colour picture and a number take the number for all three channels. max takes it for the
# first one only, and min(picture, 50), to limit the brightness, sets the other two to 0: the number is 50 for blue and 0 for
# green and red. On grey pictures all are alike, which hides it. Use numpy's minimum and maximum.
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
picture = np.full((2, 2, 3), 100, np.uint8)
seen = {}
for name, number in (("add", 50), ("subtract", 50), ("multiply", 2), ("absdiff", 50), ("max", 150), ("min", 50)):
    colour = getattr(cv2, name)(picture, number)[0, 0].tolist()
    grey = int(getattr(cv2, name)(picture[..., 0].copy(), number)[0, 0])
    seen[name] = colour
    print(f"{name:8} of 100 and {number:3}: grey {grey}, colour {colour}")
    assert grey == colour[0]
assert all(len(set(seen[name])) == 1 for name in ("add", "subtract", "multiply", "absdiff"))
assert seen["max"] == [150, 100, 100] and seen["min"] == [50, 0, 0]
assert np.minimum(picture, 50)[0, 0].tolist() == [50, 50, 50]
PY
