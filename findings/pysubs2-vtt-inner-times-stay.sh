#!/usr/bin/env bash
# Karaoke-style WebVTT, which video sites make from speech recognition, has times between the words. pysubs2 takes out all
# tags but these: the plain text reads "We are in <00:00:01.500>New York", so that captions show them and a search for
# the phrase "in New York" misses. webvtt-py takes them out.
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

00:00:01.000 --> 00:00:02.000
<v Ann>We are <c.yellow>in</c> <00:00:01.500>New York
"""
by_pysubs2 = pysubs2.SSAFile.from_string(TEXT, format_="vtt")[0].plaintext
by_webvtt = webvtt.from_string(TEXT)[0].text
print("pysubs2", version("pysubs2"), repr(by_pysubs2))
print("webvtt-py", version("webvtt-py"), repr(by_webvtt))
assert by_webvtt == "We are in New York"
assert by_pysubs2 == "We are in <00:00:01.500>New York"
PY
