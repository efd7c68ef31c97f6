#!/usr/bin/env bash
# The Final Cut Pro X adapter writes 30000/1001 and 24000/1001 pictures a second, the rates of most American cameras and films,
# as a format with an empty frameDuration, and says nothing; it cannot read such a file itself ("not enough values to
# unpack"). At 24 and 25 all is well. An exported cut list looks whole and lacks its frame rate.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q OpenTimelineIO==0.18.1 otio-fcpx-xml-adapter==1.0.0
venv/bin/python - <<'PY'
from importlib.metadata import version

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

print("OpenTimelineIO", otio.__version__, "otio-fcpx-xml-adapter", version("otio-fcpx-xml-adapter"))


def read_back(rate):
    reference = otio.schema.ExternalReference("file:///a.mov", TimeRange(RationalTime(0, rate), RationalTime(500, rate)))
    clip = otio.schema.Clip("a", reference, TimeRange(RationalTime(100, rate), RationalTime(50, rate)))
    timeline = otio.schema.Timeline("T", tracks=[otio.schema.Track("V", [clip], kind="Video")])
    written = otio.adapters.write_to_string(timeline, "fcpx_xml")
    try:
        read = otio.adapters.read_from_string(written, "fcpx_xml")
    except ValueError as error:
        return written, str(error)
    return written, [found.source_range.start_time.value for found in read.find_clips()]


outcomes, durations = {}, {}
for rate in (25, 24, 30000 / 1001, 24000 / 1001):
    written, outcomes[rate] = read_back(rate)
    durations[rate] = {part.split('"')[0] for part in written.split('frameDuration="')[1:]}
    print(rate, "frameDuration as written:", durations[rate], "| read:", outcomes[rate])
assert outcomes[25] == outcomes[24] == [100]
assert "not enough values to unpack" in outcomes[30000 / 1001] and "not enough" in outcomes[24000 / 1001]
assert durations[25] == {"1/25s"} and durations[30000 / 1001] == durations[24000 / 1001] == {""}
PY
