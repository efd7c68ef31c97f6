#!/usr/bin/env bash
# librosa's mfcc cuts the spectrum 80 dB below the loudest moment of the whole sound. The values of a quiet passage depend on what
# comes minutes later: the same two seconds, with and without a loud tone after them, are far apart, further than from
# other noise. Features of a clip cut out are not those of the clip in its film. Give mfcc S=power_to_db(mel, top_db=None).
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
random = np.random.default_rng(0)
quiet, other = 1e-4 * random.standard_normal((2, 2 * rate))
tone = np.sin(2 * np.pi * 1000 * np.arange(2 * rate) / rate)


def mfcc(sound, top_db):
    levels = librosa.power_to_db(librosa.feature.melspectrogram(y=sound, sr=rate), top_db=top_db)
    return librosa.feature.mfcc(S=levels, sr=rate)[:, :50].mean(axis=1)


def by_default(sound):
    return librosa.feature.mfcc(y=sound, sr=rate)[:, :50].mean(axis=1)


followed = np.concatenate([quiet, tone])
seen = {
    "as it is, and a tone follows": np.linalg.norm(by_default(quiet) - by_default(followed)),
    "as it is, and other noise": np.linalg.norm(by_default(quiet) - by_default(other)),
    "top_db=None, and a tone follows": np.linalg.norm(mfcc(quiet, None) - mfcc(followed, None)),
}
for name, distance in seen.items():
    print(f"quiet noise {name:32} distance of its MFCC {distance:.1f}")
alone, before_the_tone, noise = seen["top_db=None, and a tone follows"], *list(seen.values())[:2]
assert alone < 0.01 and before_the_tone > 100 and noise < 20
PY
