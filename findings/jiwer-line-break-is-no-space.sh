#!/usr/bin/env bash
# jiwer splits words at the space alone: a transcript whose lines are broken, as subtitles are, shares no word with the
# same transcript in one line where they break ("did\nthey" is one word), so identical text has a word error rate above
# zero. A tab or a no-break space, which subtitle editors put before French question marks, does the same.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q jiwer==4.0.0
venv/bin/python - <<'PY'
from importlib import metadata
import jiwer

print("jiwer", metadata.version("jiwer"))
said = "what did they say"
forms = (said, "what  did they say", "what did\nthey say", "what did\tthey say", "what did\u00a0they say")
rates = {form: jiwer.wer(said, form) for form in forms}
for form, rate in rates.items():
    print(f"{form!r:24} {rate:.2f}")
assert list(rates.values()) == [0, 0, 0.5, 0.5, 0.5]
PY
