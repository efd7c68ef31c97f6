#!/usr/bin/env bash
# Qdrant Edge takes another memory placement when a shard is loaded, and writes it into the shard's settings, but what is
# there stays as it was made. Five vectors of 384 values made with Memory.Cached take 41 MB on loading (a 32 MB file, nearly
# all hole, is read whole), and still 41 after loading with Memory.Cold, which the settings then name; made Cold, 7 MB.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q qdrant-edge-py==0.9.0
cat >probe.py <<'PY'
import sys
from importlib.metadata import version

import qdrant_edge as edge


def config(memory):
    return edge.EdgeConfig(vectors=edge.EdgeVectorParams(384, edge.Distance.Cosine, memory=memory))


def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


made, loaded = (getattr(edge.Memory, name) for name in sys.argv[1:3])
path = f"shard-{sys.argv[1]}"
if sys.argv[3] == "make":
    shard = edge.EdgeShard.create(path, config(made))
    points = [edge.Point(n, [float(n == i) for i in range(384)]) for n in range(5)]
    shard.update(edge.UpdateOperation.upsert_points(points))
    shard.flush()
else:
    before = resident_mb()
    shard = edge.EdgeShard.load(path, config(loaded))
    told = f"made {sys.argv[1]}, loaded {sys.argv[2]}, settings now {open(path + '/edge_config.json').read()}"
    print("qdrant-edge-py", version("qdrant-edge-py"), told, file=sys.stderr)
    print(round(resident_mb() - before))
shard.close()
PY
measure() { venv/bin/python probe.py "$1" "$2" load; }
for made in Cached Cold; do mkdir "shard-$made"; venv/bin/python probe.py "$made" "$made" make; done
cached=$(measure Cached Cached) changed=$(measure Cached Cold) again=$(measure Cached Cold) cold=$(measure Cold Cold)
echo "MB of memory that loading takes: made cached $cached, loaded as cold $changed, once more $again, made cold $cold"
((cached - cold >= 25 && changed - cold >= 25 && again - cold >= 25))
