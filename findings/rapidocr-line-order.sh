#!/usr/bin/env bash
# RapidOCR reads each line of an upside-down picture right, and gives the lines from the last to the first. Two words on
# one line come in the wrong order when the right one is printed 16 of 32 pixels higher, as on a sign seen
# at an angle. Texts put together from its answer are not what was written: phrases are not found.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q rapidocr==3.10.0 onnxruntime==1.32.0 pillow==12.3.0 numpy==2.4.6
venv/bin/python - <<'PY'
import logging
from importlib.metadata import version

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rapidocr import RapidOCR

engine = RapidOCR()
logging.getLogger("RapidOCR").setLevel(logging.ERROR)
font = ImageFont.load_default(size=32)


def drawn(*texts):
    picture = Image.new("RGB", (640, 200), "white")
    for text, x, y in texts:
        ImageDraw.Draw(picture).text((x, y), text, font=font, fill="black")
    return picture


def read(picture):
    return list(engine(np.asarray(picture)[:, :, ::-1]).txts)


page = drawn(("HELLO WORLD", 20, 20), ("The quick brown fox", 20, 65), ("jumps over it", 20, 110))
level = drawn(("left one", 20, 30), ("right one", 400, 30))
tilted = drawn(("left one", 20, 30), ("right one", 400, 14))
print("rapidocr", version("rapidocr"))
seen = [read(picture) for picture in (page, page.rotate(180), level, tilted)]
for name, lines in zip(("page", "page upside down", "level", "right one 16 pixels higher"), seen):
    print(name, lines)
lines = ["HELLO WORLD", "The quick brown fox", "jumps over it"]
assert seen == [lines, lines[::-1], ["left one", "right one"], ["right one", "left one"]]
PY
