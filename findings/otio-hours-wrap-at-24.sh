#!/usr/bin/env bash
# Not only timecodes but also to_time_string wraps after a day without a word: 100 hours and half a second are written
# as 04:00:00.5. from_timecode reads "25:00:00:00" as 25 hours. Times in recordings longer than a day (surveillance,
# wildlife) come out as times of the first day.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q OpenTimelineIO==0.18.1
venv/bin/python - <<'PY'
import opentimelineio as otio
from opentimelineio.opentime import RationalTime, from_seconds, from_timecode, to_time_string, to_timecode

print("OpenTimelineIO", otio.__version__)
code = to_timecode(RationalTime(25 * 3600 * 25, 25))
text = to_time_string(from_seconds(100 * 3600 + 0.5))
read = from_timecode("25:00:00:00", 25).to_seconds() / 3600
print("25 h as timecode:", code, "| 100 h and 0.5 s as time string:", text, "| 25:00:00:00 read as", read, "h")
assert (code, text, read) == ("01:00:00:00", "04:00:00.5", 25.0)
PY
