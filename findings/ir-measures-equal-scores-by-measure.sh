#!/usr/bin/env bash
# ir_measures takes each measure from another program, and these order equal scores in opposite ways: trec_eval by name backwards,
# the others by name. Of two hits with one score, "b" the right one, RR is 1.0 and RR@10 of the same list 0.5, and the first
# hit is right (P@1 = 1) but not judged (Judged@1 = 0). Copies of a clip have equal scores; make them differ first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q ir-measures==0.4.3 pytrec-eval-terrier==0.5.11
venv/bin/python - <<'PY'
from importlib.metadata import version

import ir_measures
from ir_measures import RR, Judged, P, Qrel, ScoredDoc

print("ir_measures", version("ir-measures"))
seen = {}
for other in ("a", "c"):
    hits = [ScoredDoc("query", "b", 0.7), ScoredDoc("query", other, 0.7)]
    found = ir_measures.calc_aggregate([RR, RR @ 10, P @ 1, Judged @ 1], [Qrel("query", "b", 1)], hits)
    seen[other] = {str(measure): value for measure, value in found.items()}
    print(f"the right hit 'b' and '{other}', both scored 0.7: {seen[other]}")
assert seen["a"] == {"RR": 1.0, "RR@10": 0.5, "P@1": 1.0, "Judged@1": 0.0}
assert seen["c"] == {"RR": 0.5, "RR@10": 1.0, "P@1": 0.0, "Judged@1": 1.0}
PY
