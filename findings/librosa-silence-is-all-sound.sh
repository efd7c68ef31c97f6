#!/usr/bin/env bash
# librosa measures loudness against the loudest moment of the sound it gets. Of digital silence, effects.split says that all of it is
# sound, trim leaves it as it is, and power_to_db(ref=np.max) makes it 0 dB, full level; so does noise at -120 dB. Clips without
# sound come out as the ones that are full of it. Give split and trim ref=1.0 (a number) to measure against full scale.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q librosa==0.11.0 numpy==2.4.6
venv/bin/python - <<'PY'
import librosa
import numpy as np

print("librosa", librosa.__version__)
rate = 16_000
tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
sounds = {
    "digital silence": np.zeros(3 * rate),
    "noise at -120 dB": 1e-6 * np.random.default_rng(0).standard_normal(3 * rate),
    "a tone in its middle second": np.concatenate([np.zeros(rate), tone, np.zeros(rate)]),
}
seen = {}
for name, sound in sounds.items():
    share = [sum(end - start for start, end in librosa.effects.split(sound, **how)) / len(sound) for how in ({}, {"ref": 1.0})]
    kept = len(librosa.effects.trim(sound)[0]) / len(sound)
    loudest = librosa.power_to_db(librosa.feature.melspectrogram(y=sound, sr=rate), ref=np.max).max()
    seen[name] = [round(float(value), 2) for value in (*share, kept, loudest)]
    print(f"{name:28} sound by split: {share[0]:.0%}, with ref=1.0: {share[1]:.0%}; left by trim: {kept:.0%}; loudest: {loudest:.0f} dB")
assert seen["digital silence"] == seen["noise at -120 dB"] == [1, 0, 1, 0]
assert seen["a tone in its middle second"][:3] == [0.37, 0.37, 0.37]
PY
