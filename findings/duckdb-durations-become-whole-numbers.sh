#!/usr/bin/env bash
# A column of durations written to Parquet comes out of DuckDB as a whole number without a unit: 1.5 s is 1500000000, 1500000 or 1500,
# nano-, micro- or milliseconds, as the writer held it. pandas 3 itself holds pd.to_timedelta([1.5], unit="s") in the first and
# "00:00:01.5" in the second, so that two files of one program differ a thousandfold. Write seconds as a float.
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
of_polars = polars.DataFrame({"start": [1500]}).select(polars.col("start").cast(polars.Duration("ms")))
frames = {
    "pandas, a number": pandas.DataFrame({"start": pandas.to_timedelta([1.5], unit="s")}),
    "pandas, a text": pandas.DataFrame({"start": pandas.to_timedelta(["00:00:01.5"])}),
    "polars": of_polars,
}
seen = {}
for name, frame in frames.items():
    path = name.replace(", ", "_").replace(" ", "_") + ".parquet"
    (frame.write_parquet if name == "polars" else frame.to_parquet)(path)
    seen[name] = duckdb.sql(f"select typeof(start), start from '{path}'").fetchall()[0]
    print(f"1.5 s by {name:17} in Parquet, read by duckdb: {seen[name]}, by pandas: {pandas.read_parquet(path)['start'][0].total_seconds()} s")
frame = frames["pandas, a number"]
print("the frame itself:", duckdb.sql("select typeof(start), start from frame").fetchall()[0])
assert list(seen.values()) == [("BIGINT", 1_500_000_000), ("BIGINT", 1_500_000), ("BIGINT", 1_500)]
assert duckdb.sql("select typeof(start) from frame").fetchall() == [("INTERVAL",)]
PY
