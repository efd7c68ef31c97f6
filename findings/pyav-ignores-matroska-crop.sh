#!/usr/bin/env bash
# Matroska can say how many lines of a picture are not to be shown (PixelCropTop ...), as for letterboxed films. The ffmpeg
# program crops by it since version 8; PyAV, with the same libraries, gives the whole picture, and OpenCV too. So two tools
# "of FFmpeg" disagree about a video's size, and boxes found in the one lie elsewhere in the other.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 av==18.1.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
import av
import cv2
import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.splitlines()[0])
print("PyAV", av.__version__, "| OpenCV", cv2.__version__)
tags = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
source = ["-f", "lavfi", "-i", f"color=red:s=64x48:r=10:d=1,{tags}"]
subprocess.run([FFMPEG, "-y", "-v", "error", *source, "-c:v", "libx264", "-pix_fmt", "yuv420p", "a.mkv"], check=True)
data = bytearray(open("a.mkv", "rb").read())
# In place of the Colour element (55 B0, 16 bytes): Void, PixelCropTop 12 (54 BB), Void. Others of the file stay.
place = data.index(b"\x55\xb0")
length = 3 + (data[place + 2] & 0x7F)
crop = b"\xec\x81\x00" + b"\x54\xbb\x81\x0c"
rest = length - len(crop) - 2
data[place : place + length] = crop + b"\xec" + bytes([0x80 | rest]) + bytes(rest)
open("a.mkv", "wb").write(data)
subprocess.run([FFMPEG, "-y", "-v", "error", "-i", "a.mkv", "-frames:v", "1", "a.png"], check=True)
program = cv2.imread("a.png").shape[:2]
frame = next(av.open("a.mkv").decode(video=0))
opened = cv2.VideoCapture("a.mkv").read()[1].shape[:2]
print("lines x columns: ffmpeg", program, "| PyAV", (frame.height, frame.width), "| OpenCV", opened)
assert program == (36, 64) and (frame.height, frame.width) == (48, 64) and opened == (48, 64)
PY
