#!/usr/bin/env bash
# Among points of equal score, which ones Qdrant Edge returns depends on the limit: the last of 3 is not the third of 6 but
# the sixth. With offset, one point comes on every page and others on none. The order differs between two shards made
# of the same points. Copies of a clip have equal scores; who pages through hits must sort by score and id.
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

POINTS = 6
shard = edge.EdgeShard.create(
    tempfile.mkdtemp(dir=".") + "/shard", edge.EdgeConfig(vectors=edge.EdgeVectorParams(2, edge.Distance.Dot))
)
shard.update(edge.UpdateOperation.upsert_points([edge.Point(n, [1.0, 0.0]) for n in range(POINTS)]))


def ids(limit, offset=0):
    request = edge.QueryRequest(limit=limit, offset=offset, query=edge.Query.Nearest([1.0, 0.0]))
    return [point.id for point in shard.query(request)]


everything = ids(POINTS)
pages = [ids(2, offset) for offset in (0, 2, 4)]
shown = [n for page in pages for n in page]
print("qdrant-edge-py", version("qdrant-edge-py"), "limit 6:", everything, "limit 3:", ids(3), "pages of 2:", pages)
print("never shown:", sorted(set(everything) - set(shown)))
assert sorted(everything) == list(range(POINTS))
assert ids(3) == [*everything[:2], everything[-1]]
assert len(set(shown)) < POINTS
PY
