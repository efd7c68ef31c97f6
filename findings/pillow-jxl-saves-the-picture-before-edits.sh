#!/usr/bin/env bash
# With pillow-jxl-plugin, Image.open("a.jpg"), changed in place (paste, ImageDraw, thumbnail) and saved as .jxl, is the JPEG
# as it was before: the plugin packs the file's bytes anew as long as the image still says it is a JPEG. A blurred face is
# sharp again, a thumbnail is full size. quality= and lossless= change nothing; copy() before editing, or saving as PNG,
# does. All that is said is a general warning about "JPEG reconstruction".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pillow-jxl-plugin==1.3.8 pillow==12.3.0
venv/bin/python - <<'PY'
import warnings
from importlib.metadata import version

import pillow_jxl  # registers the format
from PIL import Image, ImageDraw

print("pillow-jxl-plugin", version("pillow-jxl-plugin"), "Pillow", version("pillow"))
warnings.simplefilter("ignore")
Image.new("RGB", (640, 320), "white").save("a.jpg")


def saved(name, change, copied=False, **options):
    image = Image.open("a.jpg")
    image = image.copy() if copied else image
    change(image)
    mine = image.size, image.convert("RGB").getpixel((9, 9))
    image.save("b.jxl", **options)
    with Image.open("b.jxl") as read:
        theirs = read.size, read.convert("RGB").getpixel((9, 9))
    print(f"{name:22} in memory {mine}, in the file {theirs}")
    return theirs


def black(image):
    ImageDraw.Draw(image).rectangle((0, 0, 640, 320), fill="black")


before = (640, 320), (255, 255, 255)
assert saved("black rectangle", black) == before
assert saved("the same, quality=50", black, quality=50) == before
assert saved("the same, not lossless", black, lossless=False) == before
assert saved("thumbnail", lambda image: image.thumbnail((64, 64))) == before
assert saved("rectangle on a copy", black, copied=True)[1] < (9, 9, 9)
PY
