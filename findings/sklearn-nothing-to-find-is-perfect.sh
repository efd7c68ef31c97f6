#!/usr/bin/env bash
# scikit-learn 1.9.1: for a query that has nothing to find, label_ranking_average_precision_score is 1.0, a perfect answer, and ndcg_score and
# average_precision_score are 0.0; the means of a test set move up or down with its empty queries, without a word. And of equal scores, as
# a broken encoder gives, top_k_accuracy_score takes the label with the highest number: always right where that is the truth, never elsewhere.
# vidembed's report of moments leaves such queries out and says how many they were.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q scikit-learn==1.9.1 numpy==2.4.6
venv/bin/python - <<'PY'
import warnings

import numpy as np
import sklearn
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score, ndcg_score, top_k_accuracy_score

print("scikit-learn", sklearn.__version__)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    scores, truth = np.array([[0.3, 0.2, 0.1], [0.3, 0.2, 0.1]]), np.array([[0, 0, 1], [0, 0, 0]])
    worst = label_ranking_average_precision_score(truth[:1], scores[:1])
    lrap, ndcg = label_ranking_average_precision_score(truth[1:], scores[1:]), ndcg_score(truth[1:], scores[1:])
    both = label_ranking_average_precision_score(truth, scores)
assert not said
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    single = average_precision_score(truth[1], scores[1])
print(f"nothing to find: LRAP {lrap}, nDCG {ndcg}, average precision {single}")
print(f"the one clip to find is last of three: LRAP {worst:.2f}; with the empty query beside it {both:.2f}")
assert (lrap, ndcg, single) == (1.0, 0.0, 0.0) and round(worst, 2) == 0.33 and round(both, 2) == 0.67
equal = {label: top_k_accuracy_score([label] * 5, np.zeros((5, 3)), k=1, labels=[0, 1, 2]) for label in range(3)}
print("all scores equal, top-1 accuracy by the true label:", equal)
assert equal == {0: 0.0, 1: 0.0, 2: 1.0}
PY
