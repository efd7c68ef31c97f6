#!/usr/bin/env bash
# simplemma 2.0.0 takes English words apart that belong together: "playing" becomes "playe" and "singing" "singe", while "plays", "played" and
# "sang" become "play" and "sing"; "leaves" is "leave", "shelves" "shelve", "loaves" "loave". Searched by lemmas, "people singing" is not
# found by "sing". Other -ing words are right ("dancing", "swimming"), so a quick look does not show it. vidembed's word search stems instead.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q simplemma==2.0.0
venv/bin/python - <<'PY'
import simplemma

print("simplemma", simplemma.__version__)
families = [
    "dance dances danced dancing",
    "swim swims swam swimming",
    "play plays played playing",
    "sing sings sang singing",
    "swing swings swung swinging",
    "leaf leaves",
    "shelf shelves",
    "loaf loaves",
    "knife knives",
]
lemmas = {}
for family in families:
    found = [simplemma.lemmatize(word, lang="en") for word in family.split()]
    lemmas[family.split()[0]] = found
    print(f"{family:30} -> {' '.join(found)}")
assert all(set(lemmas[word]) == {word} for word in ("dance", "swim", "knife"))
assert lemmas["play"][-1] == "playe" and set(lemmas["play"][:3]) == {"play"}
assert lemmas["sing"][-1] == "singe" and set(lemmas["sing"][:3]) == {"sing"}
assert [lemmas[word][-1] for word in ("swing", "leaf", "shelf", "loaf")] == ["swinge", "leave", "shelve", "loave"]
PY
