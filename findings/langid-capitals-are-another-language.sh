#!/usr/bin/env bash
# Captions for broadcast are often in capitals. langid takes letters as they come: the same German and Spanish lines are
# English in capitals, French is Maltese and Russian is Kazakh. lingua answers the same for both. Lower the case before
# asking langid.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q langid==1.1.6 numpy==2.4.6 lingua-language-detector==2.1.1
venv/bin/python - <<'PY'
from importlib.metadata import version

import langid
from lingua import IsoCode639_1, LanguageDetectorBuilder

print("langid", version("langid"), "lingua", version("lingua-language-detector"))
codes = ("EN", "DE", "ES", "FR", "RU", "KK", "UK")
detector = LanguageDetectorBuilder.from_iso_codes_639_1(*(getattr(IsoCode639_1, code) for code in codes)).build()
lines = (
    "Wo gehst du heute Abend hin?",
    "¿Dónde vas esta noche?",
    "Où vas-tu ce soir ?",
    "Куда ты идешь сегодня вечером?",
)
seen = []
for line in lines:
    by_langid = tuple(langid.classify(form)[0] for form in (line, line.upper()))
    by_lingua = tuple(detector.detect_language_of(form).iso_code_639_1.name.lower() for form in (line, line.upper()))
    seen.append(by_langid)
    print(f"{line:32} langid {by_langid}, lingua {by_lingua}")
    assert by_lingua[0] == by_lingua[1] == by_langid[0]
assert seen == [("de", "en"), ("es", "en"), ("fr", "mt"), ("ru", "kk")]
PY
