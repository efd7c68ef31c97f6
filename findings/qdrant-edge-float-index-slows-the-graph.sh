#!/usr/bin/env bash
# An index on a float field makes the HNSW graph take 1.6 times as long (3.6 times for two such fields on 60,000 points of
# 384 dimensions): links of its own are built for stretches of the field's values, by default and without a word. With
# enable_hnsw=False in its FloatIndexParams the graph takes as long as without the index, and filters still use the index.
# A Qdrant 1.19 server does the same.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q qdrant-edge-py==0.9.0 numpy==2.4.6
venv/bin/python - <<'PY'
import tempfile
import time
from importlib.metadata import version

import numpy as np
import qdrant_edge as edge

N, DIM, VALUES = 12_000, 128, 20  # every value is held by one point in twenty
rng = np.random.default_rng(0)
vectors = rng.normal(size=(N, DIM)).astype(np.float32)


def seconds(index):
    """How long the graph takes, and how many points a filter on the field finds."""
    config = edge.EdgeConfig(
        vectors=edge.EdgeVectorParams(DIM, edge.Distance.Cosine),
        # in kB: a twentieth of 12,000 points stands here for a twentieth of a million under the usual threshold
        hnsw_config=edge.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=10),
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=1),
    )
    shard = edge.EdgeShard.create(tempfile.mkdtemp(dir=".") + "/shard", config)
    if index is not None:
        shard.update(edge.UpdateOperation.create_field_index("start", index))
    points = [edge.Point(n, vector.tolist(), {"start": float(n % VALUES)}) for n, vector in enumerate(vectors)]
    shard.update(edge.UpdateOperation.upsert_points(points))
    began = time.process_time()
    shard.optimize()
    took = time.process_time() - began
    below = edge.Filter(must=[edge.FieldCondition("start", range=edge.RangeFloat(lt=2.0))])
    return took, shard.count(edge.CountRequest(filter=below, exact=True))


without, _ = seconds(None)
plain, found = seconds(edge.PayloadSchemaType.Float)
unlinked, found_too = seconds(edge.FloatIndexParams(enable_hnsw=False))
print("qdrant-edge-py", version("qdrant-edge-py"), f"processor seconds of the graph: no index {without:.1f},", end=" ")
print(f"float index {plain:.1f}, with enable_hnsw=False {unlinked:.1f}; the filter finds {found} and {found_too}")
assert found == found_too == N // VALUES * 2
assert plain > 1.35 * without, "the index no longer costs links"
assert unlinked < 1.2 * without
PY
