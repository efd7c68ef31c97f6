#!/usr/bin/env bash
# The caption that is on at a time, or the nearest one: an as-of join. Where two rows have one time, pandas and Polars give the later row,
# DuckDB the earlier; halfway between two times, pandas gives the one before and Polars the one after. The times of pictures at
# 25 and 50 a second are halfway very often. Make times differ, and do not count on one answer.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q duckdb==2.0.1 pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1
venv/bin/python - <<'PY'
import duckdb
import pandas
import polars

print("duckdb", duckdb.__version__, "pandas", pandas.__version__, "polars", polars.__version__)
captions = pandas.DataFrame({"t": [1.0, 2.0, 2.0, 3.0], "caption": ["a", "b", "c", "d"]})
asked = pandas.DataFrame({"t": [2.0, 2.5, 3.5]})
of_polars = polars.from_pandas(asked), polars.from_pandas(captions)
seen = {
    "pandas": pandas.merge_asof(asked, captions, on="t")["caption"].tolist(),
    "polars": of_polars[0].join_asof(of_polars[1], on="t")["caption"].to_list(),
    "duckdb": [row[0] for row in duckdb.sql("select caption from asked asof join captions on asked.t >= captions.t order by asked.t").fetchall()],
    "pandas, nearest": pandas.merge_asof(asked, captions, on="t", direction="nearest")["caption"].tolist(),
    "polars, nearest": of_polars[0].join_asof(of_polars[1], on="t", strategy="nearest")["caption"].to_list(),
}
for name, found in seen.items():
    print(f"{name:16} at 2, 2.5 and 3.5 s: {found}")
assert seen["pandas"] == seen["polars"] == ["c", "c", "d"]
assert seen["duckdb"] == ["b", "b", "d"]
assert seen["pandas, nearest"] == ["c", "c", "d"] and seen["polars, nearest"] == ["c", "d", "d"]
PY
