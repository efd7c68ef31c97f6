#!/usr/bin/env bash
# Polars makes a table of a list of dicts by the first 100 of them. A key that comes later first, as the caption of the first clip
# that has one, is dropped without a word, and so are all its values; among the first 100 it makes a column with gaps.
# read_json of the same rows refuses. Give infer_schema_length=None.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q polars==2.1.0 pandas==3.1.1
venv/bin/python - <<'PY'
import json

import pandas
import polars

print("polars", polars.__version__, "pandas", pandas.__version__)
columns = {}
for before in (99, 100):
    clips = [{"id": number} for number in range(before)] + [{"id": before, "caption": "a dog"}]
    columns[before] = [
        polars.DataFrame(clips).columns,
        polars.from_dicts(clips).columns,
        polars.DataFrame(clips, infer_schema_length=None).columns,
        list(pandas.DataFrame(clips).columns),
    ]
    print(f"{before} clips without a caption, then one: DataFrame {columns[before][0]}, from_dicts {columns[before][1]},")
    print(f"    infer_schema_length=None {columns[before][2]}, pandas {columns[before][3]}")
both = ["id", "caption"]
assert columns[99] == [both, both, both, both]
assert columns[100] == [["id"], ["id"], both, both]
try:
    polars.read_json(json.dumps(clips).encode())
except polars.exceptions.ComputeError as error:
    print("read_json:", str(error)[:62])
else:
    raise SystemExit("read_json took them")
PY
