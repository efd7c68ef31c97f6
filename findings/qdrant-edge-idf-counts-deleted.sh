#!/usr/bin/env bash
# With the IDF modifier Qdrant Edge weighs a word by how many points have it, deleted ones included, until segments are
# merged, which optimize() does not do for few. A word left in 1 of 6 points scores as if it were in 5 of 10. Deleting or
# replacing clips so changes the ranking of words. An IDF corpus with an empty filter counts the living ones only.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q qdrant-edge-py==0.9.0
venv/bin/python - <<'PY'
import tempfile
from importlib.metadata import version

import qdrant_edge as edge

words = edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)
shard = edge.EdgeShard.create(tempfile.mkdtemp(dir=".") + "/shard", edge.EdgeConfig(sparse_vectors={"words": words}))
common, other = edge.SparseVector([1], [1.0]), edge.SparseVector([2], [1.0])
shard.update(edge.UpdateOperation.upsert_points([edge.Point(n, {"words": common if n < 5 else other}) for n in range(10)]))


def score(params=None):
    query = edge.Query.Nearest(common, using="words")
    return round({p.id: p.score for p in shard.query(edge.QueryRequest(limit=10, query=query, params=params))}[0], 4)


before = score()
shard.update(edge.UpdateOperation.delete_points([1, 2, 3, 4]))
after = score()
shard.optimize()
optimized = score()
living = score(edge.SearchParams(idf=edge.IdfParams(corpus=edge.Filter())))
print("qdrant-edge-py", version("qdrant-edge-py"), "in 5 of 10:", before, "| in 1 of 6:", after, "optimized:", optimized)
print("with the corpus of an empty filter:", living)
assert before == after == optimized == 0.6931 and living == 1.5404
PY
