#!/usr/bin/env bash
# Saving as HEIC with pillow-heif: exif=image.getexif(), the usual line, leaves a portrait photo lying on its side with
# orientation 1 in its EXIF, so that no viewer and no exif_transpose can know. exif=image.info["exif"], the same data as
# bytes, or none at all, stores the picture turned. Pillow's own writers (JPEG, PNG, WebP, AVIF) take both alike.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pillow-heif==1.8.1 pillow==12.3.0
venv/bin/python - <<'PY'
from importlib.metadata import version

import pillow_heif
from PIL import ExifTags, Image, ImageOps

print("pillow-heif", version("pillow-heif"), "libheif", pillow_heif.libheif_version(), "Pillow", version("pillow"))
pillow_heif.register_heif_opener()
exif = Image.Exif()
exif[ExifTags.Base.Orientation] = 6  # as phones write: stored lying, shown upright
Image.new("RGB", (640, 320), "red").save("photo.jpg", exif=exif)
shown = {}
for kind in ("heic", "webp", "png"):
    for how in ("getexif()", "info['exif']"):
        with Image.open("photo.jpg") as photo:
            photo.save(f"copy.{kind}", exif=photo.getexif() if how == "getexif()" else photo.info["exif"])
        with Image.open(f"copy.{kind}") as copy:
            shown[kind, how] = ImageOps.exif_transpose(copy).size
            orientation = copy.getexif().get(ExifTags.Base.Orientation)
            print(f"{kind:4} exif={how:12} orientation {orientation}, shown as {shown[kind, how]}")
assert shown.pop(("heic", "getexif()")) == (640, 320)
assert set(shown.values()) == {(320, 640)}
PY
