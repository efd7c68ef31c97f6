#!/usr/bin/env bash
# pysubs2 takes a last line of digits for the number of the next cue. In a valid SubRip file the end of the last caption
# is lost ("The answer is / 42" -> "The answer is"); where cues have no numbers, which pysrt takes as well, every caption
# that ends with a number loses it: years, scores, prices cannot be found. pysrt keeps them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pysubs2==1.8.1 pysrt==1.1.2
venv/bin/python - <<'PY'
from importlib.metadata import version

import pysrt
import pysubs2

NUMBERED = """1
00:00:01,000 --> 00:00:02,000
It was
1984

2
00:00:03,000 --> 00:00:04,000
The answer is
42
"""
BARE = NUMBERED.replace("1\n00:", "00:").replace("2\n00:", "00:")


def texts(srt):
    by_pysubs2 = [cue.plaintext for cue in pysubs2.SSAFile.from_string(srt, format_="srt")]
    return by_pysubs2, [cue.text for cue in pysrt.from_string(srt)]


print("pysubs2", version("pysubs2"), "| pysrt", version("pysrt"))
for name, srt in (("numbered", NUMBERED), ("without numbers", BARE)):
    print(name, *texts(srt))
whole = ["It was\n1984", "The answer is\n42"]
assert texts(NUMBERED) == (["It was\n1984", "The answer is"], whole)
assert texts(BARE) == (["It was", "The answer is"], whole)
PY
