#!/usr/bin/env bash
# sqlite-vec, a table with a partition key: k = 2 with `camera in ('a', 'b')` gives four rows, two of each partition, one
# partition after the other, so that the first two are not the two nearest. With != or no condition it gives two, and a
# metadata column in the same condition gives the two nearest. Sort and cut what comes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q sqlite-vec==0.1.9 apsw==3.54.1.0
venv/bin/python - <<'PY'
from importlib.metadata import version

import apsw
import sqlite_vec

print("sqlite-vec", version("sqlite-vec"), "SQLite", apsw.sqlite_lib_version())
base = apsw.Connection(":memory:")
base.enable_load_extension(True)
base.load_extension(sqlite_vec.loadable_path())
vector = sqlite_vec.serialize_float32

base.execute(
    "create virtual table clips using vec0(id integer primary key, place float[1], camera text partition key, kind text)"
)
for i in range(10):
    camera = "ba"[i < 3 or i > 6]
    base.execute("insert into clips values (?, ?, ?, ?)", (i, vector([i]), camera, camera))
found = {}
for condition in ("camera in ('a', 'b')", "kind in ('a', 'b')", "camera != 'c'", "camera = 'b'"):
    rows = base.execute(f"select id from clips where place match ? and k = 2 and {condition}", (vector([3.9]),))
    found[condition] = [row[0] for row in rows]
    print(f"{condition:22}", found[condition])
assert found.pop("camera in ('a', 'b')") == [2, 1, 4, 3]
assert all(ids == [4, 3] for ids in found.values())
PY
