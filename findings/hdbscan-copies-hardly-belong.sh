#!/usr/bin/env bash
# hdbscan 0.8.44: a cluster of equal vectors, as black pictures, a still title or copies of a clip make, is found, and each of them belongs to it with
# probability 1.0; approximate_predict puts the very same vectors into it with a strength of 0.0, without a word, so that whoever keeps what belongs
# by half drops all of them. Their membership vectors and outlier scores are NaN. A millionth of noise on the vectors mends it.
# vidembed groups the clips of its map by k-means, where equal vectors share a group.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q hdbscan==0.8.44 numpy==2.4.6
venv/bin/python -W ignore - <<'PY'
from importlib.metadata import version

import hdbscan
import numpy as np

print("hdbscan", version("hdbscan"))
random = np.random.default_rng(0)
clouds = np.concatenate([random.normal(0, 0.1, (30, 2)), random.normal(5, 0.1, (30, 2))])
copies = np.full((20, 2), 2.5)
found = {}
for name, last in {"20 copies": copies, "20 copies with noise": copies + random.normal(0, 1e-6, copies.shape)}.items():
    vectors = np.concatenate([clouds, last])
    clusters = hdbscan.HDBSCAN(min_cluster_size=10, prediction_data=True).fit(vectors)
    labels, strengths = hdbscan.approximate_predict(clusters, vectors)
    assert (labels == clusters.labels_).all() and set(labels) == {0, 1, 2}
    found[name] = clusters.probabilities_[60:].min(), strengths[60:].max(), np.isnan(hdbscan.membership_vector(clusters, last)).mean()
    print(f"{name}: fitted from {found[name][0]:.2f}, predicted up to {found[name][1]:.2f}, NaN in {found[name][2]:.0%} of membership vectors")
    print(f"  the clouds: fitted {clusters.probabilities_[:60].mean():.2f}, predicted {strengths[:60].mean():.2f}")
assert found["20 copies"] == (1.0, 0.0, 1.0)
assert found["20 copies with noise"][1] == 1.0 and found["20 copies with noise"][2] == 0.0
PY
