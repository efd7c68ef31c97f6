#!/usr/bin/env bash
# LanceDB's on_bad_vectors ("error", the default, "drop", "fill", "null") sees rows of dicts only where the column is called
# "vector" or "embedding". Where the schema names it otherwise, say "clip", all four do nothing: create_table stores a vector
# with NaN even with "error", which searches never find, and add refuses it even with "drop". An Arrow table with
# fixed-size lists of ten numbers and more is checked under any name.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q lancedb==0.40.0 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import lancedb
import pyarrow as pa

print("lancedb", version("lancedb"))
base = lancedb.connect("base")
good, bad = [1.0] * 16, [float("nan")] + [1.0] * 15


def outcome(make):
    try:
        return make().count_rows()
    except (ValueError, RuntimeError) as error:
        return type(error).__name__


def add(rows, schema, choice):
    table = base.create_table("t", schema=schema, mode="overwrite")
    table.add(rows, on_bad_vectors=choice)
    return table


made, added = {}, {}
for column in ("vector", "clip"):
    schema = pa.schema([("id", pa.int64()), (column, pa.list_(pa.float32(), 16))])
    rows = [{"id": 1, column: good}, {"id": 2, column: bad}]
    for form in ("dicts", "Arrow"):
        data = rows if form == "dicts" else pa.Table.from_pylist(rows, schema)
        for choice in ("error", "drop"):
            options = {"schema": schema, "mode": "overwrite", "on_bad_vectors": choice}
            made[column, form, choice] = outcome(lambda: base.create_table("t", data, **options))
            added[column, form, choice] = outcome(lambda: add(data, schema, choice))
    print(column, "rows after create_table:", {key[1:]: value for key, value in made.items() if key[0] == column})
    print(column, "rows after add:", {key[1:]: value for key, value in added.items() if key[0] == column})

table = base.create_table("t", [{"id": 1, "clip": good}, {"id": 2, "clip": bad}], schema=schema, mode="overwrite")
found = table.search(good, vector_column_name="clip").limit(10).to_list()
print("rows", table.count_rows(), "found", [row["id"] for row in found])
assert made["vector", "dicts", "drop"] == made["clip", "Arrow", "drop"] == 1
assert isinstance(made["vector", "dicts", "error"], str) and isinstance(made["clip", "Arrow", "error"], str)
assert made["clip", "dicts", "error"] == made["clip", "dicts", "drop"] == 2
assert added["vector", "dicts", "drop"] == 1 and isinstance(added["clip", "dicts", "drop"], str)
assert [row["id"] for row in found] == [1]
PY
