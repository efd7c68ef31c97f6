#!/usr/bin/env bash
# DuckDB takes vectors of a fixed length from an Arrow table as FLOAT[2]; written to Parquet, by pyarrow or by DuckDB itself, they
# come back as FLOAT[], lists of any length, though the Arrow schema in pyarrow's file has the length. array_cosine_similarity
# then finds no function for them: what ran on the table fails on its own copy. Cast with ::FLOAT[2].
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q duckdb==2.0.1 pyarrow==26.0.1
venv/bin/python - <<'PY'
import duckdb
import pyarrow
import pyarrow.parquet

print("duckdb", duckdb.__version__, "pyarrow", pyarrow.__version__)
rows = pyarrow.table({"place": pyarrow.array([[1, 0], [0.6, 0.8]], pyarrow.list_(pyarrow.float32(), 2))})
pyarrow.parquet.write_table(rows, "pyarrow.parquet")
duckdb.sql("create table clips as from rows")
duckdb.sql("copy clips to 'duckdb.parquet'")
seen = {}
for source in ("rows", "clips", "'pyarrow.parquet'", "'duckdb.parquet'"):
    kind = duckdb.sql(f"select typeof(place) from {source} limit 1").fetchall()[0][0]
    scores = []
    for place in ("place", "place::float[2]"):
        try:
            query = f"select array_cosine_similarity({place}, [1, 0]::float[2]) from {source}"
            scores.append([round(row[0], 2) for row in duckdb.sql(query).fetchall()])
        except duckdb.BinderException as error:
            scores.append(str(error).splitlines()[0][:52] + "...")
    seen[source] = kind, *scores
    print(f"{source:18} {kind:9} as it is: {scores[0]}, cast: {scores[1]}")
assert seen["rows"] == seen["clips"] == ("FLOAT[2]", [1.0, 0.6], [1.0, 0.6])
for source in ("'pyarrow.parquet'", "'duckdb.parquet'"):
    kind, plain, cast = seen[source]
    assert kind == "FLOAT[]" and plain.startswith("Binder Error") and cast == [1.0, 0.6]
print("pyarrow reads both as", *(pyarrow.parquet.read_schema(f"{name}.parquet").field("place").type for name in ("pyarrow", "duckdb")))
PY
