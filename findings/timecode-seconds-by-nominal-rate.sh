#!/usr/bin/env bash
# `Timecode("29.97", start_seconds=600)` is 00:10:00;17, not 00:10:00;00: the package `timecode` counts seconds at the
# nominal 30 frames, so even drop-frame timecode, which is there to agree with the clock, runs away from it: 107 frames
# (3.6 s) an hour. Moments found by the second and written to an edit list through it are cut that much too late.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q timecode==1.5.1 opentimelineio==0.18.1
venv/bin/python - <<'PY'
from fractions import Fraction
from importlib import metadata
from opentimelineio.opentime import RationalTime, to_timecode
from timecode import Timecode

print("timecode", metadata.version("timecode"), "opentimelineio", metadata.version("opentimelineio"))
seen = {}
for name, rate, drop in (("29.97", Fraction(30000, 1001), True), ("23.976", Fraction(24000, 1001), False)):
    for seconds in (600, 3600):
        frame = round(seconds * rate)
        told = Timecode(name, start_seconds=seconds)
        right = to_timecode(RationalTime(frame, float(rate)), float(rate), drop)
        by_frame = str(Timecode(name, frames=frame + 1))
        seen[name, seconds] = (str(told), told.frame_number - frame)
        print(f"{name:6} {seconds:4} s: frame {frame}, timecode {right}; by seconds {told}, by frames {by_frame}")
        assert by_frame == right
# Where seconds are counted rightly it is off by one: the frame that begins at a time ends before it.
assert str(Timecode("25", start_seconds=600)) == "00:09:59:24"
assert seen == {
    ("29.97", 600): ("00:10:00;17", 17),
    ("29.97", 3600): ("01:00:03;17", 107),
    ("23.976", 600): ("00:09:59:23", 13),
    ("23.976", 3600): ("00:59:59:23", 85),
}, seen
PY
