#!/usr/bin/env bash
# DuckDB takes NaN for its greatest number, so "score > 0.9" finds a row whose score is NaN: in its own tables, in an Arrow table
# and in Parquet files it wrote. In a Parquet file of the same rows by pyarrow or Polars, it does not: their minimum and maximum
# leave NaN out, and DuckDB passes over the stretch whose maximum is 0.5. With one row above 0.9 in the file NaN is back.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q duckdb==2.0.1 pyarrow==26.0.1 polars==2.1.0
venv/bin/python - <<'PY'
import duckdb
import polars
import pyarrow
import pyarrow.parquet

print("duckdb", duckdb.__version__, "pyarrow", pyarrow.__version__, "polars", polars.__version__)
rows = pyarrow.table({"id": [1, 2, 3], "score": [0.1, 0.5, float("nan")]})
duckdb.sql("create table clips as from rows")
duckdb.sql("copy clips to 'duckdb.parquet'")
pyarrow.parquet.write_table(rows, "pyarrow.parquet")
polars.from_arrow(rows).write_parquet("polars.parquet")
higher = pyarrow.concat_tables([rows, pyarrow.table({"id": [4], "score": [0.95]})])
pyarrow.parquet.write_table(higher, "higher.parquet")
found = {}
for source in ("clips", "rows", "'duckdb.parquet'", "'pyarrow.parquet'", "'polars.parquet'", "'higher.parquet'"):
    found[source.strip("'")] = [row[0] for row in duckdb.sql(f"select id from {source} where score > 0.9 order by id").fetchall()]
    print(f"{source:18} score > 0.9: {found[source.strip(chr(39))]}")
assert found["clips"] == found["rows"] == found["duckdb.parquet"] == [3]
assert found["pyarrow.parquet"] == found["polars.parquet"] == []
assert found["higher.parquet"] == [3, 4]
PY
