#!/usr/bin/env bash
# guessit 4.4.0, which tells what the names of video files say, misreads those that cameras and phones give: "cam2_2024-01-05_12-30-00.mkv" was recorded on
# 2000-12-30 (the hour taken for the month, the seconds for the year), "VID_20240105_123456.mp4" has no date but a CRC of 20240105, "DJI_0042.MP4"
# is episode 42, and "100 metres.mp4" is the first season of "metres". It is made for films and series; of home videos a wrong date
# looks as sure as a right one ("2024-01-05 birthday.mp4"). vidembed takes the date of recording from the file's metadata alone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q guessit==4.4.0
venv/bin/python - <<'PY'
from datetime import date
from importlib.metadata import version

from guessit import guessit

print("guessit", version("guessit"))
told = {}
for name in (
    "2024-01-05 birthday.mp4",
    "cam2_2024-01-05_12-30-00.mkv",
    "VID_20240105_123456.mp4",
    "DJI_0042.MP4",
    "100 metres.mp4",
):
    told[name] = {key: value for key, value in guessit(name).items() if key not in ("mimetype", "container")}
    print(f"{name}: {({key: str(value) for key, value in told[name].items()})}")
assert told["2024-01-05 birthday.mp4"]["date"] == date(2024, 1, 5)
assert told["cam2_2024-01-05_12-30-00.mkv"]["date"] == date(2000, 12, 30)
phone = told["VID_20240105_123456.mp4"]
assert "date" not in phone and phone["crc32"] == "20240105"
assert told["DJI_0042.MP4"]["episode"] == 42 and told["100 metres.mp4"]["title"] == "metres"
PY
