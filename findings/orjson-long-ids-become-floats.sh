#!/usr/bin/env bash
# orjson 3.13.0: an integer beyond 64 bits is read as a float, without a word, and two ids that differ in their last digits become equal; dumps refuses
# to write such a number at all. Python's json reads both exactly. UUIDs as numbers and 128-bit hashes of files and pictures are that long.
# Of numbers up to 2**64 - 1 nothing is lost, so tests with short ids pass. vidembed reads JSON with Python's json, and its ids are text.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q orjson==3.13.0
venv/bin/python - <<'PY'
import json
import uuid

import orjson

print("orjson", orjson.__version__)
a = uuid.UUID("6f1c9a52-0d34-4be1-9a77-2c5d8e03b141").int
b = a + 12345
text = f'{{"clip": {a}, "copy_of": {b}}}'
fast, plain = orjson.loads(text), json.loads(text)
print("json:  ", plain, plain["clip"] == plain["copy_of"])
print("orjson:", fast, fast["clip"] == fast["copy_of"])
assert plain == {"clip": a, "copy_of": b}
assert isinstance(fast["clip"], float) and fast["clip"] == fast["copy_of"] and int(fast["clip"]) != a
for number in (2**64 - 1, 2**64, -(2**63), -(2**63) - 1):
    print(number, "->", repr(orjson.loads(str(number))))
assert orjson.loads(str(2**64 - 1)) == 2**64 - 1 and isinstance(orjson.loads(str(-(2**63) - 1)), float)
try:
    orjson.dumps(plain)
except TypeError as error:
    print("dumps:", error)
else:
    raise SystemExit("dumps wrote it")
PY
