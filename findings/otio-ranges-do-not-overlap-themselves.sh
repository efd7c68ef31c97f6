#!/usr/bin/env bash
# TimeRange.overlaps and contains mean less than the words say. A range does not overlap one that lies inside it, nor
# itself, and does not contain itself or a part with the same end; overlaps is true only if this one begins first and
# ends first, so the answer depends on which side asks. intersects() is what one wants to know of two moments.
# Merging or scoring moments with overlaps() misses most pairs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q OpenTimelineIO==0.18.1
venv/bin/python - <<'PY'
import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

print("OpenTimelineIO", otio.__version__)


def seconds(start, end):
    return TimeRange(RationalTime(start, 1), RationalTime(end - start, 1))


whole, inside, tail, later = seconds(0, 10), seconds(3, 5), seconds(5, 10), seconds(8, 12)
asked = {
    "whole overlaps inside": whole.overlaps(inside),
    "inside overlaps whole": inside.overlaps(whole),
    "whole overlaps whole": whole.overlaps(whole),
    "whole overlaps later": whole.overlaps(later),
    "later overlaps whole": later.overlaps(whole),
    "whole contains whole": whole.contains(whole),
    "whole contains tail": whole.contains(tail),
    "whole contains inside": whole.contains(inside),
    "whole intersects inside": whole.intersects(inside),
    "later intersects whole": later.intersects(whole),
}
for question, answer in asked.items():
    print(f"{question:25} {answer}")
true = {question for question, answer in asked.items() if answer}
assert true == {"whole overlaps later", "whole contains inside", "whole intersects inside", "later intersects whole"}
PY
