#!/usr/bin/env bash
# usearch with dtype="i8" scales every vector to the same length before it rounds, whatever the metric: for "ip" and "l2sq"
# [1, 2, 3, 4] and [0.1, 0.2, 0.3, 0.4] are one and the same, at a squared distance of 0, and get() gives back
# [23, 46, 69, 92] for both. Nothing is said; with "f16" the same index is right. Only "cos" should be stored so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q usearch==2.26.6 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
from usearch.index import Index

print("usearch", version("usearch"))
short = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
seen = {}
for metric in ("l2sq", "ip", "cos"):
    for dtype in ("f16", "i8"):
        index = Index(ndim=4, metric=metric, dtype=dtype)
        index.add(1, short)
        index.add(2, 10 * short)
        distances = dict(index.search(short, 2).to_list())
        seen[metric, dtype] = [round(float(distances[key]), 2) for key in (1, 2)]
        print(f"{metric:4} {dtype:3} distances of the vector and its tenfold: {seen[metric, dtype]}, stored {index.get(2)}")
assert seen["l2sq", "f16"] == [0, 24.3] and seen["l2sq", "i8"] == [0, 0]
assert seen["ip", "f16"][0] > seen["ip", "f16"][1] and seen["ip", "i8"][0] == seen["ip", "i8"][1]
PY
