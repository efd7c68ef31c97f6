#!/usr/bin/env bash
# OpenTimelineIO writes drop-frame timecodes at a rate of 29.97 and refuses to read them at that rate: from_timecode wants
# exactly 30000/1001. The same for 23.976 and 23.98. A rate kept with two or three decimals, as most files and forms
# give it, makes half of a round trip.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q OpenTimelineIO==0.18.1
venv/bin/python - <<'PY'
import opentimelineio as otio
from opentimelineio.opentime import RationalTime, from_timecode, to_timecode

print("OpenTimelineIO", otio.__version__)
outcomes = {}
for rate in (29.97, 30000 / 1001, 23.976, 24000 / 1001):
    code = to_timecode(RationalTime(1800, rate))
    try:
        outcomes[rate] = from_timecode(code, rate).value
    except ValueError as error:
        outcomes[rate] = str(error)
    print(f"1800 pictures at {rate}: {code}, read back: {outcomes[rate]}")
assert outcomes[30000 / 1001] == outcomes[24000 / 1001] == 1800
assert "does not support this rate" in outcomes[29.97] and "does not support this rate" in outcomes[23.976]
PY
