#!/usr/bin/env bash
# zarr chooses chunks itself: of a million vectors of 512 numbers a chunk has 31,250 rows, but 16 columns, so that each vector lies in
# 32 chunks, and to read one, 64 MB are fetched. h5py's own choice (chunks=True, or any compression) cuts a row into 128.
# Give whole rows: chunks=(1000, 512).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q zarr==3.1.6 h5py==3.16.0 numpy==2.4.6
venv/bin/python - <<'PY'
import h5py
import numpy as np
import zarr
from zarr.storage import MemoryStore

print("zarr", zarr.__version__, "h5py", h5py.__version__)
shape = (1_000_000, 512)
chosen = zarr.create_array(MemoryStore(), shape=shape, dtype="f4").chunks
with h5py.File("clips.h5", "w") as file:
    of_h5py = file.create_dataset("clips", shape, "f4", compression="gzip").chunks
print("of a million vectors of 512: zarr's chunks", chosen, "h5py's", of_h5py)


class Counting(MemoryStore):
    read = 0

    async def get(self, key, *args, **kwargs):
        found = await super().get(key, *args, **kwargs)
        if key.startswith("c/") and found is not None:
            Counting.read += len(found)
        return found


def read_for_one(chunks):
    array = zarr.create_array(Counting(), shape=(31_250, 512), chunks=chunks, dtype="f4", compressors=None)
    array[:] = np.ones(array.shape, np.float32)
    Counting.read = 0
    assert array[5].tolist() == [1] * 512
    return Counting.read


seen = {}
for chunks in (chosen, (1000, 512)):
    seen[chunks] = read_for_one(chunks)
    print(f"chunks {chunks}: to read one vector of 2 KB, {seen[chunks] / 1e6:.0f} MB are read")
assert chosen == (31_250, 16) and seen[chosen] == 64_000_000 and seen[1000, 512] == 2_048_000
assert of_h5py == (7813, 4)
PY
