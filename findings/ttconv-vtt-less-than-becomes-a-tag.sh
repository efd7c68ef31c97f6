#!/usr/bin/env bash
# ttconv writes < and & into WebVTT as they are, where the format wants &lt; and &amp;: "if x < 3 and y > 2" in SubRip or
# TTML becomes a tag for whoever reads the file, and the words between are gone from the caption. Its IMSC writer
# escapes both.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q ttconv==1.2.3 webvtt-py==0.6.0
venv/bin/python - <<'PY'
import io
from importlib.metadata import version

import ttconv.imsc.reader
import ttconv.vtt.writer
import webvtt

print("ttconv", version("ttconv"), "webvtt-py", version("webvtt-py"))
import xml.etree.ElementTree as ET

text = "if x &lt; 3 and y &gt; 2 then AT&amp;T calls"
document = f"""<tt xmlns="http://www.w3.org/ns/ttml" xml:lang="en"><body><div>
<p begin="1s" end="2s">{text}</p></div></body></tt>"""
model = ttconv.imsc.reader.to_model(ET.ElementTree(ET.fromstring(document)))
written = ttconv.vtt.writer.from_model(model)
line = written.strip().splitlines()[-1]
(cue,) = webvtt.from_string(written)
print("written:", line)
print("read   :", cue.text)
assert line == "if x < 3 and y > 2 then AT&T calls"
assert cue.text == "if x  2 then AT&T calls"
PY
