#!/usr/bin/env bash
# sqlite-vec's vec0 tables filter by metadata, and by `id IN (...)`, before they look for the nearest: three are asked for
# and three come. A range of the primary key, or NOT IN, is applied to the three nearest of all, so that "newer than id 5"
# gives nothing, without a word, though 14 rows qualify. Keep a copy of the id in a metadata column.
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

base.execute("create virtual table clips using vec0(id integer primary key, place float[2], number integer)")
for i in range(20):
    base.execute("insert into clips values (?, ?, ?)", (i, vector([i, 0]), i))
found = {}
for condition in ("number > 5", "id > 5", "id between 6 and 19", "id in (7, 8, 9)", "id not in (0, 1)", "number != 0"):
    rows = base.execute(f"select id from clips where place match ? and k = 3 and {condition}", (vector([0, 0]),))
    found[condition] = [row[0] for row in rows]
    print(f"{condition:20}", found[condition])
assert found["number > 5"] == [6, 7, 8] and found["id in (7, 8, 9)"] == [7, 8, 9] and found["number != 0"] == [1, 2, 3]
assert found["id > 5"] == found["id between 6 and 19"] == [] and found["id not in (0, 1)"] == [2]
PY
