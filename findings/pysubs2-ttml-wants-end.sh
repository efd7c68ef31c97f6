#!/usr/bin/env bash
# TTML lets a caption say begin and end, or begin and dur. pysubs2 reads the first and raises KeyError: 'end' for the
# second, although it recognises the file as TTML: one such <p> makes the whole file unreadable.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pysubs2==1.8.1
venv/bin/python - <<'PY'
from importlib.metadata import version

import pysubs2

HEAD, TAIL = '<tt xmlns="http://www.w3.org/ns/ttml"><body><div>', "</div></body></tt>"
by_end = HEAD + '<p begin="00:00:01.000" end="00:00:02.000">one</p>' + TAIL
by_duration = HEAD + '<p begin="00:00:01.000" dur="00:00:01.000">one</p>' + TAIL
print("pysubs2", version("pysubs2"))
cues = [(cue.start, cue.end, cue.text) for cue in pysubs2.SSAFile.from_string(by_end)]
print("begin and end:", cues)
assert cues == [(1000, 2000, "one")]
try:
    pysubs2.SSAFile.from_string(by_duration)
    raise AssertionError("dur is read now")
except KeyError as error:
    print("begin and dur: KeyError", error)
    assert error.args == ("end",)
PY
