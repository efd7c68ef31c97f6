#!/usr/bin/env bash
# inflect 7.6.0: singular_noun, which is said to return False for a word that is singular, makes new words of many: bus is the plural of "bu", lens of
# "len", gas of "ga", tennis of "tenni", octopus of "octopu", and this and has of "thi" and "ha"; glass and chess are right. The other
# way round a german becomes "germen" and a roman "romen". Labels and captions brought to one form with it no longer match those of others
# ("octopuses" becomes "octopus", "octopus" becomes "octopu"). vidembed's word search stems.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q inflect==7.6.0
venv/bin/python - <<'PY'
from importlib.metadata import version

import inflect

print("inflect", version("inflect"))
engine = inflect.engine()
singular = {word: engine.singular_noun(word) for word in "bus lens gas tennis octopus this has glass chess dog".split()}
plural = {word: engine.plural_noun(word) for word in "human shaman german roman".split()}
twice = {word: engine.singular_noun(word) for word in ("buses", "octopuses")}
print("singular of singulars:", singular)
print("singular of plurals:", twice)
print("plural:", plural)
assert singular["glass"] is singular["chess"] is singular["dog"] is False
assert [singular[w] for w in "bus lens gas tennis octopus this has".split()] == "bu len ga tenni octopu thi ha".split()
assert twice == {"buses": "bus", "octopuses": "octopus"}
assert plural == {"human": "humans", "shaman": "shamans", "german": "germen", "roman": "romen"}
PY
