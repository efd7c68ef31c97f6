#!/usr/bin/env bash
# pycaption carries SubRip's <i> and <b> as words: written as WebVTT or TTML they are escaped, so viewers read
# "<i>I saw it</i>" on the screen, and a voice <v Ann> turns into the spoken word "Ann:". What converts subtitles for
# captions or transcripts has to take the markup out before.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pycaption==2.3.14
venv/bin/python - <<'PY'
from importlib import metadata
from pycaption import DFXPWriter, SRTReader, SRTWriter, WebVTTReader, WebVTTWriter

print("pycaption", metadata.version("pycaption"))
subrip = SRTReader().read("1\n00:00:01,000 --> 00:00:02,000\n<i>I saw it</i>\n")
vtt, ttml = WebVTTWriter().write(subrip), DFXPWriter().write(subrip)
print(vtt.splitlines()[-1], "|", next(line.strip() for line in ttml.splitlines() if "saw" in line))
assert "&lt;i>I saw it&lt;/i>" in vtt
assert "&lt;i&gt;I saw it&lt;/i&gt;" in ttml
said = WebVTTReader().read("WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>I saw it\n")
print(SRTWriter().write(said).splitlines()[2])
assert "Ann: I saw it" in SRTWriter().write(said)
PY
