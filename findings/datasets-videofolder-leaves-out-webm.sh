#!/usr/bin/env bash
# datasets 5.2.0: "videofolder" takes .mkv, .mp4, .avi, .mpeg and .mov, and leaves out .webm, .m4v, .mpg, .ts and the other names that
# films have, without a word: of ten films four become rows, and a label whose films are all .webm does not exist. Who shares
# clips as a folder for others to load loses them there. With a metadata.csv that names all ten, all come.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q datasets==5.2.0 imageio-ffmpeg==0.8.1
HF_HUB_OFFLINE=1 HF_HOME="$work/hf" venv/bin/python - <<'PY'
import subprocess
from importlib.metadata import version
from pathlib import Path

import imageio_ffmpeg
from datasets import Video, disable_progress_bars, load_dataset

disable_progress_bars()
print("datasets", version("datasets"))
names = [f"dog/{n}.{suffix}" for n, suffix in enumerate(("mp4", "MOV", "mkv", "avi", "m4v", "mpg", "ts", "wmv"))]
names += ["cat/8.webm", "cat/9.webm"]
for name in names:
    path = Path("films", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    source = ["-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=1", "-pix_fmt", "yuv420p"]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *source, str(path)], check=True)
rows = load_dataset("videofolder", data_dir="films", split="train", drop_labels=False)
films = sorted(Path(row["video"]["path"]).name for row in rows.cast_column("video", Video(decode=False)))
print(len(names), "films,", len(rows), "rows:", *films, "| labels:", *rows.features["label"].names)
assert films == ["0.mp4", "1.MOV", "2.mkv", "3.avi"] and rows.features["label"].names == ["dog"]
Path("films/metadata.csv").write_text("file_name,text\n" + "".join(f"{name},a film\n" for name in names))
described = load_dataset("videofolder", data_dir="films", split="train")
print("with a metadata.csv of all", len(names), "films:", len(described), "rows", described.column_names)
assert len(described) == 10 and set(described["text"]) == {"a film"}
PY
