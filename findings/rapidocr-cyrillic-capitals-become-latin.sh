#!/usr/bin/env bash
# RapidOCR's own model does not know Cyrillic, but does not say so: "МОСКВА" is read as the Latin word "MOCKBA" with a
# confidence of 1.0 (its capitals look the same), "Привет, как дела" as ", κaκ", "НОВОСТИ ДНЯ" as nothing. Of Greek it
# knows the letters without accents and drops the others: "Καλημέρα κόσμε" becomes "Kαλημρα κσμε", at 0.9. So neither a
# threshold on confidence nor the script of what was read tells that the text was in a script it cannot read.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q rapidocr==3.10.0 onnxruntime==1.32.0 pillow==12.3.0 numpy==2.4.6 matplotlib==3.10.8
venv/bin/python - <<'PY'
import logging
from importlib.metadata import version

import matplotlib.font_manager as fonts
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rapidocr import RapidOCR

engine = RapidOCR()
logging.getLogger("RapidOCR").setLevel(logging.ERROR)
font = ImageFont.truetype(fonts.findfont("DejaVu Sans"), 44)  # matplotlib carries it


def read(text):
    picture = Image.new("RGB", (640, 160), (20, 40, 90))
    ImageDraw.Draw(picture).text((30, 50), text, font=font, fill="white")
    result = engine(np.asarray(picture)[:, :, ::-1])
    return " ".join(result.txts or ()), [round(float(score), 2) for score in result.scores or ()]


print("rapidocr", version("rapidocr"))
found = {text: read(text) for text in ("МОСКВА", "Привет, как дела", "НОВОСТИ ДНЯ", "Καλημέρα κόσμε")}
for text, (words, scores) in found.items():
    print(f"{text!r} -> {words!r} {scores}")
words, scores = found["МОСКВА"]
assert words == "MOCKBA" and words.isascii() and min(scores) > 0.95
words, scores = found["Καλημέρα κόσμε"]
assert "έ" not in words and "ό" not in words and len(words) < len("Καλημέρα κόσμε") and min(scores) > 0.85
assert not any("\u0400" <= char <= "\u04ff" for text, _ in found.values() for char in text)
assert found["НОВОСТИ ДНЯ"][0] == ""
PY
