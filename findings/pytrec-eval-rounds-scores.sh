#!/usr/bin/env bash
# trec_eval keeps scores as 32-bit floats and orders equal ones by document name, backwards. Scores that differ in the
# eighth digit, as sums of cosines do, are equal for it: the better document "a" at 1.0000000001 is ranked after "b" at
# 1.0. The rank that is measured then depends on the names of clips, and not on the order that was searched.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pytrec-eval-terrier==0.5.11 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import pytrec_eval

print("pytrec-eval-terrier", version("pytrec-eval-terrier"))


def reciprocal_rank(scores):
    evaluator = pytrec_eval.RelevanceEvaluator({"q": {"a": 1}}, {"recip_rank"})
    return evaluator.evaluate({"q": scores})["q"]["recip_rank"]


close, apart = {"a": 1.0000000001, "b": 1.0}, {"a": 1.001, "b": 1.0}
large = {"a": 20_000_001.0, "b": 20_000_000.0}
for scores in (apart, close, large):
    print(scores, "reciprocal rank of a:", reciprocal_rank(scores))
assert reciprocal_rank(apart) == 1.0
assert reciprocal_rank(close) == reciprocal_rank(large) == 0.5
PY
