#!/usr/bin/env bash
# Times of moments are written as minutes and seconds: 0:05, 12:30. DuckDB takes such a column of a CSV file for times of day,
# so that 0:05 is five minutes past midnight and 12:30 half past noon, sixty times what was meant, without a word. One
# moment after 23:59 among them, and the column is text. Give types={"start": "VARCHAR"} to read_csv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q duckdb==2.0.1
venv/bin/python - <<'PY'
from pathlib import Path

import duckdb

print("duckdb", duckdb.__version__)
read = {}
for times in (("0:05", "12:30"), ("00:05", "12:30"), ("0:05", "45:30"), ("00:05", "45:30")):
    Path("moments.csv").write_text("clip,start\n" + "".join(f"{name},{time}\n" for name, time in zip("ab", times)))
    read[times] = [str(row[0]) for row in duckdb.sql("select start from 'moments.csv'").fetchall()]
    print(times, "->", read[times])
assert read["0:05", "12:30"] == read["00:05", "12:30"] == ["00:05:00", "12:30:00"]
assert all(read[times] == list(times) for times in (("0:05", "45:30"), ("00:05", "45:30")))
PY
