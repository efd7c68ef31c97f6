#!/usr/bin/env bash
# webvtt-py (which reads SubRip too) and pysrt's text_without_tags take all between a "<" and the next ">" for a tag. In
# SubRip a bare "<" is plain text: "I <3 you, and 5 > 4" becomes "I  4". What was said in between can be neither shown
# nor found. pysubs2 keeps it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q webvtt-py==0.6.0 pysrt==1.1.2 pysubs2==1.8.1
venv/bin/python - <<'PY'
import io
from importlib.metadata import version

import pysrt
import pysubs2
import webvtt

TEXT = "1\n00:00:01,000 --> 00:00:02,000\nI <3 you, and 5 > 4\n"
seen = {
    "webvtt-py": webvtt.from_buffer(io.StringIO(TEXT), format="srt")[0].text,
    "pysrt": pysrt.from_string(TEXT)[0].text_without_tags,
    "pysubs2": pysubs2.SSAFile.from_string(TEXT)[0].plaintext,
}
for name, text in seen.items():
    print(name, version(name), repr(text))
assert seen == {"webvtt-py": "I  4", "pysrt": "I  4", "pysubs2": "I <3 you, and 5 > 4"}
PY
