#!/usr/bin/env bash
# start_in_seconds and end_in_seconds of webvtt-py are whole numbers, cut off and not rounded: a cue from 1.9 to 2.1 s
# is said to be from 1 to 2 s, one from 5.1 to 5.9 s to have no length. The exact time is in start_time.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q webvtt-py==0.6.0
venv/bin/python - <<'PY'
from importlib.metadata import version

import webvtt

TEXT = "WEBVTT\n\n00:00:01.900 --> 00:00:02.100\nA\n\n00:00:05.100 --> 00:00:05.900\nB\n"
captions = webvtt.from_string(TEXT)
spans = [(cue.start_in_seconds, cue.end_in_seconds) for cue in captions]
print("webvtt-py", version("webvtt-py"), spans, captions[0].start_time, "total_length", captions.total_length)
assert spans == [(1, 2), (5, 5)]
assert captions[0].start_time.milliseconds == 900
PY
