#!/usr/bin/env bash
# ranx 0.3.21 spreads each list between 0 and 1 before it adds them (norm="min-max", what fuse() does unless told): a list of one
# answer has no spread, and its answer gets 0. A sound that one channel alone finds, at .97, comes behind a picture at .31 and
# level with the worst of the other list. "zmuv" gives it 0, too; "max" and "rank" 1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q ranx==0.3.21
venv/bin/python - 2>/dev/null <<'PY'
from importlib.metadata import version

from ranx import Run, fuse

print("ranx", version("ranx"))
pictures, sounds = Run({"query": {"street": 0.31, "car": 0.28}}), Run({"query": {"horn": 0.97}})
found = {}
for norm in ("min-max", "zmuv", "max", "rank"):
    scores = fuse([pictures, sounds], norm=norm, method="sum").run["query"]
    found[norm] = {key: round(float(scores[key]), 3) for key in ("street", "car", "horn")}
    print(f"{norm:8}", found[norm])
assert found["min-max"] == {"street": 1.0, "car": 0.0, "horn": 0.0}
assert found["zmuv"]["horn"] == 0 and found["max"]["horn"] == found["rank"]["horn"] == 1
weighted = fuse([pictures, sounds], method="wsum", params={"weights": (0.1, 0.9)}).run["query"]
assert weighted["horn"] < weighted["street"]  # at nine times the weight
PY
