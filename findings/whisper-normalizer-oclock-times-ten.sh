#!/usr/bin/env bash
# Word error rates of speech recognition are computed after Whisper's normalizer. It takes a lone "o" for a zero and joins
# it to a number: "at 3 o'clock" becomes "at 30 clock", so that "at 30 clock" is a perfect transcript of it, and "at three
# oclock", where nothing was misheard, has two errors in three words. "Mrs O'Brien" is "missus 0 brien".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q whisper-normalizer==0.1.15
venv/bin/python - <<'PY'
from importlib.metadata import version

from whisper_normalizer.english import EnglishTextNormalizer

print("whisper-normalizer", version("whisper-normalizer"))
normal = EnglishTextNormalizer()
expected = {
    "at 3 o'clock": "at 30 clock",
    "at three o'clock": "at 30 clock",
    "at 30 clock": "at 30 clock",
    "at three oclock": "at 3 oclock",
    "Mrs O'Brien": "missus 0 brien",
}
for text, form in expected.items():
    print(f"{text!r:20} -> {normal(text)!r}")
    assert normal(text) == form
PY
