#!/usr/bin/env bash
# The English Snowball stemmer is used to find all forms of a word. It keeps "buses" (buse) from "bus", and "gases" from
# "gas", and makes one of animals, animation, anime and animated (anim).
# In Portuguese the plural ações does not meet ação. A search by stems finds no buses for bus, and animations for animals.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q snowballstemmer==3.1.1
venv/bin/python - <<'PY'
from importlib.metadata import version

import snowballstemmer

stem = snowballstemmer.stemmer("english").stemWord
print("snowballstemmer", version("snowballstemmer"))
words = ("bus", "buses", "gas", "gases", "animals", "animation", "anime", "animated", "boxes", "box")
print({word: stem(word) for word in words})
portuguese = snowballstemmer.stemmer("portuguese").stemWord
print({word: portuguese(word) for word in ("ação", "ações", "gato", "gatos")})
assert stem("boxes") == stem("box")
assert stem("buses") != stem("bus") and stem("gases") != stem("gas")
assert len({stem(word) for word in ("animals", "animation", "anime", "animated")}) == 1
assert portuguese("gatos") == portuguese("gato") and portuguese("ações") != portuguese("ação")
PY
