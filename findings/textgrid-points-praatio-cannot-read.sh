#!/usr/bin/env bash
# Of two Python libraries for Praat's TextGrid files, praatio cannot read what textgrid writes once there is a tier of points
# (beats, clicks, cuts): "Expected field in Textgrid missing", whatever tier is asked for. textgrid calls a point's time
# "time", praatio looks for "number". Files with intervals alone pass.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q TextGrid==1.6.1 praatio==6.2.2
venv/bin/python - <<'PY'
from importlib.metadata import version

import praatio.textgrid
import textgrid

print("textgrid", version("TextGrid"), "praatio", version("praatio"))
file = textgrid.TextGrid(maxTime=10)
words = textgrid.IntervalTier("words", 0, 10)
words.add(1, 2, "hello")
file.append(words)
read = {}
for name in ("intervals", "intervals and points"):
    if "points" in name:
        cuts = textgrid.PointTier("cuts", 0, 10)
        cuts.add(2.5, "cut")
        file.append(cuts)
    path = f"{name}.TextGrid"
    file.write(path)
    try:
        read[name] = praatio.textgrid.openTextgrid(path, includeEmptyIntervals=False).tierNames
    except Exception as error:
        read[name] = f"{type(error).__name__}: {error}"
    print(f"{name:20} textgrid reads {len(textgrid.TextGrid.fromFile(path))} tiers, praatio: {read[name]}")
print([line.strip() for line in open(path) if "2.5" in line])
assert read["intervals"] == ("words",) and read["intervals and points"].startswith("ParsingError")
PY
