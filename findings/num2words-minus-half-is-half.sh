#!/usr/bin/env bash
# num2words 0.5.14 loses the sign of numbers between -1 and 0: -0.5 is "zero point five", -1.5 "minus one point five"; the same in German, French,
# Spanish and most of its languages, not in Italian or Indonesian. Read aloud or compared with a transcript, half a degree of frost is
# half a degree of warmth. The integer part is put into words first, and that is -0. vidembed puts no numbers into words.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q num2words==0.5.14
venv/bin/python - <<'PY'
from importlib.metadata import version

from num2words import num2words

print("num2words", version("num2words"))
for language in ("en", "de", "fr", "es", "pt", "ru", "it"):
    said = {number: num2words(number, lang=language) for number in (0.5, -0.5, 1.5, -1.5)}
    print(language, said)
    assert said[1.5] != said[-1.5]
    assert (said[0.5] == said[-0.5]) == (language != "it")
assert num2words("-0.99") == "zero point nine nine"
PY
