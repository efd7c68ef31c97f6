#!/usr/bin/env bash
# A WebVTT cue may have a name in the line above its times. pysubs2 knows only numbers there: a name such as "chorus" is
# put at the end of the text of the cue before, and so into captions and into the words that can be searched.
# webvtt-py leaves it out of the text.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pysubs2==1.8.1 webvtt-py==0.6.0
venv/bin/python - <<'PY'
from importlib.metadata import version

import pysubs2
import webvtt

TEXT = """WEBVTT

intro
00:00:01.000 --> 00:00:02.000
Good evening.

chorus
00:00:03.000 --> 00:00:04.000
And welcome.
"""
by_pysubs2 = [cue.plaintext for cue in pysubs2.SSAFile.from_string(TEXT, format_="vtt")]
by_webvtt = [cue.text for cue in webvtt.from_string(TEXT)]
print("pysubs2", version("pysubs2"), by_pysubs2)
print("webvtt-py", version("webvtt-py"), by_webvtt)
assert by_webvtt == ["Good evening.", "And welcome."]
assert by_pysubs2 == ["Good evening.\n\nchorus", "And welcome."]
PY
