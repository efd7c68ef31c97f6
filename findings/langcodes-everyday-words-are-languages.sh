#!/usr/bin/env bash
# Subtitle files are named VIDEO.en.srt, VIDEO.sdh.srt, VIDEO.new.srt. Whether a word of the name is a language cannot be
# told by langcodes.tag_is_valid: "sdh" (for the deaf and hard of hearing) is Southern Kurdish, "dub" Dubli, "sub" Suku,
# "new" Newari, "old" Mochi, "srt" Sauri. Only codes that shorten to two letters are safe: "eng" -> "en".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q 'langcodes[data]==3.5.1'
venv/bin/python - <<'PY'
from importlib.metadata import version

import langcodes

print("langcodes", version("langcodes"))
names = {}
for word in ("sdh", "dub", "sub", "new", "old", "srt", "eng", "forced"):
    valid = langcodes.tag_is_valid(word)
    found = langcodes.Language.get(word) if valid else None
    names[word] = (found.language, found.display_name()) if found else None
    print(word, names[word])
assert names == {
    "sdh": ("sdh", "Southern Kurdish"), "dub": ("dub", "Dubli"), "sub": ("sub", "Suku"), "new": ("new", "Newari"),
    "old": ("old", "Mochi"), "srt": ("srt", "Sauri"), "eng": ("en", "English"), "forced": None,
}
PY
