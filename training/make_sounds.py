"""Generate labelled sounds: instruments by fluidsynth, speech by espeak-ng, noises, tones and beeps by numpy.

    python training/make_sounds.py --out /data/made --soundfont FluidR3_GM.sf2 --soundfont TimGM6mb.sf2
    python training/make_sounds.py --effects /data/effects --soundfont FluidR3_GM.sf2 --soundfont FluidR3_GS.sf2

The second plays what sound fonts have besides instruments: rain, dogs, sirens. Whether it sounds so, the teacher says.
Needs the programs `fluidsynth` and `espeak-ng`. Writes WAV files (16 kHz mono 16 bit) named LABEL__what.wav, where
LABEL uses "_" for a space; `sound_bank.py` reads the label back from the name.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

RATE_HZ = 16_000
# General MIDI programs (from 0) by label, with the lowest and highest note a player would use.
PROGRAMS: dict[str, tuple[tuple[int, ...], int, int]] = {
    "piano": ((0, 1, 2), 33, 96),
    "electric piano": ((4, 5), 40, 84),
    "harpsichord": ((6,), 40, 84),
    "organ": ((16, 17, 19, 20), 36, 84),
    "accordion": ((21, 23), 48, 84),
    "harmonica": ((22,), 55, 84),
    "acoustic guitar": ((24, 25), 40, 76),
    "electric guitar": ((26, 27, 29, 30), 40, 79),
    "double bass": ((32,), 28, 55),
    "bass guitar": ((33, 34, 36), 28, 55),
    "violin": ((40,), 55, 93),
    "cello": ((42,), 36, 70),
    "string orchestra": ((48, 49), 40, 88),
    "harp": ((46,), 36, 88),
    "choir": ((52, 53), 48, 79),
    "trumpet": ((56,), 55, 84),
    "trombone": ((57,), 40, 68),
    "french horn": ((60,), 41, 74),
    "brass band": ((61,), 45, 80),
    "saxophone": ((64, 65, 66), 44, 80),
    "oboe": ((68,), 58, 86),
    "clarinet": ((71,), 50, 86),
    "flute": ((72, 73, 75), 60, 93),
    "marimba": ((12, 13), 48, 88),
    "glockenspiel": ((9, 11), 65, 96),
    "music box": ((10,), 60, 96),
    "church bells": ((14,), 48, 76),
    "steel drum": ((114,), 52, 80),
    "sitar": ((104,), 48, 74),
    "banjo": ((105,), 48, 79),
    "bagpipes": ((109,), 55, 76),
    "synthesizer": ((81, 87, 89), 40, 84),
    "timpani": ((47,), 36, 57),
}
# Keys of the General MIDI drum channel.
DRUM_KEYS: dict[str, tuple[int, ...]] = {
    "bongo drums": (60, 61, 62, 63, 64, 60, 61),
    "drum kit": (35, 36, 38, 38, 40, 42, 42, 44, 46, 49, 51, 41, 43, 45, 47, 57),
    "drum": (35, 36, 41, 43, 45, 47, 38),
    "cymbal": (49, 51, 52, 55, 57),
    "hand clapping": (39,),
    "cowbell": (56,),
    "tambourine": (54,),
    "maracas": (70, 69, 82),
    "whistle": (71, 72),
}
# Sound effects by label: (bank, program) of Roland's GS; bank 0 is General MIDI.
EFFECTS: dict[str, tuple[tuple[int, int], ...]] = {
    "sea waves": ((0, 122),),
    "rain": ((1, 122),),
    "thunder": ((2, 122),),
    "wind": ((3, 122),),
    "running water": ((4, 122),),
    "bubbles": ((5, 122),),
    "bird singing": ((0, 123), (3, 123)),
    "dog barking": ((1, 123),),
    "horse galloping": ((2, 123),),
    "phone ringing": ((0, 124), (1, 124)),
    "door": ((2, 124), (3, 124)),
    "wind chime": ((5, 124),),
    "helicopter": ((0, 125),),
    "car engine": ((1, 125),),
    "skidding tires": ((2, 125),),
    "car passing": ((3, 125),),
    "crash": ((4, 125),),
    "siren": ((5, 125),),
    "train": ((6, 125),),
    "airplane": ((7, 125),),
    "applause": ((0, 126),),
    "laughter": ((1, 126),),
    "screaming": ((2, 126),),
    "thud": ((3, 126),),
    "heartbeat": ((4, 126),),
    "footsteps": ((5, 126),),
    "gunshot": ((0, 127),),
    "machine gun": ((1, 127),),
    "laser": ((2, 127), (8, 125)),
    "explosion": ((3, 127),),
}
SENTENCES = (
    "Good morning everybody, and welcome to the show. Today we are going to talk about the weather and the news.",
    "First put the flour into a bowl, then add two eggs, a cup of milk and a pinch of salt, and stir it well.",
    "He walked down the road until he came to a small house, where an old woman was sitting at the window.",
    "I don't know what you mean. Could you say that again, please? Yes, of course, I will call you tomorrow.",
    "The train to the city leaves at nine fifteen from platform four. Please mind the gap between train and platform.",
    "Look at that! This is the best thing I have ever seen in my whole life, it is really amazing.",
)
VOICES = (
    "en",
    "en-us",
    "en-gb-scotland",
    "de",
    "fr",
    "es",
    "it",
    "pl",
    "en-us+f2",
    "en+f3",
    "en+m3",
    "en-us+m7",
    "en+f5",
)


def write_wav(path: Path, samples: NDArray[np.floating]) -> None:
    """samples: (N,) in [-1, 1] at RATE_HZ."""
    peak = float(np.max(np.abs(samples))) or 1.0
    data = (samples / max(peak, 1.0) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(data.tobytes())


def _varint(value: int) -> bytes:
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def midi_file(events: list[tuple[int, bytes]]) -> bytes:
    """A format-0 MIDI file of (time in ms, message) events; 1 tick = 1 ms (500 ticks a quarter at 120 bpm)."""
    body, now = b"", 0
    for time_ms, message in sorted(events, key=lambda e: e[0]):
        body += _varint(time_ms - now) + message
        now = time_ms
    body += b"\x00\xff\x2f\x00"
    return b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xf4MTrk" + len(body).to_bytes(4, "big") + body


def _notes(
    rng: np.random.Generator, channel: int, low: int, high: int, seconds: float, chords: bool
) -> Iterator[tuple[int, bytes]]:
    """A random walk in a random major or minor key; some notes as chords."""
    scale = np.array([0, 2, 4, 5, 7, 9, 11] if rng.random() < 0.6 else [0, 2, 3, 5, 7, 8, 10]) + rng.integers(12)
    pitches = [p for p in range(low, high + 1) if (p - scale[0]) % 12 in (scale - scale[0])]
    at, step_ms, now = int(rng.integers(len(pitches))), int(rng.choice([120, 180, 250, 350, 500, 900])), 0
    while now < seconds * 1000:
        at = int(np.clip(at + rng.integers(-4, 5), 0, len(pitches) - 1))
        held = int(step_ms * rng.choice([0.5, 1, 1, 2, 4]))
        velocity = int(rng.integers(50, 120))
        stack = [at, at + 2, at + 4] if chords and rng.random() < 0.35 else [at]
        for pitch in (pitches[i] for i in stack if i < len(pitches)):
            yield now, bytes([0x90 | channel, pitch, velocity])
            yield now + held, bytes([0x80 | channel, pitch, 0])
        now += int(step_ms * rng.choice([1, 1, 1, 2, 3]))


def _beats(rng: np.random.Generator, keys: tuple[int, ...], seconds: float) -> Iterator[tuple[int, bytes]]:
    """A random bar of sixteenths, repeated with small changes."""
    step_ms = int(rng.integers(90, 220))
    bar = [[int(rng.choice(keys)) for _ in range(rng.choice([0, 1, 1, 2]))] for _ in range(16)]
    for i in range(int(seconds * 1000 / step_ms)):
        hit = bar[i % 16] if rng.random() < 0.85 else [int(rng.choice(keys))]
        for key in hit:
            yield i * step_ms, bytes([0x99, key, int(rng.integers(60, 125))])
            yield i * step_ms + 80, bytes([0x89, key, 0])


def _render(events: list[tuple[int, bytes]], soundfont: Path, out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder, "a.mid"), Path(folder, "a.wav")
        midi.write_bytes(midi_file(events))
        command = [
            "fluidsynth",
            "-ni",
            "-q",
            "-g",
            "0.7",
            "-r",
            str(RATE_HZ),
            "-F",
            str(wav),
            str(soundfont),
            str(midi),
        ]
        subprocess.run(command, check=True, capture_output=True)
        with wave.open(str(wav)) as src:
            stereo = np.frombuffer(src.readframes(src.getnframes()), "<i2").reshape(-1, src.getnchannels())
        write_wav(out, stereo.mean(axis=1) / 32768)


def make_music(out: Path, soundfonts: list[Path], takes: int, rng: np.random.Generator) -> None:
    """Solo phrases of each instrument, drums, and small ensembles (label "music")."""
    for font in soundfonts:
        for take in range(takes):
            stem = f"{font.stem}-{take}"
            for label, (programs, low, high) in PROGRAMS.items():
                program = bytes([0xC0, int(rng.choice(programs))])
                events = [(0, program), *_notes(rng, 0, low, high, 9.0, chords=True)]
                _render(events, font, out / f"{label.replace(' ', '_')}__{stem}.wav")
            for label, keys in DRUM_KEYS.items():
                kit = [(0, bytes([0xC9, int(rng.choice([0, 8, 16, 24, 25, 32]))]))]
                _render([*kit, *_beats(rng, keys, 9.0)], font, out / f"{label.replace(' ', '_')}__{stem}.wav")
            for band in range(4):
                events = list(_beats(rng, DRUM_KEYS["drum kit"], 9.0)) if band % 2 else []
                for channel, label in enumerate(rng.choice(list(PROGRAMS), 3, replace=False)):
                    programs, low, high = PROGRAMS[label]
                    events.append((0, bytes([0xC0 | channel, int(rng.choice(programs))])))
                    events += _notes(rng, channel, low, high, 9.0, chords=channel == 0)
                _render(events, font, out / f"music__{stem}-{band}.wav")


def presets(soundfont: Path) -> set[tuple[int, int]]:
    """The (bank, program) that a sound font has: its chunk "phdr", rows of 38 bytes (SoundFont 2.04, section 7.2)."""
    content = soundfont.read_bytes()
    at = content.index(b"phdr")
    (size,) = struct.unpack_from("<I", content, at + 4)
    rows = (struct.unpack_from("<HH", content, at + 8 + row + 20) for row in range(0, size, 38))
    return {(bank, program) for program, bank in rows}


def make_effects(out: Path, soundfonts: list[Path], takes: int, rng: np.random.Generator) -> None:
    """Each effect that a font has, at other pitches, once or several times."""
    for font in soundfonts:
        there = presets(font)
        for label, places in EFFECTS.items():
            for (bank, program), take in product([place for place in places if place in there], range(takes)):
                events, now = [(0, bytes([0xB0, 0, bank])), (0, bytes([0xC0, program]))], 0
                while now < 6000:
                    held, pitch = int(rng.integers(400, 6000)), int(60 + rng.integers(-6, 7))
                    events += [(now, bytes([0x90, pitch, 110])), (now + held, bytes([0x80, pitch, 0]))]
                    now += held + int(rng.integers(0, 800))
                name = f"{label.replace(' ', '_')}__{font.stem}-{bank}-{program}-{take}.wav"
                _render(events, font, out / name)


def make_speech(out: Path, rng: np.random.Generator) -> None:
    for voice in VOICES:
        for i, sentence in enumerate(SENTENCES):
            raw = out / f"speech__{voice.replace('+', '-')}-{i}.wav"
            command = ["espeak-ng", "-v", voice, "-s", str(rng.integers(130, 210)), "-p", str(rng.integers(20, 80))]
            subprocess.run([*command, "-w", str(raw), sentence], check=True, capture_output=True)


def _band_noise(rng: np.random.Generator, low_hz: float, high_hz: float, seconds: float) -> NDArray[np.float64]:
    sos = butter(2, [low_hz, high_hz], "bandpass", fs=RATE_HZ, output="sos")
    noise = sosfilt(sos, rng.standard_normal(int(seconds * RATE_HZ)))
    return np.asarray(noise / np.std(noise))


def _swell(rng: np.random.Generator, seconds: float, period_s: float) -> NDArray[np.float64]:
    """A slowly wandering level in 0.1..1."""
    knots = rng.uniform(0.1, 1.0, int(seconds / period_s) + 3)
    return np.interp(np.arange(int(seconds * RATE_HZ)) / RATE_HZ / period_s, np.arange(len(knots)), knots)


def make_noises(out: Path, rng: np.random.Generator, takes: int) -> None:
    """Wind, noises, hum, tones and beeps: what numpy makes credibly."""
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    for take in range(takes):
        gusts = _band_noise(rng, 30, rng.uniform(200, 700), 8) * _swell(rng, 8, rng.uniform(0.4, 1.5))
        write_wav(out / f"wind__made-{take}.wav", 0.3 * gusts)
        write_wav(out / f"white_noise__made-{take}.wav", rng.uniform(0.05, 0.3) * _band_noise(rng, 20, 7900, 8))
        low = rng.uniform(20, 3000)
        write_wav(out / f"noise__made-{take}.wav", 0.2 * _band_noise(rng, low, rng.uniform(low * 1.5, 7900), 8))
        mains = rng.choice([50.0, 60.0])
        hum = sum(np.sin(2 * np.pi * mains * k * time_s) / k for k in (1, 2, 3, 5, 7))
        write_wav(out / f"hum__made-{take}.wav", 0.2 * hum + 0.003 * rng.standard_normal(len(time_s)))
        tone = np.sin(2 * np.pi * np.exp(rng.uniform(np.log(100), np.log(6000))) * time_s)
        write_wav(out / f"tone__made-{take}.wav", 0.3 * tone)
        gate = (time_s % rng.uniform(0.2, 1.2)) < rng.uniform(0.06, 0.15)
        write_wav(out / f"beep__made-{take}.wav", 0.3 * gate * np.sin(2 * np.pi * rng.uniform(600, 3500) * time_s))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for instruments, speech and noises")
    parser.add_argument("--effects", type=Path, help="folder for the effects of the sound fonts")
    parser.add_argument("--soundfont", type=Path, action="append", default=[])
    parser.add_argument("--takes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    rng = np.random.default_rng(args.seed)
    for folder in filter(None, (args.out, args.effects)):
        folder.mkdir(parents=True, exist_ok=True)
    if args.out:
        make_noises(args.out, rng, 4 * args.takes)
        make_speech(args.out, rng)
        make_music(args.out, args.soundfont, args.takes, rng)
    if args.effects:
        make_effects(args.effects, args.soundfont, 4 * args.takes, rng)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
