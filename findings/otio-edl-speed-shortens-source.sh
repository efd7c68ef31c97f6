#!/usr/bin/env bash
# An EDL event that plays 4 s of source twice as fast in 2 s of the programme: read with OpenTimelineIO's adapter and written
# again, its source is 1 s long. The writer divides by the speed where it should multiply, and at half speed the
# other way round. The list that comes out asks for other pictures than the one that went in.
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

001  TAPE2    V     C        00:00:30:00 00:00:34:00 01:00:00:00 01:00:02:00
M2   TAPE2    050.0                00:00:30:00
"""
print("OpenTimelineIO", otio.__version__, "otio-cmx3600-adapter", version("otio-cmx3600-adapter"))
timeline = otio.adapters.read_from_string(EDL, "cmx_3600", rate=25)
written = otio.adapters.write_to_string(timeline, "cmx_3600")
times_in = [line.split()[4:] for line in EDL.splitlines() if line.startswith("001")][0]
times_out = [line.split()[4:] for line in written.splitlines() if line.startswith("001")][0]
print("speed", timeline.tracks[0][0].effects[0].time_scalar, "\nin ", times_in, "\nout", times_out)
assert timeline.tracks[0][0].effects[0].time_scalar == 2.0
assert times_in == ["00:00:30:00", "00:00:34:00", "01:00:00:00", "01:00:02:00"]
assert times_out == ["00:00:30:00", "00:00:31:00", "01:00:00:00", "01:00:02:00"]
PY
