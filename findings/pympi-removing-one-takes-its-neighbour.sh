#!/usr/bin/env bash
# pympi, which reads ELAN's annotation files: remove_annotation(tier, 2000) removes the annotation from 1000 to 2000 along
# with the one from 2000 to 3000, since both ends count as inside. In a tier without gaps, as transcripts and shots are,
# removing one by its start takes the one before with it; get_annotation_data_at_time gives both, too. Ask for its middle.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pympi-ling==1.71
venv/bin/python - <<'PY'
from importlib.metadata import version

from pympi.Elan import Eaf

print("pympi-ling", version("pympi-ling"))


def shots():
    file = Eaf()
    file.add_tier("shots")
    for number in range(3):
        file.add_annotation("shots", 1000 * number, 1000 * number + 1000, f"shot {number}")
    return file


left = {}
for time in (1000, 1500):
    file = shots()
    there = [row[2] for row in file.get_annotation_data_at_time("shots", time)]
    count = file.remove_annotation("shots", time)
    left[time] = [row[2] for row in file.get_annotation_data_for_tier("shots")]
    print(f"at {time}: {there}; removed {count}, left {left[time]}")
assert left == {1000: ["shot 2"], 1500: ["shot 0", "shot 2"]}
PY
