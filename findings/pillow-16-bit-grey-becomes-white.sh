#!/usr/bin/env bash
# Pillow's convert("RGB") and convert("L") of grey with 16 bits (scans, depth maps, slides saved by science tools) do not scale: what is
# above 255 of 65,535 is 255, so that the picture comes out white, in Pillow 12 and 13, from PNG and TIFF, without a word. Whoever
# opens files with open(...).convert("RGB"), as nearly all code for models does, embeds white. Divide by 257 first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for version in 12.3.0 13.0.0; do
  python3 -m venv "$version"
  "$version"/bin/pip install -q "pillow==$version" numpy==2.4.6
  "$version"/bin/python - <<'PY'
import numpy as np
import PIL
from PIL import Image

print("Pillow", PIL.__version__)
shades = np.array([[0, 16_383, 32_767, 49_151, 65_535]], np.uint16)
for kind in ("png", "tiff"):
    Image.fromarray(shades).save(f"shades.{kind}")
    picture = Image.open(f"shades.{kind}")
    seen = {mode: np.asarray(picture.convert(mode)).reshape(5, -1)[:, 0].tolist() for mode in ("L", "RGB")}
    print(f"  {kind:4} of mode {picture.mode}: {shades[0].tolist()} becomes {seen['RGB']}")
    assert seen["L"] == seen["RGB"] == [0, 255, 255, 255, 255]
PY
done
