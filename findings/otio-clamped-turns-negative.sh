#!/usr/bin/env bash
# TimeRange.clamped limits a range to another. For one that lies behind it the result starts where it did, outside, and has
# a negative duration; a single time is limited to the last picture inside. Clamping hits to a video's length so gives
# spans that end before they start.
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
limits = TimeRange(RationalTime(0, 25), RationalTime(25, 25))
behind = limits.clamped(TimeRange(RationalTime(99, 25), RationalTime(5, 25)))
print("clamped to 0-25:", behind, "| time 99:", limits.clamped(RationalTime(99, 25)))
assert behind.start_time.value == 99 and behind.duration.value == -74
PY
