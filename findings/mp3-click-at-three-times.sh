#!/usr/bin/env bash
# A click 0.5 s after the start of an MP3 is at 0.500 s in soundfile 0.14.0, at 0.525 s in pedalboard 0.9.26 and at 0.537 s in Praat (parselmouth
# 0.4.7): the first takes off the delay of encoder and decoder, 1,105 samples, the second does not, the third is 12 ms later still. After a
# seek pedalboard is off by another frame, at 0.551 s, so that pieces read one by one do not fit the whole. Words aligned in one reader are
# late in another. The same sound as FLAC is exact in all three. vidembed reads with FFmpeg, which takes the delay off.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q soundfile==0.14.0 pedalboard==0.9.26 praat-parselmouth==0.4.7 imageio-ffmpeg==0.8.1 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
from importlib.metadata import version

import imageio_ffmpeg
import numpy as np
import parselmouth
import soundfile
from pedalboard.io import AudioFile

print("soundfile", version("soundfile"), "pedalboard", version("pedalboard"), "parselmouth", version("praat-parselmouth"))
rate = 44100
sound = np.zeros(8 * rate, np.float32)
sound[rate // 2 :: rate] = 0.9  # a click in the middle of every second
soundfile.write("clicks.wav", sound, rate)
for name in ("clicks.flac", "clicks.mp3"):
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "clicks.wav", "-b:a", "192k", name], check=True)


def click_ms(samples):
    return round(1000 * float(np.abs(samples[:rate]).argmax()) / rate, 1)


found = {}
for name in ("clicks.flac", "clicks.mp3"):
    with AudioFile(name) as file:
        whole = file.read(file.frames)[0]
        file.seek(3 * rate)
        later = file.read(rate)[0]
    found[name] = {
        "soundfile": click_ms(soundfile.read(name)[0]),
        "soundfile from 3 s": click_ms(soundfile.read(name, start=3 * rate)[0]),
        "pedalboard": click_ms(whole),
        "pedalboard from 3 s": click_ms(later),
        "praat": click_ms(parselmouth.Sound(name).values[0]),
    }
    print(name, found[name])
assert set(found["clicks.flac"].values()) == {500.0}
assert list(found["clicks.mp3"].values()) == [500.0, 500.0, 525.1, 551.2, 537.0]
PY
