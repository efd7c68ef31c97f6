#!/usr/bin/env bash
# SubRip files with short fractions ("00:00:01,5") are common: hand-made ones, and what some converters write. FFmpeg,
# pysrt, srt and webvtt-py take the digits as milliseconds, as players do: 1.005 s. pysubs2 takes them as a decimal
# fraction: 1.500 s. The same file gives two timings by up to 0.9 s, and a cue can end before it begins.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pysubs2==1.8.1 pysrt==1.1.2 srt==3.5.3 webvtt-py==0.6.0 av==18.0.0
venv/bin/python - <<'PY'
from importlib.metadata import version

import av
import pysrt
import pysubs2
import srt
import webvtt

TEXT = "1\n00:00:01,5 --> 00:00:02,25\none\n\n2\n00:00:03,000 --> 00:00:04,000\ntwo\n"
open("short.srt", "w").write(TEXT)


def ffmpeg():
    with av.open("short.srt") as file:
        packet = next(packet for packet in file.demux() if packet.size)
        return round(float(packet.pts * packet.time_base) * 1000)


starts = {
    "av": ffmpeg(),
    "pysrt": pysrt.from_string(TEXT)[0].start.ordinal,
    "srt": round(next(srt.parse(TEXT)).start.total_seconds() * 1000),
    "webvtt-py": webvtt.from_srt("short.srt")[0].start,
    "pysubs2": pysubs2.SSAFile.from_string(TEXT, format_="srt")[0].start,
}
for name, start in starts.items():
    print(name, version(name), start)
assert starts == {"av": 1005, "pysrt": 1005, "srt": 1005, "webvtt-py": "00:00:01.005", "pysubs2": 1500}
PY
