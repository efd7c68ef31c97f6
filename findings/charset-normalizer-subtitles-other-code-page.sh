#!/usr/bin/env bash
# Subtitles in an old code page, without a language in their name, are common. charset-normalizer, which requests and
# most tools use, reads French, Swedish, Portuguese and Danish ones as Central European, even with 60 lines: "mår" turns
# into "mĺr", "Não" into "Năo". chardet 7, a new program under the old name, reads all of these rightly.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q charset-normalizer==3.5.3 chardet==7.7.0
venv/bin/python - <<'PY'
from importlib import metadata
import chardet
import charset_normalizer

SAID = {
    ("French", "cp1252"): ["L'été dernier, à la plage.", "Où est passée la clé ?", "C'est la vie, mon cœur."],
    ("Swedish", "cp1252"): ["God morgon, hur mår du?", "Det är så vackert här.", "Vi måste gå nu."],
    ("Portuguese", "cp1252"): ["Não sei o que fazer.", "É uma canção de São João.", "Amanhã não há escola."],
    ("Danish", "cp1252"): ["Godmorgen, hvordan går det?", "Jeg er så glad for at være her."],
}
print(*(f"{name} {metadata.version(name)}" for name in ("charset-normalizer", "chardet")))
wrong = {"charset-normalizer": 0, "chardet": 0}
for (language, encoding), said in SAID.items():
    text = "".join(f"{i + 1}\n00:{i:02}:01,000 --> 00:{i:02}:03,000\n{said[i % len(said)]}\n\n" for i in range(60))
    content = text.encode(encoding)
    told = {
        "charset-normalizer": charset_normalizer.from_bytes(content).best().encoding,
        "chardet": chardet.detect(content, encoding_era=chardet.EncodingEra.MODERN_WEB)["encoding"],
    }
    read = {name: content.decode(code, errors="replace") for name, code in told.items()}
    print(f"{language:10} {encoding}:", *(f"{name} {told[name]} {read[name].splitlines()[2]!r}" for name in told))
    for name in told:
        wrong[name] += read[name] != text
assert wrong == {"charset-normalizer": 4, "chardet": 0}, wrong
PY
