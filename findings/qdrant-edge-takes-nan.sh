#!/usr/bin/env bash
# Qdrant Edge stores a vector with NaN in it, counts the point, gives it back, and never finds it; a query with NaN gives no
# hits and no error. qdrant-client refuses such a vector. One NaN from a model run in half precision makes a clip that
# is in the index and cannot be found.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q qdrant-edge-py==0.9.0 qdrant-client==1.20.0 numpy==2.4.6
venv/bin/python - <<'PY'
import math
import tempfile
from importlib.metadata import version

import qdrant_edge as edge
from qdrant_client import QdrantClient, models

shard = edge.EdgeShard.create(
    tempfile.mkdtemp(dir=".") + "/shard", edge.EdgeConfig(vectors=edge.EdgeVectorParams(2, edge.Distance.Cosine))
)
points = [edge.Point(1, [1.0, 0.0]), edge.Point(2, [math.nan, 0.0])]
shard.update(edge.UpdateOperation.upsert_points(points))


def found(query):
    return [point.id for point in shard.query(edge.QueryRequest(limit=9, query=edge.Query.Nearest(query)))]


client = QdrantClient(":memory:")
client.create_collection("a", vectors_config=models.VectorParams(size=2, distance="Cosine"))
try:
    client.upsert("a", [models.PointStruct(id=2, vector=[math.nan, 0.0])])
    refusal = None
except ValueError as error:
    refusal = str(error)
counted = shard.count(edge.CountRequest())
print("qdrant-edge-py", version("qdrant-edge-py"), "counts", counted, "finds", found([1.0, 0.0]), "by NaN", found([math.nan, 0.0]))
print("qdrant-client", version("qdrant-client"), "says:", refusal)
assert counted == 2 and found([1.0, 0.0]) == [1] and found([math.nan, 0.0]) == []
assert refusal and "NaN" in refusal
PY
