#!/usr/bin/env bash
# voyager's inner product finds what it should only if vectors were added in order of their length. Of 3000 vectors of 32
# numbers whose lengths differ, added as they come, it finds a third of the ten best; sorted by length, either way, nearly all.
# The index gives each vector one more number, made from the longest one so far, so that each longer one changes the measure
# that the graph was built with; get_distance of two fixed vectors changes, too. Unit vectors are safe.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q voyager==2.2.3 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
from voyager import Index, Space

print("voyager", version("voyager"))
random = np.random.default_rng(0)
spread = np.exp(random.standard_normal((3000, 1)))
vectors = (random.standard_normal((3000, 32)) * spread).astype(np.float32)
queries = random.standard_normal((200, 32)).astype(np.float32)
best = np.argsort(-queries @ vectors.T, axis=1)[:, :10]
lengths = np.linalg.norm(vectors, axis=1)
orders = {"as they come": np.arange(3000), "short first": np.argsort(lengths), "long first": np.argsort(-lengths)}
recall = {}
for name, order in orders.items():
    index = Index(Space.InnerProduct, 32, M=16, ef_construction=200)
    index.add_items(vectors[order], num_threads=1)
    found = order[index.query(queries, 10, query_ef=100)[0].astype(int)]
    recall[name] = float(np.mean([len(set(mine) & set(theirs)) / 10 for mine, theirs in zip(found, best)]))
    print(f"{name:13} recall at 10: {recall[name]:.3f}")

index = Index(Space.InnerProduct, 2)
distances = []
for length in (1, 3, 9):
    index.add_item([length, 0])
    distances.append(index.get_distance([1, 0], [2, 0]))
print("distance of [1, 0] and [2, 0] after adding lengths 1, 3, 9:", distances)
assert recall["as they come"] < 0.5 and min(recall["short first"], recall["long first"]) > 0.99
assert distances == [-1, -5, -65]
PY
