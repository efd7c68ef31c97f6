#!/usr/bin/env bash
# imageio-ffmpeg counts the 75 pictures of a variable-rate video rightly, and read_frames gives others: 102 from an MP4, with 23 of
# the 75 left out and the rest repeated to its mean rate, and 100 from the same stream in Matroska, where a gap is filled.
# Picture number n is not the n-th of the file. output_params=["-fps_mode", "passthrough"] gives the 75.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q imageio-ffmpeg==0.8.1 av==18.1.0 numpy==2.4.6
venv/bin/python - <<'PY'
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np

print("imageio-ffmpeg", imageio_ffmpeg.__version__, "ffmpeg", imageio_ffmpeg.get_ffmpeg_version()[:6])
times = [*range(0, 2000, 40), *range(3000, 4000, 40)]  # 25 a second, without the third second


def write(path):
    with av.open(path, "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"qp": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 + 3 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def read(path, **how):
    frames = imageio_ffmpeg.read_frames(path, **how)
    next(frames)
    return [round((np.frombuffer(frame, np.uint8).mean() - 20) / 3) for frame in frames]


seen = {}
for path in ("video.mp4", "video.mkv"):
    write(path)
    counted = imageio_ffmpeg.count_frames_and_secs(path)[0]
    numbers, all_numbers = read(path), read(path, output_params=["-fps_mode", "passthrough"])
    seen[path] = counted, len(numbers), len(set(numbers)), len(all_numbers), len(set(all_numbers))
    print(f"{path}: counted {counted}, read {len(numbers)}, different ones {len(set(numbers))}, with passthrough {len(set(all_numbers))}")
assert seen["video.mp4"] == (75, 102, 52, 75, 75)
assert seen["video.mkv"] == (75, 100, 75, 75, 75)
PY
