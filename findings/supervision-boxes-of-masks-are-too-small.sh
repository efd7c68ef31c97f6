#!/usr/bin/env bash
# supervision's mask_to_xyxy gives the numbers of the last row and column, while its boxes end after them: a mask of 4 x 3
# pixels gets a box of area 6, and its IoU with the right box is 0.5. A line one pixel wide gets a box of area 0 that
# overlaps with nothing. Small objects fail every evaluation made so, with masks that are perfect. Add 1 to the last two.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q supervision==0.31.2 opencv-python-headless==5.0.0.93 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
import supervision as sv

print("supervision", version("supervision"))
iou = {}
for name, box in {"4 x 3": (3, 2, 7, 5), "1 x 8": (3, 2, 4, 10), "80 x 60": (10, 10, 90, 70)}.items():
    left, top, right, bottom = box
    mask = np.zeros((100, 100), bool)
    mask[top:bottom, left:right] = True
    given = sv.mask_to_xyxy(mask[None])
    detections = sv.Detections(xyxy=given.astype(float))
    iou[name] = float(sv.box_iou_batch(np.array([box], float), given.astype(float))[0, 0])
    print(f"{name:8} right {box}, given {given[0].tolist()}; pixels {mask.sum()}, area {detections.area[0]}")
    print(f"{name:8} IoU {iou[name]:.3f}")
assert iou["4 x 3"] == 0.5 and iou["1 x 8"] == 0 and 0.9 < iou["80 x 60"] < 1
PY
