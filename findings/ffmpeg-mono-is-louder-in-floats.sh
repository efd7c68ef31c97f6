#!/usr/bin/env bash
# ffmpeg and PyAV mix stereo to mono by other weights in floats than in whole numbers: the same two channels of 0.5 become 0.71
# as f32le and 0.5 as s16le, and 0.9 becomes 1.27, beyond full scale. No option but the sample format differs, so that
# levels, silence thresholds and what a sound model hears depend on it by 3 dB. rematrix_maxval=1 makes both alike.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q av==18.1.0 imageio-ffmpeg==0.8.1 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
import wave
from importlib.metadata import version

import av
import imageio_ffmpeg
import numpy as np

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
print("ffmpeg", imageio_ffmpeg.get_ffmpeg_version(), "PyAV", version("av"))


def peak_by_ffmpeg(form, kind, full, *options):
    command = [FFMPEG, "-v", "error", "-i", "stereo.wav", *options, "-ac", "1", "-f", form, "-"]
    return round(float(np.abs(np.frombuffer(subprocess.check_output(command), kind) / full).max()), 2)


def peak_by_pyav(form, full):
    resampler = av.AudioResampler(format=form, layout="mono", rate=48_000)
    with av.open("stereo.wav") as file:
        mixed = [mono.to_ndarray().ravel() for frame in file.decode(audio=0) for mono in resampler.resample(frame)]
    return round(float(np.abs(np.concatenate(mixed) / full).max()), 2)


for level in (0.5, 0.9):
    tone = level * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    with wave.open("stereo.wav", "wb") as file:
        file.setparams((2, 2, 48_000, 0, "NONE", ""))
        file.writeframes(np.repeat(np.round(tone * 32_767), 2).astype("<i2").tobytes())
    floats = peak_by_ffmpeg("f32le", "<f4", 1), peak_by_pyav("flt", 1)
    whole = peak_by_ffmpeg("s16le", "<i2", 32_768), peak_by_pyav("s16", 32_768)
    alike = peak_by_ffmpeg("f32le", "<f4", 1, "-af", "aresample=rematrix_maxval=1:ochl=mono")
    print(f"both channels {level}: floats {floats}, whole numbers {whole}, floats with rematrix_maxval {alike}")
    assert whole == (level, level) and alike == level
    assert floats == (round(level * 2**0.5, 2),) * 2
PY
