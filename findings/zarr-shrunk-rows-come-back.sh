#!/usr/bin/env bash
# A zarr array shrunk to 3 rows and grown again: the new rows should be empty (the fill value). Those that share a chunk with what was
# kept hold what was there before, the others zeros, so that deleted vectors are back in part. HDF5, which h5py writes,
# gives zeros for all. Overwrite rows before taking them off.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q zarr==3.1.6 h5py==3.16.0 numpy==2.4.6
venv/bin/python - <<'PY'
import h5py
import zarr

print("zarr", zarr.__version__, "h5py", h5py.__version__)
with h5py.File("clips.h5", "w") as file:
    arrays = {
        "zarr": zarr.create_array("clips.zarr", shape=(10, 2), chunks=(4, 2), dtype="f4", fill_value=0),
        "h5py": file.create_dataset("clips", (10, 2), "f4", maxshape=(None, 2), chunks=(4, 2), fillvalue=0),
    }
    seen = {}
    for name, array in arrays.items():
        array[:] = 7
        array.resize((5, 2))
        array.resize((10, 2))
        seen[name] = array[:, 0].astype(int).tolist()
        print(f"{name}: ten rows of 7, shrunk to 5, grown to 10: {seen[name]}")
assert seen["h5py"] == [7] * 5 + [0] * 5
assert seen["zarr"] == [7] * 8 + [0] * 2
PY
