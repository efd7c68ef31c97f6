#!/usr/bin/env bash
# imagehash's phash is taken for its most reliable one, and 10 of 64 bits for the limit of "the same picture". Of a soft picture (the
# background of a title, a sky) most of its 64 values are next to 0 and their signs come from rounding: half the size, 24 bits
# are others; saved as JPEG, 20. dhash and average_hash give 0 to 3 for the same pairs. Copies of titles and skies are not found.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q ImageHash==4.3.2 pillow==12.3.0 numpy==2.4.6 scipy==1.17.1 PyWavelets==1.9.0
venv/bin/python - <<'PY'
import io
from importlib.metadata import version

import imagehash
import numpy as np
from PIL import Image

print("ImageHash", version("ImageHash"))
y, x = np.mgrid[0:360, 0:640]
titles = {
    "from corner to corner": x / 640 * 120 + y / 360 * 120,
    "bright in the middle": 255 - 200 * np.hypot(x - 320, y - 180) / np.hypot(320, 180),
}


def as_jpeg(picture):
    kept = io.BytesIO()
    picture.save(kept, "JPEG", quality=85)
    return Image.open(kept).convert("RGB")


others = {}
for title, values in titles.items():
    picture = Image.fromarray(np.repeat(values[..., None], 3, axis=2).astype(np.uint8))
    for name in ("phash", "dhash", "average_hash"):
        hashed = getattr(imagehash, name)
        half, jpeg = (int(hashed(picture) - hashed(copy)) for copy in (picture.resize((320, 180)), as_jpeg(picture)))
        others[title, name] = half, jpeg
        print(f"{title:22} {name:12} bits that differ at half the size: {half:2}, as JPEG: {jpeg:2}")
assert all(min(bits) > 10 for (_, name), bits in others.items() if name == "phash")
assert all(max(bits) <= 3 for (_, name), bits in others.items() if name != "phash")
PY
