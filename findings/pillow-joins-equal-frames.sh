#!/usr/bin/env bash
# Five frames, 100 ms each, saved by Pillow as an animation: where frames are equal, GIF, WebP and APNG keep one with the sum of the
# times, so that the file has 2 frames and frame number 3 does not exist; AVIF and TIFF keep five. A still passage has no
# frames to label or sample by number. Go by the durations.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pillow==13.0.0
venv/bin/python - <<'PY'
import PIL
from PIL import Image

print("Pillow", PIL.__version__)
frames = [Image.new("RGB", (32, 32), (shade,) * 3) for shade in (0, 0, 0, 255, 255)]
seen = {}
for kind in ("gif", "webp", "png", "avif", "tiff"):
    frames[0].save(f"clip.{kind}", save_all=True, append_images=frames[1:], duration=100)
    with Image.open(f"clip.{kind}") as clip:
        seen[kind], durations = clip.n_frames, []
        for number in range(clip.n_frames):
            clip.seek(number)
            clip.load()
            durations.append(clip.info.get("duration"))
    print(f"five frames in {kind:4}: {seen[kind]}, of {durations} ms")
assert seen == {"gif": 2, "webp": 2, "png": 2, "avif": 5, "tiff": 5}
PY
