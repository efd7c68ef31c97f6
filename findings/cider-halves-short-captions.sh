#!/usr/bin/env bash
# CIDEr of a caption that equals its reference is 10, if it has four words. Of two words it is 5, of one 2.5: the score is
# averaged over phrases of 1 to 4 words, and those that a short caption cannot have count as misses.
# Short tags lose to long captions even when all are perfect.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pycocoevalcap==1.2 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

from pycocoevalcap.cider.cider import Cider

references = {1: ["cat"], 2: ["two dogs"], 3: ["big red bus"], 4: ["a man rides horses"]}
mean, each = Cider().compute_score(references, references)
print("pycocoevalcap", version("pycocoevalcap"))
for (caption,), score in zip(references.values(), each):
    print(f"{caption!r} against itself: {score:.2f}")
assert [round(float(score), 2) for score in each] == [2.5, 5.0, 7.5, 10.0]
PY
