#!/usr/bin/env bash
# geopy 2.5.0 reads latitude, longitude and altitude without a unit as a place far away, and says nothing: the decimals of the latitude are
# skipped as if they were words before it. "48.8584, 2.2945, 35", the Eiffel Tower, is (2.2945, 35), in Kenya. The same with degrees and
# minutes without their signs: "48 51 N 2 17 E" is (2, 17). With "35m", or with the signs, all are right. Films filed by place end up
# on another continent. vidembed reads the places that phones write (ISO 6709) itself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q geopy==2.5.0
venv/bin/python - <<'PY'
import geopy
from geopy.distance import geodesic

print("geopy", geopy.__version__)
tower = geopy.Point(48.8584, 2.2945)
found = {}
for text in ("48.8584, 2.2945", "48.8584, 2.2945, 35m", "48.8584, 2.2945, 35", "48.8584 2.2945 35", "48°51' N 2°17' E", "48 51 N 2 17 E"):
    place = geopy.Point(text)
    found[text] = tuple(place)[:2]
    away = geodesic(found[text], tuple(tower)[:2]).km
    print(f"{text:22} -> {place.latitude:8.4f} {place.longitude:8.4f}, {away:7.1f} km away")
assert found["48.8584, 2.2945"] == found["48.8584, 2.2945, 35m"] == (48.8584, 2.2945)
assert found["48.8584, 2.2945, 35"] == found["48.8584 2.2945 35"] == (2.2945, 35.0)
assert found["48 51 N 2 17 E"] == (2.0, 17.0)
PY
