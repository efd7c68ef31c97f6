#!/usr/bin/env bash
# Of the two Python packages for ROUGE, "rouge" compares sets: each word and each pair of words counts once, however often it is
# said. A captioner that is stuck, "a dog a dog a dog a dog", has a perfect ROUGE-1 against "a dog", a precision of 1.0; in
# rouge-score, as in the original, 0.25. The commonest fault of caption models costs nothing there. Use rouge-score.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q rouge==1.0.1 rouge-score==0.1.2
venv/bin/python - <<'PY'
from importlib.metadata import version

from rouge import Rouge
from rouge_score.rouge_scorer import RougeScorer

print("rouge", version("rouge"), "rouge-score", version("rouge-score"))
wanted, said = "a dog", "a dog a dog a dog a dog"
of_rouge = Rouge().get_scores(said, wanted)[0]
of_score = RougeScorer(["rouge1", "rouge2", "rougeL"]).score(wanted, said)
seen = {}
for ours, theirs in (("rouge-1", "rouge1"), ("rouge-2", "rouge2"), ("rouge-l", "rougeL")):
    seen[ours] = round(of_rouge[ours]["p"], 2), round(of_score[theirs].precision, 2)
    print(f"{said!r} against {wanted!r}: precision of {ours} by rouge {seen[ours][0]}, by rouge-score {seen[ours][1]}")
assert seen["rouge-1"] == seen["rouge-l"] == (1.0, 0.25)
assert seen["rouge-2"] == (0.5, 0.14)
PY
