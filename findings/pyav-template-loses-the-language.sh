#!/usr/bin/env bash
# PyAV 18.1.0: add_stream_from_template, the way to copy packets into a new file, takes over the codec, the turn, the shape of the
# pixels and the colours, but not the language, nor that a sound is a commentary or made for the deaf: the copy says "und",
# and a player or an indexer that chooses by language chooses another. They must be copied one by one, as below.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q av==18.1.0 imageio-ffmpeg==0.8.1
venv/bin/python - <<'PY'
import subprocess

import av
import imageio_ffmpeg
from av.stream import Disposition

sounds = ["-f", "lavfi", "-i", "sine=d=1"] * 2
told = ["-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=fra", "-disposition:a:1", "comment"]
subprocess.run(
    [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=1", *sounds,
     "-map", "0", "-map", "1", "-map", "2", "-c:v", "libx264", *told, "film.mp4"],
    check=True,
)  # fmt: skip


def copied(path, by_hand):
    with av.open("film.mp4") as source, av.open(path, "w") as target:
        streams = {}
        for one in source.streams:
            streams[one] = target.add_stream_from_template(one)
            if by_hand:
                streams[one].metadata.update({"language": one.language} if one.language else {})
                streams[one].disposition = one.disposition
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream]
                target.mux(packet)
    return told_by(path)


def told_by(path):
    with av.open(path) as file:
        return [(one.language, bool(one.disposition & Disposition.comment)) for one in file.streams.audio]


print("PyAV", av.__version__)
film, plain, by_hand = told_by("film.mp4"), copied("plain.mp4", False), copied("by-hand.mp4", True)
print("film:", film, "| copied:", plain, "| language and disposition copied, too:", by_hand)
assert film == by_hand == [("deu", False), ("fra", True)]
assert plain == [("und", False), ("und", False)]
PY
