#!/usr/bin/env bash
# Subtitles that are pictures (PGS of Blu-rays; DVB and DVD likewise): PyAV decodes them into numbers of colours and gives
# no colours. FFmpeg keeps them as the second plane of the rectangle, but leaves its line size at 0, and PyAV lists planes
# by line size. So letter, rim and background cannot be told apart by what is decoded: here white on clear and black on
# clear give the same bytes. The colours are in the packet (segment 0x14), to be read by hand.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q av==18.1.0
venv/bin/python - <<'PY'
import struct
import av

print("PyAV", av.__version__, "| libavcodec", ".".join(map(str, av.library_versions["libavcodec"])))


def segment(kind, body):
    return b"PG" + struct.pack(">IIBH", 90_000, 0, kind, len(body)) + body


def cue(brightness):
    """One picture of 8 x 1 pixels: four of colour 1, four of colour 2, which is clear."""
    composed = struct.pack(">HHBHBBBB", 64, 48, 0x10, 0, 0x80, 0, 0, 1) + struct.pack(">HBBHH", 0, 0, 0, 10, 20)
    colours = bytes([0, 0, 1, brightness, 128, 128, 255, 2, 16, 128, 128, 0])
    runs = bytes([0, 0x84, 1, 0, 0x84, 2, 0, 0])
    drawn = struct.pack(">HBB", 0, 0, 0xC0) + (len(runs) + 4).to_bytes(3, "big") + struct.pack(">HH", 8, 1) + runs
    window = struct.pack(">BBHHHH", 1, 0, 10, 20, 8, 1)
    return b"".join(map(segment, (0x16, 0x17, 0x14, 0x15, 0x80), (composed, window, colours, drawn, b"")))


decoded = {}
for name, brightness in (("white", 235), ("black", 16)):
    with open(f"{name}.sup", "wb") as file:
        file.write(cue(brightness))
    with av.open(f"{name}.sup") as container:
        stream = container.streams.subtitles[0]
        shown = next(found for packet in container.demux(stream) if (found := stream.decode2(packet)) and len(found))
        (picture,) = shown
        decoded[name] = bytes(picture.planes[0])
        print(name, "letters:", picture, "colours said to be", picture.nb_colors, "| planes", len(picture.planes), "|", list(decoded[name]))
        assert len(picture.planes) == 1
assert decoded["white"] == decoded["black"] == bytes([1, 1, 1, 1, 2, 2, 2, 2])
PY
