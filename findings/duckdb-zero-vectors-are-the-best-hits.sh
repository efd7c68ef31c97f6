#!/usr/bin/env bash
# DuckDB's array_cosine_similarity with a vector of zeros (a silent or empty clip) is NaN, and NaN is its greatest number: with
# "order by similarity desc limit k" such rows come first, before an exact match, they pass "where similarity > 0.9", and
# max() is NaN. Only an ascending array_cosine_distance has them last. Write "where not isnan(...)".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q duckdb==2.0.1
venv/bin/python - <<'PY'
import duckdb

print("duckdb", duckdb.__version__)
duckdb.sql("""create table clips as select id, place::float[2] as place
from (values (1, [1, 0]), (2, [0.6, 0.8]), (3, [0, 0])) rows(id, place)""")
similarity = "array_cosine_similarity(place, [1, 0]::float[2])"
distance = "array_cosine_distance(place, [1, 0]::float[2])"


def ids(query):
    found = [row[0] for row in duckdb.sql(query).fetchall()]
    print(f"{query.replace(similarity, 'SIMILARITY').replace(distance, 'DISTANCE'):58} {found}")
    return found


assert ids(f"select id from clips order by {similarity} desc limit 2") == [3, 1]
assert ids(f"select id from clips where {similarity} > 0.9 order by id") == [1, 3]
assert ids(f"select arg_max(id, {similarity}) from clips") == [3]
assert str(ids(f"select max({similarity}) from clips")) == "[nan]"
assert ids(f"select id from clips order by {distance} limit 2") == [1, 2]
PY
