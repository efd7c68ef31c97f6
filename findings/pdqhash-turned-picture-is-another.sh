#!/usr/bin/env bash
# pdqhash 0.2.8 takes the memory of a picture for its rows, also where it is not: numpy's quarter turn (rot90), a transpose or a picture held
# column by column gets a hash that differs by about half of its 256 bits from that of its own copy, where 31 or fewer mean the same
# picture. A film held upright and turned with rot90 never matches its copies; half turns, mirrored and cut views are right. A copy
# (np.ascontiguousarray) before the call is the way out. vidembed finds copies by its vectors, made from contiguous pictures.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pdqhash==0.2.8 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
import pdqhash

print("pdqhash", version("pdqhash"))
blocks = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
picture = np.kron(blocks, np.ones((40, 40, 1), np.uint8))  # 480 x 640 of squares of 40 pixels
views = {
    "as it is": picture,
    "half turn": np.rot90(picture, 2),
    "mirrored": picture[:, ::-1],
    "cut": picture[40:-40, 40:-40],
    "quarter turn": np.rot90(picture),
    "transposed": picture.transpose(1, 0, 2),
    "column by column": np.asfortranarray(picture),
}
differ = {}
for name, view in views.items():
    same = np.array(view, order="C", copy=True)
    assert (view == same).all()
    (bits, quality), (of_copy, _) = pdqhash.compute(view), pdqhash.compute(same)
    differ[name] = int((bits != of_copy).sum())
    print(f"{name:17} quality {quality:3}: {differ[name]:3} of 256 bits differ from its copy's")
assert all(differ[name] == 0 for name in ("as it is", "half turn", "mirrored", "cut"))
assert all(differ[name] > 60 for name in ("quarter turn", "transposed", "column by column"))
PY
