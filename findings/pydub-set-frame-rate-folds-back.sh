#!/usr/bin/env bash
# pydub 0.25.1 lowers the sampling rate without a filter: set_frame_rate(16000), with which many make the sound of films ready for speech models,
# takes every third sample of 48 kHz. What lies above 8 kHz is folded into the speech, as loud as it was: a whistle of 12 kHz
# is one of 4 kHz, of 9 kHz one of 7 kHz. ffmpeg and soxr take them out. vidembed resamples with FFmpeg's resampler.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pydub==0.25.1 soxr==1.1.0 numpy==2.4.6 "audioop-lts; python_version >= '3.13'"
venv/bin/python -W ignore - <<'PY'
from importlib.metadata import version

import numpy as np
import soxr
from pydub import AudioSegment

print("pydub", version("pydub"), "soxr", version("soxr"))


def measured(sound):
    """The loudest frequency and the level against full scale, in Hz and dB."""
    sound = np.asarray(sound, dtype=float)[1600:-1600] / 32768
    loudest = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))).argmax() * 16000 / len(sound)
    return round(loudest), round(20 * np.log10(np.sqrt((sound**2).mean()) + 1e-9), 1)


for tone in (1000, 9000, 12000, 15000):
    made = (16000 * np.sin(2 * np.pi * tone * np.arange(96000) / 48000)).astype(np.int16)
    segment = AudioSegment(made.tobytes(), frame_rate=48000, sample_width=2, channels=1)
    by_pydub = measured(segment.set_frame_rate(16000).get_array_of_samples())
    by_soxr = measured(soxr.resample(made, 48000, 16000))
    print(f"{tone} Hz of {segment.dBFS:.1f} dB at 16 kHz: pydub {by_pydub[0]} Hz of {by_pydub[1]} dB, soxr {by_soxr[1]} dB")
    assert abs(by_pydub[1] - segment.dBFS) < 0.5, by_pydub
    assert abs(by_pydub[0] - min(tone, abs(16000 - tone))) <= 1
    assert (by_soxr[1] < -80) == (tone > 8000)
PY
