#!/usr/bin/env bash
# timelength 3.0.4 takes the comma of SubRip's times for one of thousands: "00:01:30,500" is 30,560 seconds, eight and a half hours, with success=True;
# with a point it is 90.5. It also drops signs ("-5 minutes" is 300 s) and what has no unit ("1m30" and "1 minute 30" are 60 s), and calls that
# a success. pytimeparse gives None for the comma and for "1m30", and -300 for the sign. vidembed reads the times of subtitles itself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q timelength==3.0.4 pytimeparse==1.1.10
venv/bin/python - <<'PY'
from importlib.metadata import version

from pytimeparse import parse
from timelength import TimeLength

print("timelength", version("timelength"), "pytimeparse", version("pytimeparse"))
found = {}
for text in ("00:01:30.500", "00:01:30,500", "-5 minutes", "1m30s", "1m30", "1 minute 30"):
    result = TimeLength(text).result
    found[text] = result.seconds
    print(f"{text:13} timelength {result.seconds} s, success {result.success}; pytimeparse {parse(text)}")
    assert result.success
assert found == {"00:01:30.500": 90.5, "00:01:30,500": 30560, "-5 minutes": 300, "1m30s": 90, "1m30": 60, "1 minute 30": 60}
PY
