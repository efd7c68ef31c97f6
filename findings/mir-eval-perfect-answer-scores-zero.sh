#!/usr/bin/env bash
# A video of one shot, and a program that says so: mir_eval's segment measures give the perfect answer 0 in detection (with
# trim=True, which leaves out the two ends), in V-measure and in the entropy scores, but 1 in the adjusted Rand index and in
# detection untrimmed. onset.f_measure of nothing against nothing is 0, too. Every clip without a cut lowers the mean.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q mir_eval==0.8.2 numpy==2.4.6 scikit-learn==1.7.2
venv/bin/python - <<'PY'
from importlib.metadata import version
import warnings

import mir_eval
import numpy as np
from sklearn.metrics import v_measure_score

print("mir_eval", version("mir_eval"))
warnings.simplefilter("ignore")
segment = mir_eval.segment
one = np.array([[0.0, 20.0]])
two = np.array([[0.0, 10.0], [10.0, 20.0]])
for name, shots, labels in (("two shots", two, ["a", "b"]), ("one shot", one, ["a"])):
    scores = {
        "detection": segment.detection(shots, shots)[2],
        "detection trimmed": segment.detection(shots, shots, trim=True)[2],
        "V-measure": segment.vmeasure(shots, labels, shots, labels)[2],
        "entropy": segment.nce(shots, labels, shots, labels)[2],
        "adjusted Rand": segment.ari(shots, labels, shots, labels),
    }
    print(name, {measure: round(float(score), 3) for measure, score in scores.items()})
    if name == "two shots":
        assert all(abs(score - 1) < 1e-6 for score in scores.values())
    else:
        assert [round(float(score)) for score in scores.values()] == [1, 0, 0, 0, 1]
nothing = np.array([])
print("onsets, none and none:", mir_eval.onset.f_measure(nothing, nothing)[0])
print("scikit-learn's V-measure of one cluster:", v_measure_score([0] * 20, [0] * 20))
assert mir_eval.onset.f_measure(nothing, nothing)[0] == 0 and v_measure_score([0] * 20, [0] * 20) == 1
PY
