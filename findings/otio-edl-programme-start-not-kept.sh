#!/usr/bin/env bash
# Programmes start at 01:00:00:00 or 10:00:00:00 by custom. Read from an EDL, the timeline has no global_start_time; the hour
# hides as a negative source_range of the track, and ranges in the timeline begin at 0. Whoever looks a time of the
# programme up must dig it out there.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q OpenTimelineIO==0.18.1 otio-cmx3600-adapter==1.0.0
venv/bin/python - <<'PY'
from importlib.metadata import version

import opentimelineio as otio

EDL = """TITLE: x

001  TAPE1    V     C        00:00:10:00 00:00:20:00 10:00:00:00 10:00:10:00
002  TAPE1    V     C        00:00:50:00 00:00:52:00 10:00:10:00 10:00:12:00
"""
print("OpenTimelineIO", otio.__version__, "otio-cmx3600-adapter", version("otio-cmx3600-adapter"))
timeline = otio.adapters.read_from_string(EDL, "cmx_3600", rate=25)
track = timeline.tracks[0]
print("global_start_time", timeline.global_start_time, "| track", track.source_range)
print("second clip in its track:", track[1].range_in_parent())
assert timeline.global_start_time is None
assert track.source_range.start_time.value == -10 * 3600 * 25
assert track[1].range_in_parent().start_time.value == 250
PY
