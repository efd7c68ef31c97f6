#!/usr/bin/env bash
# safetensors.numpy.save writes an array's memory as it lies there, with the array's shape: a transposed matrix, or one of
# Fortran's order (what scipy's and scikit-learn's linear algebra gives, np.asfortranarray), comes back with its numbers in other
# places, without a word. 0.7.0 wrote them rightly. Vectors saved so are in the file and never found. np.ascontiguousarray first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for version in 0.7.0 0.8.0; do
  python3 -m venv "$version"
  "$version"/bin/pip install -q "safetensors==$version" numpy==2.4.6
  "$version"/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
from safetensors.numpy import load, save

print("safetensors", version("safetensors"))
rows = np.arange(6, dtype=np.float32).reshape(2, 3)
arrays = {"C order": rows, "Fortran's order": np.asfortranarray(rows), "transposed": rows.T}
same = {}
for name, array in arrays.items():
    back = load(save({"clips": array}))["clips"]
    same[name] = bool(np.array_equal(array, back))
    print(f"  {name:15} saved {array.tolist()}, loaded {back.tolist()}")
right = version("safetensors") == "0.7.0"
assert same == {"C order": True, "Fortran's order": right, "transposed": right}, same
PY
done
